//! Hands the current leaf to each TLS handshake; a renewed one takes effect with the next, and connections
//! that stand go on.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{
    Pair,
    pair::{issuer, not_after},
};

/// The certificate that is served at present. Before the first one, handshakes fail.
#[derive(Debug, Default)]
pub struct Resolver {
    current: ArcSwapOption<CertifiedKey>,
}

impl Resolver {
    /// Serves this from the next handshake on.
    pub(crate) fn set(&self, leaf: &Pair) -> Result<(), rustls::Error> {
        self.current.store(Some(Arc::new(leaf.certified_key()?)));
        Ok(())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// What a replica serves, which it knows also when nobody else does any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    pub(crate) leaf: Pair,
    /// The certificate of the CA that issued it, as far as it is known.
    pub(crate) authority: Option<String>,
}

impl Served {
    /// The leaf, with whichever of these CAs has issued it.
    pub(crate) fn of(leaf: Pair, cas: &str) -> Self {
        let authority = issuer(&leaf.certificate, cas).map(|ca| format!("{ca}\n"));
        Self { leaf, authority }
    }

    /// When the certificate expires, in seconds since 1970.
    pub fn not_after(&self) -> Option<i64> {
        not_after(&self.leaf.certificate)
    }

    /// When the CA expires, in seconds since 1970.
    pub fn authority_not_after(&self) -> Option<i64> {
        not_after(self.authority.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use jiff::Timestamp;
    use rustls::{
        ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };

    use super::*;
    use crate::{issue, pair::bundle};

    fn issued() -> (Pair, Pair) {
        let authority = issue::authority(Timestamp::now()).unwrap();
        let leaf = issue::leaf(&authority, &["127.0.0.1".into()], Timestamp::now()).unwrap();
        (authority, leaf)
    }

    fn exchange(from: &mut Connection, to: &mut Connection) -> Result<(), rustls::Error> {
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let mut bytes = bytes.as_slice();
        while !bytes.is_empty() {
            to.read_tls(&mut bytes).unwrap();
            to.process_new_packets()?;
        }
        Ok(())
    }

    /// A client that trusts these CAs, connected.
    fn connect(resolver: &Arc<Resolver>, cas: &str) -> Result<[Connection; 2], rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(cas.as_bytes()) {
            roots.add(ca.unwrap())?;
        }
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut client = Connection::Client(ClientConnection::new(Arc::new(client), name)?);
        let mut server = Connection::Server(ServerConnection::new(Arc::new(server))?);
        while client.is_handshaking() || server.is_handshaking() {
            exchange(&mut client, &mut server)?;
            exchange(&mut server, &mut client)?;
        }
        Ok([client, server])
    }

    #[test]
    fn both_certificates_of_a_rotation_are_trusted_and_connections_outlive_it() {
        let ((old_ca, old), (new_ca, new)) = (issued(), issued());
        let both = bundle([new_ca.certificate.as_str(), &old_ca.certificate]);
        let resolver = Arc::new(Resolver::default());
        assert!(connect(&resolver, &both).is_err(), "there is no certificate yet");

        resolver.set(&old).unwrap();
        let [mut client, mut server] = connect(&resolver, &both).unwrap();
        resolver.set(&new).unwrap();
        connect(&resolver, &both).unwrap();
        connect(&resolver, &new_ca.certificate).unwrap();
        assert!(connect(&resolver, &old_ca.certificate).is_err(), "the new one is served");

        client.writer().write_all(b"review").unwrap();
        exchange(&mut client, &mut server).unwrap();
        let mut heard = [0; 6];
        server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"review");
    }

    #[test]
    fn what_can_not_be_served_leaves_the_one_that_is() {
        let ((ca, leaf), (_, other)) = (issued(), issued());
        let resolver = Arc::new(Resolver::default());
        resolver.set(&leaf).unwrap();
        assert!(resolver.set(&Pair { key: other.key, ..leaf }).is_err());
        connect(&resolver, &ca.certificate).unwrap();
    }
}
