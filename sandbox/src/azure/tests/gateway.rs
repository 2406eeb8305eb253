//! The way to a server: its firewall, its certificate, tokens, and what can go wrong.

use std::{net::Ipv4Addr, time::Duration};

use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    logging_in::{Login, OPERATOR, OPERATORS, column, words},
    support::{Setup, server_path},
};
use crate::azure::{GatewayFault, GatewayFaultKind, LoginAttempt, TokenRequest};

const APP: &str = "22222222-2222-4222-8222-222222222222";
/// Somebody who isn't in the cluster.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// With a server, on which an app has a role of its own.
async fn with_app() -> Setup {
    let setup = Setup::start_with_postgres().await.with_server("orders", "17").await;
    let administrator = setup.administrator("orders", "postgres").await;
    let create =
        format!("SELECT pgaadauth_create_principal_with_oid('app', '{APP}', 'service', false, false)");
    administrator.batch_execute(&create).await.unwrap();
    setup
}

async fn last_attempt(setup: &Setup) -> LoginAttempt {
    setup.control.logins().await.unwrap().pop().unwrap()
}

/// Waits until an attempt is recorded that came to this.
async fn eventually(setup: &Setup, outcome: &str) -> LoginAttempt {
    let seen = async {
        loop {
            let attempts = setup.control.logins().await.unwrap();
            if let Some(attempt) = attempts.into_iter().find(|attempt| attempt.outcome == outcome) {
                return attempt;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap()
}

#[tokio::test]
async fn who_logs_in_is_recorded() {
    let setup = with_app().await;
    setup.control.clear_logins().await.unwrap();
    let token = setup.token(APP).await;
    let app = Login::of("orders", "app", &token).log_in(&setup).await.unwrap();
    assert_eq!(column(&app, "SELECT session_user::text").await, ["app"]);
    let attempt = last_attempt(&setup).await;
    let expected = LoginAttempt {
        sequence: attempt.sequence,
        time: attempt.time.clone(),
        server: "orders".to_owned(),
        client: "20.100.0.4".to_owned(),
        user: "app".to_owned(),
        database: "postgres".to_owned(),
        method: "token".to_owned(),
        object_id: Some(APP.to_owned()),
        outcome: "accepted".to_owned(),
        reason: None,
    };
    assert_eq!(attempt, expected);

    // The token lets in; PostgreSQL does not.
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("ALTER ROLE app NOLOGIN").await.unwrap();
    let refused = Login::of("orders", "app", &token).log_in(&setup).await.unwrap_err();
    assert_eq!(refused, "28000: role \"app\" is not permitted to log in");
    assert_eq!(last_attempt(&setup).await.outcome, refused);
    assert!(!last_attempt(&setup).await.was_accepted());
}

#[rstest]
#[case::of_another(TokenRequest::of(OPERATOR), "is not the principal")]
#[case::expired(TokenRequest { lifetime_seconds: Some(-1), ..TokenRequest::of(APP) }, "the token has expired")]
#[case::for_another(
    TokenRequest { audience: Some("https://management.azure.com".to_owned()), ..TokenRequest::of(APP) },
    "the audience is"
)]
#[case::another_tenant(
    TokenRequest { tenant: Some("00000000-0000-4000-8000-0000000000f2".to_owned()), ..TokenRequest::of(APP) },
    "the tenant is"
)]
#[tokio::test]
async fn a_wrong_token_is_a_wrong_password(#[case] asked: TokenRequest, #[case] reason: &str) {
    let setup = with_app().await;
    let token = setup.control.token(&asked).await.unwrap();
    let refused = Login::of("orders", "app", &token).log_in(&setup).await.unwrap_err();
    assert_eq!(refused, "28P01: password authentication failed for user \"app\"");
    let attempt = last_attempt(&setup).await;
    assert_eq!(attempt.outcome, refused);
    assert!(attempt.reason.as_ref().is_some_and(|found| found.contains(reason)), "{attempt:?}");
}

#[tokio::test]
async fn something_else_is_no_token() {
    let setup = with_app().await;
    for password in ["x", "a.b.c", "Correct-Horse-1"] {
        let refused = Login::of("orders", "app", password).log_in(&setup).await.unwrap_err();
        assert_eq!(refused, "28P01: password authentication failed for user \"app\"");
        assert_eq!(last_attempt(&setup).await.reason.as_deref(), Some("it is not a token"));
    }
    let refused = Login::of("orders", "nobody", "x").log_in(&setup).await.unwrap_err();
    assert!(refused.starts_with("28000: no pg_hba.conf entry for host"), "{refused}");
}

#[tokio::test]
async fn members_of_a_group_log_in_as_the_group() {
    let setup = with_app().await;
    let token = setup.token(APP).await;
    let as_group = async |token: &str| Login::of("orders", "db-operators", token).log_in(&setup).await;
    assert!(as_group(&token).await.unwrap_err().starts_with("28P01"));
    setup.control.set_members(OPERATORS, &[OPERATOR, APP]).await.unwrap();
    assert!(as_group(&token).await.is_err(), "the token says who was in it when it was issued");
    let session = as_group(&setup.token(APP).await).await.unwrap();
    assert_eq!(column(&session, "SELECT session_user::text").await, ["db-operators"]);
    assert_eq!(last_attempt(&setup).await.object_id.as_deref(), Some(APP));
}

#[tokio::test]
async fn the_firewall_lets_in_whom_its_rules_name() {
    let setup = with_app().await;
    let token = setup.token(APP).await;
    let login = Login { from: ELSEWHERE, ..Login::of("orders", "app", &token) };
    let waiting = login.log_in(&setup);
    tokio::select! {
        _ = waiting => panic!("there was an answer"),
        attempt = eventually(&setup, "firewall") => assert_eq!(attempt.client, "127.0.0.2"),
    }
    let rule = json!({"properties": {"startIpAddress": "127.0.0.2", "endIpAddress": "127.0.0.2"}});
    setup.write(&format!("{}/firewallRules/elsewhere", server_path("orders")), rule).await;
    login.log_in(&setup).await.unwrap();
    let dropping = setup.delete(&format!("{}/firewallRules/cluster", server_path("orders"))).await;
    setup.finish(&dropping).await;
    setup.control.clear_logins().await.unwrap();
    let from_cluster = Login { from: Ipv4Addr::LOCALHOST, ..login };
    tokio::select! {
        _ = from_cluster.log_in(&setup) => panic!("there was an answer"),
        attempt = eventually(&setup, "firewall") => assert_eq!(attempt.client, "20.100.0.4"),
    }
}

#[tokio::test]
async fn tls_is_needed_and_its_certificate_is_of_the_name() {
    let setup = with_app().await;
    let token = setup.token(APP).await;
    let directly = Login { directly: true, ..Login::of("orders", "app", &token) };
    directly.log_in(&setup).await.unwrap();
    let nowhere = Login { server: "billing", ..directly.clone() }.log_in(&setup).await;
    assert_eq!(nowhere.unwrap_err(), "08001: there is no server \"billing\" in this sandbox");
    // Not of a name further down.
    let below = Login { server: "a.orders", ..directly.clone() }.log_in(&setup).await.unwrap_err();
    assert!(below.starts_with("error performing TLS handshake"), "{below}");

    let gateway = setup.azure.gateway().unwrap();
    let mut plain = tokio_postgres::Config::new();
    plain.host(gateway.ip().to_string()).port(gateway.port()).user("app").dbname("postgres");
    let refused = plain.connect(tokio_postgres::NoTls).await.map(drop).unwrap_err();
    assert_eq!(
        words(&refused),
        "28000: no pg_hba.conf entry for host \"20.100.0.4\", user \"app\", database \"postgres\", no encryption"
    );
}

#[rstest]
#[tokio::test]
async fn a_statement_is_canceled(
    #[values("16", "17", "18")] version: &str,
    #[values(true, false)] with_tls: bool,
) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let session = setup.administrator("orders", "postgres").await;
    let token = session.cancel_token();
    let login = Login::of("orders", "db-operators", "");
    let sleeping = session.batch_execute("SELECT pg_sleep(600)");
    let canceling = async {
        let watching = setup.administrator("orders", "postgres").await;
        let active = "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
        while column(&watching, active).await != ["1"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let stream = TcpStream::connect(setup.azure.gateway().unwrap()).await.unwrap();
        if with_tls {
            token.cancel_query_raw(stream, login.tls(&setup)).await.unwrap();
        } else {
            // As libpq did before version 17.
            token.cancel_query_raw(stream, tokio_postgres::NoTls).await.unwrap();
        }
    };
    let (slept, ()) = tokio::join!(sleeping, canceling);
    assert_eq!(words(&slept.unwrap_err()), "57014: canceling statement due to user request");
    session.batch_execute("SELECT 1").await.unwrap();
}

async fn inject(setup: &Setup, kind: GatewayFaultKind) {
    let fault = GatewayFault { server: "orders".to_owned(), times: 1, kind };
    setup.control.inject_at_gateway(&fault).await.unwrap();
}

#[tokio::test]
async fn a_connection_can_go_wrong_in_every_way() {
    let setup = with_app().await;
    let token = setup.token(APP).await;
    let login = Login::of("orders", "app", &token);
    let error = |code: &str, message: &str| GatewayFaultKind::Error {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    inject(&setup, error("53300", "sorry, too many clients already")).await;
    assert_eq!(login.log_in(&setup).await.unwrap_err(), "53300: sorry, too many clients already");
    inject(&setup, GatewayFaultKind::Refusal).await;
    assert!(login.log_in(&setup).await.unwrap_err().starts_with("error performing TLS handshake"));
    eventually(&setup, "fault: refusal").await;
    inject(&setup, GatewayFaultKind::Reset).await;
    let reset = login.log_in(&setup).await.unwrap_err();
    assert!(reset.starts_with("error communicating with the server"), "{reset}");
    eventually(&setup, "fault: reset").await;
    inject(&setup, GatewayFaultKind::Silence).await;
    tokio::select! {
        _ = login.log_in(&setup) => panic!("there was an answer"),
        _ = eventually(&setup, "fault: silence") => {}
    }
    let delay = Duration::from_millis(200);
    inject(&setup, GatewayFaultKind::Slow { milliseconds: 200 }).await;
    let started = tokio::time::Instant::now();
    let slow = login.log_in(&setup).await.unwrap();
    assert!(started.elapsed() >= delay);
    let started = tokio::time::Instant::now();
    slow.batch_execute("SELECT 1").await.unwrap();
    assert!(started.elapsed() >= delay);
    assert!(setup.control.gateway_faults().await.unwrap().is_empty());
    login.log_in(&setup).await.unwrap();

    inject(&setup, GatewayFaultKind::Silence).await;
    setup.control.clear_gateway_faults_of("orders").await.unwrap();
    login.log_in(&setup).await.unwrap();
}

#[rstest]
#[case::http(b"GET / HTTP/1.1\r\n\r\n")]
#[case::nothing(b"")]
#[case::huge(&[0xff; 64])]
#[case::half_of_tls(&[0x16, 3, 1])]
#[tokio::test]
async fn bad_input_ends_its_connection_alone(#[case] bytes: &[u8]) {
    let setup = Setup::start_with_postgres().await;
    let mut stream = TcpStream::connect(setup.azure.gateway().unwrap()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    stream.read_to_end(&mut answer).await.ok();
    assert!(answer.len() < 100, "{answer:?}");
    assert!(TcpStream::connect(setup.azure.gateway().unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_private_server_is_reached_from_the_cluster_alone() {
    let subnet = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s";
    let zone = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/a.postgres.database.azure.com";
    let mut server = super::support::plain_server();
    server["properties"]["network"] =
        json!({"delegatedSubnetResourceId": subnet, "privateDnsZoneArmResourceId": zone});
    let setup = Setup::start_with_postgres().await;
    setup.write(&server_path("orders"), server).await;
    let group = json!({"properties": {"principalName": "db-operators", "principalType": "Group"}});
    setup.write(&format!("{}/administrators/{OPERATORS}", server_path("orders")), group).await;
    setup.control.set_members(OPERATORS, &[OPERATOR]).await.unwrap();
    let inside = setup.administrator("orders", "postgres").await;
    inside.batch_execute("SELECT 1").await.unwrap();
    let token = setup.token(OPERATOR).await;
    let outside = Login { from: ELSEWHERE, ..Login::of("orders", "db-operators", &token) };
    tokio::select! {
        _ = outside.log_in(&setup) => panic!("there was an answer"),
        _ = eventually(&setup, "private network") => {}
    }
}
