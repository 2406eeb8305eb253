//! A pass over a server that is as it is wanted sends nothing that changes anything.

use postgres::{Credential, Generation, Level, Login, RoleName, Verifier};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{OPERATORS, World, wish};

/// The server's own count of transactions that have written something, and of statements that aren't queries.
async fn written(world: &World) -> Vec<String> {
    let statements = format!(
        "SELECT concat_ws(' ', pg_snapshot_xmax(pg_current_snapshot()), (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s \
         JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = '{OPERATORS}' AND s.query !~* '^(select|with|begin|commit)'))"
    );
    world.superuser(&statements).await
}

#[rstest]
#[tokio::test]
async fn a_pass_at_rest_writes_nothing(#[values(Version::V16, Version::V17, Version::V18)] version: Version) {
    let world = World::alone(version).await;
    world.superuser("CREATE EXTENSION pg_stat_statements").await;
    let password = Credential::Password {
        verifier: Verifier::new("pencil").unwrap(),
        generation: Generation::new("1").unwrap(),
    };
    let mut desired = world.desired();
    desired.logins.extend([
        world.login("reports", Level::Reader),
        world.login("writes", Level::Writer),
        world.login("kari", Level::Debug),
        Login {
            role: RoleName::new("orders_app_1").unwrap(),
            credential: password,
            level: Level::Owner,
            may_log_in: true,
        },
    ]);
    desired.extensions = vec![wish("earthdistance"), wish("cube"), wish("hstore")];
    desired.extensions[2].update = true;
    let first = world.pass(&desired).await;
    assert_eq!(first.findings, []);
    assert!(first.statements > 40, "{first:?}");
    assert_eq!(first.extensions.keys().collect::<Vec<_>>(), ["cube", "earthdistance", "hstore", "plpgsql"]);
    world.app("CREATE SCHEMA billing CREATE TABLE bill (id serial)").await.unwrap();

    let before = written(&world).await;
    for _ in 0..3 {
        // A verifier has another salt each time: it isn't compared.
        let report = world.pass(&desired).await;
        assert_eq!((report.statements, report.findings), (0, Vec::new()));
        assert!(report.queries < 25, "{} queries", report.queries);
    }
    assert_eq!(written(&world).await, before);
    // Or nothing would be counted.
    world.superuser(&format!("GRANT CONNECT ON DATABASE {} TO PUBLIC", world.database)).await;
    world.settle(&desired).await;
    assert_ne!(written(&world).await, before);
}
