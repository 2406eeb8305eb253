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
    /// Since when ASO says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<jiff::Timestamp>,
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
    /// ASO waits for something and tries again. Azure's and ASO's own words.
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

/// What a code of Azure's, or a reason of ASO's, comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It passes in the ordinary course of a creation, and nobody needs to know.
    Passing,
    /// Azure or ASO is in trouble, and tries again: people see it, and nobody must act.
    Transient,
    /// What is asked for is refused, and would be again: a person must ask for something else.
    Wish,
    /// The way is closed: a person must open it, and then the same is taken.
    Closed,
    /// Not in the list. Most of Azure's codes stand for a 400, which a person must mend, and some for trouble that passes.
    Unknown,
}

/// A code, what its message must hold, what it comes to, and what it means for who reads it: who must do what.
type Code = (&'static str, &'static str, Kind, &'static str);

const NO_RIGHT: &str =
    "Azure Service Operator's identity has no right to do this in Azure: the platform team must give it one";
const NO_PROVIDER: &str = "The subscription lacks a resource provider: the platform team must register Microsoft.DBforPostgreSQL and \
                           Microsoft.ManagedIdentity";
const NO_REGION: &str = "Azure does not let this subscription have such a server in this region: the platform team must ask Azure for \
                         it, or name another azure.location";
const NO_QUOTA: &str = "The subscription's quota in this region is used up: the platform team must ask Azure for more, or a smaller \
                        spec.sku must do";
const NO_SUCH_VALUE: &str =
    "Azure takes a value of the spec or the policy for wrong: who wrote it must write another";
const NO_SUBSCRIPTION: &str = "Azure does not let the subscription be used: the platform team must have that mended, or mend \
                               azure.subscriptionId";
const NO_SUCH_TAG: &str = "Azure takes no such tag: the platform team must mend azure.tags";
const NO_GROUP: &str =
    "Azure has no such resource group: the platform team must make it, or mend azure.resourceGroup";

/// In the order in which they are asked. Those of Azure's that ASO tries again soon, and those that it tries again as seldom
/// as it compares with Azure at all, stand in its own list; of any other it goes by the HTTP status, which no condition shows.
/// <https://github.com/Azure/azure-service-operator/blob/v2.20.0/v2/internal/reconcilers/arm/errorclassification/error_classifier.go>
#[rustfmt::skip]
const CODES: &[Code] = &[
    ("WaitingForOwner", "", Kind::Passing, ""),
    ("ReferenceNotFound", "", Kind::Passing, ""),
    ("ReconciliationBlocked", "", Kind::Passing, ""),
    ("ReconciliationPostponed", "", Kind::Passing, ""),
    ("ServerIsBusy", "", Kind::Passing, ""),
    // Azure answers the creation of an identity with a relative `Location`, which the Azure SDK for Go refuses to
    // poll. ASO reports that once for every new identity, and its next try finds the identity made.
    ("UnknownError", "invalid polling URL", Kind::Passing, ""),

    ("AuthorizationFailed", "", Kind::Closed, NO_RIGHT),
    ("LinkedAuthorizationFailed", "", Kind::Closed, NO_RIGHT),
    ("InvalidAuthenticationTokenTenant", "", Kind::Closed, NO_RIGHT),
    ("MissingRegistrationForLocation", "", Kind::Closed, NO_PROVIDER),
    ("MissingSubscriptionRegistration", "", Kind::Closed, NO_PROVIDER),
    ("NoRegisteredProviderFound", "", Kind::Closed, NO_PROVIDER),
    ("SubscriptionNotRegistered", "", Kind::Closed, NO_PROVIDER),
    ("InvalidSubscriptionRegistrationState", "", Kind::Closed, NO_PROVIDER),
    ("ReadOnlyDisabledSubscription", "", Kind::Closed, NO_SUBSCRIPTION),
    ("DisabledSubscription", "", Kind::Closed, NO_SUBSCRIPTION),
    ("InvalidSubscriptionId", "", Kind::Closed, NO_SUBSCRIPTION),
    ("SubscriptionNotFound", "", Kind::Closed, NO_SUBSCRIPTION),
    ("SubscriptionMismatch", "", Kind::Closed, "Azure Service Operator's credential is for another subscription than azure.subscriptionId: the platform team must mend one of them"),
    ("ResourceGroupNotFound", "", Kind::Closed, NO_GROUP),
    ("ResourceGroupBeingDeleted", "", Kind::Closed, "The resource group is being deleted in Azure: the platform team must act at once, for all that lies in it goes too"),
    ("TooManyTags", "", Kind::Closed, NO_SUCH_TAG),
    ("InvalidTagNameCharacters", "", Kind::Closed, NO_SUCH_TAG),
    ("InvalidTagName", "", Kind::Closed, NO_SUCH_TAG),
    ("InvalidTagValueLength", "", Kind::Closed, NO_SUCH_TAG),
    ("ScopeLocked", "", Kind::Closed, "A lock in Azure forbids it: the platform team must take the lock off"),

    ("RequestDisallowedByPolicy", "", Kind::Closed, "An Azure Policy forbids it: the platform team must change that policy, or what is asked for"),
    ("RequestDisallowedByAzure", "", Kind::Closed, NO_REGION),
    ("LocationIsOfferRestricted", "", Kind::Closed, NO_REGION),
    ("RegionIsOfferRestricted", "", Kind::Closed, NO_REGION),
    ("LocationNotAvailableForResourceType", "", Kind::Closed, NO_REGION),
    ("LocationNotAvailable", "", Kind::Closed, NO_REGION),
    ("ProvisioningDisabled", "", Kind::Closed, NO_REGION),
    ("OfferRestricted", "", Kind::Closed, NO_REGION),
    // Of a region that is closed to the subscription, Azure lists no value at all.
    ("ParameterOutOfRange", "[]", Kind::Closed, NO_REGION),
    ("ParameterOutOfRange", "", Kind::Wish, NO_SUCH_VALUE),
    ("SkuNotAvailable", "", Kind::Wish, "Azure has no such size for this subscription in this region now: write another spec.sku, or ask the platform team"),
    ("QuotaExceeded", "", Kind::Closed, NO_QUOTA),
    ("ResourceQuotaExceeded", "", Kind::Closed, NO_QUOTA),
    // A code for much, by which Azure reports a quota of cores, too.
    // <https://learn.microsoft.com/azure/azure-resource-manager/templates/error-resource-quota>
    ("OperationNotAllowed", "quota", Kind::Closed, NO_QUOTA),
    ("ServerNameAlreadyExists", "", Kind::Wish, "Azure has given that name to another server, or holds it for some days after a deletion: wait, or give this Database another name"),
    ("ReservedResourceName", "", Kind::Wish, "Azure keeps that name for itself: give this Database another name"),
    ("BadRequest", "", Kind::Wish, NO_SUCH_VALUE),
    ("BadRequestFormat", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidParameter", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidParameterValue", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidRequestContent", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidValuesForRequestParameters", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidConfigurationValue", "", Kind::Wish, NO_SUCH_VALUE),
    ("InvalidResourceLocation", "", Kind::Wish, NO_SUCH_VALUE),
    ("MissingRequiredParameter", "", Kind::Wish, NO_SUCH_VALUE),
    ("PropertyChangeNotAllowed", "", Kind::Wish, "Azure never changes this of a server that is there: write back what it was"),

    ("AllocationFailed", "", Kind::Transient, ""),
    ("AnotherOperationInProgress", "", Kind::Transient, ""),
    ("AzureResourceNotFound", "", Kind::Transient, ""),
    ("BadGateway", "", Kind::Transient, ""),
    ("ConfigMapNotFound", "", Kind::Transient, ""),
    ("Conflict", "", Kind::Transient, ""),
    ("ConflictingServerOperation", "", Kind::Transient, ""),
    // ASO's own word for what it has no better one for: mostly Azure couldn't be reached.
    ("Failed", "", Kind::Transient, ""),
    ("FailedIdentityOperation", "", Kind::Transient, ""),
    ("GatewayTimeout", "", Kind::Transient, ""),
    ("InternalError", "", Kind::Transient, ""),
    ("InternalServerError", "", Kind::Transient, ""),
    ("InternalServiceError", "", Kind::Transient, ""),
    ("InvalidResourceReference", "", Kind::Transient, ""),
    ("NotFound", "", Kind::Transient, ""),
    ("OperationCancelled", "", Kind::Transient, ""),
    ("OperationRequestsThrottled", "", Kind::Transient, ""),
    ("OperationTimedOut", "", Kind::Transient, ""),
    ("ParentResourceNotFound", "", Kind::Transient, ""),
    ("PostReconciliationFailure", "", Kind::Transient, ""),
    ("PrincipalNotFound", "", Kind::Transient, ""),
    ("RequestTimeout", "", Kind::Transient, ""),
    ("ResourceNotFound", "", Kind::Transient, ""),
    ("ResourceRequestsThrottled", "", Kind::Transient, ""),
    ("RetryableError", "", Kind::Transient, ""),
    ("SecretNotFound", "", Kind::Transient, ""),
    ("ServerIsNotReady", "", Kind::Transient, ""),
    ("ServerStoppedError", "", Kind::Transient, ""),
    ("ServerTimeout", "", Kind::Transient, ""),
    ("ServiceTimeout", "", Kind::Transient, ""),
    ("ServiceUnavailable", "", Kind::Transient, ""),
    ("SubscriptionRequestsThrottled", "", Kind::Transient, ""),
    ("TooManyRequests", "", Kind::Transient, ""),
    ("UnknownError", "", Kind::Transient, ""),
];

/// What a code comes to, and what it means; nothing where Azure's own words must do.
pub fn meaning(reason: &str, message: &str) -> (Kind, &'static str) {
    let is_meant = |(code, words, ..): &&Code| *code == reason && message.contains(words);
    CODES.iter().find(is_meant).map_or((Kind::Unknown, ""), |(_, _, kind, means)| (*kind, *means))
}

/// What ASO says of what was written last. A condition about an older generation says nothing.
fn ready<K: AsoObject>(object: &K) -> Option<&Condition> {
    let ready = object.conditions().iter().find(|condition| condition.r#type == "Ready")?;
    (object.meta().generation == Some(ready.observed_generation)).then_some(ready)
}

/// How far ASO has come.
pub fn progress<K: AsoObject>(object: &K) -> Progress {
    let Some(ready) = ready(object) else { return Progress::Sent };
    let (reason, message) = (ready.reason.clone(), ready.message.clone());
    let (kind, _) = meaning(&reason, &message);
    match (ready.status.as_str(), ready.severity.as_str(), kind) {
        ("True", ..) => Progress::Ready,
        (_, "Error", _) | (_, "Warning", Kind::Wish | Kind::Closed) => Progress::GaveUp { reason, message },
        (_, "Warning", Kind::Transient | Kind::Unknown) => Progress::Retrying { reason, message },
        _ => Progress::Working,
    }
}

/// Whether ASO has not asked Azure for what was written last, and waits for another object: that may never come.
pub fn waits_for_another<K: AsoObject>(object: &K) -> bool {
    const REASONS: [&str; 2] = ["WaitingForOwner", "ReferenceNotFound"];
    ready(object).is_some_and(|ready| ready.status != "True" && REASONS.contains(&ready.reason.as_str()))
}

/// Since when ASO says what [`progress`] tells, where it says that.
pub fn ready_since<K: AsoObject>(object: &K) -> Option<jiff::Timestamp> {
    ready(object)?.last_transition_time
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

    fn gave_up(reason: &str) -> Progress {
        let (reason, message) = words(reason);
        Progress::GaveUp { reason, message }
    }

    fn retrying(reason: &str) -> Progress {
        let (reason, message) = words(reason);
        Progress::Retrying { reason, message }
    }

    #[rstest]
    #[case::ready("True", "", "Succeeded", 2, Progress::Ready)]
    #[case::old_generation("True", "", "Succeeded", 1, Progress::Sent)]
    #[case::info("False", "Info", "Reconciling", 2, Progress::Working)]
    #[case::passing("False", "Warning", "WaitingForOwner", 2, Progress::Working)]
    #[case::busy("False", "Warning", "ServerIsBusy", 2, Progress::Working)]
    #[case::retried("False", "Warning", "InternalServerError", 2, retrying("InternalServerError"))]
    #[case::unknown("False", "Warning", "NeverHeardOf", 2, retrying("NeverHeardOf"))]
    #[case::slow("False", "Warning", "SkuNotAvailable", 2, gave_up("SkuNotAvailable"))]
    #[case::no_rights("False", "Warning", "AuthorizationFailed", 2, gave_up("AuthorizationFailed"))]
    #[case::policy("False", "Warning", "RequestDisallowedByPolicy", 2, gave_up("RequestDisallowedByPolicy"))]
    #[case::quota("False", "Warning", "ResourceQuotaExceeded", 2, gave_up("ResourceQuotaExceeded"))]
    #[case::not_allowed("False", "Warning", "OperationNotAllowed", 2, retrying("OperationNotAllowed"))]
    #[case::given_up("False", "Error", "PropertyChangeNotAllowed", 2, gave_up("PropertyChangeNotAllowed"))]
    #[case::given_up_for_whatever("False", "Error", "NeverHeardOf", 2, gave_up("NeverHeardOf"))]
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

    /// Who has to act, by the code and the words of Azure's answer.
    #[rstest]
    #[case("RequestDisallowedByPolicy", "", Kind::Closed, "the platform team must change that policy")]
    #[case("AuthorizationFailed", "", Kind::Closed, "the platform team must give it one")]
    #[case("LocationIsOfferRestricted", "", Kind::Closed, "the platform team must ask Azure for it")]
    #[case("RegionIsOfferRestricted", "", Kind::Closed, "the platform team must ask Azure for it")]
    #[case("ProvisioningDisabled", "", Kind::Closed, "the platform team must ask Azure for it")]
    #[case(
        "ParameterOutOfRange",
        "The value should be in: []",
        Kind::Closed,
        "the platform team must ask Azure for it"
    )]
    #[case(
        "ParameterOutOfRange",
        "The value should be in: [7, 35]",
        Kind::Wish,
        "who wrote it must write another"
    )]
    #[case("InvalidParameterValue", "", Kind::Wish, "who wrote it must write another")]
    #[case("SkuNotAvailable", "", Kind::Wish, "write another spec.sku")]
    #[case(
        "OperationNotAllowed",
        "exceeding approved B Cores quota.",
        Kind::Closed,
        "must ask Azure for more"
    )]
    #[case("OperationNotAllowed", "not while it is stopped", Kind::Unknown, "")]
    #[case("ServerNameAlreadyExists", "", Kind::Wish, "give this Database another name")]
    #[case("MissingSubscriptionRegistration", "", Kind::Closed, "must register")]
    #[case("ResourceGroupNotFound", "", Kind::Closed, "azure.resourceGroup")]
    #[case("ScopeLocked", "", Kind::Closed, "must take the lock off")]
    #[case("SubscriptionMismatch", "", Kind::Closed, "azure.subscriptionId")]
    #[case("InvalidTagName", "", Kind::Closed, "must mend azure.tags")]
    #[case("PropertyChangeNotAllowed", "", Kind::Wish, "write back what it was")]
    #[case("TooManyRequests", "", Kind::Transient, "")]
    #[case("UnknownError", "EOF", Kind::Transient, "")]
    #[case("UnknownError", "invalid polling URL /subscriptions/s", Kind::Passing, "")]
    #[case("NeverHeardOf", "", Kind::Unknown, "")]
    fn a_code_says_who_must_do_what(
        #[case] code: &str,
        #[case] message: &str,
        #[case] kind: Kind,
        #[case] says: &str,
    ) {
        let (is, means) = meaning(code, message);
        assert_eq!(is, kind);
        assert!(means.contains(says) && means.is_empty() == says.is_empty(), "{means}");
    }

    #[test]
    fn whatever_needs_a_person_says_what_to_do_and_whatever_does_not_says_nothing() {
        for (code, _, kind, means) in CODES {
            assert_eq!(matches!(kind, Kind::Wish | Kind::Closed), !means.is_empty(), "{code}");
            assert!(!means.ends_with('.') && !means.contains("  "), "{means}");
        }
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
