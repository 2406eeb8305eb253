//! Keeps the policy of the ConfigMap in force: a change takes effect at once, without a restart, and a broken
//! one never replaces a good one.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use exposition::{Registry, Who, labels};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use policy::{
    PolicyState,
    document::{KEY, KEY_OF_BYTES},
};
use prometheus_client::metrics::{family::Family, gauge::Gauge};
use tokio::sync::watch;

labels! {
    /// Which policy is in force.
    struct InfoLabels {
        /// a short hash of the document, as in `status.policy.revision` and in the log
        revision: String,
    }
}

/// The policy in force, and a number that grows with each change of it.
#[derive(Debug)]
pub struct PolicyWatch {
    pub state: Arc<ArcSwap<PolicyState>>,
    /// 0 until the ConfigMap was read, or found missing, for the first time.
    pub changes: watch::Receiver<u64>,
    /// What is wrong with the ConfigMap; `None` while it holds, or before it was read.
    pub trouble: watch::Receiver<Option<String>>,
    trouble_sender: watch::Sender<Option<String>>,
    sender: watch::Sender<u64>,
    valid: Gauge,
    /// Holds one revision at a time, so that the label is bounded.
    info: Family<InfoLabels, Gauge>,
}

impl PolicyWatch {
    /// Before anything is read.
    pub fn new(registry: &mut Registry) -> Self {
        let (sender, changes) = watch::channel(0);
        let (trouble_sender, trouble) = watch::channel(None);
        let valid = Gauge::default();
        registry.register(
            "policy_valid",
            "Whether the policy ConfigMap holds: 1, or 0 when it is missing or broken",
            Who::OnCall,
            valid.clone(),
        );
        let info = Family::default();
        registry.register(
            "policy_info",
            "The revision of the policy that is in force",
            Who::Finder,
            info.clone(),
        );
        Self { state: Arc::default(), changes, trouble, trouble_sender, sender, valid, info }
    }

    /// Watches until it is dropped. Errors are retried for ever, and leave the policy as it is.
    pub async fn run(self, client: Client, namespace: String, name: String) {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut listed = false;
        while let Some(event) = events.next().await {
            let before = self.state.load_full();
            match event {
                Ok(watcher::Event::Init) => listed = false,
                Ok(watcher::Event::InitApply(config_map)) => {
                    listed = true;
                    self.set(applied(before, config_map).await, &name);
                }
                Ok(watcher::Event::Apply(config_map)) => self.set(applied(before, config_map).await, &name),
                Ok(watcher::Event::InitDone) if listed => {}
                Ok(watcher::Event::InitDone | watcher::Event::Delete(_)) => self.set(before.deleted(), &name),
                Err(error) => {
                    tracing::warn!(%error, namespace, name, "the policy ConfigMap can't be watched; trying again");
                }
            }
        }
    }

    fn set(&self, state: PolicyState, name: &str) {
        let before = self.state.load_full();
        let same_policy =
            before.policy().map(|policy| &policy.revision) == state.policy().map(|policy| &policy.revision);
        let trouble = state.trouble(name);
        match (&trouble, state.policy()) {
            (Some(trouble), _)
                if before.trouble(name).as_ref() != Some(trouble) || *self.sender.borrow() == 0 =>
            {
                tracing::error!("{trouble}");
            }
            (None, Some(policy)) if !same_policy => {
                tracing::info!(revision = policy.revision, "policy in force");
            }
            _ => {}
        }
        self.valid.set(i64::from(trouble.is_none()));
        self.trouble_sender.send_if_modified(|before| {
            let is_news = *before != trouble;
            *before = trouble;
            is_news
        });
        if !same_policy {
            if let Some(policy) = state.policy() {
                self.info.get_or_create(&InfoLabels { revision: policy.revision.clone() }).set(1);
            }
            if let Some(policy) = before.policy() {
                self.info.remove(&InfoLabels { revision: policy.revision.clone() });
            }
        }
        self.state.store(Arc::new(state));
        if !same_policy || *self.sender.borrow() == 0 {
            self.sender.send_modify(|count| *count += 1);
        }
    }
}

/// The state after the ConfigMap was written. It is read on a thread of its own, so that nothing else waits for a large one.
async fn applied(before: Arc<PolicyState>, config_map: ConfigMap) -> PolicyState {
    let read = {
        let before = before.clone();
        tokio::task::spawn_blocking(move || before.applied(data(config_map).as_ref()))
    };
    // A panic of the parser must not lose the policy that holds.
    read.await.unwrap_or_else(|error| {
        tracing::error!(%error, "the policy ConfigMap can't be read; this is a bug");
        PolicyState::clone(&before)
    })
}

/// The data, with a key for a policy that can't be one because of its bytes.
fn data(config_map: ConfigMap) -> Option<BTreeMap<String, String>> {
    let mut data = config_map.data;
    if config_map.binary_data.is_some_and(|bytes| bytes.contains_key(KEY)) {
        data.get_or_insert_default().insert(KEY_OF_BYTES.to_owned(), String::new());
    }
    data
}

#[cfg(test)]
mod tests {
    use crate::cluster::policy_watch::*;

    #[test]
    fn only_the_revision_in_force_is_shown() {
        let mut registry = Registry::default();
        let watch = PolicyWatch::new(&mut registry);
        let shown = || {
            let text = registry.text().unwrap();
            let revisions = text.lines().filter(|line| line.starts_with("policy_info{"));
            revisions.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert!(shown().is_empty());
        let policy = include_str!("../../examples/policy.yaml");
        for text in [policy.to_owned(), format!("# changed\n{policy}"), "broken: [".to_owned()] {
            let data = [("policy.yaml".to_owned(), text)].into();
            watch.set(watch.state.load().applied(Some(&data)), "database-policy");
            let revision = watch.state.load().policy().unwrap().revision.clone();
            assert_eq!(shown(), [format!("policy_info{{revision=\"{revision}\"}} 1")]);
        }
    }
}
