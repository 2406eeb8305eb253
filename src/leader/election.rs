//! Who leads, as a pure function of the Lease and of what was seen of it before.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};

/// A holder and its last renewal, and since when they have been seen unchanged. Clocks of machines differ, so a Lease has
/// expired when nobody renewed it for its duration by *our* clock.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    holder: String,
    renewed: Option<MicroTime>,
    since: Instant,
}

/// What to do about the Lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Write this; it carries the version that was read, so that the slower of two fails.
    Write(Box<Lease>),
    /// Another one leads.
    Wait { holder: String },
}

/// One who stands for election.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub name: String,
    pub duration: Duration,
}

impl Candidate {
    pub(super) fn decide(
        &self,
        found: Option<&Lease>,
        observed: &mut Option<Observed>,
        now: Timestamp,
        instant: Instant,
    ) -> Decision {
        let Some(found) = found else { return Decision::Write(Box::new(self.take(Lease::default(), now))) };
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder.is_empty() || holder == self.name {
            return Decision::Write(Box::new(self.take(found.clone(), now)));
        }
        let is_same = |seen: &Observed| seen.holder == holder && seen.renewed == spec.renew_time;
        let seen = match observed.take() {
            Some(seen) if is_same(&seen) => seen,
            _ => Observed { holder: holder.clone(), renewed: spec.renew_time, since: instant },
        };
        // The holder's own word on how long it counts; ours, where it says nothing that makes sense.
        let stated = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = stated.filter(|seconds| *seconds > 0).map_or(self.duration, Duration::from_secs);
        let has_expired = instant.saturating_duration_since(seen.since) >= duration;
        *observed = Some(seen);
        if has_expired {
            Decision::Write(Box::new(self.take(found.clone(), now)))
        } else {
            Decision::Wait { holder }
        }
    }

    /// The Lease with this candidate as its holder.
    fn take(&self, mut lease: Lease, now: Timestamp) -> Lease {
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.name) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
            spec.acquire_time = Some(MicroTime(now));
        }
        spec.holder_identity = Some(self.name.clone());
        // At least a second, which is the unit.
        spec.lease_duration_seconds = Some(i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX).max(1));
        spec.renew_time = Some(MicroTime(now));
        lease.metadata.managed_fields = None;
        lease
    }

    /// The Lease given back, if this candidate holds it.
    pub(super) fn release(&self, mut found: Lease) -> Option<Lease> {
        let spec: &mut LeaseSpec = found.spec.as_mut()?;
        if spec.holder_identity.as_ref() != Some(&self.name) {
            return None;
        }
        spec.holder_identity = None;
        found.metadata.managed_fields = None;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn candidate(name: &str) -> Candidate {
        Candidate { name: name.into(), duration: SECOND * 15 }
    }

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn written(decision: Decision) -> Lease {
        match decision {
            Decision::Write(lease) => *lease,
            Decision::Wait { holder } => panic!("{holder} leads"),
        }
    }

    fn held_by(name: &str) -> Lease {
        written(candidate(name).decide(None, &mut None, now(), Instant::now()))
    }

    #[test]
    fn who_comes_first_leads_and_renews() {
        let lease = held_by("a");
        let spec = lease.spec.clone().unwrap();
        assert_eq!(spec.holder_identity.as_deref(), Some("a"));
        assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(0)));
        let later = now() + SECOND * 2;
        let renewed = written(candidate("a").decide(Some(&lease), &mut None, later, Instant::now()));
        let renewed = renewed.spec.unwrap();
        assert_eq!(renewed.acquire_time, spec.acquire_time);
        assert_eq!(renewed.renew_time, Some(MicroTime(later)));
    }

    #[test]
    fn another_waits_until_nothing_was_renewed_for_the_duration_by_its_own_clock() {
        let (start, mut observed) = (Instant::now(), None);
        let mut lease = held_by("a");
        // As long ago as a wrong clock may say.
        lease.spec.as_mut().unwrap().renew_time = Some(MicroTime("2020-01-01T00:00:00Z".parse().unwrap()));
        let b = candidate("b");
        let waiting = Decision::Wait { holder: "a".into() };
        assert_eq!(b.decide(Some(&lease), &mut observed, now(), start), waiting);
        assert_eq!(b.decide(Some(&lease), &mut observed, now(), start + SECOND * 14), waiting);
        // A renewal starts the count again.
        lease.spec.as_mut().unwrap().renew_time = Some(MicroTime(now()));
        assert_eq!(b.decide(Some(&lease), &mut observed, now(), start + SECOND * 14), waiting);
        assert_eq!(b.decide(Some(&lease), &mut observed, now(), start + SECOND * 28), waiting);
        let taken = written(b.decide(Some(&lease), &mut observed, now(), start + SECOND * 29));
        let spec = taken.spec.unwrap();
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));
    }

    #[test]
    fn what_is_given_back_is_taken_at_once_and_only_by_its_holder_given_back() {
        let lease = held_by("a");
        assert_eq!(candidate("b").release(lease.clone()), None);
        let free = candidate("a").release(lease).unwrap();
        let taken = written(candidate("b").decide(Some(&free), &mut None, now(), Instant::now()));
        assert_eq!(taken.spec.unwrap().holder_identity.as_deref(), Some("b"));
    }

    #[test]
    fn a_duration_that_makes_no_sense_is_not_believed() {
        let (start, mut observed) = (Instant::now(), None);
        let mut lease = held_by("a");
        lease.spec.as_mut().unwrap().lease_duration_seconds = Some(-1);
        let waiting = Decision::Wait { holder: "a".into() };
        assert_eq!(candidate("b").decide(Some(&lease), &mut observed, now(), start), waiting);
    }
}
