//! Each way in which a server can't be reached has a reason, and a message that says what to do.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use insta::assert_snapshot;
use postgres::{Connections, Failure, Limits, Server, failure::Unreachable, pass};
use rstest::rstest;
use sandbox::postgres::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    OPERATORS, World,
    front::{Front, HOST, SHORT, refuse, server},
};

async fn failure(server: &Server) -> String {
    server.connect("orders").await.unwrap_err().to_string()
}

#[rstest]
#[case::full("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute")]
#[case::starting("57P03", "the database system is starting up")]
#[case::token("28000", "The access token has expired. Acquire a new token and retry.")]
#[case::password("28P01", "password authentication failed for user \"db-operators\"")]
#[case::no_database("3D000", "database \"orders\" does not exist")]
#[case::no_connect("42501", "permission denied for database \"orders\"")]
#[tokio::test]
async fn what_a_server_says_instead_of_letting_us_in(
    #[case] code: &'static str,
    #[case] message: &'static str,
) {
    let front = Front::that(HOST, move |stream| refuse(stream, code, message)).await;
    assert_snapshot!(format!("said_{code}"), failure(&front.server(OPERATORS)).await);
}

#[tokio::test]
async fn a_certificate_must_be_for_the_name_and_of_a_known_authority() {
    let answers = |stream| refuse(stream, "3D000", "reached");
    let front = Front::that(HOST, answers).await;
    let other = Front::that("other.postgres.database.azure.com", answers).await;
    assert!(matches!(front.server(OPERATORS).connect("x").await, Err(Failure::DatabaseMissing { .. })));
    assert_snapshot!("certificate_of_another_name", failure(&other.server(OPERATORS)).await);
    let unknown = server(HOST, front.port, OPERATORS, other.tls());
    assert_snapshot!("certificate_of_an_unknown_authority", failure(&unknown).await);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let front = Front::that(HOST, |_| async { Ok(()) }).await;
    let limits = Limits { connect: SHORT, ..Limits::default() };
    let server =
        server(HOST, silent.local_addr().unwrap().port(), OPERATORS, front.tls()).with_limits(limits);
    let started = Instant::now();
    let failure = server.connect("orders").await.unwrap_err();
    assert!(started.elapsed() < SHORT + Duration::from_secs(2));
    assert!(matches!(failure, Failure::Unreachable { cause: Unreachable::NoAnswer { .. }, .. }), "{failure}");
    let told = Unreachable::NoAnswer { after: Duration::from_secs(5) };
    assert_snapshot!("no_answer", Failure::Unreachable { host: HOST.into(), cause: told });
}

#[tokio::test]
async fn a_server_that_refuses_breaks_off_or_has_no_tls() {
    let tls = Front::that(HOST, |_| async { Ok(()) }).await.tls();
    let at = |port| server(HOST, port, OPERATORS, tls.clone());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = |answer: &'static [u8]| {
        let listener = &listener;
        async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
    };
    let (message, ()) = tokio::join!(async { failure(&at(port)).await }, answer(b"N"));
    assert_snapshot!("no_tls", message);
    let (message, ()) = tokio::join!(async { failure(&at(port)).await }, answer(b""));
    assert_snapshot!("broken_off", message);
    drop(listener);
    assert_snapshot!("refused", failure(&at(port)).await);
    let unknown = Server::new("a..b", port, OPERATORS, "", tls.clone());
    assert_snapshot!("no_such_name", failure(&unknown).await);
}

/// The address is looked up nowhere if it is given, and the name counts all the same.
#[tokio::test]
async fn a_session_is_where_it_was_asked_for() {
    let world = World::new(Version::V17).await;
    let session = world.server(Limits::default()).connect("postgres").await.unwrap();
    assert_eq!(session.version(), 17);
}

/// Each is a place of which a small server has few.
#[tokio::test]
async fn a_connection_counts_from_the_servers_answer_until_it_is_closed() {
    let world = World::new(Version::V17).await;
    let connections = Connections::default();
    let server = world.server(Limits::default()).counted_in(&connections);
    let (first, second) = tokio::join!(server.connect("postgres"), server.connect("postgres"));
    let (first, _second) = (first.unwrap(), second.unwrap());
    assert_eq!(connections.open(), 2);
    drop(first);
    // Its task ends by itself.
    while connections.open() != 1 {
        tokio::task::yield_now().await;
    }
    let full = Front::that(HOST, |stream| refuse(stream, "53300", "full")).await;
    failure(&full.server(OPERATORS).counted_in(&connections)).await;
    assert_eq!(connections.open(), 1, "whom a server refuses holds nothing");
}

/// A lock of ours that an app takes in the database `postgres`, where everybody can connect, doesn't keep us out.
#[tokio::test]
async fn an_app_that_takes_our_lock_is_thrown_out() {
    let world = World::alone(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    let app = world.cluster().connect(&world.name("app"), "postgres").await.unwrap();
    app.batch_execute("SELECT pg_advisory_lock(1684172656, 1)").await.unwrap();
    // One that waits would have it next.
    let next = world.cluster().connect(&world.name("app"), "postgres").await.unwrap();
    let next =
        tokio::spawn(async move { next.batch_execute("SELECT pg_advisory_lock(1684172656, 1)").await });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while world.superuser(waits).await != ["1"] {}
    world.settle(&desired).await;
    assert!(app.batch_execute("SELECT 1").await.is_err());
    // It may have had the lock for a moment.
    next.await.unwrap().ok();
    // Another pass is waited for.
    let operators = world.cluster().connect(OPERATORS, "postgres").await.unwrap();
    operators.batch_execute("SELECT pg_advisory_lock(1684172656, 1)").await.unwrap();
    let failure = world.pass_within(Limits::default(), &desired, &|| true).await.unwrap_err();
    assert_snapshot!("another_pass", failure);
}

#[tokio::test]
async fn a_pass_that_hangs_is_given_up() {
    let front = Front::that(HOST, |mut stream| async move {
        // Reads, and never answers.
        let mut nowhere = Vec::new();
        stream.read_to_end(&mut nowhere).await.map(|_| ())
    })
    .await;
    let limits = Limits { pass: SHORT, ..Limits::default() };
    let desired = World::new(Version::V17).await.desired();
    let failure = pass(&front.server(OPERATORS).with_limits(limits), &desired, &|| true).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}
