use std::collections::BTreeMap;

use api::reason::Reason;
use exposition::Registry;
use postgres::{Access, Create, DatabaseName, Desired, Mark};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sandbox::{Servers, azure::client::TokenRequest, postgres::Version};

use super::*;
use crate::{entra::Tokens, leader::Fence};

const SERVER: &str = "srv";

fn wish(host: &str) -> Wish {
    Wish {
        host: host.to_owned(),
        port: 5432,
        administrator: "operators".to_owned(),
        desired: Desired {
            database: DatabaseName::new("orders").unwrap(),
            mark: Mark::new("database-operator: orders").unwrap(),
            logins: Vec::new(),
            extensions: Vec::new(),
            access: Access::Open,
            create: Create::Never,
            take_over_from: Vec::new(),
        },
        passwords: Vec::new(),
        are_extensions_allowed: true,
        former_login_ends: false,
    }
}

fn amiss(reason: Reason) -> Outcome {
    Outcome::unseen(reason, String::new())
}

fn settled() -> Outcome {
    Outcome::settled(BTreeMap::new())
}

/// A process that looks at one server.
struct World {
    accesses: Accesses,
    queues: Queues,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let (accesses, queues) = Accesses::new();
        Self { accesses, queues, now: Instant::now() }
    }

    /// What a pass is told, by its reason.
    fn look(&self, wish: &Wish, was_troubled: bool) -> (Option<Reason>, Duration) {
        let database = ObjectRef::new("main").within("orders");
        let look = self.accesses.look(SERVER, database, wish, was_troubled, self.now);
        (look.outcome.map(|outcome| outcome.reason), look.again)
    }

    fn told(&self, wish: &Wish) -> Option<Reason> {
        self.look(wish, false).0
    }

    /// The job that waits, and whether it stands with those that are troubled.
    fn job(&mut self) -> Option<(Job, bool)> {
        let [healthy, troubled] = &mut self.queues.0;
        let job = healthy
            .try_recv()
            .map(|job| (job, false))
            .or_else(|_| troubled.try_recv().map(|job| (job, true)));
        job.ok()
    }

    /// Somebody has looked, as was asked.
    fn finds(&mut self, outcome: Outcome) {
        let (job, _) = self.job().expect("a job");
        self.accesses.found(&job, outcome, self.now);
    }
}

#[test]
fn a_server_is_looked_at_once_and_then_known() {
    let mut world = World::new();
    let wish = wish("a");
    assert_eq!((world.told(&wish), world.told(&wish)), (None, None));
    world.finds(settled());
    assert!(world.job().is_none(), "once");
    let (told, again) = world.look(&wish, false);
    assert_eq!(told, Some(Reason::Settled));
    assert!(again >= RESYNC * 3 / 4 && again <= RESYNC * 5 / 4, "{again:?}");
    assert!(world.job().is_none());
}

#[test]
fn what_was_found_long_ago_is_told_until_somebody_has_looked_anew() {
    let mut world = World::new();
    let wish = wish("a");
    world.told(&wish);
    world.finds(settled());
    world.now += RESYNC;
    assert_eq!(world.told(&wish), Some(Reason::Settled));
    world.finds(amiss(Reason::Unreachable));
    assert_eq!(world.told(&wish), Some(Reason::Unreachable));
}

#[test]
fn what_was_found_for_another_wish_says_nothing() {
    let mut world = World::new();
    let (one, other) = (wish("a"), wish("b"));
    world.told(&one);
    // While a look is under way, no second one begins.
    assert_eq!(world.told(&other), None);
    world.finds(settled());
    assert!(world.job().is_none());
    assert_eq!(world.told(&other), None);
    world.finds(settled());
    assert_eq!((world.told(&other), world.told(&one)), (Some(Reason::Settled), None));
}

#[test]
fn each_part_of_a_wish_makes_another_one() {
    let wish = wish("a");
    let mut others = [(); 7].map(|()| wish.clone());
    others[0].host = "b".to_owned();
    others[1].administrator = "other".to_owned();
    others[2].desired.access = Access::Closed;
    others[3].desired.mark = Mark::new("other").unwrap();
    others[4].are_extensions_allowed = false;
    others[5].port = 1;
    others[6].passwords = vec![PasswordLogin {
        role: RoleName::new("orders_app_1").unwrap(),
        text: "x".to_owned(),
        generation: Generation::new("1").unwrap(),
        may_log_in: true,
    }];
    for other in others {
        assert_ne!(id(&other), id(&wish), "{other:?}");
    }
}

#[test]
fn trouble_is_looked_at_again_soon_and_then_less_and_less_often() {
    let mut world = World::new();
    let wish = wish("a");
    world.told(&wish);
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        world.finds(amiss(Reason::Unreachable));
        world.now += Duration::from_millis(seconds * 1000 - 1);
        let (told, again) = world.look(&wish, false);
        assert!(world.job().is_none(), "before {seconds} seconds");
        assert!(told == Some(Reason::Unreachable) && again < Duration::from_millis(2));
        world.now += Duration::from_millis(1);
        assert_eq!(world.told(&wish), Some(Reason::Unreachable));
    }
    // What is mended begins anew.
    world.finds(settled());
    world.now += RESYNC;
    world.told(&wish);
    world.finds(amiss(Reason::Unreachable));
    world.now += FIRST;
    world.told(&wish);
    assert!(world.job().is_some());
}

#[test]
fn a_server_with_trouble_waits_apart_from_the_others() {
    let mut world = World::new();
    let wish = wish("a");
    world.look(&wish, true);
    let (job, is_troubled) = world.job().unwrap();
    assert!(is_troubled, "by what a former process had found");
    world.accesses.found(&job, settled(), world.now);
    world.now += RESYNC;
    world.look(&wish, true);
    let (job, is_troubled) = world.job().unwrap();
    assert!(!is_troubled, "by what was found since");
    world.accesses.found(&job, amiss(Reason::TimedOut), world.now);
    world.now += FIRST;
    world.look(&wish, false);
    assert!(world.job().unwrap().1);
}

#[test]
fn what_is_found_of_a_server_that_was_forgotten_is_of_no_use() {
    let mut world = World::new();
    let wish = wish("a");
    world.told(&wish);
    let (job, _) = world.job().unwrap();
    world.accesses.forget(SERVER);
    world.accesses.found(&job, settled(), world.now);
    assert_eq!(world.told(&wish), None);
    assert!(world.job().is_some());
}

#[tokio::test]
async fn without_an_identity_of_its_own_the_operator_says_what_it_needs() {
    let mut world = World::new();
    world.told(&wish("a"));
    let (job, _) = world.job().unwrap();
    let metrics = AccessMetrics::new(&mut Registry::default());
    let sessions = Sessions::new(None, crate::trust::roots(), None, Fence::default(), metrics).unwrap();
    let outcome = sessions.look(&job).await;
    assert_eq!((outcome.reason, outcome.lets_app_in, outcome.is_unknown()), (Reason::NoToken, false, true));
    assert!(outcome.message.contains("controller.workloadIdentity.clientId"), "{}", outcome.message);
}

/// On a real server: only that shows what was written.
#[tokio::test]
async fn who_does_not_lead_looks_and_writes_nothing() {
    let servers = Servers::start().await.unwrap();
    let host = servers.create("fenced", Version::V17).await.unwrap();
    let token = servers.azure().token(&TokenRequest::of(Servers::OPERATOR)).await.unwrap();
    let mut wish = Wish { administrator: Servers::ADMINISTRATOR.to_owned(), ..wish(&host) };
    wish.desired.create = Create::Anyway;
    let (fence, mut registry) = (Fence::default(), Registry::default());
    let metrics = AccessMetrics::new(&mut registry);
    let roots = CertificateDer::pem_slice_iter(servers.root_certificate().as_bytes()).map(Result::unwrap);
    let sessions =
        Sessions::new(Some(Tokens::holding(&token)), roots, Some(servers.address()), fence.clone(), metrics);
    let sessions = sessions.unwrap();
    let mut world = World::new();
    world.told(&wish);
    let (job, _) = world.job().unwrap();
    let outcome = sessions.look(&job).await;
    assert_eq!(outcome.reason, Reason::Locked, "{}", outcome.message);
    assert!(outcome.message.contains("this one writes nothing more"), "{}", outcome.message);
    fence.set(Some(Instant::now() + Duration::from_mins(1)));
    // The server frees the lock of the pass before as soon as it sees that its session has ended.
    let settled = async {
        loop {
            let outcome = sessions.look(&job).await;
            if outcome.reason != Reason::Locked {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_mins(1), settled).await.unwrap();
    assert_eq!(outcome.reason, Reason::Settled, "{}", outcome.message);
    let counted = registry.text().unwrap();
    let shown = |name: &str| counted.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert_ne!(shown("access_statements_total "), "0", "all was still to be written");
    assert_eq!(shown("access_connections "), "0", "none is kept");
}

mod at_work {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// So many dead ones keep everybody waiting that would wait for them, and the last one lives.
    #[tokio::test]
    async fn dead_servers_hold_up_none_that_lives() {
        let (accesses, queues) = Accesses::new();
        let accesses = Arc::new(accesses);
        let wish = wish("a");
        let now = Instant::now();
        for number in 0..200 {
            let database = ObjectRef::new(&format!("dead-{number}")).within("orders");
            accesses.look(&format!("dead-{number}"), database, &wish, true, now);
        }
        let database: ObjectRef<Database> = ObjectRef::new("alive").within("orders");
        accesses.look("alive", database.clone(), &wish, false, now);
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let look = async |job: Arc<Job>| {
            most.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            if job.server_name != "alive" {
                Notify::new().notified().await;
            }
            settled()
        };
        let (due, mut looked_at) = mpsc::unbounded_channel();
        let metrics = AccessMetrics::new(&mut Registry::default());
        tokio::select! {
            () = run(queues, accesses.clone(), &metrics, due, look) => panic!("it never ends"),
            first = looked_at.recv() => assert_eq!(first, Some(database.clone())),
        }
        assert!((1..=16).contains(&most.load(Ordering::Relaxed)), "{most:?}");
        let look = accesses.look("alive", database, &wish, false, Instant::now());
        assert_eq!(look.outcome.map(|outcome| outcome.reason), Some(Reason::Settled));
    }
}
