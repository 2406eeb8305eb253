//! Extensions: created for the app, updated on request, and dropped where nothing uses them.

use insta::assert_snapshot;
use postgres::{Desired, Finding, Reason};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{World, refused, wish};

fn with(desired: &Desired, extensions: &[&str]) -> Desired {
    Desired { extensions: extensions.iter().map(|name| wish(name)).collect(), ..desired.clone() }
}

#[rstest]
#[tokio::test]
async fn an_extension_comes_and_goes(#[values(Version::V16, Version::V17, Version::V18)] version: Version) {
    let world = World::new(version).await;
    let none = world.desired();
    let report = world.settle(&with(&none, &["earthdistance", "cube", "hstore"])).await;
    assert!(report.extensions.contains_key("earthdistance"), "{report:?}");
    world.app("CREATE EXTENSION IF NOT EXISTS hstore; CREATE TABLE item (h hstore)").await.unwrap();
    // Not while it is used.
    let report = world.pass(&none).await;
    assert_eq!(report.reason(), Reason::ExtensionRefused);
    let [finding @ Finding::ExtensionInUse { .. }] = report.findings.as_slice() else { panic!("{report:?}") };
    assert_snapshot!("in_use", finding);
    assert_eq!(report.extensions.keys().collect::<Vec<_>>(), ["hstore", "plpgsql"]);
    world.app("DROP TABLE item").await.unwrap();
    assert_eq!(world.settle(&none).await.extensions.keys().collect::<Vec<_>>(), ["plpgsql"]);
}

#[tokio::test]
async fn one_that_is_not_allowed_is_told_and_the_others_are_created() {
    let world = World::new(Version::V17).await;
    let desired = with(&world.desired(), &["ltree", "hstore"]);
    for _ in 0..2 {
        let report = world.pass(&desired).await;
        let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_snapshot!("not_allowed", found.join("\n"));
        assert!(report.extensions.contains_key("hstore"));
    }
    world.app("CREATE TABLE item (h hstore)").await.unwrap();
    // What never was there is not dropped, and allowed later it is created.
    world.settle(&with(&world.desired(), &["hstore"])).await;
}

#[tokio::test]
async fn what_others_have_created_stays() {
    let world = World::new(Version::V17).await;
    let none = world.desired();
    world.settle(&none).await;
    world.superuser_inside("CREATE EXTENSION hstore").await;
    world.settle(&with(&none, &["hstore"])).await;
    assert!(world.settle(&none).await.extensions.contains_key("hstore"));
}

/// An extension with tables that users fill would take their rows along.
#[tokio::test]
async fn one_that_holds_data_stays() {
    let world = World::new(Version::V17).await;
    let none = world.desired();
    world.settle(&with(&none, &["cube"])).await;
    // As `pg_cron` and `pg_partman` have them; what comes with PostgreSQL has none.
    world.superuser_inside("CREATE TABLE jobs (id int); ALTER EXTENSION cube ADD TABLE jobs; \
        UPDATE pg_extension SET extconfig = ARRAY['jobs'::regclass], extcondition = ARRAY[''] WHERE extname = 'cube'").await;
    let report = world.pass(&none).await;
    assert_eq!(report.findings, [Finding::ExtensionHoldsData { name: "cube".into() }]);
    assert_eq!(report.statements, 0);
}

#[tokio::test]
async fn an_older_one_is_updated_on_request() {
    let world = World::new(Version::V17).await;
    let mut desired = world.desired();
    world.settle(&desired).await;
    world
        .sql("db-operators", &world.database, "CREATE EXTENSION hstore SCHEMA public VERSION '1.4'")
        .await
        .unwrap();
    desired.extensions = vec![wish("hstore")];
    assert_eq!(world.settle(&desired).await.extensions["hstore"], "1.4");
    desired.extensions[0].update = true;
    assert_eq!(world.settle(&desired).await.extensions["hstore"], "1.8");
    refused(world.app("ALTER EXTENSION hstore UPDATE").await, "must be owner of extension");
}
