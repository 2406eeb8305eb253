//! Federated identity credentials.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>

use serde_json::Value;

use crate::azure::arm::errors::ArmError;

const MOST: usize = 20;

/// An issuer, a subject and one audience.
/// <https://learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials/create-or-update>
pub(in crate::azure) fn is_complete(name: &str, properties: &Value) -> Result<(), ArmError> {
    let text = |field: &str| properties.get(field).and_then(Value::as_str).unwrap_or_default();
    let named = (3..=120).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let audiences = properties.get("audiences").and_then(Value::as_array).map(Vec::as_slice);
    let problem = if !named {
        "The name must have 3 to 120 letters, digits, hyphens and underscores."
    } else if !text("issuer").starts_with("https://") {
        "The issuer must be an HTTPS URL."
    } else if text("subject").is_empty() {
        "The subject must not be empty."
    } else if !matches!(audiences, Some([Value::String(audience)]) if !audience.is_empty()) {
        "There must be exactly one audience."
    } else {
        return Ok(());
    };
    Err(ArmError::bad_request("BadRequest", problem))
}

/// An identity has at most 20 credentials.
pub(in crate::azure) fn there_is_room(others: usize) -> Result<(), ArmError> {
    if others < MOST {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "BadRequest",
        format!("A managed identity can have at most {MOST} Federated Identity Credentials."),
    ))
}

/// No two credentials of an identity have the same issuer and subject.
pub(in crate::azure) fn is_unique<'a>(
    mut others: impl Iterator<Item = &'a Value>,
    requested: &Value,
) -> Result<(), ArmError> {
    let same =
        |other: &Value| other["issuer"] == requested["issuer"] && other["subject"] == requested["subject"];
    if others.any(same) {
        return Err(ArmError::conflict(
            "Conflict",
            "Issuer and subject combination already exists for this Managed Identity.",
        ));
    }
    Ok(())
}

/// Credentials of one identity are written one after the other.
/// <https://github.com/Azure/bicep/issues/10928>
pub(in crate::azure) fn concurrent(identity: &str) -> ArmError {
    ArmError::conflict(
        "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
        format!(
            "Too many Federated Identity Credentials are written concurrently for the managed identity '{identity}'. \
             Concurrent Federated Identity Credentials writes under the same managed identity are not supported."
        ),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn credential() -> Value {
        json!({
            "issuer": "https://oidc.example/",
            "subject": "system:serviceaccount:orders:app",
            "audiences": ["api://AzureADTokenExchange"],
        })
    }

    #[rstest]
    #[case::complete("app-credential", json!({}), true)]
    #[case::short_name("ab", json!({}), false)]
    #[case::plain_http("app", json!({"issuer": "http://oidc.example/"}), false)]
    #[case::no_subject("app", json!({"subject": ""}), false)]
    #[case::no_audience("app", json!({"audiences": []}), false)]
    #[case::two_audiences("app", json!({"audiences": ["a", "b"]}), false)]
    fn a_credential_is_complete(#[case] name: &str, #[case] change: Value, #[case] allowed: bool) {
        let mut properties = credential();
        json_patch::merge(&mut properties, &change);
        assert_eq!(is_complete(name, &properties).is_ok(), allowed);
    }

    #[test]
    fn an_issuer_and_subject_come_once() {
        let other =
            json!({"issuer": "https://oidc.example/", "subject": "system:serviceaccount:orders:other"});
        assert_eq!(is_unique([other].iter(), &credential()), Ok(()));
        assert!(is_unique([credential()].iter(), &credential()).is_err());
    }

    #[rstest]
    #[case(19, true)]
    #[case(20, false)]
    fn an_identity_has_room_for_twenty(#[case] others: usize, #[case] allowed: bool) {
        assert_eq!(there_is_room(others).is_ok(), allowed);
    }
}
