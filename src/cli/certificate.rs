//! The flags that say where the webhook's certificate comes from.

use std::{path::PathBuf, sync::Arc, time::Duration};

use certs::{Config, Files, Keeper, Resolver, Timing};
use clap::Args;
use jiff::SignedDuration;
use kube::Client;

use super::Failure;
use crate::certificate::Source;

#[derive(Args, Debug)]
pub(super) struct CertificateArgs {
    /// A DNS name or IP address that the API server calls the webhook by; repeat it for several
    #[arg(long = "tls-name", default_value = "127.0.0.1", action = clap::ArgAction::Append)]
    tls_names: Vec<String>,
    /// Secret that holds the CA and the certificate; it must exist, and may be empty
    #[arg(long, default_value = "database-operator-webhook-certificate")]
    certificate_secret: String,
    /// The validating and the mutating webhook configuration of this name get the CA
    #[arg(long, default_value = "database-operator")]
    webhook_configuration: String,
    /// Folder with tls.crt and tls.key, and ca.crt if you like, that others issue and renew, such as
    /// cert-manager; then no Secret is read or written, and no CA is published
    #[arg(long, conflicts_with_all = ["certificate_secret", "webhook_configuration"])]
    certificate_dir: Option<PathBuf>,
    /// How often the certificate is looked at, and the CA put back where someone removed it
    #[arg(long, default_value = "15s", value_parser = duration)]
    certificate_check: Duration,
    /// How long a new CA is published before its certificate is served: API servers have to hear of it
    #[arg(long, default_value = "60s", value_parser = duration)]
    ca_settle: Duration,
    /// How long an old CA stays published after that: all replicas have to take up the new certificate
    #[arg(long, default_value = "1h", value_parser = duration)]
    ca_overlap: Duration,
}

/// Reading a file costs nothing.
const FILES_CHECK: Duration = Duration::from_secs(2);

impl CertificateArgs {
    /// What readiness waits for.
    pub(super) fn readiness(&self) -> &'static str {
        if self.certificate_dir.is_some() {
            "the certificate to be read from --certificate-dir"
        } else {
            "the CA to be published to the webhook configurations"
        }
    }

    /// How often to look.
    pub(super) fn check(&self) -> Duration {
        if self.certificate_dir.is_some() {
            self.certificate_check.min(FILES_CHECK)
        } else {
            self.certificate_check
        }
    }

    pub(super) fn source(
        self,
        client: Client,
        namespace: String,
        resolver: Arc<Resolver>,
    ) -> Result<Source, Failure> {
        if let Some(directory) = self.certificate_dir {
            return Ok(Source::Files(Files::new(directory, self.tls_names, resolver)));
        }
        if self.ca_overlap < self.certificate_check * 2 {
            return Err("--ca-overlap is too short for all replicas to take up a new certificate in time: \
                        write at least twice --certificate-check"
                .into());
        }
        let timing = Timing {
            settle: SignedDuration::try_from(self.ca_settle)?,
            overlap: SignedDuration::try_from(self.ca_overlap)?,
        };
        let config = Config {
            namespace,
            secret: self.certificate_secret,
            configuration: self.webhook_configuration,
            names: self.tls_names,
        };
        Ok(Source::Secret(Keeper::new(client, config, timing, resolver)))
    }
}

/// More than nothing, and less than would be a slip.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| {
            *duration >= Duration::from_millis(100) && *duration <= Duration::from_hours(365 * 24)
        })
        .ok_or_else(|| "write a duration such as 60s, 5m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("60s", Some(60))]
    #[case("1h", Some(3600))]
    #[case("1h 30m", Some(5400))]
    #[case("60", None)]
    #[case("0s", None)]
    #[case("-5s", None)]
    #[case("1000000h", None)]
    #[case("soon", None)]
    fn a_duration_has_a_unit_and_is_more_than_nothing(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs));
    }
}
