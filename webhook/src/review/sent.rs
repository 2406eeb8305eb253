//! The parts of a review that are read. Most of a large one is what nobody here looks at: who owns which field, and what
//! was applied last.

use std::{collections::BTreeMap, fmt};

use api::{Database, DatabaseSpec, DatabaseStatus};
use k8s_openapi::{
    api::authentication::v1::UserInfo,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::core::{
    GroupVersionKind, GroupVersionResource, Resource, TypeMeta,
    admission::{AdmissionRequest, Operation},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};

/// A review whose objects are read as `S`.
///
/// kube's own type keeps a whole review in an intermediate form, to flatten two of its fields, and then reads it once
/// more from there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "S: DeserializeOwned")]
pub(super) struct Review<S> {
    api_version: String,
    kind: String,
    request: Option<Request<S>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "S: DeserializeOwned")]
struct Request<S> {
    uid: String,
    kind: GroupVersionKind,
    resource: GroupVersionResource,
    #[serde(default)]
    name: String,
    namespace: Option<String>,
    operation: Operation,
    user_info: User,
    object: Option<S>,
    old_object: Option<S>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct User {
    username: Option<String>,
}

impl<S> Review<S> {
    pub(super) fn into_request<T: Resource>(self) -> Result<AdmissionRequest<T>, String>
    where
        S: Into<T>,
    {
        let Self { api_version, kind, request } = self;
        if kind != "AdmissionReview" {
            return Err(format!("it is a {kind:?}, and no AdmissionReview"));
        }
        let request = request.ok_or("it holds no request")?;
        Ok(AdmissionRequest {
            // The answer must echo the review's version.
            types: TypeMeta { api_version, kind },
            uid: request.uid,
            kind: request.kind,
            resource: request.resource,
            sub_resource: None,
            request_kind: None,
            request_resource: None,
            request_sub_resource: None,
            name: request.name,
            namespace: request.namespace,
            operation: request.operation,
            user_info: UserInfo { username: request.user_info.username, ..UserInfo::default() },
            object: request.object.map(Into::into),
            old_object: request.old_object.map(Into::into),
            dry_run: request.dry_run,
            options: None,
        })
    }
}

/// A `Database` without what no rule looks at.
#[derive(Deserialize)]
pub(super) struct SentDatabase {
    metadata: Metadata,
    spec: DatabaseSpec,
    status: Option<DatabaseStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    deletion_timestamp: Option<Time>,
    annotations: Option<Annotations>,
}

impl From<SentDatabase> for Database {
    fn from(sent: SentDatabase) -> Self {
        let SentDatabase { metadata, spec, status } = sent;
        let metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            deletion_timestamp: metadata.deletion_timestamp,
            annotations: metadata.annotations.map(|annotations| annotations.0),
            ..ObjectMeta::default()
        };
        Self { metadata, spec, status }
    }
}

/// Our own annotations, among those of others.
struct Annotations(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OurAnnotations)
    }
}

struct OurAnnotations;

impl<'de> Visitor<'de> for OurAnnotations {
    type Value = Annotations;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut ours = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let is_ours = key.strip_prefix(api::GROUP).is_some_and(|rest| rest.starts_with('/'));
            if is_ours {
                ours.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Annotations(ours))
    }
}
