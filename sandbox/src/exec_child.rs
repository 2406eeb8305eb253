//! `exec-child`: becomes another program, one that dies together with the process that started it.
//!
//! The control plane must never outlive its supervisor, not even when that is killed by SIGKILL. Linux can send
//! a process a signal when its parent dies, but the process has to ask for that itself, between fork and exec.
//! Instead of running code of ours in that gap (which is `unsafe`), the supervisor starts its own binary, which
//! asks for the signal and then becomes the program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Never returns when all goes well: this process is then the program.
pub(crate) fn exec(parent: u32, program: &[OsString]) -> io::Error {
    let Some((program, arguments)) = program.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "exec-child needs a program to run");
    };
    if let Err(error) = die_with(parent) {
        return error;
    }
    Command::new(program).args(arguments).exec()
}

/// The signal belongs to the thread that started us, so the supervisor starts its children from its main thread
/// only: any other thread may end long before the process does.
#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the signal was asked for; it will never be sent then.
    let current = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if current == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the process that started this one is gone"))
    }
}

/// Other systems have no such signal: children are stopped on every orderly way out, but not after SIGKILL.
#[cfg(not(target_os = "linux"))]
fn die_with(_parent: u32) -> io::Result<()> {
    Ok(())
}
