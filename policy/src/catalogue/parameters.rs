//! Server parameters of PostgreSQL: names, forms and what each needs.
//!
//! Names, ranges and whether a restart is needed are what `postgres --describe-config` of PostgreSQL 18 prints;
//! narrower ranges and what Azure keeps to itself are from "Server parameters in Azure Database for PostgreSQL"
//! (<https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters>). What an older
//! version of PostgreSQL lacks is Azure's to say.

/// What a value must look like. Azure takes numbers in the parameter's own unit, without `MB` or `ms` behind them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// `on` or `off`.
    Boolean,
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// A number.
    Real,
    /// Anything.
    Text,
}

use Form::{Boolean, Integer, Real, Text};

/// A parameter that a manifest may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub form: Form,
    /// Whether a change waits for a restart of the server.
    pub needs_restart: bool,
}

/// Why a name is no parameter that a manifest may set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsettable {
    /// There is none of that name.
    Unknown,
    /// Azure sets it, or it belongs to what Azure does by itself.
    ReadOnly,
    /// `spec.extensions` sets it.
    Extensions,
}

const RESTART: bool = true;
const AT_ONCE: bool = false;

/// Set from `spec.extensions`, so that two fields never fight over one value.
const OF_EXTENSIONS: &[&str] = &["azure.extensions", "shared_preload_libraries"];

/// Prefixes of parameters that belong to Azure or to an extension, and the library that has to be preloaded for
/// them. Their names are not all known here.
const PREFIXES: &[(&str, Option<&str>)] = &[
    ("age", Some("age")),
    ("anon", Some("anon")),
    ("auto_explain", Some("auto_explain")),
    ("azure", None),
    ("connection_throttle", None),
    ("credcheck", Some("credcheck")),
    ("cron", Some("pg_cron")),
    ("index_tuning", None),
    ("intelligent_tuning", None),
    ("logfiles", None),
    ("metrics", None),
    ("pg_failover_slots", Some("pg_failover_slots")),
    ("pg_hint_plan", Some("pg_hint_plan")),
    ("pg_partman_bgw", Some("pg_partman")),
    ("pg_prewarm", Some("pg_prewarm")),
    ("pg_qs", None),
    ("pg_stat_statements", Some("pg_stat_statements")),
    ("pg_trgm", None),
    ("pgaudit", Some("pgaudit")),
    ("pgbouncer", None),
    ("pglogical", Some("pglogical")),
    ("pgms_wait_sampling", None),
    ("plv8", None),
    ("postgis", None),
    ("squeeze", Some("pg_squeeze")),
    ("timescaledb", Some("timescaledb")),
];

/// The parameter of that name, in whatever case.
pub fn parameter(name: &str) -> Result<Parameter, Unsettable> {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if OF_EXTENSIONS.iter().any(is) {
        return Err(Unsettable::Extensions);
    }
    if READ_ONLY.iter().any(is) {
        return Err(Unsettable::ReadOnly);
    }
    if let Some(&(name, form, needs_restart)) = PARAMETERS.iter().find(|(known, ..)| is(known)) {
        return Ok(Parameter { name, form, needs_restart });
    }
    match prefix(name) {
        Some((known, _)) => Ok(Parameter { name: known, form: Text, needs_restart: false }),
        None => Err(Unsettable::Unknown),
    }
}

/// How PostgreSQL shows a name: `TimeZone`, and in lower case what isn't listed here.
pub fn spelling(name: &str) -> String {
    let known = PARAMETERS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| name.to_ascii_lowercase(), |(known, ..)| (*known).to_owned())
}

/// The extension or library whose parameter this is, if it has to be preloaded.
pub fn library(name: &str) -> Option<&'static str> {
    prefix(name)?.1
}

fn prefix(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    let (first, rest) = name.split_once('.')?;
    // PostgreSQL's own form of such a name; it becomes a part of names elsewhere.
    let is_name = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if !is_name || name.len() > 63 {
        return None;
    }
    PREFIXES.iter().find(|(prefix, _)| prefix.eq_ignore_ascii_case(first)).copied()
}

/// Whether a pattern of `*` and `?` can match a parameter: one that is known, or one of those that share a prefix.
pub fn can_match(pattern: &str, matches: impl Fn(&str) -> bool) -> bool {
    let known = names().chain(READ_ONLY.iter().copied()).chain(OF_EXTENSIONS.iter().copied());
    let start = pattern.split(['*', '?']).next().unwrap_or_default().to_ascii_lowercase();
    let mut prefixes = PREFIXES.iter().map(|(prefix, _)| format!("{prefix}."));
    known.into_iter().any(matches)
        || prefixes.any(|prefix| prefix.starts_with(&start) || start.starts_with(&prefix))
}

/// Every name that is known, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    PARAMETERS.iter().map(|(name, ..)| *name)
}

#[rustfmt::skip] // A list is read as a block.
const READ_ONLY: &[&str] = &[
    "allow_alter_system", "archive_cleanup_command", "archive_command", "archive_library", "archive_mode",
    "archive_timeout", "bonjour", "bonjour_name", "cluster_name", "data_directory", "data_sync_retry",
    "default_table_access_method", "default_tablespace", "default_toast_compression",
    "dynamic_library_path", "dynamic_shared_memory_type", "event_source", "exit_on_error",
    "extension_control_path", "external_pid_file", "fsync", "full_page_writes", "gss_accept_delegation",
    "hba_file", "hot_standby", "huge_page_size", "ident_file", "io_method", "jit_provider",
    "krb_caseins_users", "krb_server_keyfile", "lc_messages", "listen_addresses", "local_preload_libraries",
    "log_destination", "log_directory", "log_file_mode", "log_filename", "log_rotation_age",
    "log_rotation_size", "log_timezone", "log_truncate_on_rotation", "logging_collector",
    "max_files_per_process", "max_stack_depth", "min_dynamic_shared_memory", "oauth_validator_libraries",
    "port", "primary_conninfo", "primary_slot_name", "recovery_end_command", "recovery_init_sync_method",
    "recovery_min_apply_delay", "recovery_prefetch", "recovery_target", "recovery_target_action",
    "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_timeline", "recovery_target_xid", "reserved_connections", "restart_after_crash",
    "restore_command", "session_preload_libraries", "session_replication_role", "shared_memory_type", "ssl",
    "ssl_ca_file", "ssl_cert_file", "ssl_ciphers", "ssl_crl_dir", "ssl_crl_file", "ssl_dh_params_file",
    "ssl_groups", "ssl_key_file", "ssl_passphrase_command", "ssl_passphrase_command_supports_reload",
    "ssl_prefer_server_ciphers", "ssl_tls13_ciphers", "summarize_wal", "superuser_reserved_connections",
    "synchronous_standby_names", "syslog_facility", "syslog_ident", "syslog_sequence_numbers",
    "syslog_split_messages", "track_activities", "track_counts", "unix_socket_directories",
    "unix_socket_group", "unix_socket_permissions", "update_process_title", "wal_decode_buffer_size",
    "wal_init_zero", "wal_log_hints", "wal_receiver_create_temp_slot", "wal_recycle",
    "wal_summary_keep_time", "wal_sync_method",
];

#[rustfmt::skip] // A table is read line by line.
const PARAMETERS: &[(&str, Form, bool)] = &[
    ("array_nulls", Boolean, AT_ONCE),
    ("authentication_timeout", Integer(1, 600), AT_ONCE),
    ("autovacuum", Boolean, AT_ONCE),
    ("autovacuum_analyze_scale_factor", Real, AT_ONCE),
    ("autovacuum_analyze_threshold", Integer(0, 2_147_483_647), AT_ONCE),
    ("autovacuum_freeze_max_age", Integer(100_000, 2_000_000_000), RESTART),
    ("autovacuum_max_workers", Integer(1, 262_143), AT_ONCE),
    ("autovacuum_multixact_freeze_max_age", Integer(10_000, 2_000_000_000), RESTART),
    ("autovacuum_naptime", Integer(1, 2_147_483), AT_ONCE),
    ("autovacuum_vacuum_cost_delay", Real, AT_ONCE),
    ("autovacuum_vacuum_cost_limit", Integer(-1, 10_000), AT_ONCE),
    ("autovacuum_vacuum_insert_scale_factor", Real, AT_ONCE),
    ("autovacuum_vacuum_insert_threshold", Integer(-1, 2_147_483_647), AT_ONCE),
    ("autovacuum_vacuum_max_threshold", Integer(-1, 2_147_483_647), AT_ONCE),
    ("autovacuum_vacuum_scale_factor", Real, AT_ONCE),
    ("autovacuum_vacuum_threshold", Integer(0, 2_147_483_647), AT_ONCE),
    ("autovacuum_work_mem", Integer(-1, 2_147_483_647), AT_ONCE),
    ("autovacuum_worker_slots", Integer(1, 262_143), RESTART),
    ("backend_flush_after", Integer(0, 256), AT_ONCE),
    ("backslash_quote", Text, AT_ONCE),
    ("bgwriter_delay", Integer(10, 10_000), AT_ONCE),
    ("bgwriter_flush_after", Integer(0, 256), AT_ONCE),
    ("bgwriter_lru_maxpages", Integer(0, 1_073_741_823), AT_ONCE),
    ("bgwriter_lru_multiplier", Real, AT_ONCE),
    ("bytea_output", Text, AT_ONCE),
    ("check_function_bodies", Boolean, AT_ONCE),
    ("checkpoint_completion_target", Real, AT_ONCE),
    ("checkpoint_flush_after", Integer(0, 256), AT_ONCE),
    ("checkpoint_timeout", Integer(30, 86_400), AT_ONCE),
    ("checkpoint_warning", Integer(0, 2_147_483_647), AT_ONCE),
    ("client_connection_check_interval", Integer(0, 2_147_483_647), AT_ONCE),
    ("client_encoding", Text, AT_ONCE),
    ("client_min_messages", Text, AT_ONCE),
    ("commit_delay", Integer(0, 100_000), AT_ONCE),
    ("commit_siblings", Integer(0, 1000), AT_ONCE),
    ("commit_timestamp_buffers", Integer(0, 131_072), RESTART),
    ("compute_query_id", Text, AT_ONCE),
    ("constraint_exclusion", Text, AT_ONCE),
    ("cpu_index_tuple_cost", Real, AT_ONCE),
    ("cpu_operator_cost", Real, AT_ONCE),
    ("cpu_tuple_cost", Real, AT_ONCE),
    ("createrole_self_grant", Text, AT_ONCE),
    ("cursor_tuple_fraction", Real, AT_ONCE),
    ("DateStyle", Text, AT_ONCE),
    ("deadlock_timeout", Integer(1, 2_147_483_647), AT_ONCE),
    ("debug_pretty_print", Boolean, AT_ONCE),
    ("debug_print_parse", Boolean, AT_ONCE),
    ("debug_print_plan", Boolean, AT_ONCE),
    ("debug_print_rewritten", Boolean, AT_ONCE),
    ("default_statistics_target", Integer(1, 10_000), AT_ONCE),
    ("default_text_search_config", Text, AT_ONCE),
    ("default_transaction_deferrable", Boolean, AT_ONCE),
    ("default_transaction_isolation", Text, AT_ONCE),
    ("default_transaction_read_only", Boolean, AT_ONCE),
    ("effective_cache_size", Integer(1, 2_147_483_647), AT_ONCE),
    ("effective_io_concurrency", Integer(0, 1000), AT_ONCE),
    ("enable_async_append", Boolean, AT_ONCE),
    ("enable_bitmapscan", Boolean, AT_ONCE),
    ("enable_distinct_reordering", Boolean, AT_ONCE),
    ("enable_gathermerge", Boolean, AT_ONCE),
    ("enable_group_by_reordering", Boolean, AT_ONCE),
    ("enable_hashagg", Boolean, AT_ONCE),
    ("enable_hashjoin", Boolean, AT_ONCE),
    ("enable_incremental_sort", Boolean, AT_ONCE),
    ("enable_indexonlyscan", Boolean, AT_ONCE),
    ("enable_indexscan", Boolean, AT_ONCE),
    ("enable_material", Boolean, AT_ONCE),
    ("enable_memoize", Boolean, AT_ONCE),
    ("enable_mergejoin", Boolean, AT_ONCE),
    ("enable_nestloop", Boolean, AT_ONCE),
    ("enable_parallel_append", Boolean, AT_ONCE),
    ("enable_parallel_hash", Boolean, AT_ONCE),
    ("enable_partition_pruning", Boolean, AT_ONCE),
    ("enable_partitionwise_aggregate", Boolean, AT_ONCE),
    ("enable_partitionwise_join", Boolean, AT_ONCE),
    ("enable_presorted_aggregate", Boolean, AT_ONCE),
    ("enable_self_join_elimination", Boolean, AT_ONCE),
    ("enable_seqscan", Boolean, AT_ONCE),
    ("enable_sort", Boolean, AT_ONCE),
    ("enable_tidscan", Boolean, AT_ONCE),
    ("escape_string_warning", Boolean, AT_ONCE),
    ("event_triggers", Boolean, AT_ONCE),
    ("extra_float_digits", Integer(-15, 3), AT_ONCE),
    ("file_copy_method", Text, AT_ONCE),
    ("from_collapse_limit", Integer(1, 2_147_483_647), AT_ONCE),
    ("geqo", Boolean, AT_ONCE),
    ("geqo_effort", Integer(1, 10), AT_ONCE),
    ("geqo_generations", Integer(0, 2_147_483_647), AT_ONCE),
    ("geqo_pool_size", Integer(0, 2_147_483_647), AT_ONCE),
    ("geqo_seed", Real, AT_ONCE),
    ("geqo_selection_bias", Real, AT_ONCE),
    ("geqo_threshold", Integer(2, 2_147_483_647), AT_ONCE),
    ("gin_fuzzy_search_limit", Integer(0, 2_147_483_647), AT_ONCE),
    ("gin_pending_list_limit", Integer(64, 2_147_483_647), AT_ONCE),
    ("hash_mem_multiplier", Real, AT_ONCE),
    ("hot_standby_feedback", Boolean, AT_ONCE),
    ("huge_pages", Text, RESTART),
    ("icu_validation_level", Text, AT_ONCE),
    ("idle_in_transaction_session_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("idle_replication_slot_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("idle_session_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("IntervalStyle", Text, AT_ONCE),
    ("io_combine_limit", Integer(1, 128), AT_ONCE),
    ("io_max_combine_limit", Integer(1, 128), RESTART),
    ("io_max_concurrency", Integer(-1, 1024), RESTART),
    ("io_workers", Integer(1, 32), AT_ONCE),
    ("jit", Boolean, AT_ONCE),
    ("jit_above_cost", Real, AT_ONCE),
    ("jit_inline_above_cost", Real, AT_ONCE),
    ("jit_optimize_above_cost", Real, AT_ONCE),
    ("join_collapse_limit", Integer(1, 2_147_483_647), AT_ONCE),
    ("lc_monetary", Text, AT_ONCE),
    ("lc_numeric", Text, AT_ONCE),
    ("lc_time", Text, AT_ONCE),
    ("lo_compat_privileges", Boolean, AT_ONCE),
    ("lock_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("log_autovacuum_min_duration", Integer(-1, 2_147_483_647), AT_ONCE),
    ("log_checkpoints", Boolean, AT_ONCE),
    ("log_connections", Text, AT_ONCE),
    ("log_disconnections", Boolean, AT_ONCE),
    ("log_duration", Boolean, AT_ONCE),
    ("log_error_verbosity", Text, AT_ONCE),
    ("log_executor_stats", Boolean, AT_ONCE),
    ("log_hostname", Boolean, AT_ONCE),
    ("log_line_prefix", Text, AT_ONCE),
    ("log_lock_failures", Boolean, AT_ONCE),
    ("log_lock_waits", Boolean, AT_ONCE),
    ("log_min_duration_sample", Integer(-1, 2_147_483_647), AT_ONCE),
    ("log_min_duration_statement", Integer(-1, 2_147_483_647), AT_ONCE),
    ("log_min_error_statement", Text, AT_ONCE),
    ("log_min_messages", Text, AT_ONCE),
    ("log_parameter_max_length", Integer(-1, 1_073_741_823), AT_ONCE),
    ("log_parameter_max_length_on_error", Integer(-1, 1_073_741_823), AT_ONCE),
    ("log_parser_stats", Boolean, AT_ONCE),
    ("log_planner_stats", Boolean, AT_ONCE),
    ("log_recovery_conflict_waits", Boolean, AT_ONCE),
    ("log_replication_commands", Boolean, AT_ONCE),
    ("log_startup_progress_interval", Integer(0, 2_147_483_647), AT_ONCE),
    ("log_statement", Text, AT_ONCE),
    ("log_statement_sample_rate", Real, AT_ONCE),
    ("log_statement_stats", Boolean, AT_ONCE),
    ("log_temp_files", Integer(-1, 2_147_483_647), AT_ONCE),
    ("log_transaction_sample_rate", Real, AT_ONCE),
    ("logical_decoding_work_mem", Integer(64, 2_147_483_647), AT_ONCE),
    ("maintenance_io_concurrency", Integer(0, 1000), AT_ONCE),
    ("maintenance_work_mem", Integer(1024, 2_097_151), AT_ONCE),
    ("max_active_replication_origins", Integer(0, 262_143), RESTART),
    ("max_connections", Integer(25, 5000), RESTART),
    ("max_locks_per_transaction", Integer(10, 2_147_483_647), RESTART),
    ("max_logical_replication_workers", Integer(0, 262_143), RESTART),
    ("max_notify_queue_pages", Integer(64, 2_147_483_647), RESTART),
    ("max_parallel_apply_workers_per_subscription", Integer(0, 1024), AT_ONCE),
    ("max_parallel_maintenance_workers", Integer(0, 1024), AT_ONCE),
    ("max_parallel_workers", Integer(0, 1024), AT_ONCE),
    ("max_parallel_workers_per_gather", Integer(0, 1024), AT_ONCE),
    ("max_pred_locks_per_page", Integer(0, 2_147_483_647), AT_ONCE),
    ("max_pred_locks_per_relation", Integer(-2_147_483_648, 2_147_483_647), AT_ONCE),
    ("max_pred_locks_per_transaction", Integer(10, 2_147_483_647), RESTART),
    ("max_prepared_transactions", Integer(0, 262_143), RESTART),
    ("max_replication_slots", Integer(0, 262_143), RESTART),
    ("max_slot_wal_keep_size", Integer(-1, 2_147_483_647), AT_ONCE),
    ("max_standby_archive_delay", Integer(-1, 2_147_483_647), AT_ONCE),
    ("max_standby_streaming_delay", Integer(-1, 2_147_483_647), AT_ONCE),
    ("max_sync_workers_per_subscription", Integer(0, 262_143), AT_ONCE),
    ("max_wal_senders", Integer(5, 100), RESTART),
    ("max_wal_size", Integer(32, 65_536), AT_ONCE),
    ("max_worker_processes", Integer(0, 262_143), RESTART),
    ("md5_password_warnings", Boolean, AT_ONCE),
    ("min_parallel_index_scan_size", Integer(0, 715_827_882), AT_ONCE),
    ("min_parallel_table_scan_size", Integer(0, 715_827_882), AT_ONCE),
    ("min_wal_size", Integer(2, 2_147_483_647), AT_ONCE),
    ("multixact_member_buffers", Integer(16, 131_072), RESTART),
    ("multixact_offset_buffers", Integer(16, 131_072), RESTART),
    ("notify_buffers", Integer(16, 131_072), RESTART),
    ("parallel_leader_participation", Boolean, AT_ONCE),
    ("parallel_setup_cost", Real, AT_ONCE),
    ("parallel_tuple_cost", Real, AT_ONCE),
    ("password_encryption", Text, AT_ONCE),
    ("plan_cache_mode", Text, AT_ONCE),
    ("quote_all_identifiers", Boolean, AT_ONCE),
    ("random_page_cost", Real, AT_ONCE),
    ("recursive_worktable_factor", Real, AT_ONCE),
    ("require_secure_transport", Boolean, AT_ONCE),
    ("row_security", Boolean, AT_ONCE),
    ("scram_iterations", Integer(1, 2_147_483_647), AT_ONCE),
    ("search_path", Text, AT_ONCE),
    ("seq_page_cost", Real, AT_ONCE),
    ("serializable_buffers", Integer(16, 131_072), RESTART),
    ("shared_buffers", Integer(16, 1_073_741_823), RESTART),
    ("ssl_max_protocol_version", Text, AT_ONCE),
    ("ssl_min_protocol_version", Text, AT_ONCE),
    ("standard_conforming_strings", Boolean, AT_ONCE),
    ("statement_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("stats_fetch_consistency", Text, AT_ONCE),
    ("subtransaction_buffers", Integer(0, 131_072), RESTART),
    ("sync_replication_slots", Boolean, AT_ONCE),
    ("synchronize_seqscans", Boolean, AT_ONCE),
    ("synchronized_standby_slots", Text, AT_ONCE),
    ("synchronous_commit", Text, AT_ONCE),
    ("tcp_keepalives_count", Integer(0, 2_147_483_647), AT_ONCE),
    ("tcp_keepalives_idle", Integer(0, 2_147_483_647), AT_ONCE),
    ("tcp_keepalives_interval", Integer(0, 2_147_483_647), AT_ONCE),
    ("tcp_user_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("temp_buffers", Integer(100, 1_073_741_823), AT_ONCE),
    ("temp_file_limit", Integer(-1, 2_147_483_647), AT_ONCE),
    ("temp_tablespaces", Text, AT_ONCE),
    ("TimeZone", Text, AT_ONCE),
    ("timezone_abbreviations", Text, AT_ONCE),
    ("track_activity_query_size", Integer(100, 1_048_576), RESTART),
    ("track_commit_timestamp", Boolean, RESTART),
    ("track_cost_delay_timing", Boolean, AT_ONCE),
    ("track_functions", Text, AT_ONCE),
    ("track_io_timing", Boolean, AT_ONCE),
    ("track_wal_io_timing", Boolean, AT_ONCE),
    ("transaction_buffers", Integer(0, 131_072), RESTART),
    ("transaction_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("transform_null_equals", Boolean, AT_ONCE),
    ("vacuum_buffer_usage_limit", Integer(0, 16_777_216), AT_ONCE),
    ("vacuum_cost_delay", Real, AT_ONCE),
    ("vacuum_cost_limit", Integer(1, 10_000), AT_ONCE),
    ("vacuum_cost_page_dirty", Integer(0, 10_000), AT_ONCE),
    ("vacuum_cost_page_hit", Integer(0, 10_000), AT_ONCE),
    ("vacuum_cost_page_miss", Integer(0, 10_000), AT_ONCE),
    ("vacuum_failsafe_age", Integer(0, 2_100_000_000), AT_ONCE),
    ("vacuum_freeze_min_age", Integer(0, 1_000_000_000), AT_ONCE),
    ("vacuum_freeze_table_age", Integer(0, 2_000_000_000), AT_ONCE),
    ("vacuum_max_eager_freeze_failure_rate", Real, AT_ONCE),
    ("vacuum_multixact_failsafe_age", Integer(0, 2_100_000_000), AT_ONCE),
    ("vacuum_multixact_freeze_min_age", Integer(0, 1_000_000_000), AT_ONCE),
    ("vacuum_multixact_freeze_table_age", Integer(0, 2_000_000_000), AT_ONCE),
    ("vacuum_truncate", Boolean, AT_ONCE),
    ("wal_buffers", Integer(-1, 262_143), RESTART),
    ("wal_compression", Text, AT_ONCE),
    ("wal_keep_size", Integer(0, 2_147_483_647), AT_ONCE),
    ("wal_level", Text, RESTART),
    ("wal_receiver_status_interval", Integer(0, 2_147_483), AT_ONCE),
    ("wal_receiver_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("wal_retrieve_retry_interval", Integer(1, 2_147_483_647), AT_ONCE),
    ("wal_sender_timeout", Integer(0, 2_147_483_647), AT_ONCE),
    ("wal_skip_threshold", Integer(0, 2_147_483_647), AT_ONCE),
    ("wal_writer_delay", Integer(1, 10_000), AT_ONCE),
    ("wal_writer_flush_after", Integer(0, 2_147_483_647), AT_ONCE),
    ("work_mem", Integer(4096, 2_097_151), AT_ONCE),
    ("xmlbinary", Text, AT_ONCE),
    ("xmloption", Text, AT_ONCE),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("work_mem", Ok(false))]
    #[case("WORK_MEM", Ok(false))]
    #[case("max_connections", Ok(true))]
    #[case("pgaudit.log", Ok(false))]
    #[case("azure.extensions", Err(Unsettable::Extensions))]
    #[case("fsync", Err(Unsettable::ReadOnly))]
    #[case("max_happiness", Err(Unsettable::Unknown))]
    #[case("happy.max", Err(Unsettable::Unknown))]
    #[case("pgaudit", Err(Unsettable::Unknown))]
    #[case("", Err(Unsettable::Unknown))]
    fn a_parameter_can_be_set_or_not(#[case] name: &str, #[case] needs_restart: Result<bool, Unsettable>) {
        assert_eq!(parameter(name).map(|parameter| parameter.needs_restart), needs_restart);
    }

    #[test]
    fn no_parameter_stands_twice() {
        let mut all: Vec<&str> =
            names().chain(READ_ONLY.iter().copied()).chain(OF_EXTENSIONS.iter().copied()).collect();
        all.sort_unstable();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    }
}
