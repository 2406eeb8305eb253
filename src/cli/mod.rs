//! The command line.

mod certificate;
mod client_ca;
mod controller;
mod crds;
mod outdated;
mod policy;
mod server_name;
mod webhook;

use std::{fs, path::Path, process::ExitCode};

use ::policy::Policy;
use clap::{Args, Parser, Subcommand};
use exposition::Description;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry::{Dropped, Logs, registry, version};

/// One manifest in, a dedicated Azure Database for PostgreSQL out.
///
/// In a cluster `webhook` and `controller` run as two Deployments, which the Helm chart installs.
#[derive(Debug, Parser)]
#[command(name = "database-operator", version = version(), args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the admission webhooks: fill in defaults, refuse what can't work or isn't allowed
    Webhook(Box<webhook::WebhookArgs>),
    /// Run the reconcile loop: Database -> Azure Service Operator -> Secret, ServiceAccount, status
    Controller(Box<controller::ControllerArgs>),
    /// Print the CustomResourceDefinitions as YAML
    Crds,
    /// Show the databases whose version of PostgreSQL is out of support, or soon will be
    Outdated(outdated::OutdatedArgs),
    /// Print the name of a Database's server in Azure, and how it is made by hand from another one
    ServerName(server_name::ServerNameArgs),
    /// Work with the policy document
    Policy(policy::PolicyArgs),
}

/// Where the operator and its policy are.
#[derive(Args, Debug)]
struct OperatorArgs {
    /// The operator's own namespace, where the policy and Azure Service Operator's objects are
    #[arg(long, env = "POD_NAMESPACE", default_value = "database-operator")]
    namespace: String,
    /// Name of the ConfigMap with the policy under the key policy.yaml
    #[arg(long, default_value = ::policy::rules::POLICY_NAME)]
    policy_configmap: String,
    /// Address of /livez, /readyz and /metrics, in plain HTTP
    #[arg(long, default_value = "127.0.0.1:8080")]
    admin_listen: std::net::SocketAddr,
}

/// Any error that ends the process: one line for a person.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Policy::parse(&text).map_err(|errors| format!("{}: {errors}", path.display()).into())
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Webhook(args) => serve(|dropped| webhook::run(*args, dropped)),
        Command::Controller(args) => serve(|dropped| controller::run(*args, dropped)),
        Command::Crds => crds::run(),
        Command::Outdated(args) => outdated::run(&args),
        Command::ServerName(args) => server_name::run(&args),
        Command::Policy(args) => policy::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<F>(run: impl FnOnce(Dropped) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    // Until the end, so that the last lines are written.
    let logs = Logs::init();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(logs.dropped()))
}

/// What each process exposes to Prometheus, by its subcommand.
pub fn metrics() -> [(&'static str, Vec<Description>); 2] {
    let [mut of_webhook, mut of_controller] = [registry(Dropped::none()), registry(Dropped::none())];
    webhook::Exposed::new(&mut of_webhook);
    controller::Exposed::new(&mut of_controller);
    [("webhook", of_webhook.descriptions().to_vec()), ("controller", of_controller.descriptions().to_vec())]
}

/// A token that SIGTERM and SIGINT cancel.
fn stop_on_signal() -> Result<CancellationToken, std::io::Error> {
    let token = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        cancelled.cancel();
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_later_flag_wins() {
        let cli = Cli::try_parse_from([
            "database-operator",
            "webhook",
            "--listen=0.0.0.0:1",
            "--listen=127.0.0.1:2",
        ]);
        assert!(matches!(cli.unwrap().command, Command::Webhook(args) if args.listen.port() == 2));
    }
}
