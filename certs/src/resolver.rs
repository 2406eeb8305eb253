//! Hands the current leaf to each TLS handshake; a renewed one takes effect with the next.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::Bundle;

/// The certificate that is served at present. Before the first one, handshakes fail.
#[derive(Debug, Default)]
pub struct Resolver {
    current: ArcSwapOption<CertifiedKey>,
}

impl Resolver {
    /// Serves this bundle's leaf from the next handshake on.
    pub fn set(&self, bundle: &Bundle) -> Result<(), rustls::Error> {
        self.current.store(Some(Arc::new(bundle.certified_key()?)));
        Ok(())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}
