//! The cgroups of a sandbox's pods. Namespaces end with their processes; a cgroup stays until somebody removes it.
//!
//! `sweep` is a process that does so once the sandbox is gone, however it ended. Should it be killed as well, the next
//! sandbox with nodes does it.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::spawn;

const PREFIX: &str = "database-sandbox-";
/// How long processes may take to end that Linux is killing.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Of the sandbox of this supervisor, below each hierarchy's root.
pub(crate) fn name(supervisor: u32) -> String {
    format!("{PREFIX}{supervisor}")
}

/// Makes a cgroup in each hierarchy, as the kubelet expects of its root.
pub(crate) fn make(name: &str) -> io::Result<()> {
    hierarchies()?.iter().try_for_each(|hierarchy| fs::create_dir_all(hierarchy.join(name)))
}

/// Where cgroups are mounted: one place, or with version 1 one for each controller.
fn hierarchies() -> io::Result<Vec<PathBuf>> {
    Ok(mounted(&fs::read_to_string("/proc/self/mountinfo")?))
}

/// <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>
fn mounted(mountinfo: &str) -> Vec<PathBuf> {
    let of_line = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        ["cgroup", "cgroup2"].contains(&kind).then(|| before.split(' ').nth(4).map(PathBuf::from))?
    };
    mountinfo.lines().filter_map(of_line).collect()
}

/// Removes what sandboxes left whose supervisor is gone.
pub(crate) fn remove_stale() -> io::Result<()> {
    let mut stale: Vec<String> = Vec::new();
    for hierarchy in hierarchies()? {
        for entry in fs::read_dir(hierarchy)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let supervisor =
                name.strip_prefix(PREFIX).and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
            let is_gone =
                supervisor.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
            if is_gone && !stale.contains(&name) {
                stale.push(name);
            }
        }
    }
    stale.iter().try_for_each(|name| remove(name))
}

/// Waits until no process is left in them, and removes them.
fn remove(name: &str) -> io::Result<()> {
    let started = Instant::now();
    loop {
        let left: Vec<PathBuf> = hierarchies()?
            .into_iter()
            .map(|hierarchy| hierarchy.join(name))
            .filter(|path| path.exists())
            .collect();
        let tried: io::Result<()> = left.iter().try_for_each(|path| remove_tree(path));
        match tried {
            Ok(()) if left.is_empty() => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => return Err(error),
            _ => std::thread::sleep(POLL),
        }
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    // None should be left: they were in the process namespace that ended.
    for pid in fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
    fs::remove_dir(path)
}

/// The process that removes them.
#[derive(Debug)]
pub(crate) struct Sweeper(Child);

impl Sweeper {
    /// It begins when this process ends, or says so.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let child = Command::new(spawn::ourselves()?)
            .args(["sweep", name])
            .stdin(Stdio::piped())
            // Not hit by what is meant for the supervisor.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }

    /// Returns when they are gone.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other("the cgroups of the sandbox's pods stay"))
        }
    }
}

/// What the process does.
pub(crate) fn sweep(name: &str) -> io::Result<()> {
    // Somebody else's are never removed.
    if !name.starts_with(PREFIX) || name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    remove(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hierarchy_is_found() {
        let one = "35 25 0:31 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw";
        let two = "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                   31 23 0:27 / /sys/fs/cgroup tmpfs rw - tmpfs tmpfs rw\n\
                   32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        assert_eq!(mounted(one), [Path::new("/sys/fs/cgroup")]);
        assert_eq!(mounted(two), ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(Path::new));
    }

    #[test]
    fn only_cgroups_of_sandboxes_are_swept() {
        for name in ["kubepods", "database-sandbox-1/../kubepods", "/"] {
            assert_eq!(sweep(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
