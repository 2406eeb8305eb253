//! Server parameters: all that Azure lists for a server of version 17; see `tests/azure/README.md`.
//! <https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters>

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use super::sizes::Size;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::azure) enum DataType {
    Boolean,
    Enumeration,
    Integer,
    Numeric,
    Set,
    String,
}

impl DataType {
    const ALL: [Self; 6] =
        [Self::Boolean, Self::Enumeration, Self::Integer, Self::Numeric, Self::Set, Self::String];

    pub(in crate::azure) const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::Enumeration => "Enumeration",
            Self::Integer => "Integer",
            Self::Numeric => "Numeric",
            Self::Set => "Set",
            Self::String => "String",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(in crate::azure) struct Parameter {
    pub(in crate::azure) name: &'static str,
    pub(in crate::azure) data_type: DataType,
    /// As Azure shows it: a range `1-10`, a list `on,off`, or a regular expression.
    pub(in crate::azure) allowed: &'static str,
    /// As Azure spells it; empty where it gives none.
    pub(in crate::azure) unit: &'static str,
    default: &'static str,
    pub(in crate::azure) read_only: bool,
    /// Takes effect without a restart.
    pub(in crate::azure) dynamic: bool,
    /// Whether a new server has a value of its own: `system-default` or `user-override`.
    pub(in crate::azure) source: &'static str,
}

const LISTED: &str = include_str!("../../../../tests/azure/parameters-pg17.tsv");

/// Not in the list of a server whose pooler, `PgBouncer`, is off.
/// <https://learn.microsoft.com/azure/postgresql/connectivity/concepts-pgbouncer>
const OF_PGBOUNCER: &str = "\
pgbouncer.default_pool_size	Integer	1-4950		50	false	true	system-default
pgbouncer.ignore_startup_parameters	String	[A-Za-z0-9_,]*		extra_float_digits	false	true	system-default
pgbouncer.max_client_conn	Integer	1-50000		5000	false	true	system-default
pgbouncer.max_prepared_statements	Integer	0-5000		0	false	true	system-default
pgbouncer.min_pool_size	Integer	0-4950		0	false	true	system-default
pgbouncer.pool_mode	Enumeration	session,transaction,statement		transaction	false	true	system-default
pgbouncer.query_wait_timeout	Integer	0-86400	seconds	120	false	true	system-default
pgbouncer.server_idle_timeout	Integer	0-86400	seconds	600	false	true	system-default
pgbouncer.stats_users	String	[A-Za-z0-9_,]*			false	true	system-default";

pub(in crate::azure) const PGBOUNCER: &str = "pgbouncer.enabled";

/// In lower case, as names are looked up.
static PARAMETERS: LazyLock<BTreeMap<String, Parameter>> = LazyLock::new(|| {
    let lines = LISTED.lines().skip(1).chain(OF_PGBOUNCER.lines());
    lines.filter_map(read).map(|parameter| (parameter.name.to_lowercase(), parameter)).collect()
});

fn read(line: &'static str) -> Option<Parameter> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [name, data_type, allowed, unit, default, read_only, dynamic, source] = columns.try_into().ok()?;
    Some(Parameter {
        name,
        data_type: DataType::ALL.into_iter().find(|known| known.name() == data_type)?,
        allowed,
        unit,
        default,
        read_only: read_only == "true",
        dynamic: dynamic == "true",
        source,
    })
}

pub(in crate::azure) fn all() -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.values()
}

/// In any case.
pub(in crate::azure) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.get(&name.to_lowercase())
}

impl Parameter {
    /// Whether it is there only while the pooler is on.
    pub(in crate::azure) fn is_of_pgbouncer(&self) -> bool {
        self.name.starts_with("pgbouncer.") && self.name != PGBOUNCER
    }

    /// The default on a server that was created with this size. It is not worked out again when the size changes.
    /// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-limits#maximum-connections>
    pub(in crate::azure) fn default_on(&self, size: Option<&Size>) -> Cow<'static, str> {
        const PAGES_IN_A_GIB: u32 = 1024 * 1024 / 8;
        let Some(size) = size else { return self.default.into() };
        match self.name {
            "max_connections" => match size.memory_gib {
                0..=2 => "50",
                3..=4 => "429",
                5..=8 => "859",
                9..=16 => "1718",
                17..=32 => "3437",
                _ => "5000",
            }
            .into(),
            // A quarter of the memory, and three quarters.
            "shared_buffers" => (size.memory_gib * PAGES_IN_A_GIB / 4).to_string().into(),
            "effective_cache_size" => (size.memory_gib * PAGES_IN_A_GIB / 4 * 3).to_string().into(),
            _ => self.default.into(),
        }
    }

    /// What a new server has instead of the default, where that is known.
    pub(in crate::azure) fn override_at_birth(&self) -> Option<&'static str> {
        (self.name == "shared_preload_libraries").then_some("pg_cron,pg_stat_statements")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::sizes, *};

    #[test]
    fn every_line_is_read() {
        assert_eq!(LISTED.lines().count(), 1 + 562);
        assert_eq!(all().count(), 562 + OF_PGBOUNCER.lines().count());
        assert_eq!(
            all().filter(|parameter| parameter.is_of_pgbouncer()).count(),
            OF_PGBOUNCER.lines().count()
        );
    }

    #[test]
    fn a_parameter_is_as_azure_lists_it() {
        let work_mem = find("WORK_MEM").expect("a parameter");
        assert_eq!((work_mem.data_type, work_mem.unit), (DataType::Integer, "kB"));
        assert_eq!(
            (work_mem.allowed, work_mem.default, work_mem.source),
            ("4096-2097151", "4096", "system-default")
        );
        assert!(work_mem.dynamic && !work_mem.read_only);
        assert!(find("synchronous_commit").is_some_and(|parameter| parameter.read_only));
        assert!(find("wal_level").is_some_and(|parameter| !parameter.dynamic));
    }

    #[rstest]
    #[case("Standard_B1ms", "50")]
    #[case("Standard_B2s", "429")]
    #[case("Standard_B2ms", "859")]
    #[case("Standard_D2ds_v5", "859")]
    #[case("Standard_E2ds_v5", "1718")]
    #[case("Standard_D8ds_v5", "3437")]
    #[case("Standard_B12ms", "5000")]
    #[case("Standard_E8ds_v5", "5000")]
    fn the_number_of_connections_follows_the_size(#[case] size: &str, #[case] expected: &str) {
        let parameter = find("MAX_CONNECTIONS").expect("a parameter");
        assert_eq!(parameter.default_on(sizes::find(size)), expected);
    }

    /// The list is of a server of this size.
    #[rstest]
    #[case("max_connections")]
    #[case("shared_buffers")]
    #[case("effective_cache_size")]
    fn what_is_worked_out_agrees_with_what_was_recorded(#[case] name: &str) {
        let parameter = find(name).expect("a parameter");
        assert_eq!(parameter.default_on(sizes::find("Standard_D4ds_v4")), parameter.default);
    }
}
