//! Commands of the system that do one thing and end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't run {program}: {source}")]
    Run { program: String, source: std::io::Error },
    #[error("`{command}` failed: {message}")]
    Failed { command: String, message: String },
}

/// Runs a command, and returns what it printed.
pub(crate) async fn run<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Result<String, Error> {
    let name = program.display().to_string();
    let failed = |source| Error::Run { program: name.clone(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
    let command = std::iter::once(name.as_str().into()).chain(words).collect::<Vec<_>>().join(" ");
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { command, message })
}
