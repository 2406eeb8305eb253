//! Major versions of the database.
//! <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-supported-versions>

/// Every version that the API knows.
pub(in crate::azure) const KNOWN: [&str; 8] = ["11", "12", "13", "14", "15", "16", "17", "18"];

/// Those that a new server can have. 11 to 13 are retired, and so is 14 since 2026-11-12.
pub(in crate::azure) const OFFERED: [&str; 4] = ["15", "16", "17", "18"];

/// The minor version that a server of this major version runs.
pub(in crate::azure) fn minor(version: &str) -> &'static str {
    match version {
        "15" => "15",
        "16" => "11",
        "17" => "7",
        "18" => "4",
        _ => "22",
    }
}
