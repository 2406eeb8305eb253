//! kubectl, as the sandbox's own way to talk to its API server: what works here works for whoever reads along.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::spawn;

/// No single command takes longer; the largest applies a dozen CRDs.
const LIMIT: Duration = Duration::from_mins(1);
/// How long the API server may take until it serves the kinds of new CRDs.
const ESTABLISHED: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't run kubectl ({}): {source}", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("`kubectl {command}` failed: {message}")]
    Failed { command: String, message: String },
    #[error("`kubectl {command}` didn't finish within {} s", LIMIT.as_secs())]
    Timeout { command: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    /// kubectl remembers the API's groups per address; those of an earlier sandbox on the same port are not ours.
    cache: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: &Path, kubeconfig: &Path, cache: &Path) -> Self {
        Self { program: program.to_owned(), kubeconfig: kubeconfig.to_owned(), cache: cache.to_owned() }
    }

    /// Runs a command and returns what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        self.run_with_input(arguments, None).await
    }

    /// Applies a manifest from memory, server-side.
    pub(crate) async fn apply(&self, manifest: &str) -> Result<(), Error> {
        let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=sandbox", "-f", "-"];
        self.run_with_input(&arguments, Some(manifest)).await.map(drop)
    }

    /// Waits until the API server serves the kinds of these CRDs: `--all`, or `--selector=…`.
    pub(crate) async fn wait_for_crds(&self, which: &str) -> Result<(), Error> {
        let start = Instant::now();
        // It fails at once, instead of waiting, on a CRD so new that it has no conditions at all.
        while let Err(error) =
            self.run(&["wait", "crd", which, "--for=condition=Established", "--timeout=10s"]).await
        {
            if start.elapsed() > ESTABLISHED {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn run_with_input(&self, arguments: &[&str], input: Option<&str>) -> Result<String, Error> {
        let shown = || arguments.join(" ");
        let failed = |source| Error::Run { program: self.program.clone(), source };
        let mut child = spawn::command(&self.program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache)
            // The user's own defaults and aliases are for the user's clusters.
            .env("KUBERC", "off")
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take();
        let feed = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // kubectl that ends early says why on stderr; that is the better message.
                drop(stdin.write_all(input.as_bytes()).await);
            }
        };
        let finish = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output =
            timeout(LIMIT, finish).await.map_err(|_| Error::Timeout { command: shown() })?.map_err(failed)?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Error::Failed { command: shown(), message })
        }
    }
}
