//! Server parameters, which the API calls configurations.
//! <https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters>

use regex_lite::Regex;

use crate::azure::{
    arm::errors::ArmError,
    catalogue::{
        parameters::{self, DataType, PGBOUNCER, Parameter},
        sizes::Tier,
    },
};

/// Only parameters that this version of the database has, and those of the pooler only while it is on.
pub(in crate::azure) fn exists(
    name: &str,
    server: &str,
    version: &str,
    with_pgbouncer: bool,
) -> Result<&'static Parameter, ArmError> {
    parameters::find(name).filter(|parameter| with_pgbouncer || !parameter.is_of_pgbouncer()).ok_or_else(
        || {
            ArmError::bad_request(
                "ConfigurationNotExists",
                format!("The configuration '{name}' does not exist for {server} server version {version}."),
            )
        },
    )
}

/// Some parameters can be read only. The request is accepted, and its operation then fails with words that Azure forgot
/// to fill in (pulumi/pulumi-azure-native issue 898).
/// <https://learn.microsoft.com/azure/postgresql/server-parameters/how-to-list-all-server-parameters>
pub(in crate::azure) fn is_writable(parameter: &Parameter) -> Result<(), ArmError> {
    if parameter.read_only {
        return Err(ArmError::bad_request("OperationFailed", "{0}"));
    }
    Ok(())
}

/// Burstable servers have no pooler. In which words Azure says so is not known.
/// <https://learn.microsoft.com/azure/postgresql/connectivity/concepts-pgbouncer>
pub(in crate::azure) fn suits_tier(
    parameter: &Parameter,
    value: &str,
    tier: Option<&str>,
) -> Result<(), ArmError> {
    if parameter.name == PGBOUNCER
        && value.eq_ignore_ascii_case("true")
        && tier == Some(Tier::Burstable.name())
    {
        return Err(ArmError::not_allowed("PgBouncer is not available with the Burstable tier."));
    }
    Ok(())
}

/// A value has to be given, and its source can only be the user or the system's default.
pub(in crate::azure) fn source_is_known(source: Option<&str>) -> Result<(), ArmError> {
    match source {
        None | Some("user-override" | "system-default") => Ok(()),
        Some(_) => Err(ArmError::invalid_parameter("source").target("properties.source")),
    }
}

/// A value lies in the allowed range, list or set.
pub(in crate::azure) fn value_is_allowed(parameter: &Parameter, value: &str) -> Result<(), ArmError> {
    let fits = match parameter.data_type {
        DataType::Integer => value.parse::<i64>().is_ok_and(|value| {
            range::<i64>(parameter.allowed).is_some_and(|(low, high)| (low..=high).contains(&value))
        }),
        DataType::Numeric => value.parse::<f64>().is_ok_and(|value| {
            range::<f64>(parameter.allowed).is_some_and(|(low, high)| (low..=high).contains(&value))
        }),
        DataType::Boolean | DataType::Enumeration => one_of(parameter.allowed, value),
        DataType::Set => {
            value.split(',').all(|member| one_of(parameter.allowed, set_member(parameter, member)))
        }
        DataType::String => matches(parameter.allowed, value),
    };
    if fits {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidConfigurationValue",
        format!(
            "The value '{value}' for configuration '{}' is not valid. The allowed values are '{}'.",
            parameter.name, parameter.allowed
        ),
    )
    .target("properties.value"))
}

/// Audit classes can be taken away again with a hyphen.
fn set_member<'a>(parameter: &Parameter, member: &'a str) -> &'a str {
    let member = member.trim();
    if parameter.name == "pgaudit.log" { member.strip_prefix('-').unwrap_or(member) } else { member }
}

/// An empty member is one like any other: where the list has it, the value may be empty.
fn one_of(allowed: &str, value: &str) -> bool {
    allowed.split(',').any(|candidate| candidate.trim().eq_ignore_ascii_case(value))
}

/// Whether all of a value is as a regular expression of Azure's says. That each can be read is shown by a test.
fn matches(allowed: &str, value: &str) -> bool {
    Regex::new(&format!("^(?s:{allowed})$")).is_ok_and(|expression| expression.is_match(value))
}

/// `-1-2147483647` is from minus one to 2147483647: the hyphen after the first character separates.
fn range<T: std::str::FromStr>(allowed: &str) -> Option<(T, T)> {
    let separator = allowed.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(index, _)| index)?;
    let (low, high) = allowed.split_at_checked(separator)?;
    Some((low.parse().ok()?, high.strip_prefix('-')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("max_connections", "100", true)]
    #[case("max_connections", "24", false)]
    #[case("max_connections", "5001", false)]
    #[case("max_connections", "many", false)]
    #[case("log_min_duration_statement", "-1", true)]
    #[case("log_min_duration_statement", "-2", false)]
    #[case("autovacuum_vacuum_scale_factor", "0.05", true)]
    #[case("autovacuum_vacuum_scale_factor", "101", false)]
    #[case("log_statement", "ddl", true)]
    #[case("log_statement", "everything", false)]
    #[case("row_security", "ON", true)]
    #[case("row_security", "maybe", false)]
    #[case("pgaudit.log", "READ,-misc", true)]
    #[case("pgaudit.log", "read,gossip", false)]
    #[case("azure.extensions", "pgcrypto,VECTOR", true)]
    #[case("azure.extensions", "", true)]
    #[case("azure.extensions", "pgcrypto,bitcoin", false)]
    #[case("shared_preload_libraries", "pg_cron,pg_stat_statements", true)]
    #[case("shared_preload_libraries", "", true)]
    #[case("shared_preload_libraries", "pg_cron,login_hook", false)]
    #[case("shared_preload_libraries", "pg_failover_slots", false)]
    #[case("session_preload_libraries", "login_hook", true)]
    #[case("row_security", "true", false)]
    #[case("pgbouncer.enabled", "false", true)]
    #[case("pgbouncer.enabled", "on", false)]
    #[case("autovacuum_vacuum_cost_delay", "2.5", false)]
    #[case("TimeZone", "Europe/Oslo", true)]
    #[case("TimeZone", "Europe/Oslo;", false)]
    #[case("DateStyle", "ISO, MDY", true)]
    #[case("DateStyle", "MDY", false)]
    #[case("search_path", "\"$user\", public", true)]
    #[case("log_line_prefix", "it's", false)]
    fn a_value_is_allowed_or_not(#[case] name: &str, #[case] value: &str, #[case] allowed: bool) {
        let parameter = exists(name, "db", "17", false).expect("a parameter");
        let refused = value_is_allowed(parameter, value).err().map(|error| error.code);
        assert_eq!(refused.as_deref(), (!allowed).then_some("InvalidConfigurationValue"));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let refused = exists("max_happiness", "db", "17", false).expect_err("no such parameter");
        assert_eq!(
            refused.message,
            "The configuration 'max_happiness' does not exist for db server version 17."
        );
    }

    #[test]
    fn a_read_only_parameter_is_refused() {
        assert!(is_writable(exists("ssl", "db", "17", false).expect("a parameter")).is_err());
        assert!(is_writable(exists("work_mem", "db", "17", false).expect("a parameter")).is_ok());
    }

    #[test]
    fn every_range_and_every_expression_can_be_read() {
        for parameter in parameters::all() {
            let readable = match parameter.data_type {
                DataType::Integer => range::<i64>(parameter.allowed).is_some(),
                DataType::Numeric => range::<f64>(parameter.allowed).is_some(),
                DataType::String => Regex::new(parameter.allowed).is_ok(),
                DataType::Boolean | DataType::Enumeration | DataType::Set => parameter.allowed.contains(','),
            };
            assert!(readable, "{}: {}", parameter.name, parameter.allowed);
        }
    }

    #[rstest]
    #[case("pgbouncer.enabled", "true", "GeneralPurpose", true)]
    #[case("pgbouncer.enabled", "TRUE", "Burstable", false)]
    #[case("pgbouncer.enabled", "false", "Burstable", true)]
    #[case("row_security", "on", "Burstable", true)]
    fn pgbouncer_needs_more_than_burstable(
        #[case] name: &str,
        #[case] value: &str,
        #[case] tier: &str,
        #[case] allowed: bool,
    ) {
        let parameter = exists(name, "db", "17", false).expect("a parameter");
        assert_eq!(suits_tier(parameter, value, Some(tier)).is_ok(), allowed);
    }

    #[rstest]
    #[case("pgbouncer.pool_mode", false, false)]
    #[case("pgbouncer.pool_mode", true, true)]
    #[case("pgbouncer.enabled", false, true)]
    fn pgbouncer_has_parameters_while_it_is_on(#[case] name: &str, #[case] on: bool, #[case] there: bool) {
        assert_eq!(exists(name, "db", "17", on).is_ok(), there);
    }
}
