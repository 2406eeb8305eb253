//! What Azure answered when it was asked what a region can have; see `tests/azure/README.md`.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    // That it can be read is shown by a test.
    serde_json::from_str(include_str!("../../../../tests/azure/capabilities.json")).unwrap_or_default()
});

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capabilities {
    /// By tier.
    pub(super) editions: BTreeMap<String, Edition>,
    pub(super) storage: Storage,
    /// By major version.
    pub(super) supported_server_versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
pub(super) struct Edition {
    /// By name.
    pub(super) sizes: BTreeMap<String, Size>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Size {
    #[serde(rename = "vCores")]
    pub(super) vcores: u32,
    #[serde(rename = "memoryGiB")]
    pub(super) memory_gib: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Storage {
    pub(super) managed_disk: Disks,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disks {
    pub(super) tier_iops: BTreeMap<String, u32>,
    pub(super) sizes: Vec<Disk>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disk {
    pub(super) size_mb: i64,
    pub(super) default_tier: String,
    pub(super) tiers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) upgrade_to: Vec<String>,
}

pub(super) fn capabilities() -> &'static Capabilities {
    &CAPABILITIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azures_answer_can_be_read() {
        let read = capabilities();
        let sizes: usize = read.editions.values().map(|edition| edition.sizes.len()).sum();
        assert_eq!(sizes, 72);
        assert_eq!(read.storage.managed_disk.sizes.len(), 12);
        assert_eq!(read.supported_server_versions.len(), 8);
    }
}
