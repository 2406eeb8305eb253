//! Tests of other crates get servers of Azure's without a cluster, and log in as apps do.
// The helpers of tests fail like tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/tls.rs"]
mod tls;

use std::io;

use rstest::rstest;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use sandbox::Servers;
use sandbox::azure::client::{GatewayFault, GatewayFaultKind, TokenRequest};
use sandbox::postgres::Version;
use tls::trusting;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// As far as TLS: whether who answers under this name shows that it is who it says.
async fn reach(servers: &Servers, host: &str) -> io::Result<()> {
    let root = CertificateDer::from_pem_slice(servers.root_certificate().as_bytes()).unwrap();
    let mut stream = tokio::net::TcpStream::connect((servers.address(), 5432)).await?;
    // SSLRequest.
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
    assert_eq!(stream.read_u8().await?, b'S');
    let name = ServerName::try_from(host.to_owned()).unwrap();
    trusting(root).connect(name, stream).await.map(drop)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_there_in_a_moment(#[values(Version::V16, Version::V17, Version::V18)] version: Version) {
    let servers = Servers::start().await.unwrap();
    let host = servers.create("orders", version).await.unwrap();
    assert_eq!(host, "orders.postgres.database.azure.com");
    reach(&servers, &host).await.unwrap();
    assert!(
        reach(&servers, "orders.example.org").await.is_err(),
        "its certificate is of Azure's names alone"
    );
    let again = servers.create("orders", version).await.map(drop);
    assert!(again.is_ok(), "it stays as it is: {again:?}");
    let wrong = servers.create("Orders!", version).await.unwrap_err().to_string();
    assert!(wrong.starts_with("the stand-in for Azure refused: "), "{wrong}");
    let azure = servers.azure();
    let [real] = azure.real_servers().await.unwrap().try_into().unwrap();
    assert!(real.runs && real.server == Servers::id("orders").to_lowercase());
    let token = azure.token(&TokenRequest::of(Servers::OPERATOR)).await.unwrap();
    assert_eq!(token.split('.').count(), 3);
    let fault = GatewayFault { server: "orders".to_owned(), times: 1, kind: GatewayFaultKind::Refusal };
    azure.inject_at_gateway(&fault).await.unwrap();
    assert!(reach(&servers, &host).await.is_err());
    assert_eq!(azure.logins().await.unwrap().pop().unwrap().outcome, "fault: refusal");
}
