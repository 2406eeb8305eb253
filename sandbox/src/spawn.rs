//! How the sandbox starts a program, and where such a program may keep its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// On Linux. The file of this binary may have been replaced by a new build; this link leads to the one that runs.
const OURSELVES: &str = "/proc/self/exe";

/// What starts this program once more.
pub(crate) fn ourselves() -> io::Result<PathBuf> {
    let link = Path::new(OURSELVES);
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}

/// A command that dies with this process, and that doesn't depend on the environment of whoever started us: a proxy
/// or a KUBECONFIG from someone's shell must not change what the sandbox does.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = if Path::new(OURSELVES).exists() {
        let mut command = Command::new(OURSELVES);
        command.arg("exec-child").arg("--parent").arg(std::process::id().to_string()).arg("--").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    for name in ["PATH", "HOME", "TMPDIR", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Creates a directory that only its owner can look into.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}
