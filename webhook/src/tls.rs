//! The certificate that is shown, and the one that may be asked of clients.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme, WantsVerifier,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, UnixTime,
        pem::{self, PemObject},
    },
    server::{
        ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("it isn't PEM: {0}")]
    Pem(#[from] pem::Error),
    #[error("it holds no certificate")]
    Empty,
    #[error("a certificate of it can't be used: {0}")]
    Certificate(#[source] rustls::Error),
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Who may connect. Clones share it, and a change holds from the next connection on.
#[derive(Clone)]
pub struct Tls {
    certificate: Arc<dyn ResolvesServerCert>,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Serves every client.
    pub fn for_everyone(certificate: Arc<dyn ResolvesServerCert>) -> Result<Self, TlsError> {
        let config = builder()?.with_no_client_auth().with_cert_resolver(certificate.clone());
        Ok(Self { certificate, config: Arc::new(ArcSwap::from_pointee(with_alpn(config))) })
    }

    /// From now on serves only clients with a certificate of these CAs and, if there are names, with one of the
    /// names as its common name or DNS name. On an error everything stays as it is.
    pub fn only_clients_of(&self, pem: &[u8], names: &[String]) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?).map_err(TlsError::Certificate)?;
        }
        if roots.is_empty() {
            return Err(TlsError::Empty);
        }
        let of_ca = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()?;
        let verifier = Arc::new(Named { of_ca, names: names.to_vec() });
        let config =
            builder()?.with_client_cert_verifier(verifier).with_cert_resolver(self.certificate.clone());
        self.config.store(Arc::new(with_alpn(config)));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

fn with_alpn(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// A certificate of the CA that bears one of the names; any name when none is listed.
#[derive(Debug)]
struct Named {
    of_ca: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientCertVerifier for Named {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.of_ca.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.of_ca.verify_client_cert(client, intermediates, now)?;
        if self.names.is_empty() || bears(client, &self.names) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_ca.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of_ca.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_ca.supported_verify_schemes()
    }
}

fn bears(certificate: &CertificateDer<'_>, names: &[String]) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let listed = |name: &str| names.iter().any(|listed| listed == name);
    let common = parsed.subject().iter_common_name().any(|name| name.as_str().is_ok_and(listed));
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|alternative| &alternative.value.general_names);
    common || names.into_iter().any(|name| matches!(name, GeneralName::DNSName(name) if listed(name)))
}
