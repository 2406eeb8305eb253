//! Writes the Secret that an app reads, and the one with the administrator's passwords.

use api::{Database, reason::Reason};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::{
    context::Context,
    notes::{Note, Seen},
    write::{Error, Way, foreign, has_our_metadata, live, same_owner, taken, write},
};
use crate::controller::engine::{in_flight::Written, verdict::Blocked};

pub(crate) async fn apply_secret(
    context: &Context,
    database: &Database,
    desired: &Secret,
) -> Result<Written, Error> {
    let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
    let noted = bound(context, desired);
    let found = match noted.clone() {
        Some(noted) => Some(noted),
        // The notes hold labelled Secrets only; one without our label may stand in the way.
        None => found_secret(context, &namespace, &name).await?,
    };
    if let Some(found) = &found {
        if found.is_left_over_from(database) {
            return Err(Error::Foreign(Blocked::by(
                Reason::SecretLeftOver,
                format!(
                    "Secret {namespace}/{name} belongs to the Database of this name that was there before; Kubernetes \
                     removes it, and this Database goes on by itself then"
                ),
            )));
        }
        if !found.is_owned_by(database) {
            return Err(taken("Secret", &namespace, &name));
        }
        let is_same = desired.data.as_ref().is_some_and(|data| found.holds(data));
        if is_same && found.has_labels(desired.labels()) {
            return Ok(Written::Settled);
        }
    }
    let version = noted.as_ref().map(|noted| &*noted.version);
    write(context, &namespace, desired, version, Way::Force).await
}

/// What is noted of the Secret that an app reads.
pub(crate) fn bound(context: &Context, desired: &Secret) -> Option<Note> {
    context.caches.bindings.get(&desired.namespace().unwrap_or_default(), &desired.name_any())
}

/// The same, or what the API server has.
pub(crate) async fn found_secret(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<Note>, Error> {
    if let Some(noted) = context.caches.bindings.get(namespace, name) {
        return Ok(Some(noted));
    }
    Ok(live::<Seen<Secret>>(context, namespace, name).await?.map(|seen| seen.note))
}

pub(crate) async fn apply_admin_secret(context: &Context, desired: &Secret) -> Result<(), Error> {
    let namespace = desired.namespace().unwrap_or_default();
    let found = cached_secret(context, desired);
    match &found {
        Some(found) if !same_owner(found, desired) => return Err(foreign(desired, &namespace)),
        Some(found) if found.data == desired.data && has_our_metadata(found, desired) => return Ok(()),
        Some(_) => {}
        None => match live::<Secret>(context, &namespace, &desired.name_any()).await? {
            Some(live) if !same_owner(&live, desired) => return Err(foreign(desired, &namespace)),
            // The cache is behind, and will tell of it. Written over, a password that Azure has would be lost.
            Some(_) => return Err(Error::Behind),
            None => {}
        },
    }
    // The same goes for one that has changed since.
    let mut desired = desired.clone();
    let version = found.as_ref().and_then(ResourceExt::resource_version);
    desired.metadata.resource_version.clone_from(&version);
    write(context, &namespace, &desired, version.as_deref(), Way::Force).await.map(drop)
}

pub(crate) fn cached_secret(context: &Context, desired: &Secret) -> Option<Secret> {
    context.caches.secrets.get(&desired.namespace().unwrap_or_default(), &desired.name_any())
}
