//! Two roles with passwords in turn: the verifier is ours, the password never reaches the server's statements.

use postgres::{Credential, Desired, Generation, Level, Login, RoleName, Verifier};
use rstest::rstest;
use sandbox::postgres::Version;
use tokio_postgres::{Config, NoTls};

use crate::support::World;

fn login(world: &World, number: u32, password: &str, generation: &str, may_log_in: bool) -> Login {
    Login {
        role: RoleName::new(&format!("{}_app_{number}", world.database)).unwrap(),
        credential: Credential::Password {
            verifier: Verifier::new(password).unwrap(),
            generation: Generation::new(generation).unwrap(),
        },
        level: Level::Owner,
        may_log_in,
    }
}

/// Over TCP, where the server asks for the password by SCRAM.
async fn logs_in(world: &World, number: u32, password: &str) -> bool {
    let user = format!("{}_app_{number}", world.database);
    let mut config = Config::new();
    let config = config.host("127.0.0.1").port(world.cluster().port().unwrap()).user(user).password(password);
    match config.dbname(&world.database).connect(NoTls).await {
        Ok(_) => true,
        Err(error) => {
            let code = error.code().map(tokio_postgres::error::SqlState::code);
            assert!(matches!(code, Some("28P01" | "28000")), "{error}");
            false
        }
    }
}

#[rstest]
#[tokio::test]
async fn passwords_are_changed_in_turn_without_a_gap(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let world = World::new(version).await;
    let with = |logins: Vec<Login>| Desired { logins, ..world.desired() };
    let (first, second) = ("pencil it's \\ \"x\"", "another & one");
    world.settle(&with(vec![login(&world, 1, first, "1", true)])).await;
    assert!(logs_in(&world, 1, first).await && !logs_in(&world, 1, second).await);
    // Both, as long as the app may use the old one.
    world.settle(&with(vec![login(&world, 1, first, "1", true), login(&world, 2, second, "2", true)])).await;
    assert!(logs_in(&world, 1, first).await && logs_in(&world, 2, second).await);
    // The old one has had its time.
    world.settle(&with(vec![login(&world, 1, first, "1", false), login(&world, 2, second, "2", true)])).await;
    assert!(!logs_in(&world, 1, first).await && logs_in(&world, 2, second).await);
    // And is used again with another password.
    world
        .settle(&with(vec![login(&world, 1, "third", "3", true), login(&world, 2, second, "2", true)]))
        .await;
    assert!(logs_in(&world, 1, "third").await && !logs_in(&world, 1, first).await);
    let log = std::fs::read_to_string(world.cluster().log()).unwrap();
    assert!(!log.contains("pencil"));
}
