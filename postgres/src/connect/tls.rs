//! TLS as PostgreSQL begins it: the client asks whether the server speaks it, and shakes hands if so.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>

use std::{fmt, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::failures;
use crate::failure::{Certificate, Unreachable};

/// Length 8, and the number 80877103: `SSLRequest`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Which authorities may have issued a server's certificate. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// Why there can be no TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TlsError {
    #[error(
        "none of the given certificates is one of an authority: give the roots of the servers' certificates"
    )]
    NoRoots,
    #[error("this build has no version of TLS in common with PostgreSQL")]
    NoVersion,
}

impl Tls {
    /// TLS 1.2 and 1.3, by ring, with these roots and no others. Certificates that can't be read are passed over.
    ///
    /// # Errors
    /// If no root is left.
    pub fn new(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        if store.add_parsable_certificates(roots).0 == 0 {
            return Err(TlsError::NoRoots);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::NoVersion)?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        mut stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Unreachable> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Unreachable::NameUnknown)?;
        stream.write_all(&SSL_REQUEST).await.map_err(|error| failures::of_network(&error))?;
        let mut answer = [0];
        stream.read_exact(&mut answer).await.map_err(|error| failures::of_network(&error))?;
        if answer != *b"S" {
            return Err(Unreachable::NoTls);
        }
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, stream)
            .await
            .map_err(|error| of_handshake(&error))
    }
}

fn of_handshake(error: &io::Error) -> Unreachable {
    use CertificateError as Why;
    let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls {
        Some(rustls::Error::InvalidCertificate(why)) => Unreachable::Certificate(match why {
            Why::UnknownIssuer => Certificate::UnknownIssuer,
            Why::NotValidForName | Why::NotValidForNameContext { .. } => Certificate::OtherName,
            Why::Expired | Why::ExpiredContext { .. } | Why::NotValidYet | Why::NotValidYetContext { .. } => {
                Certificate::OutOfDate
            }
            _ => Certificate::Invalid,
        }),
        Some(_) => Unreachable::NoTls,
        None => failures::of_network(error),
    }
}
