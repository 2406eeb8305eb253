//! Values as people write them: a number where a text is meant, and the other way round.
//!
//! Nothing is guessed: what is read here either means one thing, or is kept as it is written for a rule to refuse.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// A text, a number or a truth value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    /// That fits.
    Integer(i64),
    /// Any other, as it is written.
    Number(String),
    Bool(bool),
}

impl Scalar {
    /// As PostgreSQL takes it for a parameter. YAML reads `on` and `off` as truth values.
    pub fn into_parameter(self) -> String {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Integer(number) => number.to_string(),
            Self::Bool(true) => "on".to_owned(),
            Self::Bool(false) => "off".to_owned(),
        }
    }

    /// As a version: what is none stays as it is written.
    pub fn into_version(self) -> IntOrString {
        match self {
            Self::Integer(number) => i32::try_from(number)
                .map_or_else(|_| IntOrString::String(number.to_string()), IntOrString::Int),
            Self::Text(text) | Self::Number(text) => IntOrString::String(text),
            Self::Bool(value) => IntOrString::String(value.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl Visitor<'_> for AnyScalar {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or_else(|_| Scalar::Number(number.to_string()), Scalar::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.to_string()))
    }
}

/// The version of a spec.
pub(crate) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IntOrString>, D::Error> {
    Ok(Option::<Scalar>::deserialize(deserializer)?.map(Scalar::into_version))
}

/// The parameters of a spec, without those that are null: they are as left out.
pub(crate) fn parameters<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let written = Option::<BTreeMap<String, Option<Scalar>>>::deserialize(deserializer)?;
    Ok(written.map(|written| {
        let known = written.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known.map(|(name, value)| (name, value.into_parameter())).collect()
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::DatabaseSpec;

    #[rstest]
    #[case::version(json!({"version": 17}), json!({"version": 17}))]
    #[case::version_in_quotes(json!({"version": "17"}), json!({"version": "17"}))]
    #[case::version_beyond_a_number(json!({"version": 99_999_999_999_u64}), json!({"version": "99999999999"}))]
    #[case::version_beyond_all_numbers(json!({"version": u64::MAX}), json!({"version": "18446744073709551615"}))]
    #[case::version_below(json!({"version": i64::MIN}), json!({"version": "-9223372036854775808"}))]
    #[case::version_with_a_point(json!({"version": 17.5}), json!({"version": "17.5"}))]
    #[case::version_that_is_true(json!({"version": true}), json!({"version": "true"}))]
    #[case::parameters(
        json!({"parameters": {"a": true, "b": false, "c": 16384, "d": 0.5, "e": "text", "f": null, "g": -1}}),
        json!({"parameters": {"a": "on", "b": "off", "c": "16384", "d": "0.5", "e": "text", "g": "-1"}})
    )]
    #[case::nulls(
        json!({"version": null, "sku": null, "storage": null, "highAvailability": null, "backup": null,
            "maintenanceWindow": null, "databaseName": null, "extensions": null, "parameters": null,
            "authentication": null, "serviceAccountName": null}),
        json!({})
    )]
    #[case::nulls_below(
        json!({"storage": {"sizeGiB": null, "tier": null, "autoGrow": null}, "backup": {"retentionDays": null, "geoRedundant": null},
            "maintenanceWindow": {"day": null, "hour": null}}),
        json!({"storage": {}, "backup": {}})
    )]
    fn what_people_write_is_read(#[case] written: Value, #[case] read: Value) {
        let spec: DatabaseSpec = serde_json::from_value(written).unwrap();
        assert_eq!(serde_json::to_value(spec).unwrap(), read);
    }

    /// Taken for left out, they would become a default, and change a server that runs.
    #[rstest]
    #[case::list(json!({"version": [17]}))]
    #[case::word(json!({"highAvailability": "Sideways"}))]
    #[case::size(json!({"storage": {"sizeGiB": "64Gi"}}))]
    #[case::half_a_window(json!({"maintenanceWindow": {"day": "Sunday", "hour": null}}))]
    #[case::map(json!({"parameters": {"work_mem": {"value": 1}}}))]
    fn what_means_nothing_is_not_taken_for_left_out(#[case] written: Value) {
        assert!(serde_json::from_value::<DatabaseSpec>(written).is_err());
    }
}
