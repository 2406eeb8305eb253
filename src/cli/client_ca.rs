//! `--client-ca`: which clients the webhook talks to.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use tokio::task::JoinHandle;
use webhook::Tls;

use super::Failure;

/// How often the file is read again. The kubelet itself takes a minute to bring a change.
const CHECK: Duration = Duration::from_secs(15);

#[derive(Args, Clone, Debug)]
pub(super) struct ClientCa {
    /// PEM file with the CA of the API server's client certificate; only clients that present one are served
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// With --client-ca: a common name or DNS name that the certificate must have; repeat it for several
    #[arg(long = "client-name", value_name = "NAME", requires = "client_ca")]
    client_names: Vec<String>,
}

impl ClientCa {
    /// Has the file hold from now on, and goes on reading it. What it held last stays while it is broken.
    pub(super) fn start(self, tls: &Tls) -> Result<JoinHandle<()>, Failure> {
        let mut known = self.read(tls, None)?;
        let tls = tls.clone();
        Ok(tokio::spawn(async move {
            let mut trouble = String::new();
            while self.client_ca.is_some() {
                tokio::time::sleep(CHECK).await;
                match self.read(&tls, known.as_deref()) {
                    Ok(read) => {
                        if known != read {
                            tracing::info!("the client CA has changed");
                        }
                        known = read;
                        trouble.clear();
                    }
                    Err(error) => {
                        let text = error.to_string();
                        if text != trouble {
                            tracing::error!("{text}; the one that was read before stays");
                            trouble = text;
                        }
                    }
                }
            }
        }))
    }

    /// Applies the file's content unless it is known, and gives it.
    fn read(&self, tls: &Tls, known: Option<&[u8]>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = &self.client_ca else { return Ok(None) };
        let explain = |why: &dyn std::fmt::Display| {
            format!(
                "--client-ca {}: {why}; it must hold, in PEM, the CA that signed the API server's client certificate",
                file.display()
            )
        };
        let pem = fs::read(file).map_err(|error| explain(&error))?;
        if known != Some(pem.as_slice()) {
            tls.only_clients_of(&pem, &self.client_names).map_err(|error| explain(&error))?;
        }
        Ok(Some(pem))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::missing(None, "No such file")]
    #[case::empty(Some(""), "it holds no certificate")]
    #[case::a_key(
        Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        "it holds no certificate"
    )]
    #[case::no_base64(Some("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"), "it isn't PEM")]
    #[case::no_certificate(
        Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "can't be used"
    )]
    #[tokio::test]
    async fn a_broken_file_ends_the_start_with_a_line_that_names_it(
        #[case] content: Option<&str>,
        #[case] why: &str,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let tls = Tls::for_everyone(Arc::new(certs::Resolver::default())).unwrap();
        let client_ca = ClientCa { client_ca: Some(file.clone()), client_names: Vec::new() };
        let error = client_ca.start(&tls).unwrap_err().to_string();
        assert!(error.starts_with(&format!("--client-ca {}: ", file.display())), "{error}");
        assert!(error.contains(why), "{error}");
        assert!(error.contains("must hold, in PEM, the CA"), "{error}");
    }

    #[test]
    fn a_change_is_read_and_a_broken_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        let ca = || rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem();
        let tls = Tls::for_everyone(Arc::new(certs::Resolver::default())).unwrap();
        let client_ca = ClientCa { client_ca: Some(file.clone()), client_names: Vec::new() };
        let (old, new) = (ca(), ca());
        fs::write(&file, &old).unwrap();
        assert_eq!(client_ca.read(&tls, None).unwrap(), Some(old.clone().into_bytes()));
        fs::write(&file, &new).unwrap();
        assert_eq!(client_ca.read(&tls, Some(old.as_bytes())).unwrap(), Some(new.clone().into_bytes()));
        fs::write(&file, "").unwrap();
        client_ca.read(&tls, Some(new.as_bytes())).unwrap_err();
    }
}
