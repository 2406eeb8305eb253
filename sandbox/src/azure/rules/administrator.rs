//! Microsoft Entra administrators.
//! <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>

use serde_json::Value;

use crate::azure::{
    arm::{
        errors::ArmError,
        server::{Server, is_enabled},
    },
    guid,
};

/// Administrators from Entra need Entra authentication.
pub(in crate::azure) fn entra_is_enabled(server: &Server) -> Result<(), ArmError> {
    if is_enabled(server.properties.auth_config.active_directory_auth.as_deref()) {
        return Ok(());
    }
    Err(ArmError::not_allowed(
        "Microsoft Entra administrators can't be set on a server without Microsoft Entra authentication.",
    ))
}

/// The name is the principal's object id, and the principal has a name and a type.
/// <https://learn.microsoft.com/rest/api/postgresql/administrators-microsoft-entra/create-or-update>
pub(in crate::azure) fn principal_is_named(object_id: &str, properties: &Value) -> Result<(), ArmError> {
    let text = |field: &str| properties.get(field).and_then(Value::as_str);
    if !guid::is_guid(object_id) {
        return Err(ArmError::invalid_parameter("ObjectId"));
    }
    if text("principalName").is_none_or(str::is_empty) {
        return Err(ArmError::invalid_parameter("PrincipalName").target("properties.principalName"));
    }
    if !matches!(text("principalType"), Some("User" | "Group" | "ServicePrincipal")) {
        return Err(ArmError::invalid_parameter("PrincipalType").target("properties.principalType"));
    }
    if text("tenantId").is_some_and(|tenant| !guid::is_guid(tenant)) {
        return Err(ArmError::invalid_parameter("TenantId").target("properties.tenantId"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::testing::asking, *};

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    #[rstest]
    #[case("Enabled", true)]
    #[case("Disabled", false)]
    fn administrators_need_entra(#[case] setting: &str, #[case] allowed: bool) {
        let server = asking(json!({"authConfig": {"activeDirectoryAuth": setting}}));
        assert_eq!(entra_is_enabled(&server).is_ok(), allowed);
    }

    #[rstest]
    #[case::complete(ID, json!({"principalName": "app", "principalType": "ServicePrincipal", "tenantId": ID}), true)]
    #[case::no_guid("app", json!({"principalName": "app", "principalType": "User"}), false)]
    #[case::no_name(ID, json!({"principalType": "User"}), false)]
    #[case::no_type(ID, json!({"principalName": "app"}), false)]
    #[case::unknown_type(ID, json!({"principalName": "app", "principalType": "Robot"}), false)]
    #[case::bad_tenant(ID, json!({"principalName": "app", "principalType": "User", "tenantId": "t"}), false)]
    fn an_administrator_is_named(#[case] id: &str, #[case] properties: Value, #[case] allowed: bool) {
        assert_eq!(principal_is_named(id, &properties).is_ok(), allowed);
    }
}
