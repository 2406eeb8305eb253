//! What a sandbox was made of: which build of the operator, and which chart. A new build means a fresh sandbox.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::options::{Options, repository};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "can't read the operator's binary {}: {source}; run `cargo build --workspace`, or say --operator-binary or --image",
        path.display()
    )]
    Binary { path: PathBuf, source: io::Error },
    #[error("can't find out where this program is: {0}")]
    CurrentProgram(io::Error),
    #[error("can't read the chart {}: {source}", path.display())]
    Chart { path: PathBuf, source: io::Error },
}

/// Enough to distinguish builds without reading megabytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Or the image.
    pub binary: PathBuf,
    pub size: u64,
    /// Seconds since 1970, to the nanosecond.
    pub modified: String,
    /// A digest of all files of the chart.
    pub chart: String,
}

impl Origin {
    /// What a sandbox with these options is made of now; `None` for one without the operator.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>, Error> {
        if options.without_operator {
            return Ok(None);
        }
        let binary = match &options.image {
            Some(image) => image.clone(),
            None => options.operator_path().map_err(Error::CurrentProgram)?,
        };
        let metadata =
            fs::metadata(&binary).map_err(|source| Error::Binary { path: binary.clone(), source })?;
        let chart = chart();
        let mut digest = Sha256::new();
        add(&mut digest, &chart).map_err(|source| Error::Chart { path: chart, source })?;
        let modified = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        Ok(Some(Self { binary, size: metadata.len(), modified, chart: short(digest) }))
    }

    /// What changed since, for people; empty when nothing did.
    pub(crate) fn changes(&self, now: &Self) -> &'static str {
        let binary = (&self.binary, self.size, &self.modified) != (&now.binary, now.size, &now.modified);
        match (binary, self.chart != now.chart) {
            (true, true) => "the operator's binary and its chart",
            (true, false) => "the operator's binary",
            (false, true) => "the operator's chart",
            (false, false) => "",
        }
    }
}

pub(crate) fn chart() -> PathBuf {
    repository().join("charts/database-operator")
}

/// The names and the contents of all files below, in a fixed order.
fn add(digest: &mut Sha256, directory: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
        if path.is_dir() {
            add(digest, &path)?;
        } else {
            let content = fs::read(&path)?;
            digest.update(content.len().to_be_bytes());
            digest.update(content);
        }
    }
    Ok(())
}

/// Eight hexadecimal digits: enough to distinguish what is ever compared here.
pub(crate) fn short(digest: Sha256) -> String {
    let [first, second, third, fourth, ..]: [u8; 32] = digest.finalize().into();
    format!("{:08x}", u32::from_be_bytes([first, second, third, fourth]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { binary: "operator".into(), size: 1, modified: "1.5".to_owned(), chart: "a".to_owned() }
    }

    #[test]
    fn a_new_build_or_chart_is_a_change() {
        let before = origin();
        assert_eq!(before.changes(&origin()), "");
        assert_eq!(
            before.changes(&Origin { modified: "1.6".to_owned(), ..origin() }),
            "the operator's binary"
        );
        assert_eq!(before.changes(&Origin { chart: "b".to_owned(), ..origin() }), "the operator's chart");
    }

    #[test]
    fn a_sandbox_without_the_operator_has_no_origin() {
        let options = Options { without_operator: true, ..Options::default() };
        assert_eq!(Origin::of(&options).unwrap(), None);
    }

    #[test]
    fn every_file_of_a_folder_counts() {
        let folder = std::env::temp_dir().join(format!("sandbox-origin-{}", std::process::id()));
        let digest = || {
            let mut digest = Sha256::new();
            add(&mut digest, &folder).unwrap();
            short(digest)
        };
        fs::create_dir_all(folder.join("templates")).unwrap();
        fs::write(folder.join("templates/a.yaml"), "a").unwrap();
        let before = digest();
        assert_eq!(digest(), before);
        fs::write(folder.join("templates/a.yaml"), "b").unwrap();
        let changed = digest();
        assert_ne!(changed, before);
        fs::write(folder.join("values.yaml"), "").unwrap();
        assert_ne!(digest(), changed);
        fs::remove_dir_all(&folder).unwrap();
    }
}
