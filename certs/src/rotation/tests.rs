//! One replica's story, step by step; many replicas that come between each other are in `simulation`.

mod simulation;

use rstest::rstest;

use super::*;
use crate::publish::Trust;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const TIMING: Timing =
    Timing { settle: SignedDuration::from_secs(60), overlap: SignedDuration::from_hours(1) };

fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn names() -> Vec<String> {
    vec!["webhook.database-operator.svc".into()]
}

/// One replica, the Secret, and two webhook configurations with one webhook each.
struct World {
    secret: State,
    seen: Seen,
    /// Whether the webhook configurations can be read and written.
    open: bool,
    served: Option<Served>,
    now: Timestamp,
}

impl World {
    /// Long after the first start.
    fn new() -> Self {
        let mut world = Self::empty();
        world.now -= TIMING.overlap;
        world.pass();
        world.pass();
        world.now = start();
        world
    }

    fn empty() -> Self {
        let nothing = Trust { bundles: vec![String::new()], ..Trust::default() };
        let seen = Seen(vec![nothing.clone(), nothing]);
        Self { secret: State::default(), seen, open: true, served: None, now: start() }
    }

    /// All that a replica does when it looks once, with no other that comes between.
    fn pass(&mut self) -> String {
        let input = Input {
            state: &self.secret,
            seen: self.open.then_some(&self.seen),
            served: self.served.as_ref(),
            names: &names(),
            now: self.now,
            timing: TIMING,
        };
        let (state, notes) = step(input).unwrap();
        self.secret = state;
        if self.open {
            for trust in &mut self.seen.0 {
                *trust = trust.with(&self.secret.trusted(), self.now);
            }
        }
        if !self.secret.leaf.certificate.is_empty() {
            self.served = Some(Served::of(self.secret.leaf.clone(), &self.secret.trusted()));
        }
        notes.join("; ")
    }

    /// Looks as often as a replica does.
    fn run(&mut self, time: SignedDuration) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + SECOND * 15);
            self.pass();
        }
    }

    fn ca(&self) -> String {
        self.secret.authority.certificate.clone()
    }

    fn serves(&self) -> Pair {
        self.served.clone().unwrap().leaf
    }

    fn rotate(&mut self, what: &str) -> String {
        self.secret.rotate = Some(what.into());
        self.pass()
    }

    #[track_caller]
    fn assert_trusted(&self, ca: &str) {
        assert!(self.seen.bundles().all(|bundle| bundle.contains(ca)));
    }

    /// What is published, by how many CAs there are, and whether this one is among them.
    #[track_caller]
    fn assert_published(&self, count: usize, with: &str) {
        self.assert_trusted(with);
        for bundle in self.seen.bundles() {
            assert_eq!(crate::pair::certificates(bundle).count(), count);
        }
    }
}

#[test]
fn a_first_start_is_ready_at_once() {
    let mut world = World::empty();
    assert_eq!(world.pass(), "issued a CA and a certificate: there were none");
    world.assert_published(1, &world.ca());
    assert_eq!(world.pass(), "");
}

#[test]
fn a_due_leaf_is_renewed_at_once_and_keeps_the_ca() {
    let mut world = World::new();
    let (ca, leaf) = (world.ca(), world.serves());
    world.now += DAY * 59;
    assert_eq!(world.pass(), "");
    world.now += DAY * 2;
    assert!(world.pass().starts_with("issued a certificate of the same CA"));
    assert_eq!(world.ca(), ca);
    assert_ne!(world.serves(), leaf);
    world.assert_published(1, &ca);
}

#[test]
fn replicas_that_are_told_other_names_agree_on_all_of_them() {
    let mut world = World::new();
    world.secret.leaf = issue::leaf(&world.secret.authority, &["elsewhere.svc".into()], world.now).unwrap();
    assert!(world.pass().contains("is not for webhook.database-operator.svc"));
    assert_eq!(world.serves().names(), ["elsewhere.svc", "webhook.database-operator.svc"]);
}

/// The whole way, whatever began it.
#[rstest]
#[case::it_is_due(|world: &mut World| {
    world.now += DAY * 2500;
    // It was renewed all the time.
    world.secret.leaf = issue::leaf(&world.secret.authority, &names(), world.now).unwrap();
    world.served = None;
})]
#[case::someone_asks(|world: &mut World| world.secret.rotate = Some("ca".into()))]
#[case::its_key_is_lost(|world: &mut World| world.secret.authority.key.clear())]
#[case::its_key_is_another(|world: &mut World| world.secret.authority.key = issue::authority(world.now).unwrap().key)]
#[case::the_secret_is_deleted(|world: &mut World| world.secret = State::default())]
#[case::the_secret_is_emptied_but_for_the_request(|world: &mut World| {
    world.secret = State { rotate: Some("leaf".into()), ..State::default() };
})]
fn a_ca_is_replaced_with_an_overlap(#[case] begin: impl Fn(&mut World)) {
    let mut world = World::new();
    let old = world.ca();
    begin(&mut world);
    let leaf = if world.secret.leaf == Pair::default() { world.serves() } else { world.secret.leaf.clone() };

    // Beside the present one, which goes on to serve.
    assert!(world.pass().contains("made a next CA"));
    let next = world.secret.next.clone().unwrap().certificate;
    assert_eq!((world.ca(), world.serves()), (old.clone(), leaf.clone()));
    world.assert_published(2, &old);
    world.assert_published(2, &next);
    assert_eq!(world.secret.rotate, None);

    // Not before every API server has heard of it.
    world.now += SECOND * 15;
    assert_eq!(world.pass(), "");
    world.now += SECOND * 59;
    assert_eq!((world.pass(), world.serves()), (String::new(), leaf.clone()));
    world.now += SECOND;
    let published = world.seen.clone();
    assert!(world.pass().contains("issued a certificate of the next CA"));
    assert_eq!(world.seen, published);
    assert_eq!(world.ca(), next);
    assert_ne!(world.serves(), leaf);
    assert!(issuer(&world.serves().certificate, &next).is_some());
    world.assert_published(2, &old);

    // Long enough for every replica.
    world.now += SECOND * 3599;
    assert_eq!(world.pass(), "");
    world.assert_published(2, &old);
    world.now += SECOND;
    assert_eq!(world.pass(), "the old CA is trusted no more");
    world.assert_published(1, &next);
    assert_eq!(
        world.secret,
        State { authority: world.secret.authority.clone(), leaf: world.serves(), ..State::default() }
    );
}

#[test]
fn a_replica_that_starts_in_between_serves_what_the_others_do() {
    let mut world = World::new();
    world.rotate("ca");
    let leaf = world.serves();
    world.served = None;
    world.pass();
    assert_eq!(world.serves(), leaf);
    world.run(SECOND * 75);
    assert_ne!(world.serves(), leaf);
}

#[test]
fn a_ca_that_was_taken_away_is_published_anew_before_it_serves() {
    let mut world = World::new();
    let leaf = world.serves();
    world.rotate("ca");
    world.run(SECOND * 60);
    world.seen.0[1].bundles[0].clear();
    world.run(SECOND * 60);
    assert_eq!(world.serves(), leaf);
    world.run(SECOND * 30);
    assert_ne!(world.serves(), leaf);
}

#[test]
fn while_the_configurations_can_not_be_read_only_leaves_are_renewed() {
    let mut world = World::new();
    let (ca, leaf) = (world.ca(), world.serves());
    world.open = false;
    assert_eq!(world.rotate("ca"), "");
    assert_eq!(world.secret.rotate.as_deref(), Some("ca"));
    world.now += DAY * 61;
    assert!(world.pass().contains("same CA"));
    assert_eq!(world.ca(), ca);
    assert_ne!(world.serves(), leaf);
    world.open = true;
    assert!(world.pass().contains("made a next CA"));
}

#[rstest]
#[case::leaf("leaf", "issued a certificate of the same CA: altinn.app/rotate asks for it")]
#[case::ca("ca", "made a next CA, to be published beside the present one: altinn.app/rotate asks for it")]
#[case::a_slip("CA", "altinn.app/rotate: CA on the Secret is taken away: write leaf or ca")]
fn someone_asks(#[case] what: &str, #[case] note: &str) {
    let mut world = World::new();
    assert_eq!(world.rotate(what), note);
    assert_eq!(world.secret.rotate, None);
}

#[test]
fn asking_twice_for_a_ca_makes_one() {
    let mut world = World::new();
    world.rotate("ca");
    let next = world.secret.next.clone();
    assert!(world.rotate("ca").contains("on its way already"));
    assert_eq!(world.secret.next, next);
}

#[test]
fn an_expired_ca_is_replaced_at_once() {
    let mut world = World::new();
    let old = world.ca();
    world.now += DAY * 3651;
    world.secret.leaf = issue::leaf(&world.secret.authority, &names(), world.now).unwrap();
    world.pass();
    assert_ne!(world.ca(), old);
    world.assert_published(1, &world.ca());
    assert!(issuer(&world.serves().certificate, &world.ca()).is_some());
}

#[test]
fn a_replica_that_knows_nothing_waits_where_another_may_serve() {
    let mut world = World::new();
    let old = world.ca();
    (world.secret, world.served) = (State::default(), None);
    world.pass();
    assert_eq!(world.served, None);
    world.assert_published(2, &old);
    world.run(SECOND * 75);
    world.assert_published(2, &old);
    assert!(issuer(&world.serves().certificate, &world.ca()).is_some());
}

#[test]
fn another_replica_puts_back_what_it_serves() {
    let mut world = World::new();
    let other = world.served.clone();
    (world.secret, world.served) = (State::default(), None);
    world.pass();
    world.served.clone_from(&other);
    assert!(world.pass().contains("put back the certificate that is served"));
    assert_eq!(world.secret.leaf, other.unwrap().leaf);
    assert_eq!(world.secret.authority.key, "");
}

#[test]
fn a_next_ca_that_breaks_is_replaced_before_it_serves() {
    let mut world = World::new();
    world.rotate("ca");
    world.run(SECOND * 45);
    let broken = world.secret.next.as_mut().unwrap();
    broken.key = "not PEM".into();
    let broken = broken.certificate.clone();
    assert!(world.pass().contains("made a next CA"));
    world.run(SECOND * 90);
    assert_ne!(world.ca(), broken);
    assert!(works(&world.secret.authority.signs(world.now)));
}

#[rstest]
#[case::lost("")]
#[case::unreadable("not PEM")]
#[case::swapped(&issue::authority(start()).unwrap().certificate)]
fn a_ca_that_breaks_while_it_serves_is_trusted_on(#[case] broken: &str) {
    for (rotates, is_new) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::new();
        let (old, leaf) = (world.ca(), world.serves());
        if rotates {
            world.rotate("ca");
        }
        world.secret.authority.certificate = broken.into();
        if is_new {
            world.served = None;
        }
        for _ in 0..2 {
            world.pass();
            world.assert_trusted(&old);
            assert_eq!(world.serves(), leaf);
        }
        world.run(SECOND * 90);
        world.assert_trusted(&old);
        assert_ne!(world.serves(), leaf);
        world.run(SECOND * 3630);
        world.assert_published(1, &world.ca());
    }
}

#[test]
fn a_ca_that_was_swapped_for_another_signs_nothing_before_it_was_published() {
    let mut world = World::new();
    let leaf = world.serves();
    world.secret.authority = issue::authority(world.now).unwrap();
    let other = world.ca();
    world.pass();
    assert_eq!(world.serves(), leaf);
    world.assert_published(2, &other);
    world.run(SECOND * 75);
    assert!(issuer(&world.serves().certificate, &other).is_some());
}

/// A world whose Secret was copied, moved on from, and put back.
fn put_back() -> World {
    let mut world = World::new();
    let copy = world.secret.clone();
    world.rotate("ca");
    world.run(SECOND * 3800);
    world.assert_published(1, &world.ca());
    world.secret = copy;
    world
}

#[test]
fn an_older_secret_takes_over_like_a_new_ca() {
    let mut world = put_back();
    let (older, present) = (world.ca(), world.served.clone().unwrap());
    assert!(world.pass().starts_with("API servers may not have heard of the CA in the Secret"));
    world.assert_published(2, &older);
    world.assert_published(2, present.authority.as_ref().unwrap());
    assert_eq!(world.serves(), present.leaf);
    world.run(SECOND * 75);
    assert!(issuer(&world.serves().certificate, &older).is_some());
    world.assert_published(2, present.authority.as_ref().unwrap());
    world.run(SECOND * 3630);
    world.assert_published(1, &older);
}

/// A CA that was dropped and is published again, and the Secret in which it is the one that signs: whether it does so, by
/// when it was published, when the other one was, and when the Secret says that it took over, in seconds from now.
#[rstest]
#[case::it_is_published_for_long(Some(-60), Some(-9000), None, true)]
#[case::it_is_published_since_just_now(Some(-59), Some(-9000), None, false)]
#[case::nobody_has_written_since_when(None, Some(-9000), None, false)]
#[case::no_other_is_published_for_long(Some(-10), Some(-59), None, true)]
#[case::a_former_version_wrote_no_times(None, None, None, true)]
#[case::it_took_over_by_a_clock_that_is_ahead(Some(-59), Some(-9000), Some(1), true)]
#[case::it_took_over_before(Some(-59), Some(-9000), Some(-5000), false)]
#[case::it_took_over_by_a_clock_that_is_far_ahead(Some(-59), Some(-9000), Some(10_000), false)]
fn a_ca_signs_once_it_is_published_for_long(
    #[case] since: Option<i64>,
    #[case] other_since: Option<i64>,
    #[case] switched: Option<i64>,
    #[case] expected: bool,
) {
    let mut world = put_back();
    let (ca, leaf, other) = (world.ca(), world.secret.leaf.clone(), world.seen.0[0].bundles[0].clone());
    let at = |seconds| world.now + SignedDuration::from_secs(seconds);
    let since = [(&ca, since), (&other, other_since)]
        .map(|(ca, seconds)| Some((crate::pair::fingerprint(ca).unwrap(), at(seconds?))))
        .into_iter()
        .flatten()
        .collect();
    world.secret.switched = switched.map(at);
    world.seen.0.fill(Trust { bundles: vec![format!("{ca}{other}")], since });
    world.served = None;
    world.pass();
    assert_eq!(
        (world.ca() == ca, world.served.is_some_and(|served| served.leaf == leaf)),
        (expected, expected)
    );
    // Each may be in use still.
    let next = world.secret.next.as_ref().map(|next| next.certificate.clone());
    assert_eq!(next.is_some_and(|next| next == ca), !expected);
    assert!(world.seen.bundles().all(|bundle| bundle.contains(&other)));
}

#[rstest]
#[case::and_the_other_ca_is_published_for_long(false)]
#[case::and_a_former_version_wrote_no_times(true)]
fn a_replica_that_starts_with_an_older_secret_waits_for_it_to_be_published(#[case] is_former: bool) {
    let mut world = put_back();
    if is_former {
        world.seen.0.iter_mut().for_each(|trust| trust.since.clear());
    }
    let (older, present) = (world.ca(), world.served.take().unwrap());
    world.pass();
    assert_eq!(world.served, None);
    world.assert_published(2, &older);
    world.assert_published(2, present.authority.as_ref().unwrap());
    world.run(SECOND * 75);
    assert!(issuer(&world.serves().certificate, &older).is_some());
}

/// Its CA is published still, and whoever serves the newer one's certificate takes it up with the next look.
#[test]
fn what_is_newer_than_an_older_secret_is_trusted_for_a_while() {
    let mut world = World::new();
    let copy = world.secret.clone();
    world.rotate("ca");
    world.run(SECOND * 90);
    let newer = world.ca();
    (world.secret, world.served) = (copy, None);
    world.pass();
    world.assert_published(2, &newer);
    world.run(SECOND * 3630);
    world.assert_published(1, &world.ca());
}

/// As docs/certificates.md says, after a key has leaked.
#[test]
fn an_old_ca_that_a_person_takes_away_stays_away() {
    let mut world = World::new();
    world.rotate("ca");
    world.run(SECOND * 90);
    world.secret.old.clear();
    world.pass();
    world.assert_published(1, &world.ca());
}

#[test]
fn a_clock_that_steps_back_makes_nothing_early() {
    let mut world = World::new();
    world.rotate("ca");
    world.pass();
    let leaf = world.serves();
    world.now -= SECOND * 120;
    world.run(SECOND * 165);
    assert_eq!(world.serves(), leaf);
    world.run(SECOND * 30);
    assert_ne!(world.serves(), leaf);
}

#[test]
fn a_time_far_ahead_holds_nothing_up() {
    let mut world = World::new();
    world.rotate("ca");
    world.pass();
    let leaf = world.serves();
    world.pass();
    let far = world.now + DAY;
    world.seen.0.iter_mut().flat_map(|trust| trust.since.values_mut()).for_each(|since| *since = far);
    world.run(SECOND * 60);
    assert_eq!(world.serves(), leaf);
    world.run(SECOND * 30);
    assert_ne!(world.serves(), leaf);
    world.secret.switched = Some(world.now + DAY);
    world.run(SECOND * 3630);
    assert_eq!(world.secret.old, "");
}

#[test]
fn a_clock_that_was_far_ahead_does_no_lasting_harm() {
    let mut world = World::new();
    let (now, ca) = (world.now, world.ca());
    world.now += DAY * 365;
    world.pass();
    world.now = now;
    assert!(world.pass().contains("is not valid yet"));
    assert_eq!(world.secret.leaf.serves(&names(), now), Ok(()));
    assert_eq!(world.ca(), ca);
}

#[test]
fn a_leaf_that_nobody_can_sign_yet_is_told() {
    let mut world = World::new();
    world.secret.authority.key.clear();
    let notes = world.rotate("leaf");
    assert!(notes.contains("no new certificate until a next CA can sign it"), "{notes}");
}

/// A replica whose look was outdated wrote it so: the CA in the Secret is one that was dropped, and counts what replaced it
/// among the old ones.
#[test]
fn a_ca_that_is_not_published_signs_nothing_though_the_secret_counts_the_published_one_as_old() {
    let mut world = World::new();
    let dropped = (world.secret.authority.clone(), world.secret.leaf.clone());
    world.rotate("ca");
    world.run(TIMING.settle + TIMING.overlap + SECOND * 60);
    let present = world.ca();
    world.assert_published(1, &present);
    let served = world.serves();
    world.secret.old = std::mem::replace(&mut world.secret.authority, dropped.0).certificate;
    world.secret.leaf = dropped.1;
    world.pass();
    assert_eq!(world.serves(), served);
    world.assert_published(2, &present);
}
