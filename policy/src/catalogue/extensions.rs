//! Extensions, and libraries that are had in the same way.
//!
//! Source: "Extensions by name"
//! (<https://learn.microsoft.com/azure/postgresql/extensions/concepts-extensions-versions>).

use super::Name;

/// An extension, or a library without one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension {
    pub name: Name,
    /// The library that must be in `shared_preload_libraries`, which takes a restart, before
    /// `CREATE EXTENSION` works.
    pub library: Option<Name>,
    /// Whether the library is all there is of it: nothing that `CREATE EXTENSION` could name.
    pub only_library: bool,
    /// The major versions of PostgreSQL that have it.
    pub offered: Offered,
}

/// With which major versions something is offered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Offered {
    Always,
    Since(u16),
    Until(u16),
    In(Vec<u16>),
}

impl Offered {
    /// Whether this major version has it.
    pub fn with(&self, major: u16) -> bool {
        match self {
            Self::Always => true,
            Self::Since(first) => major >= *first,
            Self::Until(last) => major <= *last,
            Self::In(majors) => majors.contains(&major),
        }
    }
}

impl Extension {
    /// The library that is loaded for this extension alone, with a restart of the server.
    pub fn library_to_load(&self) -> Option<&str> {
        self.library.as_deref().filter(|library| !LOADED_AT_FIRST.contains(library))
    }
}

/// Libraries that a new server loads. The first is there because Azure sets it when it makes the server, and goes when the
/// parameter gets its default back.
pub const LOADED_AT_FIRST: &[&str] = &["pg_cron", "pg_stat_statements"];

/// Extensions that need their library preloaded, and which.
const PRELOADED: &[(&str, &str)] = &[
    ("age", "age"),
    ("anon", "anon"),
    ("azure_storage", "azure_storage"),
    ("credcheck", "credcheck"),
    ("pg_cron", "pg_cron"),
    ("pg_duckdb", "pg_duckdb"),
    ("pg_hint_plan", "pg_hint_plan"),
    ("pg_ivm", "pg_ivm"),
    ("pg_partman", "pg_partman_bgw"),
    ("pg_squeeze", "pg_squeeze"),
    ("pg_stat_statements", "pg_stat_statements"),
    ("pgaudit", "pgaudit"),
    ("pglogical", "pglogical"),
    ("timescaledb", "timescaledb"),
];

/// Libraries without an extension. `pg_prewarm` works without its own, which warms the cache after a start.
const LIBRARIES: &[&str] = &["auto_explain", "pg_failover_slots", "wal2json"];

#[rustfmt::skip] // A list is read as a block.
const PLAIN: &[&str] = &[
    "address_standardizer", "address_standardizer_data_us", "amcheck", "azure_ai", "bloom", "btree_gin", "btree_gist",
    "citext", "cube", "dblink", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch", "hll", "hstore", "hypopg",
    "intagg", "intarray", "ip4r", "isn", "lo", "login_hook", "ltree", "oracle_fdw", "orafce", "pageinspect",
    "pg_buffercache", "pg_diskann", "pg_freespacemap", "pg_prewarm", "pg_repack", "pg_trgm", "pg_visibility", "pgcrypto",
    "pgrouting", "pgrowlocks", "pgstattuple", "plpgsql", "plv8", "postgis", "postgis_raster", "postgis_sfcgal",
    "postgis_tiger_geocoder", "postgis_topology", "postgres_fdw", "postgres_protobuf", "semver", "session_variable",
    "sslinfo", "tablefunc", "tdigest", "tds_fdw", "temporal_tables", "topn", "tsm_system_rows", "tsm_system_time",
    "unaccent", "uuid-ossp", "vector",
];

/// What some major versions lack.
const OFFERED: &[(&str, Offered)] = &[
    ("age", Offered::Since(13)),
    ("azure_ai", Offered::Since(12)),
    ("azure_storage", Offered::Since(12)),
    ("credcheck", Offered::Since(13)),
    ("hll", Offered::Since(12)),
    ("ip4r", Offered::Since(13)),
    ("oracle_fdw", Offered::Since(12)),
    ("pg_diskann", Offered::Since(14)),
    ("pg_duckdb", Offered::Since(14)),
    ("pg_failover_slots", Offered::Until(16)),
    ("pg_ivm", Offered::Since(13)),
    ("postgres_protobuf", Offered::Since(12)),
    ("tdigest", Offered::Since(12)),
    ("temporal_tables", Offered::Since(13)),
    ("topn", Offered::Since(13)),
];

/// Extensions that Azure offered once: a policy that names one still holds.
const NO_MORE: &[&str] = &["azure_local_ai"];

/// Whether Azure offered such an extension once.
pub fn was_offered(matches: impl Fn(&str) -> bool) -> bool {
    NO_MORE.iter().any(|name| matches(name))
}

pub(super) fn known() -> Vec<Extension> {
    let extension = |name: &'static str, library: Option<&'static str>, only_library| {
        let offered = OFFERED.iter().find(|(known, _)| *known == name);
        Extension {
            name: name.into(),
            library: library.map(Into::into),
            only_library,
            offered: offered.map_or(Offered::Always, |(_, offered)| offered.clone()),
        }
    };
    let plain = PLAIN.iter().map(|name| extension(name, None, false));
    let preloaded = PRELOADED.iter().map(|(name, library)| extension(name, Some(library), false));
    let libraries = LIBRARIES.iter().map(|name| extension(name, Some(name), true));
    plain.chain(preloaded).chain(libraries).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use rstest::rstest;

    #[rstest]
    #[case("pgcrypto", Some(""))]
    #[case("PgCrypto", Some(""))]
    #[case("pg_partman", Some("pg_partman_bgw"))]
    #[case("auto_explain", Some("auto_explain"))]
    // It isn't for shared_preload_libraries: Azure would refuse the whole list.
    #[case("login_hook", Some(""))]
    #[case("azure_local_ai", None)]
    #[case("bitcoin", None)]
    fn an_extension_is_known_with_its_library(#[case] name: &str, #[case] expected: Option<&str>) {
        let found = Catalogue::known().extension(name);
        assert_eq!(found.map(|extension| extension.library.as_deref().unwrap_or_default()), expected);
    }

    #[rstest]
    #[case("pg_failover_slots", 16, true)]
    #[case("pg_failover_slots", 17, false)]
    #[case("pg_duckdb", 13, false)]
    #[case("pg_duckdb", 19, true)]
    #[case("vector", 11, true)]
    fn some_major_versions_lack_an_extension(#[case] name: &str, #[case] major: u16, #[case] expected: bool) {
        assert_eq!(Catalogue::known().extension(name).unwrap().offered.with(major), expected);
    }

    #[test]
    fn no_extension_stands_twice() {
        let known = known();
        let mut names: Vec<&str> = known.iter().map(|extension| extension.name.as_ref()).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(OFFERED.iter().all(|(name, _)| names.contains(name)));
    }
}
