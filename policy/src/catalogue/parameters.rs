//! Server parameters: names, forms and what each needs.
//!
//! They are read out of Azure's own answer for a server of PostgreSQL 17, so none of them is kept by hand, and a newer answer
//! is put in place of the file. What 18 has beyond it, or has in another way, is what `postgres --describe-config` of 18
//! prints.

use std::{borrow::Cow, collections::BTreeMap};

use super::Name;
use Form::{Any, Integer, One, Real, Text};

/// Azure's answer; `tests/azure/README.md` says what stands in which column.
const AZURES: &str = include_str!("../../../tests/azure/parameters-pg17.tsv");

/// What a value must look like. Azure takes numbers in the parameter's own unit, without `MB` or `ms` behind them.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// One of the words between the commas; `on` and `off` among them are taken in each way in which PostgreSQL takes them.
    One(Name),
    /// Any of the words between the commas.
    Any(Name),
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// A number from the first to the second, both included.
    Real(f64, f64),
    /// Anything on one line.
    Text,
}

/// What means the same as `on`, and what as `off`.
const SWITCHES: [&[&str]; 2] = [&["on", "true", "yes", "1"], &["off", "false", "no", "0"]];

impl Form {
    /// The value as Azure takes it; `None` when it is none.
    pub fn canonical<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        match self {
            One(words) => one_of(words, value.trim()).map(Cow::Owned),
            Any(words) => {
                let members = value.split(',').map(|member| one_of(words, member.trim()));
                members.collect::<Option<Vec<_>>>().map(|members| Cow::Owned(members.join(",")))
            }
            Integer(least, most) => {
                let number: i64 = value.trim().parse().ok()?;
                (*least..=*most).contains(&number).then(|| Cow::Owned(number.to_string()))
            }
            Real(least, most) => {
                let number: f64 = value.trim().parse().ok()?;
                (*least..=*most).contains(&number).then(|| Cow::Borrowed(value.trim()))
            }
            Text => (!value.chars().any(char::is_control)).then_some(Cow::Borrowed(value)),
        }
    }

    /// The words that can be written, if they are few enough to be known.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let words = match self {
            One(words) | Any(words) => words.as_ref(),
            Integer(..) | Real(..) | Text => "",
        };
        words.split(',').map(str::trim).filter(|word| !word.is_empty())
    }
}

/// The word among those between commas that is meant.
fn one_of(words: &str, value: &str) -> Option<String> {
    let words = || words.split(',').map(str::trim);
    let is = |word: &&str| word.eq_ignore_ascii_case(value);
    words()
        .find(is)
        .or_else(|| {
            let same = SWITCHES.iter().find(|same| same.iter().any(is))?;
            words().find(|word| same.contains(word))
        })
        .map(str::to_owned)
}

/// A server parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: Name,
    pub form: Form,
    /// Whether a change waits for a restart of the server.
    pub needs_restart: bool,
    /// Whether Azure keeps it to itself.
    pub is_read_only: bool,
    /// The library without which it has no effect.
    pub library: Option<Name>,
}

/// Why a name is no parameter that a manifest may set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsettable {
    /// None of that name is known.
    Unknown,
    /// Azure sets it, or it belongs to what Azure manages.
    ReadOnly,
    /// `spec.extensions` sets it.
    Extensions,
    /// PostgreSQL has it from this major version on.
    Since(u16),
}

/// Set from `spec.extensions`, so that two fields never fight over one value.
const OF_EXTENSIONS: &[&str] = &["azure.extensions", "shared_preload_libraries"];

/// What stands before the dot, and the library that has to be preloaded for such parameters.
const LIBRARIES: &[(&str, &str)] = &[
    ("anon", "anon"),
    ("auto_explain", "auto_explain"),
    ("azure_storage", "azure_storage"),
    ("credcheck", "credcheck"),
    ("cron", "pg_cron"),
    ("duckdb", "pg_duckdb"),
    ("pg_hint_plan", "pg_hint_plan"),
    ("pg_partman_bgw", "pg_partman_bgw"),
    ("pg_prewarm", "pg_prewarm"),
    ("pg_stat_statements", "pg_stat_statements"),
    ("pgaudit", "pgaudit"),
    ("pglogical", "pglogical"),
    ("squeeze", "pg_squeeze"),
    ("timescaledb", "timescaledb"),
];

/// Before the dot of what isn't in the list, of Azure's own or of a version that the list isn't of. A policy may name such
/// parameters all the same.
const OTHER_PREFIXES: &[&str] = &["age", "pg_failover_slots", "pg_trgm", "pgbouncer", "plv8"];

/// What Azure lists only while `pgbouncer.enabled` is on.
/// <https://learn.microsoft.com/azure/postgresql/connectivity/concepts-pgbouncer>
const HIDDEN: &[(&str, Form)] = &[
    ("pgbouncer.default_pool_size", Integer(1, 4950)),
    ("pgbouncer.ignore_startup_parameters", Text),
    ("pgbouncer.max_client_conn", Integer(0, 2_147_483_647)),
    ("pgbouncer.max_prepared_statements", Integer(0, 2_147_483_647)),
    ("pgbouncer.min_pool_size", Integer(0, 2_147_483_647)),
    ("pgbouncer.pool_mode", One(Cow::Borrowed("session,transaction,statement"))),
    ("pgbouncer.query_wait_timeout", Integer(0, 2_147_483_647)),
    ("pgbouncer.server_idle_timeout", Integer(0, 2_147_483_647)),
    ("pgbouncer.stats_users", Text),
];

/// How a parameter of 18 is set.
#[derive(Clone, Copy, PartialEq)]
enum Set {
    AtOnce,
    Restart,
    ReadOnly,
}

use Set::{AtOnce, ReadOnly, Restart};

/// The version that is newer than Azure's answer.
const NEWER: u16 = 18;

const SWITCH: Form = One(Cow::Borrowed("on,off"));

/// What 18 has beyond 17, or has in another way.
#[rustfmt::skip] // A table is read line by line.
const OF_NEWER: &[(&str, Form, Set)] = &[
    ("autovacuum_max_workers", Integer(1, 262_143), AtOnce),
    ("autovacuum_vacuum_max_threshold", Integer(-1, 2_147_483_647), AtOnce),
    ("autovacuum_worker_slots", Integer(1, 262_143), Restart),
    ("enable_distinct_reordering", SWITCH, AtOnce),
    ("enable_self_join_elimination", SWITCH, AtOnce),
    ("extension_control_path", Text, ReadOnly),
    ("file_copy_method", One(Cow::Borrowed("copy,clone")), AtOnce),
    ("idle_replication_slot_timeout", Integer(0, 2_147_483_647), AtOnce),
    ("io_max_combine_limit", Integer(1, 128), Restart),
    ("io_max_concurrency", Integer(-1, 1024), Restart),
    ("io_method", Text, ReadOnly),
    ("io_workers", Integer(1, 32), AtOnce),
    ("log_connections", Text, AtOnce),
    ("log_lock_failures", SWITCH, AtOnce),
    ("max_active_replication_origins", Integer(0, 262_143), Restart),
    ("md5_password_warnings", SWITCH, AtOnce),
    ("oauth_validator_libraries", Text, ReadOnly),
    ("ssl_groups", Text, ReadOnly),
    ("ssl_tls13_ciphers", Text, ReadOnly),
    ("track_cost_delay_timing", SWITCH, AtOnce),
    ("vacuum_max_eager_freeze_failure_rate", Real(0.0, 1.0), AtOnce),
    ("vacuum_truncate", SWITCH, AtOnce),
];

/// All of them, by their names in lower case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters {
    all: BTreeMap<Name, Parameter>,
    newer: BTreeMap<Name, Parameter>,
}

impl Parameters {
    pub(super) fn find(&self, name: &str, major: Option<u16>) -> Result<&Parameter, Unsettable> {
        let key = name.to_ascii_lowercase();
        if OF_EXTENSIONS.contains(&key.as_str()) {
            return Err(Unsettable::Extensions);
        }
        let newer = self.newer.get(key.as_str());
        let is_newer = major.is_none_or(|major| major >= NEWER);
        let found = newer.filter(|_| is_newer).or_else(|| self.all.get(key.as_str()));
        match found {
            Some(parameter) if parameter.is_read_only => Err(Unsettable::ReadOnly),
            Some(parameter) => Ok(parameter),
            None if newer.is_some() => Err(Unsettable::Since(NEWER)),
            None => Err(Unsettable::Unknown),
        }
    }

    pub(super) fn spelling(&self, name: &str) -> String {
        let key = name.to_ascii_lowercase();
        self.all.get(key.as_str()).map_or(key, |parameter| parameter.name.clone().into_owned())
    }

    pub(super) fn settable(&self) -> impl Iterator<Item = &str> {
        let all = self.all.values().chain(self.newer.values());
        let settable = all.filter(|parameter| !parameter.is_read_only);
        settable
            .map(|parameter| parameter.name.as_ref())
            .filter(|name| !OF_EXTENSIONS.iter().any(|of_extensions| name == of_extensions))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.values().chain(self.newer.values()).map(|parameter| parameter.name.as_ref())
    }

    /// What Azure's answer has of it, whoever may set it.
    pub(super) fn any(&self, name: &str) -> Option<&Parameter> {
        let key = name.to_ascii_lowercase();
        self.newer.get(key.as_str()).or_else(|| self.all.get(key.as_str()))
    }

    /// In place of whatever there is of the name, in every version.
    pub(super) fn put(&mut self, parameter: Parameter) {
        let key = lower_case(&parameter.name);
        self.newer.remove(&key);
        self.all.insert(key, parameter);
    }
}

fn lower_case(name: &Name) -> Name {
    if name.chars().any(|c| c.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.clone() }
}

pub(super) fn known() -> Parameters {
    let hidden = HIDDEN.iter().map(|(name, form)| parameter(name, form.clone(), AtOnce));
    let all = AZURES.lines().skip(1).filter_map(row).chain(hidden);
    let newer = OF_NEWER.iter().map(|(name, form, set)| parameter(name, form.clone(), *set));
    let by_name = |parameter: Parameter| (lower_case(&parameter.name), parameter);
    Parameters { all: all.map(by_name).collect(), newer: newer.map(by_name).collect() }
}

fn parameter(name: &'static str, form: Form, set: Set) -> Parameter {
    let library = name.split_once('.').and_then(|(prefix, _)| library(prefix));
    let (needs_restart, is_read_only) = (set == Restart, set == ReadOnly);
    Parameter { name: name.into(), form, needs_restart, is_read_only, library: library.map(Into::into) }
}

fn library(prefix: &str) -> Option<&'static str> {
    LIBRARIES.iter().find(|(known, _)| *known == prefix).map(|(_, library)| *library)
}

/// A row of Azure's answer.
fn row(line: &'static str) -> Option<Parameter> {
    let mut columns = line.split('\t');
    let (name, kind, allowed) = (columns.next()?, columns.next()?, columns.next()?);
    let is_read_only = columns.nth(2)? == "true";
    let needs_restart = columns.next()? == "false";
    let form = match kind {
        "Boolean" | "Enumeration" => One(allowed.into()),
        // pgaudit itself takes classes away again with a hyphen, which Azure's list of words can't show.
        "Set" if name == "pgaudit.log" => {
            let without: Vec<String> = allowed.split(',').map(|word| format!("-{word}")).collect();
            Any(format!("{allowed},{}", without.join(",")).into())
        }
        "Set" => Any(allowed.into()),
        "Integer" => range(allowed).map(|(least, most)| Integer(least, most))?,
        "Numeric" => range(allowed).map(|(least, most)| Real(least, most))?,
        _ => Text,
    };
    Some(Parameter { needs_restart, is_read_only, ..parameter(name, form, AtOnce) })
}

/// `-1-2147483647` is from minus one to 2147483647: the first hyphen after the first character separates.
fn range<T: std::str::FromStr>(allowed: &str) -> Option<(T, T)> {
    let (at, _) = allowed.char_indices().skip(1).find(|(_, c)| *c == '-')?;
    Some((allowed[..at].parse().ok()?, allowed[at + 1..].parse().ok()?))
}

/// Whether a pattern of `*` and `?`, or a name, can match a parameter: one that is known, or one of those that share a
/// prefix.
pub fn can_match<'a>(
    pattern: &str,
    mut known: impl Iterator<Item = &'a str>,
    matches: impl Fn(&str) -> bool,
) -> bool {
    let start = pattern.split(['*', '?']).next().unwrap_or_default().to_ascii_lowercase();
    let is_pattern = start.len() < pattern.len();
    let prefixes = LIBRARIES.iter().map(|(prefix, _)| *prefix).chain(OTHER_PREFIXES.iter().copied());
    let mut prefixes = prefixes.map(|prefix| format!("{prefix}."));
    known.any(matches)
        || prefixes.any(|prefix| {
            (is_pattern && prefix.starts_with(&start))
                || (start.starts_with(&prefix) && (is_pattern || start.len() > prefix.len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("work_mem", Ok(false))]
    #[case("WORK_MEM", Ok(false))]
    #[case("max_connections", Ok(true))]
    #[case("pgaudit.log", Ok(false))]
    #[case("pgbouncer.pool_mode", Ok(false))]
    #[case("cron.log_run", Ok(true))]
    #[case("autovacuum_max_workers", Ok(true))]
    #[case("session_preload_libraries", Ok(false))]
    #[case("azure.extensions", Err(Unsettable::Extensions))]
    #[case("fsync", Err(Unsettable::ReadOnly))]
    #[case("synchronous_commit", Err(Unsettable::ReadOnly))]
    #[case("timescaledb.disable_load", Err(Unsettable::ReadOnly))]
    #[case("io_workers", Err(Unsettable::Since(18)))]
    #[case("max_happiness", Err(Unsettable::Unknown))]
    #[case("happy.max", Err(Unsettable::Unknown))]
    #[case("pgaudit.happy", Err(Unsettable::Unknown))]
    #[case("pgaudit", Err(Unsettable::Unknown))]
    #[case("", Err(Unsettable::Unknown))]
    fn a_parameter_can_be_set_or_not(#[case] name: &str, #[case] needs_restart: Result<bool, Unsettable>) {
        let known = known();
        assert_eq!(known.find(name, Some(17)).map(|parameter| parameter.needs_restart), needs_restart);
    }

    #[test]
    fn a_newer_version_has_more_and_some_in_another_way() {
        let known = known();
        let found = |name, major| known.find(name, Some(major)).map(|parameter| parameter.form.clone());
        assert_eq!(found("io_workers", 18), Ok(Integer(1, 32)));
        assert_eq!(found("io_workers", 19), Ok(Integer(1, 32)));
        assert_eq!(found("log_connections", 17), Ok(One("on,off".into())));
        assert_eq!(found("log_connections", 18), Ok(Text));
        let restart = |major| known.find("autovacuum_max_workers", Some(major)).unwrap().needs_restart;
        assert_eq!((restart(17), restart(18)), (true, false));
    }

    /// What YAML and PostgreSQL make of a switch is what Azure takes.
    #[rstest]
    #[case::as_it_is("autovacuum", "on", Some("on"))]
    #[case::yaml_of_kubectl("autovacuum", "true", Some("on"))]
    #[case::capitals("autovacuum", "Off", Some("off"))]
    #[case::yes("autovacuum", "yes", Some("on"))]
    #[case::number("autovacuum", "0", Some("off"))]
    #[case::the_other_way("pgbouncer.enabled", "on", Some("true"))]
    #[case::among_words("wal_compression", "true", Some("on"))]
    #[case::a_word("wal_compression", "LZ4", Some("lz4"))]
    #[case::no_switch("log_statement", "true", None)]
    #[case::no_word("autovacuum", "maybe", None)]
    #[case::some_words("pgaudit.log", "Write, ddl", Some("write,ddl"))]
    #[case::all_but_one("pgaudit.log", "all, -misc", Some("all,-misc"))]
    #[case::none_of_them("pgaudit.log", "write,delete", None)]
    #[case::whole("work_mem", " 8192", Some("8192"))]
    #[case::with_zeros("work_mem", "08192", Some("8192"))]
    #[case::unit("work_mem", "8MB", None)]
    #[case::too_large("min_wal_size", "2147483647", None)]
    #[case::fraction_of_a_whole("vacuum_cost_delay", "2.5", None)]
    #[case::number("random_page_cost", "1.1", Some("1.1"))]
    #[case::out_of_range("geqo_selection_bias", "3", None)]
    #[case::no_number("random_page_cost", "NaN", None)]
    #[case::below_zero("log_temp_files", "-1", Some("-1"))]
    #[case::text("search_path", "\"$user\", public", Some("\"$user\", public"))]
    #[case::empty("session_preload_libraries", "", Some(""))]
    #[case::two_lines("search_path", "a\nb", None)]
    fn a_value_is_written_as_azure_takes_it(
        #[case] name: &str,
        #[case] value: &str,
        #[case] expected: Option<&str>,
    ) {
        let known = known();
        assert_eq!(known.find(name, Some(17)).unwrap().form.canonical(value).as_deref(), expected);
    }
}
