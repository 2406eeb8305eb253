//! Server parameters: a realistic part of the several hundred that Azure has, with the defaults of a new server.
//! <https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters>

use super::{
    extensions::{EXTENSIONS, LIBRARIES},
    sizes::{Size, Tier},
};

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
    pub(in crate::azure) default: &'static str,
    /// As Azure shows it: a range `1-10`, a list `on,off`, or a pattern `.*`.
    pub(in crate::azure) allowed: &'static str,
    /// Takes effect without a restart.
    pub(in crate::azure) dynamic: bool,
    pub(in crate::azure) read_only: bool,
}

use DataType::{Boolean, Enumeration, Integer, Numeric, Set, String};

const fn dynamic(
    name: &'static str,
    data_type: DataType,
    default: &'static str,
    allowed: &'static str,
) -> Parameter {
    Parameter { name, data_type, default, allowed, dynamic: true, read_only: false }
}

const fn fixed(
    name: &'static str,
    data_type: DataType,
    default: &'static str,
    allowed: &'static str,
) -> Parameter {
    Parameter { name, data_type, default, allowed, dynamic: false, read_only: false }
}

const fn read_only(
    name: &'static str,
    data_type: DataType,
    default: &'static str,
    allowed: &'static str,
) -> Parameter {
    Parameter { name, data_type, default, allowed, dynamic: false, read_only: true }
}

const ON_OFF: &str = "on,off";
const TO_INT_MAX: &str = "0-2147483647";
const MAX_CONNECTIONS: &str = "max_connections";

const PARAMETERS: &[Parameter] = &[
    dynamic("autovacuum", Boolean, "on", ON_OFF),
    fixed("autovacuum_max_workers", Integer, "3", "1-262143"),
    dynamic("autovacuum_naptime", Integer, "60", "1-2147483"),
    dynamic("autovacuum_vacuum_cost_limit", Integer, "-1", "-1-10000"),
    dynamic("autovacuum_vacuum_scale_factor", Numeric, "0.2", "0-100"),
    dynamic("azure.extensions", Set, "", EXTENSIONS),
    dynamic("checkpoint_timeout", Integer, "600", "30-86400"),
    dynamic("connection_throttle.enable", Boolean, "off", ON_OFF),
    read_only("data_directory", String, "/datadrive/pg/data", ".*"),
    dynamic("DateStyle", String, "ISO, MDY", ".*"),
    dynamic("deadlock_timeout", Integer, "1000", "1-2147483647"),
    dynamic("default_statistics_target", Integer, "100", "1-10000"),
    read_only("default_toast_compression", Enumeration, "lz4", "pglz,lz4"),
    dynamic(
        "default_transaction_isolation",
        Enumeration,
        "read committed",
        "serializable,repeatable read,read committed,read uncommitted",
    ),
    dynamic("effective_cache_size", Integer, "196608", "1-2147483647"),
    dynamic("effective_io_concurrency", Integer, "1", "0-1000"),
    read_only("fsync", Boolean, "on", ON_OFF),
    dynamic("idle_in_transaction_session_timeout", Integer, "0", TO_INT_MAX),
    dynamic("idle_session_timeout", Integer, "0", TO_INT_MAX),
    dynamic("lock_timeout", Integer, "0", TO_INT_MAX),
    dynamic("log_checkpoints", Boolean, "on", ON_OFF),
    dynamic("log_connections", Boolean, "on", ON_OFF),
    dynamic("log_disconnections", Boolean, "on", ON_OFF),
    dynamic("log_lock_waits", Boolean, "off", ON_OFF),
    dynamic("log_min_duration_statement", Integer, "-1", "-1-2147483647"),
    dynamic("log_statement", Enumeration, "none", "none,ddl,mod,all"),
    dynamic("logfiles.download_enable", Boolean, "off", ON_OFF),
    dynamic("maintenance_work_mem", Integer, "99328", "1024-2097151"),
    // Default depends on the size: see `default_value`.
    fixed(MAX_CONNECTIONS, Integer, "", "25-5000"),
    fixed("max_locks_per_transaction", Integer, "64", "10-8388608"),
    fixed("max_prepared_transactions", Integer, "0", "0-262143"),
    fixed("max_replication_slots", Integer, "10", "2-262143"),
    fixed("max_wal_senders", Integer, "10", "5-100"),
    dynamic("max_wal_size", Integer, "2048", "32-65536"),
    fixed("max_worker_processes", Integer, "8", "0-262143"),
    dynamic("metrics.collector_database_activity", Boolean, "off", ON_OFF),
    dynamic("pg_qs.query_capture_mode", Enumeration, "none", "all,top,none"),
    dynamic("pg_qs.retention_period_in_days", Integer, "7", "1-30"),
    fixed("pg_stat_statements.max", Integer, "5000", "100-2147483647"),
    dynamic("pg_stat_statements.track", Enumeration, "none", "none,top,all"),
    dynamic("pgaudit.log", Set, "none", "none,read,write,function,role,ddl,misc,all"),
    dynamic("pgbouncer.default_pool_size", Integer, "50", "1-4950"),
    dynamic("pgbouncer.enabled", Boolean, "false", "true,false"),
    dynamic("random_page_cost", Numeric, "2", "0-1.79769e+308"),
    dynamic("require_secure_transport", Boolean, "on", ON_OFF),
    dynamic("row_security", Boolean, "on", ON_OFF),
    read_only("server_encoding", String, "UTF8", ".*"),
    fixed("shared_buffers", Integer, "32768", "16-1073741823"),
    fixed("shared_preload_libraries", Set, "pg_cron,pg_stat_statements", LIBRARIES),
    read_only("ssl", Boolean, "on", ON_OFF),
    dynamic("ssl_min_protocol_version", Enumeration, "TLSv1.2", "TLSv1.2,TLSv1.3"),
    dynamic("statement_timeout", Integer, "0", TO_INT_MAX),
    dynamic("temp_buffers", Integer, "1024", "100-1073741823"),
    dynamic("TimeZone", String, "UTC", ".*"),
    fixed("track_activity_query_size", Integer, "1024", "100-102400"),
    fixed("track_commit_timestamp", Boolean, "off", ON_OFF),
    dynamic("track_io_timing", Boolean, "off", ON_OFF),
    fixed("wal_buffers", Integer, "2048", "-1-262143"),
    fixed("wal_level", Enumeration, "replica", "replica,logical"),
    dynamic("work_mem", Integer, "4096", "4096-2097151"),
];

pub(in crate::azure) fn all() -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter()
}

pub(in crate::azure) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

/// The default on a new server of this size. It is not worked out again when the size changes.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-limits#maximum-connections>
pub(in crate::azure) fn default_value(parameter: &Parameter, size: &Size) -> &'static str {
    if parameter.name != MAX_CONNECTIONS {
        return parameter.default;
    }
    match (size.tier, size.vcores) {
        (Tier::Burstable, 1) => "50",
        (Tier::Burstable, 2) => "429",
        (Tier::GeneralPurpose, 2) => "859",
        (Tier::Burstable | Tier::GeneralPurpose, 4) | (Tier::MemoryOptimized, 2) => "1718",
        (Tier::Burstable | Tier::GeneralPurpose, 8) | (Tier::MemoryOptimized, 4) => "3437",
        _ => "5000",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rstest::rstest;

    use super::{super::sizes, *};

    #[test]
    fn names_are_unique() {
        let names: HashSet<&str> = all().map(|parameter| parameter.name).collect();
        assert_eq!(names.len(), all().count());
    }

    #[rstest]
    #[case("Standard_B1ms", "50")]
    #[case("Standard_D2ds_v5", "859")]
    #[case("Standard_E8ds_v5", "5000")]
    fn the_number_of_connections_follows_the_size(#[case] size: &str, #[case] expected: &str) {
        let size = sizes::find(size).expect("a size");
        let parameter = find("MAX_CONNECTIONS").expect("a parameter");
        assert_eq!(default_value(parameter, &size), expected);
    }
}
