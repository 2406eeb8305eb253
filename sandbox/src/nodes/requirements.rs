//! What a machine needs for nodes. Where it is Debian, what is missing is installed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::cache;
use crate::options::Options;
use crate::progress::Progress;
use crate::spawn;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("--nodes needs Linux: its nodes are made of namespaces and cgroups")]
    NotLinux,
    #[error("--nodes needs root, for namespaces and cgroups: run it as root, or leave --nodes out")]
    NotRoot,
    #[error("--image is what nodes run: say --nodes 2 as well")]
    ImageWithoutNodes,
    #[error("--flux runs beside the control plane, and not on nodes: leave --flux or --nodes out")]
    FluxWithNodes,
    #[error(
        "nodes need these packages of Debian, or what they are called elsewhere; install them: {packages}"
    )]
    Missing { packages: String },
    #[error("can't install {packages}, which nodes need: `apt-get` says: {said}")]
    AptGet { packages: String, said: String },
    #[error("can't run apt-get: {0}")]
    Run(io::Error),
    #[error("can't use the cache {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) containerd: PathBuf,
    pub(crate) ctr: PathBuf,
    pub(crate) ip: PathBuf,
    pub(crate) nsenter: PathBuf,
    pub(crate) unshare: PathBuf,
    /// The folder of the plugins of CNI.
    pub(crate) cni: PathBuf,
}

/// A program, and Debian's package of it. The plugins of CNI are looked for in folders of their own.
const PROGRAMS: [(&str, &str); 8] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("tar", "tar"),
];
/// Where Debian has them, and where others do.
const CNI: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];
const CNI_PACKAGE: &str = "containernetworking-plugins";
/// Beside the PATH, which of a user may lack them.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Whether a sandbox with these options can have its nodes here.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    if options.nodes == 0 {
        return if options.image.is_some() { Err(Error::ImageWithoutNodes) } else { Ok(()) };
    }
    if options.flux {
        return Err(Error::FluxWithNodes);
    }
    if !cfg!(target_os = "linux") {
        return Err(Error::NotLinux);
    }
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot) }
}

/// Installs what is missing.
pub(crate) async fn ensure(progress: &Progress) -> Result<Programs, Error> {
    let missing = missing();
    if !missing.is_empty() {
        install(progress, &missing.join(" ")).await?;
    }
    programs()
}

/// Where they are, once they are there.
pub(crate) fn programs() -> Result<Programs, Error> {
    let found = |name: &str| find(name).ok_or_else(|| Error::Missing { packages: missing().join(" ") });
    Ok(Programs {
        containerd: found("containerd")?,
        ctr: found("ctr")?,
        ip: found("ip")?,
        nsenter: found("nsenter")?,
        unshare: found("unshare")?,
        cni: plugins().ok_or_else(|| Error::Missing { packages: missing().join(" ") })?,
    })
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        PROGRAMS.iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| *package).collect();
    if plugins().is_none() {
        packages.push(CNI_PACKAGE);
    }
    packages.dedup();
    packages
}

fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&path()).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Where programs are looked for, also by those that are found.
pub(crate) fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    // A folder that can't be a part of it was none of it.
    std::env::join_paths(folders).unwrap_or(path)
}

fn plugins() -> Option<PathBuf> {
    let has_all = |folder: &Path| ["bridge", "host-local"].iter().all(|name| folder.join(name).is_file());
    CNI.map(PathBuf::from).into_iter().find(|folder| has_all(folder))
}

async fn install(progress: &Progress, packages: &str) -> Result<(), Error> {
    let apt_get = find("apt-get").ok_or_else(|| Error::Missing { packages: packages.to_owned() })?;
    // Two that do it at once would meet on apt's locks.
    let _lock = lock().await?;
    if missing().is_empty() {
        return Ok(());
    }
    progress.say(&format!("installing {packages} with apt-get"));
    let install: Vec<&str> = ["install", "--yes", "--quiet", "--no-install-recommends"]
        .into_iter()
        .chain(packages.split(' '))
        .collect();
    for arguments in [&["update", "--quiet"][..], &install[..]] {
        let output = spawn::command(&apt_get)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .await
            .map_err(Error::Run)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            // One line; the last one sums it up.
            let said = said.lines().last().unwrap_or_default().to_owned();
            return Err(Error::AptGet { packages: packages.to_owned(), said });
        }
    }
    Ok(())
}

async fn lock() -> Result<Option<File>, Error> {
    let Some(cache) = cache::directory() else { return Ok(None) };
    let failed = |source| Error::Cache { path: cache.clone(), source };
    fs::create_dir_all(&cache).map_err(failed)?;
    let file = File::create(cache.join("apt-get.lock")).map_err(failed)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    Ok(Some(locked.map_err(io::Error::other).and_then(|locked| locked).map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_and_where_the_system_has_its_own() {
        assert_eq!(find("sh").unwrap().file_name().unwrap(), "sh");
        assert_eq!(find("no-such-program"), None);
    }

    #[test]
    fn an_image_needs_nodes() {
        let image = Options { image: Some("operator.tar".into()), ..Options::default() };
        assert!(matches!(check(&image), Err(Error::ImageWithoutNodes)));
        assert!(check(&Options::default()).is_ok());
    }

    #[test]
    fn what_cant_be_done_is_said_in_one_line() {
        let errors = [
            Error::NotLinux,
            Error::NotRoot,
            Error::ImageWithoutNodes,
            Error::Missing { packages: "runc nftables".to_owned() },
            Error::AptGet { packages: "runc".to_owned(), said: "E: no network".to_owned() },
        ];
        for error in errors {
            let line = error.to_string();
            assert!(!line.contains('\n') && line.contains("node"), "{line}");
        }
    }
}
