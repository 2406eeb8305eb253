//! Servers as the last version left them: the app's identity, or a password, was the server's administrator and owned all.

use postgres::{Desired, Finding, RoleName};
use rstest::rstest;
use sandbox::postgres::{PrincipalType, Version};

use crate::support::{OPERATORS, World, refused};

/// What an app had made.
const MADE: &str = "CREATE SCHEMA billing; CREATE TABLE billing.bill (id serial PRIMARY KEY, n text); \
    INSERT INTO billing.bill (n) VALUES ('coffee'); CREATE VIEW bills AS SELECT * FROM billing.bill; \
    CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE mood AS ENUM ('good'); \
    CREATE EXTENSION hstore SCHEMA public";

async fn check(world: &World, desired: &Desired) {
    world.settle(desired).await;
    let owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'billing'::regnamespace) \
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')";
    assert_eq!(world.superuser_inside(owners).await, [format!("{}_owner", world.database)]);
    let owner = format!("SELECT datdba::regrole::text FROM pg_database WHERE datname = '{}'", world.database);
    assert_eq!(world.superuser(&owner).await, [format!("\"{OPERATORS}\"")]);
    assert_eq!(
        world
            .app("ALTER TABLE billing.bill ADD IF NOT EXISTS m int; SELECT n FROM bills ORDER BY id LIMIT 1")
            .await
            .unwrap(),
        ["coffee"]
    );
    refused(
        world.sql(&world.name("app"), "postgres", &format!("DROP DATABASE {}", world.database)).await,
        "must be owner",
    );
}

#[rstest]
#[tokio::test]
async fn an_app_that_was_administrator_goes_on_and_then_goes(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    // Whose sessions of dropped roles any pass on the same server would end.
    let world = World::alone(version).await;
    let (former, database) = (world.name("identity"), world.database.clone());
    world.cluster().create_administrator(&former, &world.object_id(8), PrincipalType::Service).await.unwrap();
    // On Azure an administrator may become any role that isn't restricted; PostgreSQL itself wants it said.
    world
        .superuser(&format!(
            "REVOKE \"{OPERATORS}\" FROM \"{former}\"; \
             GRANT \"{former}\" TO \"{OPERATORS}\" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
        ))
        .await;
    world.sql(&former, "postgres", &format!("CREATE DATABASE {database}")).await.unwrap();
    world.inside(&former, MADE).await.unwrap();
    // It isn't anybody's whose name isn't given.
    let failure = world.try_pass(&world.desired(), &|| true).await.unwrap_err();
    assert_eq!(
        failure,
        postgres::Failure::DatabaseNotOurs { database: database.clone(), owner: former.clone() }
    );

    let both = Desired { take_over_from: vec![RoleName::new(&former).unwrap()], ..world.desired() };
    check(&world, &both).await;
    // The app goes on under its former identity until its pods are new ones.
    world
        .inside(&former, "INSERT INTO billing.bill (n) VALUES ('tea'); CREATE TABLE late (n int)")
        .await
        .unwrap();
    check(&world, &both).await;
    world.app("ALTER TABLE late ADD m int").await.unwrap();
    // It owns nothing any more, so that Azure can delete it. Its sessions don't outlive it for long.
    let session = world.cluster().connect(&former, &database).await.unwrap();
    world.superuser(&format!("SELECT azure.drop_administrator('{}')", world.object_id(8))).await;
    session.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(world.settle(&world.desired()).await.sessions_ended, 1);
    session.batch_execute("SELECT 1").await.unwrap_err();
}

/// The password's administrator is who passes log in as.
#[tokio::test]
async fn what_the_administrator_owned_for_the_app_is_the_owner_roles() {
    let world = World::new(Version::V17).await;
    let database = &world.database;
    world.sql(OPERATORS, "postgres", &format!("CREATE DATABASE {database}; ")).await.unwrap();
    world.inside(OPERATORS, MADE).await.unwrap();
    let report = world.pass(&world.desired()).await;
    assert!(
        report.findings.iter().all(|finding| matches!(finding, Finding::ForeignOwner { .. })),
        "{report:?}"
    );
    check(&world, &Desired { take_over_from: vec![RoleName::new(OPERATORS).unwrap()], ..world.desired() })
        .await;
}
