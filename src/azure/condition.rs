//! What Azure Service Operator reports: one condition `Ready` with a severity.
//! <https://azure.github.io/azure-service-operator/design/adr-2021-06-conditions/>

use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::AsoObject;

/// A condition of ASO's.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    #[serde(default)]
    pub severity: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub observed_generation: i64,
}

/// How far ASO has come with an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The resource in Azure is as the object says.
    Ready,
    /// ASO hasn't seen what was written last.
    Sent,
    /// ASO works on what was written last. It also says so whenever it compares with Azure without a reason.
    Working,
    /// ASO waits for something and tries again by itself. Azure's and ASO's own words.
    Retrying { reason: String, message: String },
    /// ASO has given up until the object changes, or tries so rarely that a person should look. Azure's and
    /// ASO's own words.
    GaveUp { reason: String, message: String },
}

impl Progress {
    /// Whether Azure may be working on it now.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Sent | Self::Working)
    }
}

/// Reasons of severity Warning that only a person can mend. ASO tries again all the same: after a quota was raised, within
/// three minutes; after the others, as seldom as it compares with Azure at all.
/// <https://github.com/Azure/azure-service-operator/blob/main/v2/internal/reconcilers/arm/errorclassification/error_classifier.go>
const NEEDS_A_PERSON: &[&str] = &[
    "BadRequest",
    "InvalidParameter",
    "InvalidParameterValue",
    "QuotaExceeded",
    "RegionIsOfferRestricted",
    "ResourceQuotaExceeded",
    "ScopeLocked",
    "SkuNotAvailable",
    "SubscriptionNotFound",
];

/// Whether a warning is one that only a person can mend.
fn needs_a_person(ready: &Condition) -> bool {
    // A code for much, by which a quota of cores is told, too.
    // <https://learn.microsoft.com/azure/azure-resource-manager/templates/error-resource-quota>
    let is_quota = ready.reason == "OperationNotAllowed" && ready.message.contains("quota");
    is_quota || NEEDS_A_PERSON.contains(&ready.reason.as_str())
}

/// Reasons of severity Warning that pass by themselves in the ordinary course of a creation.
const PASSING: &[&str] = &[
    "WaitingForOwner",
    "ReferenceNotFound",
    "ReconciliationBlocked",
    "ReconciliationPostponed",
    "ServerIsBusy",
];

/// Whether a warning passes by itself in the ordinary course of a creation.
fn passes(ready: &Condition) -> bool {
    // Azure answers the creation of an identity with a relative `Location`, which the Azure SDK for Go refuses to
    // poll. ASO reports that once for every new identity, and its next try finds the identity made.
    PASSING.contains(&ready.reason.as_str()) || ready.message.starts_with("invalid polling URL")
}

/// How far ASO has come. A condition about an older generation says nothing.
pub fn progress<K: AsoObject>(object: &K) -> Progress {
    let Some(ready) = object.conditions().iter().find(|condition| condition.r#type == "Ready") else {
        return Progress::Sent;
    };
    if object.meta().generation != Some(ready.observed_generation) {
        return Progress::Sent;
    }
    let words = || (ready.reason.clone(), ready.message.clone());
    match (ready.status.as_str(), ready.severity.as_str()) {
        ("True", _) => Progress::Ready,
        (_, "Error") => {
            let (reason, message) = words();
            Progress::GaveUp { reason, message }
        }
        (_, "Warning") if needs_a_person(ready) => {
            let (reason, message) = words();
            Progress::GaveUp { reason, message }
        }
        (_, "Warning") if !passes(ready) => {
            let (reason, message) = words();
            Progress::Retrying { reason, message }
        }
        _ => Progress::Working,
    }
}

/// `FlexibleServer database-operator/prod-1-orders-main-…`, for messages.
pub fn describe<K: AsoObject>(object: &K) -> String {
    format!("{} {}", K::kind(&()), object.name_any())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::azure::FlexibleServersDatabase;

    fn object(generation: i64, conditions: &serde_json::Value) -> FlexibleServersDatabase {
        serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServersDatabase",
            "metadata": {"name": "a", "generation": generation},
            "spec": {"azureName": "a", "owner": {"name": "s"}},
            "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    fn words(reason: &str) -> (String, String) {
        (reason.to_owned(), "Azure's words".to_owned())
    }

    #[rstest]
    #[case::ready("True", "", "Succeeded", 2, Progress::Ready)]
    #[case::old_generation("True", "", "Succeeded", 1, Progress::Sent)]
    #[case::info("False", "Info", "Reconciling", 2, Progress::Working)]
    #[case::passing("False", "Warning", "WaitingForOwner", 2, Progress::Working)]
    #[case::busy("False", "Warning", "ServerIsBusy", 2, Progress::Working)]
    #[case::retried("False", "Warning", "AuthorizationFailed", 2, { let (reason, message) = words("AuthorizationFailed"); Progress::Retrying { reason, message } })]
    #[case::slow("False", "Warning", "SkuNotAvailable", 2, { let (reason, message) = words("SkuNotAvailable"); Progress::GaveUp { reason, message } })]
    #[case::quota("False", "Warning", "ResourceQuotaExceeded", 2, { let (reason, message) = words("ResourceQuotaExceeded"); Progress::GaveUp { reason, message } })]
    #[case::not_allowed("False", "Warning", "OperationNotAllowed", 2, { let (reason, message) = words("OperationNotAllowed"); Progress::Retrying { reason, message } })]
    #[case::given_up("False", "Error", "PropertyChangeNotAllowed", 2, { let (reason, message) = words("PropertyChangeNotAllowed"); Progress::GaveUp { reason, message } })]
    fn asos_condition_is_judged_by_severity_and_generation(
        #[case] status: &str,
        #[case] severity: &str,
        #[case] reason: &str,
        #[case] observed: i64,
        #[case] expected: Progress,
    ) {
        let condition = json!([{
            "type": "Ready", "status": status, "severity": severity, "reason": reason,
            "message": "Azure's words", "observedGeneration": observed, "lastTransitionTime": "2026-11-22T12:00:00Z",
        }]);
        assert_eq!(progress(&object(2, &condition)), expected);
    }

    #[test]
    fn a_quota_of_cores_is_told_by_its_words() {
        let message = "Operation could not be completed as it results in exceeding approved B Cores quota.";
        let condition = json!([{
            "type": "Ready", "status": "False", "severity": "Warning", "reason": "OperationNotAllowed",
            "message": message, "observedGeneration": 2,
        }]);
        let gave_up = Progress::GaveUp { reason: "OperationNotAllowed".into(), message: message.into() };
        assert_eq!(progress(&object(2, &condition)), gave_up);
    }

    #[test]
    fn the_warning_that_every_new_identity_gets_is_no_trouble() {
        let condition = json!([{
            "type": "Ready", "status": "False", "severity": "Warning", "reason": "UnknownError",
            "message": "invalid polling URL /subscriptions/s/resourcegroups/rg/x", "observedGeneration": 2,
        }]);
        assert_eq!(progress(&object(2, &condition)), Progress::Working);
    }

    #[test]
    fn an_object_without_a_condition_was_not_seen_by_aso() {
        assert_eq!(progress(&object(1, &json!([]))), Progress::Sent);
    }
}
