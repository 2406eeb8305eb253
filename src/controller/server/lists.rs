//! Waits for the first lists.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, Stream};

use super::{context::Context, observe};

/// How often it is looked whether the first lists are complete.
const LISTING: Duration = Duration::from_millis(50);
/// Nobody waits longer for them: then each pass says what it lacks.
const LISTED: Duration = Duration::from_mins(1);

/// The objects of a loop, from when the first lists of all else are complete, or can't be had. kube's loop begins with its
/// passes when it has seen all of its own objects. Till then, whatever touches an object asks for one pass of it, however
/// often. A pass that began before would be asked for once more by each list that touches its object.
pub(crate) fn then<S: Stream>(
    is_listed: fn(&Context) -> bool,
    context: Arc<Context>,
    objects: S,
) -> impl Stream<Item = S::Item> {
    async move {
        let listed = async {
            while !is_listed(&context) {
                tokio::time::sleep(LISTING).await;
            }
        };
        // What a pass does without them is up to the pass.
        let _ = tokio::time::timeout(LISTED, listed).await;
        objects
    }
    .flatten_stream()
}

/// All that a pass over a record reads.
pub(crate) fn all_but_records(context: &Context) -> bool {
    context.namespaces.are_listed()
        && !matches!(observe::check(&context.caches), Err(observe::Error::NotSynced))
}

/// All that a pass over a `Database` reads.
pub(crate) fn all(context: &Context) -> bool {
    observe::are_listed(&context.retained) && all_but_records(context)
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream};
    use kube::runtime::{reflector, watcher};

    use super::*;
    use crate::controller::{
        engine::cache::Health,
        golden::{in_an_empty_cluster, unasked},
    };

    /// A loop over one object.
    fn one(context: Context) -> impl Stream<Item = &'static str> {
        then(all, Arc::new(context), stream::iter(["a"]))
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_begins_when_the_first_lists_are_complete() {
        let (retained, mut writer) = reflector::store();
        let context = Context { retained, ..in_an_empty_cluster(&Health::Synced, unasked()) };
        assert!(all_but_records(&context) && !all(&context));
        let mut objects = Box::pin(one(context));
        assert!(objects.next().now_or_never().is_none());
        writer.apply_watcher_event(&watcher::Event::Init);
        writer.apply_watcher_event(&watcher::Event::InitDone);
        let started = tokio::time::Instant::now();
        assert_eq!(objects.next().await, Some("a"));
        assert!(started.elapsed() <= LISTING, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_waits_for_a_list_that_takes_long_but_not_for_ever() {
        let started = tokio::time::Instant::now();
        let objects = one(in_an_empty_cluster(&Health::Starting, unasked()));
        assert_eq!(objects.collect::<Vec<_>>().await, ["a"]);
        assert_eq!(started.elapsed().as_secs(), LISTED.as_secs());
    }

    #[rstest::rstest]
    #[case::complete(Health::Synced)]
    #[case::kind_is_unknown(Health::UnknownKind)]
    #[case::cant_be_listed(Health::Failing("forbidden".to_owned()))]
    #[tokio::test(start_paused = true)]
    async fn a_loop_waits_for_no_list_that_is_complete_or_cant_be_had(#[case] aso: Health) {
        let started = tokio::time::Instant::now();
        let objects = one(in_an_empty_cluster(&aso, unasked()));
        assert_eq!(objects.collect::<Vec<_>>().await, ["a"]);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
