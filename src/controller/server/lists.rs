//! Waits for the first lists.

use std::time::Duration;

use super::{context::Context, observe};

/// How often it is looked whether the first lists are complete.
const LISTING: Duration = Duration::from_millis(50);
/// A pass waits this long for them. It is less than a pass may take.
const LISTED: Duration = Duration::from_secs(10);

/// Waits until the first lists are complete, or can't be had. A pass that didn't wait would come to nothing and be
/// asked for again; while it waits, all that is asked for becomes one pass of each object. The lists are read meanwhile:
/// kube's loop goes on reading its triggers when it has as many passes as it may have.
pub(crate) async fn until_listed(context: &Context) {
    let listed = async {
        while !is_listed(context) {
            tokio::time::sleep(LISTING).await;
        }
    };
    // What a pass does without them is up to the pass.
    let _ = tokio::time::timeout(LISTED, listed).await;
}

fn is_listed(context: &Context) -> bool {
    observe::are_listed(&context.retained)
        && context.namespaces.are_listed()
        && !matches!(observe::check(&context.caches), Err(observe::Error::NotSynced))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use kube::runtime::{reflector, watcher};

    use super::*;
    use crate::controller::{
        engine::cache::Health,
        golden::{in_an_empty_cluster, unasked},
    };

    #[tokio::test(start_paused = true)]
    async fn a_pass_waits_until_the_first_lists_are_complete() {
        let (retained, mut writer) = reflector::store();
        let context = Context { retained, ..in_an_empty_cluster(&Health::Synced, unasked()) };
        let mut waiting = Box::pin(until_listed(&context));
        assert!((&mut waiting).now_or_never().is_none());
        writer.apply_watcher_event(&watcher::Event::Init);
        writer.apply_watcher_event(&watcher::Event::InitDone);
        let started = tokio::time::Instant::now();
        waiting.await;
        assert!(started.elapsed() <= LISTING, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_waits_for_a_list_that_takes_long_but_not_for_ever() {
        let started = tokio::time::Instant::now();
        until_listed(&in_an_empty_cluster(&Health::Starting, unasked())).await;
        assert_eq!(started.elapsed().as_secs(), LISTED.as_secs());
    }

    #[rstest::rstest]
    #[case::complete(Health::Synced)]
    #[case::kind_is_unknown(Health::UnknownKind)]
    #[case::cant_be_listed(Health::Failing("forbidden".to_owned()))]
    #[tokio::test(start_paused = true)]
    async fn a_pass_waits_for_no_list_that_is_complete_or_cant_be_had(#[case] aso: Health) {
        let started = tokio::time::Instant::now();
        until_listed(&in_an_empty_cluster(&aso, unasked())).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
