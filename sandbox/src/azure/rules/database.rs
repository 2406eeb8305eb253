//! Databases on a server.
//! <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-servers>

use serde_json::{Value, json};

use crate::azure::arm::errors::ArmError;

/// Those that come with every server.
pub(in crate::azure) const BUILT_IN: [&str; 3] = ["azure_maintenance", "azure_sys", "postgres"];

/// A database as it is made when nothing is asked for.
pub(in crate::azure) fn default_properties() -> Value {
    json!({"charset": "UTF8", "collation": "en_US.utf8"})
}

/// A letter or underscore, then at most 62 letters, digits, underscores and hyphens.
/// <https://learn.microsoft.com/rest/api/postgresql/databases/create>
pub(in crate::azure) fn name_shape(name: &str) -> Result<(), ArmError> {
    let mut characters = name.chars();
    let fits = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.len() <= 63
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if fits { Ok(()) } else { Err(ArmError::invalid_parameter("DatabaseName")) }
}

/// What comes with the server stays.
pub(in crate::azure) fn is_not_built_in(name: &str) -> Result<(), ArmError> {
    if BUILT_IN.contains(&name) {
        return Err(ArmError::not_allowed(format!(
            "The database '{name}' is managed by Azure and can't be changed."
        )));
    }
    Ok(())
}

/// The character set and the collation of a database that exists can't be changed.
/// <https://www.postgresql.org/docs/current/sql-alterdatabase.html>
pub(in crate::azure) fn encoding_is_fixed(
    current: Option<&Value>,
    requested: &Value,
) -> Result<(), ArmError> {
    let Some(current) = current else { return Ok(()) };
    for field in ["charset", "collation"] {
        let text = |properties: &Value| properties.get(field).and_then(Value::as_str).map(str::to_lowercase);
        let wanted = text(requested);
        if wanted.is_some() && wanted != text(current) {
            return Err(ArmError::fixed(&format!("properties.{field}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("my_app", true)]
    #[case("_private", true)]
    #[case("my-app", true)]
    #[case("1app", false)]
    #[case("", false)]
    #[case("my app", false)]
    #[case(&"a".repeat(64), false)]
    fn a_database_has_a_name(#[case] name: &str, #[case] allowed: bool) {
        assert_eq!(name_shape(name).is_ok(), allowed);
    }

    #[rstest]
    #[case::nothing(json!({}), true)]
    #[case::other_case(json!({"charset": "utf8"}), true)]
    #[case::other_charset(json!({"charset": "LATIN1"}), false)]
    #[case::other_collation(json!({"collation": "nb_NO.utf8"}), false)]
    fn an_encoding_is_fixed(#[case] requested: Value, #[case] allowed: bool) {
        let current = default_properties();
        assert_eq!(encoding_is_fixed(Some(&current), &requested).is_ok(), allowed);
        assert_eq!(encoding_is_fixed(None, &requested), Ok(()));
    }
}
