//! A bounded number of places, where whoever has been quiet longest makes room for a newcomer. So clients that
//! only hold a place never keep out one that has something to say.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How often a newcomer looks again whether someone can leave: who was told to may have got busy.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// Whoever went quiet more recently than that is left alone.
    grace: Duration,
    quiet: Mutex<Quiet>,
}

#[derive(Debug, Default)]
struct Quiet {
    next: u64,
    /// By the order in which they went quiet.
    since: BTreeMap<u64, (Instant, Arc<Notify>)>,
}

impl Slots {
    pub(crate) fn new(places: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(places)), grace, quiet: Mutex::default() })
    }

    /// Waits for a place, and has others make room where there is none. The newcomer counts as quiet.
    pub(crate) async fn enter(self: &Arc<Self>) -> Slot {
        // It fails only for a semaphore that was closed, and nobody closes it.
        let permit = self.making_room(self.free.clone().acquire_owned()).await.ok();
        let slot = Slot {
            slots: self.clone(),
            leave: Arc::default(),
            begun: AtomicU64::new(0),
            place: Mutex::default(),
            _permit: permit,
        };
        lock(&slot.place).quiet = Some(self.went_quiet(&slot.leave));
        slot
    }

    /// Waits for what others hold, and has them leave for it, who has been quiet longest first.
    pub(crate) async fn making_room<T>(&self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return done,
                () = async { self.make_room(); sleep(LOOK_AGAIN).await } => {}
            }
        }
    }

    fn went_quiet(&self, leave: &Arc<Notify>) -> u64 {
        let mut quiet = lock(&self.quiet);
        let key = quiet.next;
        quiet.next += 1;
        quiet.since.insert(key, (Instant::now(), leave.clone()));
        key
    }

    fn make_room(&self) {
        let mut quiet = lock(&self.quiet);
        if let Some(first) = quiet.since.first_entry()
            && first.get().0.elapsed() >= self.grace
        {
            first.remove().1.notify_one();
        }
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    leave: Arc<Notify>,
    begun: AtomicU64,
    place: Mutex<Place>,
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Default)]
struct Place {
    works: usize,
    /// The key among the quiet ones.
    quiet: Option<u64>,
}

impl Slot {
    /// Ends when a newcomer needs the place.
    pub(crate) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn is_quiet(&self) -> bool {
        lock(&self.place).works == 0
    }

    /// How often work was begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Nobody is told to leave while there is work.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let mut place = lock(&self.place);
        place.works += 1;
        if let Some(key) = place.quiet.take() {
            lock(&self.slots.quiet).since.remove(&key);
        }
        Work(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(key) = lock(&self.place).quiet.take() {
            lock(&self.slots.quiet).since.remove(&key);
        }
    }
}

/// Work at a place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Work(Arc<Slot>);

impl Drop for Work {
    fn drop(&mut self) {
        let mut place = lock(&self.0.place);
        place.works -= 1;
        if place.works == 0 {
            place.quiet = Some(self.0.slots.went_quiet(&self.0.leave));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_has_been_quiet_longest_makes_room() {
        let slots = Slots::new(2, Duration::ZERO);
        let (first, second) = (Arc::new(slots.enter().await), Arc::new(slots.enter().await));
        drop(first.work());
        let newcomer = tokio::spawn(async move { slots.enter().await });
        second.told_to_leave().await;
        assert!(second.is_quiet());
        drop(second);
        newcomer.await.unwrap();
        assert_eq!(first.begun(), 1);
    }

    #[tokio::test]
    async fn who_works_stays_and_the_newcomer_waits() {
        let slots = Slots::new(1, Duration::ZERO);
        let busy = Arc::new(slots.enter().await);
        let work = busy.work();
        let newcomer = tokio::spawn({
            let slots = slots.clone();
            async move { slots.enter().await }
        });
        assert!(timeout(LOOK_AGAIN * 3, busy.told_to_leave()).await.is_err());
        drop(work);
        busy.told_to_leave().await;
        drop(busy);
        newcomer.await.unwrap();
    }
}
