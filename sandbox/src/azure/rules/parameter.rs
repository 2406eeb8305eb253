//! Server parameters, which the API calls configurations.
//! <https://learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters>

use crate::azure::{
    arm::errors::ArmError,
    catalogue::parameters::{self, DataType, Parameter},
};

/// Only parameters that this version of the database has.
pub(in crate::azure) fn exists(
    name: &str,
    server: &str,
    version: &str,
) -> Result<&'static Parameter, ArmError> {
    parameters::find(name).ok_or_else(|| {
        ArmError::bad_request(
            "ConfigurationNotExists",
            format!("The configuration '{name}' does not exist for {server} server version {version}."),
        )
    })
}

/// Some parameters can be read only.
/// <https://learn.microsoft.com/azure/postgresql/server-parameters/how-to-list-all-server-parameters>
pub(in crate::azure) fn is_writable(parameter: &Parameter) -> Result<(), ArmError> {
    if parameter.read_only {
        return Err(ArmError::not_allowed(format!("The configuration '{}' is read-only.", parameter.name)));
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
            value.is_empty()
                || value.split(',').all(|member| one_of(parameter.allowed, set_member(parameter, member)))
        }
        DataType::String => true,
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

fn one_of(allowed: &str, value: &str) -> bool {
    allowed.split(',').any(|candidate| candidate.eq_ignore_ascii_case(value))
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
    #[case("TimeZone", "Europe/Oslo", true)]
    fn a_value_is_allowed_or_not(#[case] name: &str, #[case] value: &str, #[case] allowed: bool) {
        let parameter = exists(name, "db", "17").expect("a parameter");
        let refused = value_is_allowed(parameter, value).err().map(|error| error.code);
        assert_eq!(refused.as_deref(), (!allowed).then_some("InvalidConfigurationValue"));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let refused = exists("max_happiness", "db", "17").expect_err("no such parameter");
        assert_eq!(
            refused.message,
            "The configuration 'max_happiness' does not exist for db server version 17."
        );
    }

    #[test]
    fn a_read_only_parameter_is_refused() {
        assert!(is_writable(exists("ssl", "db", "17").expect("a parameter")).is_err());
        assert!(is_writable(exists("work_mem", "db", "17").expect("a parameter")).is_ok());
    }

    #[test]
    fn every_integer_has_a_range() {
        for parameter in parameters::all().filter(|parameter| parameter.data_type == DataType::Integer) {
            assert!(range::<i64>(parameter.allowed).is_some(), "{}", parameter.name);
        }
    }
}
