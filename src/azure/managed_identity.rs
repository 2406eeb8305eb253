//! `managedidentity.azure.com/v1api20230131`: only the fields that we write or read.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::{ConditionsOnly, Owner, aso_object, condition::Condition};

/// The identity that an app logs in as.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "managedidentity.azure.com",
    version = "v1api20230131",
    kind = "UserAssignedIdentity",
    plural = "userassignedidentities",
    namespaced,
    status = "UserAssignedIdentityStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct UserAssignedIdentitySpec {
    pub azure_name: String,
    pub owner: Owner,
    pub location: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAssignedIdentityStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
}

/// Entra's trust in a Kubernetes ServiceAccount.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "managedidentity.azure.com",
    version = "v1api20230131",
    kind = "FederatedIdentityCredential",
    plural = "federatedidentitycredentials",
    namespaced,
    status = "ConditionsOnly",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FederatedIdentityCredentialSpec {
    pub azure_name: String,
    pub owner: Owner,
    pub audiences: Vec<String>,
    pub issuer: String,
    pub subject: String,
}

aso_object!(HOLDS_DATA = false; UserAssignedIdentity, FederatedIdentityCredential);
