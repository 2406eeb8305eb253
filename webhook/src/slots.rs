//! A bounded number of places, where whoever has been quiet longest makes room for a newcomer. So clients that
//! only hold a place never keep out one that has something to say.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
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
    opened: Instant,
    /// Looked through for a newcomer alone, so that who works never waits for anyone.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    places: BTreeMap<u64, Arc<Place>>,
}

/// What a newcomer looks at.
#[derive(Debug, Default)]
struct Place {
    works: AtomicUsize,
    begun: AtomicU64,
    /// Since when it has been quiet, in nanoseconds; of no matter while there is work.
    quiet_since: AtomicU64,
    told: AtomicBool,
    leave: Notify,
}

impl Slots {
    pub(crate) fn new(places: usize, grace: Duration) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(places));
        Arc::new(Self { free, grace, opened: Instant::now(), taken: Mutex::default() })
    }

    /// Waits for a place, and has others make room where there is none. The newcomer counts as quiet.
    pub(crate) async fn enter(self: &Arc<Self>) -> Slot {
        // It fails only for a semaphore that was closed, and nobody closes it.
        let permit = self.making_room(self.free.clone().acquire_owned()).await.ok();
        self.settle(permit)
    }

    /// Stays at a place, and counts as quiet.
    fn settle(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Slot {
        let place = Arc::new(Place { quiet_since: AtomicU64::new(self.now()), ..Place::default() });
        let mut taken = lock(&self.taken);
        let key = taken.next;
        taken.next += 1;
        taken.places.insert(key, place.clone());
        drop(taken);
        Slot { slots: self.clone(), key, place, _permit: permit }
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

    fn make_room(&self) {
        let taken = lock(&self.taken);
        let is_quiet = |place: &&Arc<Place>| {
            place.works.load(Ordering::Acquire) == 0 && !place.told.load(Ordering::Relaxed)
        };
        let since = |place: &Place| place.quiet_since.load(Ordering::Relaxed);
        if let Some(place) = taken.places.values().filter(is_quiet).min_by_key(|place| since(place))
            && Duration::from_nanos(self.now().saturating_sub(since(place))) >= self.grace
        {
            place.told.store(true, Ordering::Relaxed);
            place.leave.notify_one();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    key: u64,
    place: Arc<Place>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Ends when a newcomer needs the place.
    pub(crate) async fn told_to_leave(&self) {
        self.place.leave.notified().await;
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.place.works.load(Ordering::Acquire) == 0
    }

    /// How often work was begun.
    pub(crate) fn begun(&self) -> u64 {
        self.place.begun.load(Ordering::Relaxed)
    }

    /// Nobody is told to leave while there is work.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        self.place.begun.fetch_add(1, Ordering::Relaxed);
        self.place.works.fetch_add(1, Ordering::AcqRel);
        Work(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.slots.taken).places.remove(&self.key);
    }
}

/// Work at a place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Work(Arc<Slot>);

impl Drop for Work {
    fn drop(&mut self) {
        let place = &self.0.place;
        // Before it can be seen as quiet.
        place.quiet_since.store(self.0.slots.now(), Ordering::Relaxed);
        place.told.store(false, Ordering::Relaxed);
        place.works.fetch_sub(1, Ordering::AcqRel);
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
