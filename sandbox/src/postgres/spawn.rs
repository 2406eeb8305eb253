//! Starts programs that do not run as root and that do not outlive this process, in whichever way it ends.
//!
//! Linux can send a process a signal when the thread that started it ends. util-linux's `setpriv` asks for that signal,
//! becomes another user, and then becomes the program. Whoever uses this is any test binary: it can't start itself once
//! more, as the supervisor does for the control plane.
//!
//! Elsewhere programs end on every orderly way out, but not after SIGKILL.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};

/// `nobody`, user and group: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// Becomes the program if this process is still there: it may have ended before the signal was asked for.
const UNLESS_ORPHANED: &str = "[ \"$PPID\" = \"$0\" ] && exec \"$@\"";

/// Whom programs run as, if not as this process's own user.
pub(super) fn other_user() -> Option<u32> {
    rustix::process::geteuid().is_root().then_some(NOBODY)
}

/// A command with no environment but the PATH.
pub(super) fn command(program: &Path) -> Command {
    let mut command = if let Some(setpriv) = find("setpriv") {
        dying_with_us(&setpriv, program)
    } else {
        let mut command = Command::new(program);
        if let Some(user) = other_user() {
            command.uid(user).gid(user);
        }
        command
    };
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").process_group(0);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

fn dying_with_us(setpriv: &Path, program: &Path) -> Command {
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = other_user() {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
    }
    command.args(["sh", "-c", UNLESS_ORPHANED]).arg(std::process::id().to_string()).arg(program);
    command
}

fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program.as_ref())).find(|file| file.is_file())
}

type Started = io::Result<Child>;
/// What to start, and where to say how it went.
type Order = (Command, Sender<Started>);

/// The thread that starts programs. It never ends before the process does, as a test's own thread would.
static STARTER: LazyLock<Mutex<Option<Sender<Order>>>> = LazyLock::new(|| {
    let (asked, asking) = channel::<Order>();
    let thread = std::thread::Builder::new().name("postgres-starter".to_owned()).spawn(move || {
        for (mut command, answer) in asking {
            // Whoever asked waits for the answer.
            answer.send(command.spawn()).ok();
        }
    });
    Mutex::new(thread.is_ok().then_some(asked))
});

/// Starts a command, from a thread that lasts as long as this process.
pub(super) fn start(command: Command) -> Started {
    let (answer, answered) = channel();
    let gone = || io::Error::other("the thread that starts programs is gone");
    let starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    starter.as_ref().ok_or_else(gone)?.send((command, answer)).map_err(|_| gone())?;
    drop(starter);
    answered.recv().map_err(|_| gone())?
}
