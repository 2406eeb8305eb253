//! Servers that are kept.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use api::{RetainedDatabase, RetainedReason};
use exposition::{Teller, Unlabelled, Who, labels};
use jiff::Timestamp;
use prometheus_client::metrics::{family::Family, gauge::Gauge};

use super::is_true;
use crate::controller::engine::conditions::{STALLED, find};

labels! {
    /// Labels of a number of servers that are kept.
    struct RetainedLabels {
        /// why it is kept: `Deleted`, or `OwnerLost`
        reason: &'static str,
        /// `kept`, `destroying`, or `stalled` until a person acts
        state: &'static str,
    }
}

const KEPT: &str = "kept";
const DESTROYING: &str = "destroying";
const STALLS: &str = "stalled";

const REASONS: [RetainedReason; 2] = [RetainedReason::Deleted, RetainedReason::OwnerLost];

/// What is told of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    numbers: Family<RetainedLabels, Gauge>,
    next_end: Gauge<f64, AtomicU64>,
    oldest: Family<Unlabelled, Gauge>,
}

impl Records {
    pub(super) fn count(records: &[Arc<RetainedDatabase>]) -> Self {
        let counts = Self::default();
        // An alert must see 0, and not nothing.
        for reason in REASONS.map(name) {
            for state in [KEPT, DESTROYING, STALLS] {
                counts.numbers.get_or_create(&RetainedLabels { reason, state }).set(0);
            }
        }
        for record in records {
            let labels = RetainedLabels { reason: name(record.spec.reason), state: state(record) };
            counts.numbers.get_or_create(&labels).inc();
        }
        let next = records.iter().filter_map(|record| end(record)).min();
        counts.next_end.set(next.map_or(f64::INFINITY, |next| next.as_duration().as_secs_f64()));
        if let Some(oldest) = records.iter().map(|record| record.spec.since.0).min() {
            counts.oldest.get_or_create(&Unlabelled).set(oldest.as_second());
        }
        counts
    }

    pub(super) fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
        teller.metric(
            "retaineddatabases",
            "Servers that are kept without a Database",
            Who::OnCall,
            &self.numbers,
        )?;
        teller.metric(
            "retaineddatabases_next_end_timestamp_seconds",
            "When the next server that is kept is destroyed with all its data; +Inf when none is",
            Who::OnCall,
            &self.next_end,
        )?;
        teller.metric(
            "retaineddatabases_oldest_since_timestamp_seconds",
            "Since when the server is kept that is kept longest",
            Who::Planner,
            &self.oldest,
        )
    }
}

fn name(reason: RetainedReason) -> &'static str {
    match reason {
        RetainedReason::Deleted => "Deleted",
        RetainedReason::OwnerLost => "OwnerLost",
    }
}

fn state(record: &RetainedDatabase) -> &'static str {
    let conditions = record.status.as_ref().map_or(&[][..], |status| &status.conditions);
    if find(conditions, STALLED).is_some_and(is_true) {
        STALLS
    } else if record.is_being_destroyed() {
        DESTROYING
    } else {
        KEPT
    }
}

/// When its server is destroyed, as far as the record alone says. An end that was taken back by its `Database` is none.
fn end(record: &RetainedDatabase) -> Option<Timestamp> {
    let status = record.own_status();
    let was_taken_back =
        |until: &_| status.is_some_and(|status| status.inherited_until.as_ref() == Some(until));
    let confirmed = || status?.confirmed.as_ref().map(|confirmed| &confirmed.destroy_at);
    match &record.spec.until {
        Some(until) if was_taken_back(until) => None,
        Some(until) => Some(until.0),
        None => confirmed().map(|end| end.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::tests::told, *};

    fn record(reason: &str, until: Option<&str>, status: &Value) -> Arc<RetainedDatabase> {
        let mut status = status.clone();
        status["uid"] = json!("u1");
        let record = json!({
            "metadata": {"name": "srv", "uid": "u1"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv"}, "reason": reason,
                "since": "1970-01-01T00:00:10Z", "until": until,
            },
            "status": status,
        });
        Arc::new(serde_json::from_value(record).unwrap())
    }

    fn shown(records: &[Arc<RetainedDatabase>]) -> String {
        let records = Records::count(records);
        told(move |teller| records.tell(teller))
    }

    #[test]
    fn each_server_that_is_kept_counts_once_by_why_and_how() {
        let stalled = json!({"conditions": [{
            "type": "Stalled", "status": "True", "reason": "DestroyImpossible", "message": "",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }]});
        let destroying = json!({"destroy": {"requestedAt": "1970-01-01T00:01:00Z"}});
        insta::assert_snapshot!(shown(&[
            record("Deleted", None, &json!({})),
            record("Deleted", None, &stalled),
            record("OwnerLost", None, &json!({})),
            record("Deleted", None, &destroying),
        ]));
        let none = shown(&[]);
        assert!(!none.contains("oldest"), "of none there is no oldest: {none}");
    }

    #[test]
    fn the_next_end_is_the_first_of_all_that_count() {
        const NEXT_END: &str = "retaineddatabases_next_end_timestamp_seconds";
        let next_end = |records: &[Arc<RetainedDatabase>]| {
            let text = shown(records);
            text.lines().find_map(|line| line.strip_prefix(NEXT_END)).unwrap().trim().to_owned()
        };
        let kept = record("Deleted", None, &json!({}));
        assert_eq!(next_end(std::slice::from_ref(&kept)), "inf");
        assert_eq!(next_end(&[]), "inf");
        let confirmed = json!({"confirmed": {"confirmation": "x", "destroyAt": "1970-01-01T00:01:00Z"}});
        let at_two = || record("Deleted", Some("1970-01-01T00:02:00Z"), &json!({}));
        assert_eq!(next_end(&[at_two(), kept, record("Deleted", None, &confirmed)]), "60.0");
        let taken_back = json!({"inheritedUntil": "1970-01-01T00:00:30Z"});
        let taken_back = record("Deleted", Some("1970-01-01T00:00:30Z"), &taken_back);
        assert_eq!(next_end(&[taken_back, at_two()]), "120.0");
    }
}
