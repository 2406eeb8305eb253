//! Where servers keep their files, and who deletes what is left of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::{Error, template};

/// Of the folders of servers. The number of their process follows.
const PREFIX: &str = "database-sandbox-postgresql-";

/// A file system in memory, where copies are made five times as fast as on a disk. A server takes some 40 MB.
const MEMORY: &str = "/dev/shm";
const MEMORY_NEEDED: u64 = 4 << 30;

/// For what is read and written all the time: where `TMPDIR` says, else in memory if there is plenty, else in the
/// system's folder for temporary files. Its path is short, as those of sockets must be.
pub(super) fn fast() -> Result<TempDir, Error> {
    let free =
        rustix::fs::statvfs(MEMORY).map_or(0, |memory| memory.f_bavail.saturating_mul(memory.f_frsize));
    if std::env::var_os("TMPDIR").is_none() && free >= MEMORY_NEEDED {
        new(Path::new(MEMORY))
    } else {
        large()
    }
}

/// For what only grows: in the system's folder for temporary files, which is not in memory on most machines.
pub(super) fn large() -> Result<TempDir, Error> {
    new(&std::env::temp_dir())
}

/// A folder that only its owner, whom PostgreSQL runs as, can look into.
fn new(place: &Path) -> Result<TempDir, Error> {
    static CLEANED: Once = Once::new();
    CLEANED.call_once(clean);
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(place)
        .map_err(|source| Error::File { path: place.to_owned(), source })?;
    let failed = |source| Error::File { path: folder.path().to_owned(), source };
    template::hand_over(folder.path()).map_err(failed)?;
    Ok(folder)
}

/// The folders in which a process keeps its servers, and beside each server what it can be restored from.
pub fn folders_of(process: u32) -> Vec<PathBuf> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    all().filter_map(|(folder, owner)| (Some(owner) == process).then_some(folder)).collect()
}

/// Each folder of whatever process, with that process.
fn all() -> impl Iterator<Item = (PathBuf, Pid)> {
    let places = [PathBuf::from(MEMORY), std::env::temp_dir()];
    let entries = places.into_iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name();
        let owner = name.to_str()?.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()?;
        Some((entry.path(), Pid::from_raw(owner)?))
    })
}

/// Deletes what processes left that were killed.
fn clean() {
    for (folder, owner) in all() {
        if test_kill_process(owner) == Err(rustix::io::Errno::SRCH) {
            remove_shared_memory(&folder.join("data/postmaster.pid"));
            // Another process may be at it, too.
            fs::remove_dir_all(folder).ok();
        }
    }
}

/// The few bytes of System V shared memory by which PostgreSQL sees that it runs once; only SIGKILL leaves them.
fn remove_shared_memory(lock_file: &Path) {
    let text = fs::read_to_string(lock_file).unwrap_or_default();
    // Key and id.
    let Some(segment) = text.lines().nth(6).map(|line| line.split_whitespace().collect::<Vec<_>>()) else {
        return;
    };
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_it = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // The seventh says how many use it.
        columns.get(..2) == Some(segment.as_slice()) && columns.get(6) == Some(&"0")
    };
    if let (Some(id), true) = (segment.get(1), segments.lines().any(is_it)) {
        // Nobody misses it if there is no such program.
        Command::new("ipcrm").args(["-m", id]).status().ok();
    }
}
