//! A value that knows the line it was written on.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A value of the policy and its line. In the schema it is the plain value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Located<T> {
    pub value: T,
    /// From 1; 0 when the value wasn't read from YAML.
    pub line: u64,
}

impl<T> Located<T> {
    /// The step that reading it adds to a path.
    pub(super) const STEP: &'static str = "value";
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), value: spanned.value })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
