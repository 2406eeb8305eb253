//! Which API versions each resource type answers to.
//!
//! Those that Azure Service Operator 2.20 can send; Azure knows more.

use super::{errors::ArmError, resource_id::Kind};

const POSTGRESQL: &[&str] =
    &["2021-06-01", "2022-01-20-preview", "2022-12-01", "2023-06-01-preview", "2024-08-01", "2025-08-01"];
/// Entra administrators came with a later version than servers did.
const POSTGRESQL_ADMINISTRATORS: &[&str] = &["2022-12-01", "2023-06-01-preview", "2024-08-01", "2025-08-01"];
const MANAGED_IDENTITY: &[&str] = &["2018-11-30", "2022-01-31-preview", "2023-01-31"];
const FEDERATED_CREDENTIALS: &[&str] = &["2022-01-31-preview", "2023-01-31"];
const DATA_PROTECTION: &[&str] = &["2023-01-01", "2023-11-01"];
const RESOURCE_GROUPS: &[&str] = &["2020-06-01", "2021-04-01"];

const fn known(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ResourceGroup => RESOURCE_GROUPS,
        Kind::FlexibleServer | Kind::Database | Kind::FirewallRule | Kind::Configuration => POSTGRESQL,
        Kind::Administrator => POSTGRESQL_ADMINISTRATORS,
        Kind::UserAssignedIdentity => MANAGED_IDENTITY,
        Kind::FederatedIdentityCredential => FEDERATED_CREDENTIALS,
        Kind::BackupVault | Kind::BackupPolicy | Kind::BackupInstance => DATA_PROTECTION,
    }
}

/// Every request names an API version that its resource type knows.
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-api-version>
pub(super) fn check(kind: Kind, asked: &str) -> Result<(), ArmError> {
    let known = known(kind);
    if known.contains(&asked) {
        return Ok(());
    }
    let supported = known.join(", ");
    Err(if kind == Kind::ResourceGroup {
        ArmError::bad_request(
            "InvalidApiVersionParameter",
            format!("The api-version '{asked}' is invalid. The supported versions are '{supported}'."),
        )
    } else {
        ArmError::bad_request(
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for API version '{asked}' for type '{}'. The supported \
                 api-versions are '{supported}'.",
                kind.types().join("/")
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Kind::FlexibleServer, "2025-08-01", None)]
    #[case(Kind::FlexibleServer, "2017-12-01", Some("NoRegisteredProviderFound"))]
    #[case(Kind::Administrator, "2021-06-01", Some("NoRegisteredProviderFound"))]
    #[case(Kind::ResourceGroup, "1999-01-01", Some("InvalidApiVersionParameter"))]
    fn only_known_versions_pass(#[case] kind: Kind, #[case] asked: &str, #[case] code: Option<&str>) {
        assert_eq!(check(kind, asked).err().map(|error| error.code).as_deref(), code);
    }
}
