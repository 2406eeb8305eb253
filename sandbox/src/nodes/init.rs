//! `init`: process 1 of a sandbox with nodes.
//!
//! Processes whose parent ends become children of process 1, as those that look after containers do. It must take note of
//! their end, which the supervisor, who waits for its own children only, doesn't.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, WaitOptions, wait};

use crate::spawn;

/// Runs this program once more with these arguments, and ends when it does. Linux then kills all others.
pub(crate) fn run(arguments: &[OsString]) -> io::Result<ExitCode> {
    let child = Command::new(spawn::ourselves()?).args(arguments).spawn()?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        match rustix::io::retry_on_intr(|| wait(WaitOptions::empty()))? {
            Some((pid, status)) if Some(pid) == child => {
                let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            _ => {}
        }
    }
}
