//! What a server can be made from as it was at any moment: the template that it began as, and all that was written since.
//!
//! A template is the data directory of a server that ended in order. So it is the base backup of every server that was made
//! from it, from its first moment on, and takes nothing: PostgreSQL replays onto it what was written later. A restored
//! server has what was written to its source, and goes on from there on a timeline of its own; so it can be restored, too.
//!
//! Segments of the log of writes that are complete go to the archive by `basic_archive`, which comes with PostgreSQL and
//! starts no program for each. The archive is on the disk and goes with its server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::binaries::Binaries;
use super::{Error, folder, template};

/// All that was written to a server. When it is dropped, its files are deleted.
#[derive(Debug)]
pub struct Backup {
    binaries: Binaries,
    archive: TempDir,
}

impl Backup {
    /// Of a server that nothing was written to yet.
    pub(super) fn begin(binaries: &Binaries) -> Result<Self, Error> {
        Ok(Self { binaries: binaries.clone(), archive: folder::large()? })
    }

    pub(super) const fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// What has PostgreSQL archive.
    pub(super) fn archiving(&self) -> [String; 3] {
        [
            "archive_mode=on".to_owned(),
            "archive_library=basic_archive".to_owned(),
            format!("basic_archive.archive_directory={}", self.archive.path().display()),
        ]
    }

    /// What has PostgreSQL replay all there is, and then go on. Only then does it say that it is ready: nobody may look in
    /// before.
    pub(super) fn replaying(&self) -> [String; 3] {
        // %f is the segment, %p where it goes to.
        let archive = self.archive.path().display().to_string().replace('%', "%%").replace('\'', r"'\''");
        [
            format!("restore_command=[ -f '{archive}'/%f ] && cp '{archive}'/%f %p"),
            "recovery_target_action=promote".to_owned(),
            "hot_standby=off".to_owned(),
        ]
    }

    /// Another one of the same, for another server.
    pub fn copy(&self) -> Result<Self, Error> {
        self.reader().with(None)
    }

    /// What it takes to copy it from another thread.
    pub(super) fn reader(&self) -> Reader {
        Reader { binaries: self.binaries.clone(), archive: self.archive.path().to_owned() }
    }
}

/// Reads the archive of a server that goes on.
#[derive(Debug)]
pub(super) struct Reader {
    binaries: Binaries,
    archive: PathBuf,
}

impl Reader {
    /// What is archived, and what is `written` but not archived yet: the server's own log of writes.
    pub(super) fn with(&self, written: Option<&Path>) -> Result<Backup, Error> {
        let backup = Backup::begin(&self.binaries)?;
        let target = backup.archive.path();
        // First what goes to the archive meanwhile: it is then found there, and complete.
        if let Some(written) = written {
            each(written, |path, name| take_written(path, &target.join(name)))?;
        }
        each(&self.archive, |path, name| link(path, &target.join(name)))?;
        Ok(backup)
    }
}

/// Every file of a log of writes: segments, and where a timeline begins.
fn each(folder: &Path, take: impl Fn(&Path, &str) -> io::Result<()>) -> Result<(), Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if let Some(name) = name.to_str().filter(|name| is_segment(name) || name.ends_with(".history")) {
            take(&entry.path(), name).map_err(|source| Error::File { path: entry.path(), source })?;
        }
    }
    Ok(())
}

/// A segment that is in the archive has all that it will have: nobody changes it.
fn link(path: &Path, target: &Path) -> io::Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::hard_link(path, target),
    }
}

/// Among these are old segments that PostgreSQL has at hand to write what comes. It knows them by what is in them.
fn take_written(path: &Path, target: &Path) -> io::Result<()> {
    match fs::copy(path, target) {
        // It is in the archive by now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.and_then(|_| template::hand_over(target)),
    }
}

/// Timeline, log and segment, of eight digits each.
fn is_segment(name: &str) -> bool {
    name.len() == 24 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}
