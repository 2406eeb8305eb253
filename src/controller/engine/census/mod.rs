//! What there is: databases, servers and what is kept, counted from the caches whenever somebody asks for the metrics.
//!
//! So no pass pays for it, and nothing has to be taken back when an object goes. It costs a look at each object. A series for
//! each database would cost whoever keeps them more than it tells: there is one only for a database that isn't ready.

mod databases;
mod records;
mod support;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use api::{Database, RetainedDatabase};
use arc_swap::ArcSwap;
use exposition::{Computed, Teller};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::Store;
use policy::{PolicyState, catalogue::Catalogue};

use databases::Databases;
use records::Records;
use support::Support;

/// The caches, once the process leads: a standby has none, and counts nothing.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<OnceLock<Caches>>);

struct Caches {
    databases: Store<Database>,
    records: Store<RetainedDatabase>,
    policy: Arc<ArcSwap<PolicyState>>,
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Census").field("counts", &self.0.get().is_some()).finish()
    }
}

impl Census {
    /// Counts from these, from now on.
    pub(crate) fn begin(
        &self,
        databases: Store<Database>,
        records: Store<RetainedDatabase>,
        policy: Arc<ArcSwap<PolicyState>>,
    ) {
        // It fails for a second call alone, and a process leads once.
        let _ = self.0.set(Caches { databases, records, policy });
    }
}

impl Computed for Census {
    fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
        let (databases, records, policy) = self.0.get().map_or_else(Default::default, |caches| {
            (caches.databases.state(), caches.records.state(), caches.policy.load_full())
        });
        let databases = Databases::count(&databases);
        let catalogue = match policy.policy() {
            Some(policy) => policy.catalogue(),
            None => Catalogue::known(),
        };
        let support = Support::of(databases.versions(), catalogue);
        databases.tell(teller)?;
        support.tell(teller)?;
        Records::count(&records).tell(teller)
    }
}

fn is_true(condition: &Condition) -> bool {
    condition.status == "True"
}

#[cfg(test)]
mod tests {
    use exposition::Registry;
    use kube::runtime::{reflector, watcher::Event};
    use serde_json::json;

    use super::*;

    /// In a test of its own the text of what is told: the series, in the order of the alphabet.
    pub(super) fn told(tell: impl Fn(&mut Teller<'_>) -> fmt::Result + Send + Sync + 'static) -> String {
        struct Told<F>(F);
        impl<F> fmt::Debug for Told<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Told")
            }
        }
        impl<F> Computed for Told<F>
        where
            F: Fn(&mut Teller<'_>) -> fmt::Result + Send + Sync + 'static,
        {
            fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
                self.0(teller)
            }
        }
        let mut registry = Registry::default();
        registry.compute(Told(tell));
        let text = registry.text().unwrap();
        let mut series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        series.sort_unstable();
        series.join("\n")
    }

    #[test]
    fn a_process_that_does_not_lead_counts_nothing_and_says_0() {
        let census = Census::default();
        insta::assert_snapshot!(told({
            let census = census.clone();
            move |teller| census.tell(teller)
        }));
        let (databases, mut writer) = reflector::store();
        let (records, _) = reflector::store();
        let database = json!({"metadata": {"name": "main", "namespace": "orders"}, "spec": {}});
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value::<Database>(database).unwrap()));
        census.begin(databases, records, Arc::default());
        let counted = told(move |teller| census.tell(teller));
        assert!(counted.contains("databases{state=\"working\"} 1"), "{counted}");
    }
}
