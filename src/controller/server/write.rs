//! Writes an object that differs, and only the one that was seen.

use api::{DatabaseRef, reason::Reason};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::context::Context;
use crate::{
    api_error,
    azure::{
        self, AsoObject, RECONCILE_POLICY, SKIP,
        condition::{self, Progress},
    },
    controller::engine::{cache::Cache, in_flight::Written, verdict::Blocked},
    labels::{DATABASE_NAME, DATABASE_NAMESPACE, OPERATOR, TRACKED, belongs_to, is_tracked},
};

/// Why it wasn't written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{kind} {name} can't be written: {}", api_error::words(source))]
    Api { kind: String, name: String, source: Box<kube::Error> },
    #[error("{}", .0.message)]
    Foreign(Blocked),
    #[error("the cache of Secrets is behind; trying again")]
    Behind,
}

impl Error {
    /// Whether an object stands in the way of the one that was to be made.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Api { source, .. } = self else { return false };
        matches!(&**source, kube::Error::Api(status) if status.code == 409)
    }
}

/// How to write over fields that somebody else has written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// There are none: an object of that name is left as it is, and the write is a conflict.
    Make,
    /// The object is ours, and nobody else is to write those fields.
    Force,
    /// The same, of the object whose uid is given, and no other of its name.
    ForceOne,
    /// The same, of an object that was looked at and is to be as it was then.
    ForceThis,
    /// What somebody else has written stays as it is.
    Yield,
}

/// A version that no object has: the first change of a cluster has the next one. The API server asks for the version only
/// where there is an object, so that server-side apply in this version makes one or is refused.
const NONE_YET: &str = "1";

/// What a write of an object is noted under.
pub(crate) fn key<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{}/{namespace}/{name}", K::kind(&()))
}

/// Server-side apply, unless the same was written over the same object already, which the caches show in this version.
pub(crate) async fn write<K>(
    context: &Context,
    namespace: &str,
    desired: &K,
    version: Option<&str>,
    way: Way,
) -> Result<Written, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), desired.name_any());
    let key = key::<K>(namespace, &name);
    if let Some(written) = context.in_flight.holds(&key, desired, version) {
        return Ok(written);
    }
    let failed = |source| Error::Api { kind: kind.clone(), name: name.clone(), source: Box::new(source) };
    let mut body = serde_json::to_value(desired).map_err(|error| failed(kube::Error::SerdeError(error)))?;
    // Kubernetes' own kinds don't serialize these, and server-side apply insists on them.
    body["apiVersion"] = json!(K::api_version(&()));
    body["kind"] = json!(kind);
    match way {
        Way::ForceThis => body["metadata"]["resourceVersion"] = json!(version),
        Way::Make => body["metadata"]["resourceVersion"] = json!(NONE_YET),
        Way::Force | Way::ForceOne | Way::Yield => {}
    }
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let params = PatchParams { force: way != Way::Yield, ..PatchParams::apply(OPERATOR) };
    let answer = match api.patch(&name, &params, &Patch::Apply(&body)).await {
        Ok(answer) => answer,
        // Somebody else has written it meanwhile, or it is gone: the watch tells what stands there now.
        Err(kube::Error::Api(status)) if !matches!(way, Way::Force | Way::Make) && status.code == 409 => {
            tracing::info!(kind, namespace, name, "what has changed meanwhile is left alone");
            context.in_flight.note(key, desired, version, Written::InFlight);
            return Ok(Written::InFlight);
        }
        Err(error) => return Err(failed(error)),
    };
    // A key that others added to a map of ours stays, and is no reason to write again.
    let changed = version.is_none() || answer.resource_version().as_deref() != version;
    let written = if changed { Written::InFlight } else { Written::Settled };
    context.in_flight.note(key, desired, version, written);
    context.count_write(&kind);
    tracing::info!(kind, namespace, name, changed, "applied");
    Ok(written)
}

/// Merges this into the metadata of this very object as the cache shows it, and tells whether that was done: one that has
/// changed since is looked at again.
pub(crate) async fn amend<K>(context: &Context, found: &K, metadata: serde_json::Value) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), found.name_any());
    let mut body = json!({"metadata": metadata});
    body["metadata"]["uid"] = json!(found.uid());
    body["metadata"]["resourceVersion"] = json!(found.resource_version());
    let api: Api<K> = Api::namespaced(context.client.clone(), &found.namespace().unwrap_or_default());
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &params, &Patch::Merge(body)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(false),
        Err(source) => return Err(Error::Api { kind, name, source: Box::new(source) }),
    }
    context.count_write(&kind);
    Ok(true)
}

/// Deletes this very object, as it is in the cache, and tells whether it goes: a newer one may be wanted again.
pub(crate) async fn delete<K>(context: &Context, found: &K) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), found.name_any());
    let api: Api<K> = Api::namespaced(context.client.clone(), &found.namespace().unwrap_or_default());
    let preconditions = Preconditions { uid: found.uid(), resource_version: found.resource_version() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(&name, &parameters).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(true),
        // It has changed: the next pass sees what it is now.
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
        Err(source) => return Err(Error::Api { kind, name, source: Box::new(source) }),
    }
    tracing::info!(kind, name, "deleted");
    context.count_write(&kind);
    Ok(true)
}

/// Server-side apply of what differs, of an object that is nobody else's. One that is gone by now isn't made again by that: the
/// next pass looks first what there is.
pub(crate) async fn aso<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    desired: &K,
) -> Result<Progress, Error> {
    let namespace = desired.namespace().unwrap_or_default();
    let found = cache.get(&namespace, &desired.name_any());
    if let Some(found) = &found {
        if !same_owner(found, desired) {
            return Err(foreign(desired, &namespace));
        }
        if found.same_spec(desired) && has_our_metadata(found, desired) {
            if is_tracked(found) {
                // A label that somebody else has taken over as well stays when it is merely left out.
                amend(context, found, json!({"labels": {TRACKED: null}})).await?;
            }
            return Ok(condition::progress(found));
        }
    }
    let version = found.as_ref().and_then(ResourceExt::resource_version);
    let mut over = desired.clone();
    let seen = over.meta_mut().resource_version.take();
    if let Some(found) = &found {
        over.meta_mut().uid = desired.meta().uid.clone().or_else(|| found.uid());
        // What was seen through an object that only looks holds for as long as that object is as it was.
        if azure::has_policy(found, SKIP) && !azure::has_policy(desired, SKIP) {
            over.meta_mut().resource_version = seen.or_else(|| version.clone());
        }
    }
    let is_one = found.is_some() || over.meta().uid.is_some();
    let way = if is_one { Way::ForceOne } else { Way::Force };
    let written = write(context, &namespace, &over, version.as_deref(), way).await?;
    Ok(match found {
        // Marks alone are nothing that ASO would look at.
        Some(found) if written == Written::Settled || only_metadata_differs(&found, desired) => {
            condition::progress(&found)
        }
        _ => Progress::Sent,
    })
}

/// Whether ASO is asked for nothing new: at rest it only looks.
pub(crate) fn only_metadata_differs<K: AsoObject>(found: &K, desired: &K) -> bool {
    let policy = |object: &K| object.annotations().get(RECONCILE_POLICY).cloned();
    found.same_spec(desired) && (policy(found) == policy(desired) || azure::is_at_rest(desired))
}

pub(crate) async fn live<K>(context: &Context, namespace: &str, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    api.get_opt(name).await.map_err(|source| Error::Api {
        kind: K::kind(&()).into_owned(),
        name: name.to_owned(),
        source: Box::new(source),
    })
}

/// Whether an object stands for the same `Database` as ours, by its labels.
pub(crate) fn same_owner<K: Resource>(found: &K, desired: &K) -> bool {
    let label = |key| desired.labels().get(key).map(String::as_str).unwrap_or_default();
    belongs_to(found, DatabaseRef::new(label(DATABASE_NAMESPACE), label(DATABASE_NAME)))
}

/// Whether everything that we mark an object with is there: labels and annotations.
pub(crate) fn has_our_metadata<K: Resource>(found: &K, desired: &K) -> bool {
    desired.labels().iter().all(|(key, value)| found.labels().get(key) == Some(value))
        && desired.annotations().iter().all(|(key, value)| found.annotations().get(key) == Some(value))
}

pub(crate) fn foreign<K: Resource<DynamicType = ()>>(desired: &K, namespace: &str) -> Error {
    taken(&K::kind(&()), namespace, &desired.name_any())
}

pub(crate) fn taken(kind: &str, namespace: &str, name: &str) -> Error {
    Error::Foreign(Blocked::by(
        Reason::NameTaken,
        format!(
            "{kind} {namespace}/{name} exists and does not belong to this Database; it is left alone. Give it \
             another name, if it is yours, or give this Database another one, and it goes on by itself"
        ),
    ))
}
