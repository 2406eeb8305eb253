//! Where in Azure the sandbox's databases are: what the policy says, so that ASO and the stand-in agree with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read the policy {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the policy {} doesn't say where in Azure its databases are: {message}", path.display())]
    Parse { path: PathBuf, message: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub(crate) subscription_id: String,
    pub(crate) tenant_id: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
}

/// What is read of a policy here; all the rest is the operator's to judge.
#[derive(Debug, Deserialize)]
struct Policy {
    azure: Place,
}

/// A policy file, and where its databases are.
#[derive(Debug, Clone)]
pub(crate) struct PolicyFile {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl PolicyFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let policy: Policy = serde_saphyr::from_str(&text)
            .map_err(|error| Error::Parse { path: path.to_owned(), message: error.to_string() })?;
        Ok(Self { text, place: policy.azure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_policy_says_where_its_databases_are() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policy.yaml");
        let policy = PolicyFile::read(&path).unwrap();
        assert_eq!(policy.place.resource_group, "rg-databases");
    }
}
