//! What the machine looks like from within a sandbox with nodes: what kubelets, containerd and CNI keep in fixed places, or
//! would change for the whole machine, they find and change here alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::linux::{mount_changes, mount_empty, mount_file};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't lay something of the sandbox's own over {}: {source}", path.display())]
    Mount { path: PathBuf, source: io::Error },
    #[error("can't use {} for a sandbox with nodes, which has a {} of its own: choose another directory", path.display(), covered.display())]
    Covered { path: PathBuf, covered: PathBuf },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Sockets and network namespaces; links to the logs of containers.
const EMPTY: [&str; 2] = ["/run", "/var/log"];
/// What CNI remembers of pods; sockets for plugins of kubelets.
const STATE: &str = "/var/lib";

/// What the kubelet makes of the kernel. Here it finds it so.
/// <https://pkg.go.dev/k8s.io/component-helpers/node/util/sysctl>
const SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Covers those places, in this mount namespace only.
pub(crate) fn cover(directory: &Path) -> Result<(), Error> {
    let state = Path::new(STATE);
    for place in EMPTY.map(Path::new).into_iter().chain([state]) {
        if directory.starts_with(place) {
            return Err(Error::Covered { path: directory.to_owned(), covered: place.to_owned() });
        }
        let covered =
            if place == state { mount_changes(state, Path::new("/run/state")) } else { mount_empty(place) };
        covered.map_err(|source| Error::Mount { path: place.to_owned(), source })?;
    }
    let values = Path::new("/run/sysctl");
    fs::create_dir(values).map_err(|source| Error::Write { path: values.to_owned(), source })?;
    for (name, value) in SYSCTLS {
        let own = values.join(name.replace('/', "."));
        fs::write(&own, format!("{value}\n")).map_err(|source| Error::Write { path: own.clone(), source })?;
        let place = Path::new("/proc/sys").join(name);
        mount_file(&own, &place).map_err(|source| Error::Mount { path: place.clone(), source })?;
    }
    Ok(())
}
