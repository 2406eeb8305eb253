//! How many databases the policy wouldn't let pass today.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use prometheus_client::metrics::gauge::Gauge;

/// The databases out of policy; the gauge tells how many.
#[derive(Debug)]
pub(crate) struct Compliance {
    /// Namespace and name.
    out: Mutex<HashSet<(String, String)>>,
    gauge: Gauge,
}

impl Compliance {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self { out: Mutex::default(), gauge }
    }

    /// Takes note of what one database is. One that is gone counts as compliant.
    pub(crate) fn set(&self, namespace: &str, name: &str, is_compliant: bool) {
        let database = (namespace.to_owned(), name.to_owned());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if is_compliant {
            out.remove(&database);
        } else {
            out.insert(database);
        }
        self.gauge.set(i64::try_from(out.len()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::super::compliance::*;

    #[test]
    fn each_database_counts_once_and_no_longer_than_it_is_out_of_policy() {
        let gauge = Gauge::default();
        let compliance = Compliance::new(gauge.clone());
        compliance.set("a", "one", false);
        compliance.set("a", "one", false);
        compliance.set("a", "two", false);
        assert_eq!(gauge.get(), 2);
        compliance.set("a", "one", true);
        assert_eq!(gauge.get(), 1);
    }
}
