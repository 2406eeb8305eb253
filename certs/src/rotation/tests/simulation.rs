//! Replicas that come between each other, crash between any two requests, or are held up; and people who ask
//! for rotations, break keys and CAs, delete the Secret and put back a copy of it. No review may fail: whatever certificate a replica serves
//! is trusted by every bundle that an API server may go by.

use proptest::{prelude::*, test_runner::Config};

use super::*;
use crate::publish::Trust;

const REPLICAS: usize = 3;
const TIMING: Timing =
    Timing { settle: SignedDuration::from_secs(60), overlap: SignedDuration::from_secs(300) };
/// In truth one is held up for the time between two looks and the limit of one look: far less than `overlap`.
const HELD_UP: SignedDuration = SignedDuration::from_secs(100);

#[derive(Clone, Debug)]
enum Act {
    /// The next request of this replica.
    Advance(usize),
    /// All the requests that one look takes.
    Look(usize),
    Crash(usize),
    Pass(i64),
    Ask(&'static str),
    BreakKey,
    BreakNextKey,
    BreakCa(&'static str),
    DeleteSecret,
    CopySecret,
    PutBackSecret,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..REPLICAS).prop_map(Act::Advance),
        6 => (0..REPLICAS).prop_map(Act::Look),
        1 => (0..REPLICAS).prop_map(Act::Crash),
        6 => (1..40_i64).prop_map(Act::Pass),
        1 => prop::sample::select(vec!["leaf", "ca"]).prop_map(Act::Ask),
        1 => prop::sample::select(vec![
            Act::BreakKey,
            Act::BreakNextKey,
            Act::BreakCa(""),
            Act::BreakCa("not PEM"),
            Act::DeleteSecret,
            Act::CopySecret,
            Act::PutBackSecret,
        ]),
    ]
}

/// How far a replica is with one look.
#[derive(Default)]
enum Progress {
    #[default]
    Idle,
    /// And when.
    Saw(Trust, usize, Timestamp),
    Read(Trust, usize, Timestamp, Option<(State, usize)>),
    Wrote(usize, Timestamp, State),
    Published(State),
}

struct Replica {
    progress: Progress,
    served: Option<Served>,
    looked: Timestamp,
}

impl Replica {
    fn new(now: Timestamp) -> Self {
        Self { progress: Progress::Idle, served: None, looked: now }
    }
}

struct Cluster {
    now: Timestamp,
    /// With a version.
    secret: Option<(State, usize)>,
    copy: State,
    put_back: Timestamp,
    versions: usize,
    /// Since when which bundle has been published, with what was written of its CAs.
    published: Vec<(Timestamp, Trust)>,
    replicas: Vec<Replica>,
}

impl Cluster {
    /// Long after the first start, and maybe by a former version, which didn't write since when a CA is published.
    fn new(is_former: bool) -> Self {
        let nothing = Trust { bundles: vec![String::new()], ..Trust::default() };
        let published = vec![(start() - DAY, nothing)];
        let replicas = (0..REPLICAS).map(|_| Replica::new(start())).collect();
        let (now, copy) = (start() - DAY, State::default());
        let mut cluster = Self { now, secret: None, copy, put_back: now, versions: 0, published, replicas };
        cluster.look(0);
        if !is_former {
            cluster.look(0);
        }
        cluster.act(&Act::CopySecret);
        cluster.published.remove(0);
        cluster.now = start();
        cluster
    }

    fn advance(&mut self, index: usize) {
        let now = self.now;
        let replica = &mut self.replicas[index];
        replica.progress = match std::mem::take(&mut replica.progress) {
            Progress::Idle => {
                let (_, trust) = self.published.last().unwrap();
                Progress::Saw(trust.clone(), self.published.len(), now)
            }
            Progress::Saw(trust, version, now) => Progress::Read(trust, version, now, self.secret.clone()),
            Progress::Read(trust, version, now, stored) => {
                let state = stored.as_ref().map(|(state, _)| state.clone()).unwrap_or_default();
                let input = Input {
                    state: &state,
                    seen: Some(&Seen(vec![trust])),
                    served: replica.served.as_ref(),
                    names: &names(),
                    now,
                    timing: TIMING,
                };
                let (next, _) = step(input).unwrap();
                let read = stored.map(|(_, version)| version);
                if next == state {
                    Progress::Wrote(version, now, next)
                } else if version != self.published.len() {
                    // Others have published since. This look and the write are one request here, and two in truth.
                    Progress::Idle
                } else if read == self.secret.as_ref().map(|(_, version)| *version) {
                    self.versions += 1;
                    self.secret = Some((next.clone(), self.versions));
                    Progress::Wrote(version, now, next)
                } else {
                    Progress::Idle
                }
            }
            // Others have published since.
            Progress::Wrote(version, ..) if version != self.published.len() => Progress::Idle,
            Progress::Wrote(version, seen, state) => {
                let stands = &self.published[version - 1].1;
                let wanted = stands.with(&state.trusted(), seen);
                if *stands != wanted {
                    self.published.push((now, wanted));
                }
                Progress::Published(state)
            }
            Progress::Published(state) => {
                if !state.leaf.certificate.is_empty() {
                    let cas = state.trusted();
                    replica.served = Some(Served::of(state.leaf, &cas));
                }
                replica.looked = now;
                Progress::Idle
            }
        };
    }

    /// To the end of what is under way.
    fn look(&mut self, index: usize) {
        loop {
            self.advance(index);
            if matches!(self.replicas[index].progress, Progress::Idle) {
                return;
            }
        }
    }

    fn change_secret(&mut self, change: impl Fn(&mut State)) {
        if let Some((state, version)) = &mut self.secret {
            change(state);
            self.versions += 1;
            *version = self.versions;
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Advance(index) => self.advance(index),
            Act::Look(index) => self.look(index),
            Act::Crash(index) => self.replicas[index] = Replica::new(self.now),
            Act::Pass(seconds) => {
                self.now += SECOND * i32::try_from(seconds).unwrap();
                for index in 0..REPLICAS {
                    while self.now.duration_since(self.replicas[index].looked) >= HELD_UP {
                        self.look(index);
                    }
                }
            }
            Act::Ask(what) => self.change_secret(|state| state.rotate = Some(what.into())),
            Act::BreakKey => self.change_secret(|state| state.authority.key.clear()),
            Act::BreakNextKey => self.change_secret(|state| {
                if let Some(next) = &mut state.next {
                    next.key.clear();
                }
            }),
            Act::BreakCa(with) => self.change_secret(|state| state.authority.certificate = with.into()),
            Act::DeleteSecret => self.secret = None,
            // One of a rotation's middle, or one after the other, would need a memory of what was put back.
            Act::CopySecret => {
                let at_rest = |state: &&State| state.next.is_none() && state.old.is_empty();
                if let Some(state) = self.secret.as_ref().map(|(state, _)| state).filter(at_rest) {
                    self.copy = state.clone();
                }
            }
            Act::PutBackSecret if self.now.duration_since(self.put_back) > TIMING.overlap => {
                self.versions += 1;
                self.secret = Some((self.copy.clone(), self.versions));
                self.put_back = self.now;
            }
            Act::PutBackSecret => {}
        }
    }

    /// A bundle that an API server may go by: the last one, and those that were replaced not long ago.
    fn in_force(&self) -> impl Iterator<Item = &str> {
        let until = self.published.iter().skip(1).map(|(since, _)| Some(*since)).chain([None]);
        self.published.iter().zip(until).filter_map(|((_, trust), until)| {
            let heard = until.is_some_and(|until| self.now.duration_since(until) >= TIMING.settle);
            (!heard).then_some(trust.bundles[0].as_str())
        })
    }

    fn no_review_fails(&self) -> Result<(), TestCaseError> {
        for (index, replica) in self.replicas.iter().enumerate() {
            let Some(served) = &replica.served else { continue };
            for bundle in self.in_force() {
                let trusted = served.authority.as_ref().is_some_and(|authority| bundle.contains(authority));
                prop_assert!(trusted, "replica {index} serves what an API server doesn't trust");
            }
        }
        Ok(())
    }
}

/// Plays these acts, and then lets time pass until all that is under way is over.
fn play(is_former: bool, acts: &[Act]) -> Result<(), TestCaseError> {
    let mut cluster = Cluster::new(is_former);
    for act in acts {
        cluster.act(act);
        cluster.no_review_fails()?;
    }
    for round in 0..40 {
        cluster.act(&Act::Pass(15));
        cluster.look(round % REPLICAS);
        cluster.no_review_fails()?;
    }
    let (state, _) = cluster.secret.clone().unwrap();
    prop_assert_eq!(state.authority.signs(cluster.now), Ok(()));
    prop_assert_eq!((&state.next, &state.old, &state.rotate), (&None, &String::new(), &None));
    prop_assert_eq!(&cluster.published.last().unwrap().1.bundles[0], &state.trusted());
    for replica in &cluster.replicas {
        prop_assert_eq!(&replica.served.as_ref().unwrap().leaf, &state.leaf);
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_review_fails_and_all_comes_to_rest(
        is_former in any::<bool>(),
        acts in prop::collection::vec(act(), 1..200),
    ) {
        play(is_former, &acts)?;
    }
}

/// A rotation that begins while an old CA is dropped publishes it again; then a copy of the Secret comes back in which it is
/// the CA.
#[test]
fn a_ca_that_was_dropped_and_came_back_signs_nothing_at_once() {
    use Act::{Advance, Ask, BreakKey, Look, Pass, PutBackSecret};
    let all_look = [Look(0), Look(1), Look(2)];
    let rotates = [Ask("ca"), Look(0), Look(0), Pass(60)];
    let waits = [60, 80, 80, 79].map(|seconds| [all_look.as_slice(), &[Pass(seconds)]].concat()).concat();
    let sees = [all_look.as_slice(), &[Pass(2), Advance(2)]].concat();
    let drops = [Advance(0), Advance(0), Advance(0)];
    let begins = [BreakKey, Advance(2), Advance(2)];
    let publishes = [Advance(0), Advance(0), Look(1)];
    let comes_back = [PutBackSecret, Look(1)];
    play(false, &[&rotates, &*waits, &sees, &drops, &begins, &publishes, &comes_back].concat()).unwrap();
}
