//! Errors in ARM's form.
//!
//! Where Azure's own code and message are known (from recorded answers, or from what users reported) they are
//! used word for word. Azure does not publish the others; for those a general code of ARM is used
//! (`InvalidParameterValue`, `PropertyChangeNotAllowed`, `OperationNotAllowed`) with a message that says what is
//! wrong, because a made-up specific code would pretend to knowledge that nobody has.
//! <https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#handling-errors>

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A refusal. Its status, code and message are what Azure Service Operator judges by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(in crate::azure) struct ArmError {
    pub(in crate::azure) status: StatusCode,
    pub(in crate::azure) code: String,
    pub(in crate::azure) message: String,
    pub(in crate::azure) target: Option<String>,
    pub(in crate::azure) retry_after_seconds: Option<u64>,
}

impl ArmError {
    pub(in crate::azure) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.into(),
            message: message.into(),
            target: None,
            retry_after_seconds: None,
        }
    }

    pub(in crate::azure) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(in crate::azure) fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    pub(in crate::azure) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// How the provider answers most values it does not take.
    pub(in crate::azure) fn invalid_parameter(parameter: &str) -> Self {
        Self::bad_request(
            "InvalidParameterValue",
            format!("Invalid value given for parameter {parameter}. Specify a valid parameter value."),
        )
    }

    /// As [`ArmError::invalid_parameter`], where saying why helps whoever reads a failed test.
    pub(in crate::azure) fn invalid_parameter_because(parameter: &str, why: &str) -> Self {
        Self::bad_request(
            "InvalidParameterValue",
            format!("Invalid value given for parameter {parameter}. {why}"),
        )
    }

    /// A property that is fixed when the resource is created.
    pub(in crate::azure) fn fixed(property: &str) -> Self {
        Self::bad_request(
            "PropertyChangeNotAllowed",
            format!("Changing property '{property}' is not allowed after the resource was created."),
        )
        .target(property)
    }

    pub(in crate::azure) fn not_allowed(message: impl Into<String>) -> Self {
        Self::bad_request("OperationNotAllowed", message)
    }

    pub(in crate::azure) fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(in crate::azure) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The inner object, as a body's `error` and as a failed operation's `error`.
    pub(in crate::azure) fn as_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(target) = &self.target {
            error["target"] = Value::from(target.as_str());
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_target_only_when_it_has_one() {
        let error = ArmError::invalid_parameter("Tier");
        assert_eq!(
            error.as_json(),
            json!({
                "code": "InvalidParameterValue",
                "message": "Invalid value given for parameter Tier. Specify a valid parameter value.",
            })
        );
        assert_eq!(error.target("properties.storage.tier").as_json()["target"], "properties.storage.tier");
    }
}
