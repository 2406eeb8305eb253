//! Nobody gets in while a database is kept, and everybody does once it is open again.

use postgres::{Access, Create, Desired, Finding, Level, RoleName};
use rstest::rstest;
use sandbox::postgres::{PrincipalType, Version};

use crate::support::{World, refused};

#[rstest]
#[tokio::test]
async fn a_closed_database_lets_nobody_in_and_opens_again(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let world = World::new(version).await;
    let mut open = world.desired();
    open.logins.push(world.login("reports", Level::Reader));
    world.settle(&open).await;
    world.app("CREATE TABLE item (n text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    let mut sessions = Vec::new();
    for (login, database) in
        [("app", world.database.as_str()), ("app", "postgres"), ("reports", &world.database)]
    {
        sessions.push(world.cluster().connect(&world.name(login), database).await.unwrap());
    }
    let closed = Desired { access: Access::Closed, create: Create::Never, ..open.clone() };
    assert_eq!(world.settle(&closed).await.sessions_ended, 3);
    for session in &sessions {
        assert!(session.batch_execute("SELECT 1").await.is_err());
    }
    for login in ["app", "reports"] {
        refused(world.inside(&world.name(login), "SELECT 1").await, "is not permitted to log in");
    }
    world.settle(&open).await;
    assert_eq!(world.inside(&world.name("reports"), "SELECT n FROM item").await.unwrap(), ["coffee"]);
    world.app("DROP TABLE item").await.unwrap();
}

/// A role that isn't ours to close is named, whoever it is.
#[tokio::test]
async fn who_can_still_log_in_is_named() {
    let world = World::new(Version::V17).await;
    let open = world.desired();
    world.settle(&open).await;
    let former = world.name("identity");
    world.cluster().create_administrator(&former, &world.object_id(8), PrincipalType::Service).await.unwrap();
    let closed =
        Desired { access: Access::Closed, take_over_from: vec![RoleName::new(&former).unwrap()], ..open };
    let report = world.pass(&closed).await;
    assert_eq!(report.findings, [Finding::StillOpen { role: former }]);
}
