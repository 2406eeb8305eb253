//! Which certificate authorities are trusted.

use rustls::pki_types::{CertificateDer, pem::PemObject};

/// The CAs that a server's certificate leads to, of which an app must have one at hand: Azure's lists `DigiCert` Global Root G2
/// and Microsoft RSA Root CA 2017. The CAs between them and the server change without notice, and are never trusted by
/// themselves. Tests compare the file with the roots that Mozilla trusts.
/// <https://learn.microsoft.com/azure/postgresql/security/security-tls#root-cas-used-by-azure-database-for-postgresql>
pub(crate) const ROOTS: &str = include_str!("roots.pem");

/// Those of Azure, and the system's: of `SSL_CERT_FILE` and `SSL_CERT_DIR`, or of where the system has them. An image needs to
/// hold none. Certificates that can't be read are passed over.
pub(crate) fn roots() -> Vec<CertificateDer<'static>> {
    let azures = CertificateDer::pem_slice_iter(ROOTS.as_bytes()).flatten();
    azures.chain(rustls_native_certs::load_native_certs().certs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_azures_are_trusted_wherever_it_runs() {
        let azures = CertificateDer::pem_slice_iter(ROOTS.as_bytes());
        let azures: Vec<_> = azures.collect::<Result<_, _>>().unwrap();
        assert_eq!(azures.len(), 2);
        assert_eq!(roots()[..2], azures);
    }
}
