//! How many databases the policy wouldn't let pass today.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use api::Database;
use kube::runtime::reflector::ObjectRef;
use prometheus_client::metrics::gauge::Gauge;

/// The databases out of policy; the gauge tells how many.
#[derive(Debug)]
pub(super) struct Compliance {
    out: Mutex<HashSet<ObjectRef<Database>>>,
    gauge: Gauge,
}

impl Compliance {
    pub(super) fn new(gauge: Gauge) -> Self {
        Self { out: Mutex::default(), gauge }
    }

    /// Takes note of what one database is. One that is gone counts as compliant.
    pub(super) fn set(&self, database: &ObjectRef<Database>, is_compliant: bool) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if is_compliant {
            out.remove(database);
        } else {
            out.insert(database.clone());
        }
        self.gauge.set(i64::try_from(out.len()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_counts_once_and_no_longer_than_it_is_out_of_policy() {
        let gauge = Gauge::default();
        let compliance = Compliance::new(gauge.clone());
        let (one, two) = (ObjectRef::new("one").within("a"), ObjectRef::new("two").within("a"));
        compliance.set(&one, false);
        compliance.set(&one, false);
        compliance.set(&two, false);
        assert_eq!(gauge.get(), 2);
        compliance.set(&one, true);
        assert_eq!(gauge.get(), 1);
    }
}
