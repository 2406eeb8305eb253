//! A pass that ends anywhere, as by SIGKILL, leaves a server that the next pass brings to the right state.

use std::sync::atomic::{AtomicUsize, Ordering};

use postgres::{Access, Desired, Failure, Level, Report};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{World, wish};

/// A pass that ends before its n-th question whether to go on, without a goodbye: the server undoes what isn't committed.
async fn abort(world: &World, desired: &Desired, after: usize) -> Result<Report, Failure> {
    let left = AtomicUsize::new(after);
    let fence =
        || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    world.try_pass(desired, &fence).await
}

fn full(world: &World) -> Desired {
    let mut desired = world.desired();
    desired.logins.push(world.login("kari", Level::Debug));
    desired.extensions = vec![wish("hstore")];
    desired
}

/// The first pass over a new server. Each version takes every third place, so that there is none that isn't tried.
#[rstest]
#[case(Version::V16, 0)]
#[case(Version::V17, 1)]
#[case(Version::V18, 2)]
#[tokio::test]
async fn a_first_pass_that_ends_anywhere(#[case] version: Version, #[case] first: usize) {
    for after in (first..).step_by(3) {
        let world = World::new(version).await;
        let desired = full(&world);
        let done = abort(&world, &desired, after).await;
        world.settle(&desired).await;
        world.app("CREATE TABLE item (h hstore)").await.unwrap();
        world.inside(&world.name("kari"), "SELECT * FROM item").await.unwrap();
        if let Err(failure) = done {
            assert_eq!(failure, Failure::Fenced);
        } else {
            assert!(after > 40, "only {after} statements");
            break;
        }
    }
}

/// One that ends the access of somebody who owns something, and makes the app's login anew.
#[tokio::test]
async fn a_pass_that_changes_much_and_ends_anywhere() {
    let world = World::new(Version::V17).await;
    for after in 0.. {
        let mut desired = full(&world);
        world.settle(&desired).await;
        let kari = world.name("kari");
        world
            .inside(&kari, "SET default_transaction_read_only = off; CREATE TEMP TABLE t (n int)")
            .await
            .unwrap_err();
        world
            .superuser_inside(&format!("CREATE TABLE hers (n int); ALTER TABLE hers OWNER TO \"{kari}\""))
            .await;
        desired.logins.pop();
        desired.extensions.clear();
        desired.logins[0].credential = postgres::Credential::Entra {
            object_id: world.object_id(7),
            kind: postgres::PrincipalKind::Service,
        };
        let done = abort(&world, &desired, after).await;
        world.settle(&desired).await;
        world.app("SELECT n FROM hers; DROP TABLE hers").await.unwrap();
        assert!(world.inside(&kari, "SELECT 1").await.is_err());
        if done.is_ok() {
            assert!(after > 15, "only {after} statements");
            break;
        }
    }
}

#[tokio::test]
async fn a_closing_that_ends_anywhere() {
    let world = World::new(Version::V17).await;
    let open = full(&world);
    let closed = Desired { access: Access::Closed, ..open.clone() };
    for after in 0.. {
        world.settle(&open).await;
        let done = abort(&world, &closed, after).await;
        world.settle(&closed).await;
        assert!(world.app("SELECT 1").await.is_err());
        if done.is_ok() {
            assert!(after > 4, "only {after} statements");
            break;
        }
    }
}
