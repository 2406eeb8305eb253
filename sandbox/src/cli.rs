//! The command line of `database-sandbox`.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::app::{self, AppArgs};
use crate::nodes::outside::Outside;
use crate::nodes::{cgroups, init};
use crate::options::{Options, repository};
use crate::progress::Progress;
use crate::state::Directory;
use crate::tools::{self, Wanted};
use crate::{detached, exec_child, postgres, supervisor};

/// A real control plane, the real Azure Service Operator and a stand-in for Azure, on one machine, without Docker
#[derive(Debug, Parser)]
#[command(name = "database-sandbox", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a sandbox in the background, and wait until it is ready
    Up {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: Options,
    },
    /// Say what runs; fails when nothing does
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// End the sandbox
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Run a sandbox in the foreground, until SIGTERM or Ctrl-C
    Supervise {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: Options,
        /// End also when standard input is closed: for tests, which may die in any way
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Log in to a database as its app does, with its Secret and its ServiceAccount, and run SQL
    App {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        app: AppArgs,
    },
    /// Say where the programs of the sandbox are, and build or fetch those that are missing
    Tools,
    /// Run the part of a sandbox with nodes that is in namespaces of its own
    #[command(hide = true)]
    Within {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: Options,
        #[arg(long, value_parser = outside)]
        outside: Outside,
    },
    /// Be process 1 of it
    #[command(hide = true)]
    Init {
        #[arg(last = true, required = true)]
        arguments: Vec<OsString>,
    },
    /// Remove a sandbox's cgroups when standard input is closed
    #[command(hide = true)]
    Sweep { name: String },
    /// Become another program, one that dies together with process PARENT
    #[command(hide = true)]
    ExecChild {
        #[arg(long)]
        parent: u32,
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// Where the sandbox keeps its files [default: target/sandbox]
    #[arg(long, value_name = "DIR", env = "DATABASE_SANDBOX_DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    fn directory(self) -> Result<Directory, crate::state::Error> {
        let path = self.dir.unwrap_or_else(|| repository().join("target/sandbox"));
        Directory::new(&path)
    }
}

fn outside(text: &str) -> Result<Outside, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    if let Some(code) = without_threads(&command) {
        return code;
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // `block_on` runs the command on this, the main thread: programs may be started on no other.
    let result =
        tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(run(command)));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("database-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The commands that become another program, wait for all their children, or wait for nothing but an end.
fn without_threads(command: &Command) -> Option<ExitCode> {
    match command {
        Command::ExecChild { parent, program } => {
            let error = exec_child::exec(*parent, program);
            let name = program.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            eprintln!("can't run {name}: {error}");
            Some(ExitCode::from(127))
        }
        Command::Init { arguments } => Some(init::run(arguments).unwrap_or_else(|error| {
            eprintln!("can't run the sandbox in namespaces of its own: {error}");
            ExitCode::FAILURE
        })),
        Command::Sweep { name } => Some(match cgroups::sweep(name) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("can't remove the cgroups {name}: {error}");
                ExitCode::FAILURE
            }
        }),
        _ => None,
    }
}

async fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Up { place, options } => detached::up(&place.directory()?, &options).await?,
        Command::Down { place } => detached::down(&place.directory()?).await?,
        Command::Status { place } => {
            if !detached::status(&place.directory()?)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Supervise { place, options, until_stdin_closes } => {
            supervisor::supervise(&place.directory()?, &options, until_stdin_closes).await?;
        }
        Command::Within { place, options, outside } => {
            supervisor::supervise_within(&place.directory()?, &options, &outside).await?;
        }
        Command::App { place, app } => app::run(&place.directory()?, &app).await?,
        Command::Tools => {
            let progress = Progress::start();
            let wanted = Wanted { nodes: cfg!(target_os = "linux"), flux: true };
            for (name, path) in tools::ensure(&progress, wanted).await?.list() {
                println!("{name:<25} {}", path.display());
            }
            for binaries in postgres::ensure_all(&|what| progress.say(what))? {
                let name = format!("PostgreSQL {}", binaries.release());
                println!("{name:<25} {}", binaries.program("postgres").display());
            }
        }
        // Answered before there are threads.
        Command::ExecChild { .. } | Command::Init { .. } | Command::Sweep { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
