//! Major versions of the database.

use super::capabilities::capabilities;

/// Those that a new server can have. The documentation says that retired ones are no longer available
/// (<https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-version-policy>), but the API itself
/// offered 11 to 18 when it was asked in April and in October 2026.
pub(in crate::azure) fn offered() -> impl Iterator<Item = &'static str> {
    capabilities().supported_server_versions.keys().map(String::as_str)
}

/// Those that a server of this version can be upgraded to.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-major-version-upgrade>
pub(in crate::azure) fn upgrades(version: &str) -> impl Iterator<Item = &'static str> {
    let known = capabilities().supported_server_versions.get(version);
    known.into_iter().flat_map(|known| &known.upgrade_to).map(String::as_str)
}

/// The minor version that a server of this major version runs.
pub(in crate::azure) fn minor(version: &str) -> &'static str {
    match version {
        "13" => "23",
        "15" => "17",
        "16" => "13",
        "17" => "9",
        "18" => "3",
        _ => "22",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_can_be_upgraded_to_every_later_one() {
        let all: Vec<&str> = offered().collect();
        assert_eq!(all, ["11", "12", "13", "14", "15", "16", "17", "18"]);
        for (index, version) in all.iter().enumerate() {
            let later: Vec<&str> = all.iter().skip(index + 1).copied().collect();
            assert_eq!(upgrades(version).collect::<Vec<_>>(), later);
        }
    }
}
