//! Extensions that Azure offers.
//!
//! Source: "Extensions by name"
//! (<https://learn.microsoft.com/azure/postgresql/extensions/concepts-extensions-versions>).

/// An extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension {
    pub name: &'static str,
    /// The library that must be in `shared_preload_libraries`, which takes a restart, before
    /// `CREATE EXTENSION` works.
    pub library: Option<&'static str>,
}

impl Extension {
    /// The library that is loaded for this extension alone, with a restart of the server.
    pub fn library_to_load(&self) -> Option<&'static str> {
        self.library.filter(|library| !LOADED_ANYWAY.contains(library))
    }
}

/// Extensions that need their library preloaded, and which.
const PRELOADED: &[(&str, &str)] = &[
    ("age", "age"),
    ("anon", "anon"),
    ("azure_storage", "azure_storage"),
    ("credcheck", "credcheck"),
    ("login_hook", "login_hook"),
    ("pg_cron", "pg_cron"),
    ("pg_hint_plan", "pg_hint_plan"),
    ("pg_partman", "pg_partman_bgw"),
    ("pg_squeeze", "pg_squeeze"),
    ("pg_stat_statements", "pg_stat_statements"),
    ("pgaudit", "pgaudit"),
    ("pglogical", "pglogical"),
    ("timescaledb", "timescaledb"),
];

/// Libraries that Azure loads by itself.
/// <https://learn.microsoft.com/azure/postgresql/extensions/how-to-load-libraries>
pub const LOADED_ANYWAY: &[&str] = &["pg_cron", "pg_stat_statements"];

#[rustfmt::skip] // A list is read as a block.
const PLAIN: &[&str] = &[
    "address_standardizer", "address_standardizer_data_us", "amcheck", "azure_ai", "azure_local_ai", "bloom",
    "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch",
    "hll", "hstore", "hypopg", "intagg", "intarray", "ip4r", "isn", "lo", "ltree", "oracle_fdw", "orafce",
    "pageinspect", "pg_buffercache", "pg_diskann", "pg_freespacemap", "pg_prewarm", "pg_repack", "pg_trgm",
    "pg_visibility", "pgcrypto", "pgrouting", "pgrowlocks", "pgstattuple", "plpgsql", "plv8", "postgis",
    "postgis_raster", "postgis_sfcgal", "postgis_tiger_geocoder", "postgis_topology", "postgres_fdw", "postgres_protobuf",
    "semver", "session_variable", "sslinfo", "tablefunc", "tds_fdw", "topn", "tsm_system_rows", "tsm_system_time",
    "unaccent", "uuid-ossp", "vector",
];

/// The extension of that name, in whatever case.
pub fn extension(name: &str) -> Option<Extension> {
    extensions().find(|extension| extension.name.eq_ignore_ascii_case(name))
}

/// Every extension.
pub fn extensions() -> impl Iterator<Item = Extension> {
    let plain = PLAIN.iter().map(|name| Extension { name, library: None });
    let preloaded = PRELOADED.iter().map(|(name, library)| Extension { name, library: Some(library) });
    plain.chain(preloaded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("pgcrypto", Some(""))]
    #[case("PgCrypto", Some(""))]
    #[case("pg_partman", Some("pg_partman_bgw"))]
    #[case("bitcoin", None)]
    fn an_extension_is_known_with_its_library(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(extension(name).map(|extension| extension.library.unwrap_or_default()), expected);
    }

    #[test]
    fn no_extension_stands_twice() {
        let mut names: Vec<&str> = extensions().map(|extension| extension.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
