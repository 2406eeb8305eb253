//! TLS as a client sees it.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_rustls::TlsConnector;

/// Trusts what this certificate has signed, and nothing else.
pub fn trusting(root: CertificateDer<'_>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root.into_owned()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
