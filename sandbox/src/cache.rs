//! Where the sandbox keeps what it has built or fetched: outside the source tree, for all checkouts of a user.

use std::path::{Path, PathBuf};

/// `<cache>/database-operator`; `None` if neither `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn directory() -> Option<PathBuf> {
    // The XDG specification has relative paths ignored.
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("database-operator"))
}
