//! A certificate that others issue, such as cert-manager, read from mounted files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{Invalid, Pair, Resolver, Served, pair::works};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The CA, for its date of expiry; the API server gets it by other ways.
const CA: &str = "ca.crt";

/// Why the files aren't served; what is served at present goes on being so.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("{} can't be read: {source}; mount a Secret of type kubernetes.io/tls there", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} {invalid}; expected is a valid one for {}, and its key in tls.key", path.display(), names.join(", "))]
    Invalid { path: PathBuf, invalid: Invalid, names: Vec<String> },
    #[error("{} can't be served: {source}", path.display())]
    Serve { path: PathBuf, source: rustls::Error },
}

/// A folder with `tls.crt`, `tls.key`, and perhaps `ca.crt`.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    names: Vec<String>,
    resolver: Arc<Resolver>,
    served: Option<Served>,
}

impl Files {
    /// Serves nothing yet.
    pub fn new(directory: PathBuf, names: Vec<String>, resolver: Arc<Resolver>) -> Self {
        Self { directory, names, resolver, served: None }
    }

    /// What is served at present.
    pub fn served(&self) -> Option<&Served> {
        self.served.as_ref()
    }

    /// Reads the files, and serves them if they hold something else than what is served. They are compared by
    /// what is in them: a mount is changed by a symbolic link, which leaves no trace at the files.
    pub fn pass(&mut self, now: Timestamp) -> Result<(), FilesError> {
        let leaf = Pair { certificate: self.read(CERTIFICATE)?, key: self.read(KEY)? };
        let authority = std::fs::read_to_string(self.directory.join(CA)).ok();
        let served = Served { leaf, authority };
        // The one that is served is looked at too: it may expire.
        let path = self.directory.join(CERTIFICATE);
        let fit = served.leaf.serves(&self.names, now);
        if !works(&fit)
            && let Err(invalid) = fit
        {
            return Err(FilesError::Invalid { path, invalid, names: self.names.clone() });
        }
        if self.served.as_ref() != Some(&served) {
            self.resolver.set(&served.leaf).map_err(|source| FilesError::Serve { path, source })?;
            tracing::info!(directory = %self.directory.display(), "serving the certificate of the mounted files");
            self.served = Some(served);
        }
        Ok(())
    }

    fn read(&self, file: &str) -> Result<String, FilesError> {
        let path: &Path = &self.directory.join(file);
        std::fs::read_to_string(path).map_err(|source| FilesError::Read { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests;
