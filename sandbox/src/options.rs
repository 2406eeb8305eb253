//! How a sandbox is started; the same from the command line and from a test.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The defaults are what `database-sandbox up` does without any option: everything, and Azure answers at once.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// How long each long-running operation takes in the stand-in for Azure
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub azure_delay_seconds: u64,
    /// How often Azure Service Operator looks at Azure without a reason
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub aso_sync_seconds: u64,
    /// Leave out Azure Service Operator, its CRDs too; `POST /aso/install` brings it later
    #[arg(long)]
    pub without_aso: bool,
    /// Install only the CRDs of Azure Service Operator, each in its newest version: something else plays its part
    #[arg(long, conflicts_with = "without_aso")]
    pub aso_crds_only: bool,
    /// Leave out the database operator, its chart and its policy
    #[arg(long)]
    pub without_operator: bool,
    /// Leave out the real PostgreSQL behind each server of the stand-in for Azure: nobody can log in then
    #[arg(long)]
    pub without_postgres: bool,
    /// Also run Flux, its source-controller and its kustomize-controller, with the rights of its own installation
    #[arg(long)]
    pub flux: bool,
    /// How many real nodes it has, on which the database operator runs in pods; needs root on Linux
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub nodes: u8,
    /// The image of the database operator, an archive of the OCI image layout, for nodes [default: it is packed from the
    /// binary]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operator_binary", "without_operator"])]
    pub image: Option<PathBuf>,
    /// The binary of the database operator [default: the one beside this one]
    #[arg(long, value_name = "PATH")]
    pub operator_binary: Option<PathBuf>,
    /// The policy that is applied at the start [default: examples/policy.yaml, without its `administrator` where there is no
    /// PostgreSQL]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            azure_delay_seconds: 0,
            aso_sync_seconds: 3600,
            without_aso: false,
            aso_crds_only: false,
            without_operator: false,
            without_postgres: false,
            flux: false,
            nodes: 0,
            image: None,
            operator_binary: None,
            policy: None,
        }
    }
}

impl Options {
    /// The defaults, but without PostgreSQL: for what logs in to no database, and would wait for servers to start.
    pub fn without_postgres() -> Self {
        Self { without_postgres: true, ..Self::default() }
    }

    /// The defaults, with this many nodes.
    pub fn with_nodes(nodes: u8) -> Self {
        Self { nodes, ..Self::default() }
    }

    /// Without PostgreSQL, and with Flux.
    pub fn with_flux() -> Self {
        Self { flux: true, ..Self::without_postgres() }
    }

    /// The flags that say the same to `database-sandbox supervise`.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            format!("--azure-delay-seconds={}", self.azure_delay_seconds).into(),
            format!("--aso-sync-seconds={}", self.aso_sync_seconds).into(),
            format!("--nodes={}", self.nodes).into(),
        ];
        if self.without_aso {
            arguments.push("--without-aso".into());
        }
        if self.aso_crds_only {
            arguments.push("--aso-crds-only".into());
        }
        if self.without_operator {
            arguments.push("--without-operator".into());
        }
        if self.without_postgres {
            arguments.push("--without-postgres".into());
        }
        if self.flux {
            arguments.push("--flux".into());
        }
        for (flag, path) in [
            ("--image", &self.image),
            ("--operator-binary", &self.operator_binary),
            ("--policy", &self.policy),
        ] {
            if let Some(path) = path {
                arguments.extend([flag.into(), path.clone().into_os_string()]);
            }
        }
        arguments
    }

    /// The same from any working directory.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        Ok(Self {
            image: absolute(&self.image)?,
            operator_binary: absolute(&self.operator_binary)?,
            policy: absolute(&self.policy)?,
            ..self.clone()
        })
    }

    /// What these options say otherwise than those that a sandbox runs with, for people; empty when it's all the same.
    pub(crate) fn differences(&self, running: &Self) -> String {
        let differences: Vec<String> = self
            .values()
            .into_iter()
            .zip(running.values())
            .filter(|(wanted, running)| wanted != running)
            .map(|((flag, wanted), (_, running))| format!("{flag} is {running} there, not {wanted}"))
            .collect();
        differences.join("; ")
    }

    fn values(&self) -> [(&'static str, String); 11] {
        let shown = |path: &Option<PathBuf>| {
            path.as_ref().map_or_else(|| "the default".to_owned(), |path| path.display().to_string())
        };
        [
            ("--azure-delay-seconds", self.azure_delay_seconds.to_string()),
            ("--aso-sync-seconds", self.aso_sync_seconds.to_string()),
            ("--without-aso", self.without_aso.to_string()),
            ("--aso-crds-only", self.aso_crds_only.to_string()),
            ("--without-operator", self.without_operator.to_string()),
            ("--without-postgres", self.without_postgres.to_string()),
            ("--flux", self.flux.to_string()),
            ("--nodes", self.nodes.to_string()),
            ("--image", shown(&self.image)),
            ("--operator-binary", shown(&self.operator_binary)),
            ("--policy", self.policy_path().display().to_string()),
        ]
    }

    /// The binary of the database operator, wherever programs are started.
    pub(crate) fn operator_path(&self) -> io::Result<PathBuf> {
        match &self.operator_binary {
            Some(path) => std::path::absolute(path),
            None => Ok(std::env::current_exe()?.with_file_name("database-operator")),
        }
    }

    pub(crate) fn policy_path(&self) -> PathBuf {
        self.policy.clone().unwrap_or_else(|| repository().join("examples/policy.yaml"))
    }
}

/// Where the source tree is: the sandbox is for developing in it.
pub(crate) fn repository() -> &'static Path {
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR"));
    sandbox.parent().unwrap_or(sandbox)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn no_flags_mean_the_defaults() {
        assert_eq!(Cli::parse_from(["x"]).options, Options::default());
    }

    #[test]
    fn options_survive_the_way_through_flags() {
        let options = Options {
            azure_delay_seconds: 3,
            aso_sync_seconds: 20,
            without_aso: true,
            aso_crds_only: false,
            without_operator: true,
            without_postgres: true,
            flux: true,
            nodes: 2,
            image: None,
            operator_binary: Some("a b".into()),
            policy: Some("policy.yaml".into()),
        };
        let others = Options {
            without_aso: false,
            aso_crds_only: true,
            without_operator: false,
            image: Some("a b.tar".into()),
            operator_binary: None,
            ..options.clone()
        };
        for options in [options, others] {
            let arguments = [OsString::from("x")].into_iter().chain(options.to_arguments());
            assert_eq!(Cli::parse_from(arguments).options, options);
        }
    }

    #[test]
    fn what_differs_is_named() {
        let running = Options { azure_delay_seconds: 2, ..Options::default() };
        assert_eq!(running.differences(&running), "");
        let wanted = Options { without_aso: true, ..Options::default() };
        assert_eq!(
            wanted.differences(&running),
            "--azure-delay-seconds is 2 there, not 0; --without-aso is false there, not true"
        );
    }

    #[test]
    fn the_default_policy_may_be_said() {
        let said = Options { policy: Some(repository().join("examples/policy.yaml")), ..Options::default() };
        assert_eq!(said.differences(&Options::default()), "");
    }
}
