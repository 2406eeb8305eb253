//! `--client-ca`: only the API server is served.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rstest::rstest;
use rustls::pki_types::PrivateKeyDer;

use super::support::{Identity, Server, review_of, server};

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

impl Ca {
    fn issue(&self, common: &str, dns: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(dns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// With TLS 1.3 the refusal comes after the client's side of the handshake, so both count.
async fn is_served(server: &Server, identity: Option<Identity>) -> bool {
    for alpn in [b"http/1.1".as_slice(), b"h2"] {
        let Ok(tls) = server.connect_as(alpn, identity.as_ref().map(copy)).await else { return false };
        if server.ask_on(alpn, tls, "/validate", review_of("banana")).await.is_err() {
            return false;
        }
    }
    true
}

fn copy((chain, key): &Identity) -> Identity {
    (chain.clone(), key.clone_key())
}

#[tokio::test]
async fn only_a_certificate_of_the_ca_is_served() {
    let (server, ours, other) = (server().await, ca(), ca());
    assert!(is_served(&server, None).await);
    server.tls.only_clients_of(ours.pem.as_bytes(), &[]).unwrap();
    assert!(!is_served(&server, None).await);
    assert!(!is_served(&server, Some(other.issue("kube-apiserver", &[]))).await);
    assert!(is_served(&server, Some(ours.issue("kube-apiserver", &[]))).await);
}

#[rstest]
#[case::common_name("kube-apiserver", &[], true)]
#[case::second_name("front-proxy", &[], true)]
#[case::dns_name("x", &["other.example", "kube-apiserver"], true)]
#[case::other_name("kubelet", &["kubelet.example"], false)]
#[case::longer_name("kube-apiserver-kubelet-client", &[], false)]
#[case::case_differs("Kube-Apiserver", &[], false)]
#[tokio::test]
async fn with_names_the_certificate_must_bear_one(
    #[case] common: &str,
    #[case] dns: &[&str],
    #[case] served: bool,
) {
    let (server, ca) = (server().await, ca());
    let names = ["kube-apiserver".to_owned(), "front-proxy".to_owned()];
    server.tls.only_clients_of(ca.pem.as_bytes(), &names).unwrap();
    assert_eq!(is_served(&server, Some(ca.issue(common, dns))).await, served);
}

#[tokio::test]
async fn a_bundle_of_two_serves_both_and_a_broken_one_changes_nothing() {
    let (server, old, new) = (server().await, ca(), ca());
    server.tls.only_clients_of(format!("{}{}", old.pem, new.pem).as_bytes(), &[]).unwrap();
    assert!(is_served(&server, Some(old.issue("x", &[]))).await);
    assert!(is_served(&server, Some(new.issue("x", &[]))).await);
    server.tls.only_clients_of(b"", &[]).unwrap_err();
    assert!(!is_served(&server, None).await);
    server.tls.only_clients_of(new.pem.as_bytes(), &[]).unwrap();
    assert!(!is_served(&server, Some(old.issue("x", &[]))).await);
    assert!(is_served(&server, Some(new.issue("x", &[]))).await);
}
