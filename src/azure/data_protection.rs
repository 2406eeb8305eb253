//! `dataprotection.azure.com/v1api20231101`: only the fields that we write or read.
//!
//! Nothing here is ever deleted in Azure by us: with a backup instance, Azure deletes its recovery points.

use api::reason::Reason;
use kube::CustomResource;
use policy::resource_id;
use serde::{Deserialize, Serialize};

use super::{Owner, aso_object, condition::Condition, database_for_postgresql::Reference};
use crate::api_error::one_line;

/// What makes copies of a server in a Backup vault.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dataprotection.azure.com",
    version = "v1api20231101",
    kind = "BackupVaultsBackupInstance",
    plural = "backupvaultsbackupinstances",
    namespaced,
    status = "BackupVaultsBackupInstanceStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct BackupVaultsBackupInstanceSpec {
    pub azure_name: String,
    /// The vault.
    pub owner: Owner,
    #[serde(default)]
    pub properties: BackupInstance,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupInstance {
    #[serde(default)]
    pub object_type: String,
    #[serde(default)]
    pub friendly_name: String,
    #[serde(default)]
    pub data_source_info: Datasource,
    #[serde(default)]
    pub policy_info: PolicyInfo,
}

/// The server.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Datasource {
    #[serde(default)]
    pub object_type: String,
    #[serde(default, rename = "datasourceType")]
    pub kind: String,
    #[serde(default)]
    pub resource_type: String,
    #[serde(default)]
    pub resource_name: String,
    #[serde(default)]
    pub resource_location: String,
    #[serde(default)]
    pub resource_uri: String,
    #[serde(default)]
    pub resource_reference: Reference,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyInfo {
    #[serde(default)]
    pub policy_reference: Reference,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupVaultsBackupInstanceStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<BackupInstanceState>,
}

/// How Azure says that it is. Two fields tell of the state: the first one came later, and knows more words.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupInstanceState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_protection_state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_error_details: Option<UserFacingError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_status: Option<ProtectionStatus>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_details: Option<UserFacingError>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserFacingError {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommended_action: Vec<String>,
}

impl UserFacingError {
    /// Azure's own words, on one line.
    fn told(&self) -> String {
        let code_and_message: Vec<&str> =
            [&self.code, &self.message].into_iter().flatten().map(|text| text.trim()).collect();
        let mut told = one_line(&code_and_message.join(": "));
        let actions = one_line(&self.recommended_action.join(" "));
        if !actions.is_empty() {
            told = format!("{}. Azure recommends: {actions}", told.trim_end_matches('.'));
        }
        told
    }
}

/// Azure's type of what is protected.
pub const DATASOURCE_TYPE: &str = "Microsoft.DBforPostgreSQL/flexibleServers";

/// Azure's words for the state of a backup instance, with what each means here. Azure Service Operator takes most of them for
/// success, and with a vault that it knows by its id alone, all.
/// <https://github.com/Azure/azure-service-operator/blob/v2.20.0/v2/api/dataprotection/customizations/backup_vaults_backup_instance_extensions.go>
/// <https://learn.microsoft.com/rest/api/dataprotection/backup-instances/get#currentprotectionstate>
pub const STATES: &[(&str, Reason)] = &[
    (CONFIGURED, Reason::Protected),
    ("ConfiguringProtection", Reason::ConfiguringProtection),
    ("UpdatingProtection", Reason::UpdatingProtection),
    ("ConfiguringProtectionFailed", Reason::ConfiguringProtectionFailed),
    ("ProtectionError", Reason::ProtectionError),
    ("ProtectionStopped", Reason::ProtectionStopped),
    ("BackupSchedulesSuspended", Reason::BackupSchedulesSuspended),
    ("RetentionSchedulesSuspended", Reason::RetentionSchedulesSuspended),
    ("NotProtected", Reason::NotProtected),
    ("SoftDeleting", Reason::SoftDeleting),
    ("SoftDeleted", Reason::SoftDeleted),
    ("Invalid", Reason::ProtectionInvalid),
];

const CONFIGURED: &str = "ProtectionConfigured";

/// How a backup instance is, by Azure's own account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Protection {
    pub reason: Reason,
    /// Azure's word.
    pub state: String,
    /// Azure's error, what to do included.
    pub error: Option<String>,
}

/// How it is by what Azure has told; `None` before it has. Only what every field says is good is good.
pub fn protection(status: &BackupVaultsBackupInstanceStatus) -> Option<Protection> {
    let properties = status.properties.as_ref()?;
    let in_short = properties.protection_status.as_ref();
    let words =
        [properties.current_protection_state.as_deref(), in_short.and_then(|it| it.status.as_deref())];
    let mut told = words.into_iter().flatten();
    let first = told.next()?;
    let is_configured = |state: &str| state.eq_ignore_ascii_case(CONFIGURED);
    let state =
        if is_configured(first) { told.find(|state| !is_configured(state)).unwrap_or(first) } else { first };
    let error = properties.protection_error_details.as_ref();
    let error = error.or_else(|| in_short.and_then(|it| it.error_details.as_ref()));
    let error = error.map(UserFacingError::told).filter(|error| !error.is_empty());
    let known = STATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(state));
    let reason = match known.map_or(Reason::ProtectionInvalid, |(_, reason)| *reason) {
        // What is set up, and has an error, makes no copies.
        Reason::Protected if error.is_some() => Reason::ProtectionError,
        reason => reason,
    };
    Some(Protection { reason, state: state.to_owned(), error })
}

impl BackupVaultsBackupInstance {
    /// Whether Azure has made it.
    pub fn is_made(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.id.is_some())
    }

    /// Name of the vault.
    pub fn vault(&self) -> &str {
        resource_id::name(self.spec.owner.arm_id.as_deref().unwrap_or_default())
    }

    /// How it is by Azure's own account.
    pub fn protection(&self) -> Option<Protection> {
        protection(self.status.as_ref()?)
    }
}

aso_object!(HOLDS_DATA = true; BackupVaultsBackupInstance);

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn told(properties: &Value) -> Option<(Reason, String, Option<String>)> {
        let status = serde_json::from_value(json!({"properties": properties})).unwrap();
        protection(&status).map(|it| (it.reason, it.state, it.error))
    }

    /// Those of `currentProtectionState` in ASO 2.20.
    #[rstest]
    #[case("BackupSchedulesSuspended", Reason::BackupSchedulesSuspended)]
    #[case("ConfiguringProtection", Reason::ConfiguringProtection)]
    #[case("ConfiguringProtectionFailed", Reason::ConfiguringProtectionFailed)]
    #[case("Invalid", Reason::ProtectionInvalid)]
    #[case("NotProtected", Reason::NotProtected)]
    #[case("ProtectionConfigured", Reason::Protected)]
    #[case("ProtectionError", Reason::ProtectionError)]
    #[case("ProtectionStopped", Reason::ProtectionStopped)]
    #[case("RetentionSchedulesSuspended", Reason::RetentionSchedulesSuspended)]
    #[case("SoftDeleted", Reason::SoftDeleted)]
    #[case("SoftDeleting", Reason::SoftDeleting)]
    #[case("UpdatingProtection", Reason::UpdatingProtection)]
    #[case("SomethingNew", Reason::ProtectionInvalid)]
    fn each_state_is_told_whichever_field_says_it(#[case] state: &str, #[case] reason: Reason) {
        let expected = Some((reason, state.to_owned(), None));
        let (current, short) =
            (json!({"currentProtectionState": state}), json!({"protectionStatus": {"status": state}}));
        assert_eq!(told(&current), expected);
        assert_eq!(told(&short), expected);
        // The good word of the other field counts for nothing.
        let both = |current: &str, short: &str| {
            told(&json!({"currentProtectionState": current, "protectionStatus": {"status": short}}))
        };
        assert_eq!(both(state, CONFIGURED), expected);
        assert_eq!(both(CONFIGURED, state), expected);
        assert_eq!(
            both(state, "ConfiguringProtection"),
            if state == CONFIGURED {
                Some((Reason::ConfiguringProtection, "ConfiguringProtection".to_owned(), None))
            } else {
                expected
            }
        );
    }

    #[rstest]
    #[case::nothing(json!({}), None)]
    #[case::no_state(json!({"protectionStatus": {}, "protectionErrorDetails": {"code": "a"}}), None)]
    #[case::in_another_case(
        json!({"currentProtectionState": "protectionconfigured"}),
        Some((Reason::Protected, "protectionconfigured".to_owned(), None))
    )]
    #[case::an_error_beside_a_good_state(
        json!({"currentProtectionState": CONFIGURED, "protectionErrorDetails": {"code": "UserErrorMissingPermissions"}}),
        Some((Reason::ProtectionError, CONFIGURED.to_owned(), Some("UserErrorMissingPermissions".to_owned())))
    )]
    #[case::an_error_in_the_other_place(
        json!({"protectionStatus": {"status": "ProtectionError", "errorDetails": {
            "code": "UserErrorMissingPermissions", "message": "No role.\nNone at all.", "recommendedAction": ["Grant it.", "Wait."],
        }}}),
        Some((Reason::ProtectionError, "ProtectionError".to_owned(), Some(
            "UserErrorMissingPermissions: No role. None at all. Azure recommends: Grant it. Wait.".to_owned()
        )))
    )]
    #[case::an_empty_error(
        json!({"currentProtectionState": CONFIGURED, "protectionErrorDetails": {}}),
        Some((Reason::Protected, CONFIGURED.to_owned(), None))
    )]
    fn an_error_is_told_in_azures_words(
        #[case] properties: Value,
        #[case] expected: Option<(Reason, String, Option<String>)>,
    ) {
        assert_eq!(told(&properties), expected);
    }
}
