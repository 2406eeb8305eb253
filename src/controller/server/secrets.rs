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
    let namespace = desired.namespace().unwrap_or_default();
    if let Some(noted) = bound(context, desired) {
        return apply_over(context, database, desired, &noted, Way::Force).await;
    }
    // The notes hold labelled Secrets only. One without our label is looked at when it turns out to be in the way.
    match write(context, &namespace, desired, None, Way::Make).await {
        Err(error) if error.is_conflict() => {}
        written => return written,
    }
    let found = live::<Seen<Secret>>(context, &namespace, &desired.name_any()).await?;
    // It is gone by now, and the next pass makes it.
    let found = found.ok_or(Error::Behind)?.note;
    apply_over(context, database, desired, &found, Way::ForceThis).await
}

/// Writes it over one that there is, if that is this `Database`'s.
async fn apply_over(
    context: &Context,
    database: &Database,
    desired: &Secret,
    found: &Note,
    way: Way,
) -> Result<Written, Error> {
    let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
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
    write(context, &namespace, desired, Some(&found.version), way).await
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
    let Some(found) = cached_secret(context, desired) else {
        // The cache may be behind, and will tell. Written over, a password that Azure has would be lost.
        return match write(context, &namespace, desired, None, Way::Make).await {
            Err(error) if error.is_conflict() => {
                let live = live::<Secret>(context, &namespace, &desired.name_any()).await?;
                let is_foreign = live.is_some_and(|live| !same_owner(&live, desired));
                Err(if is_foreign { foreign(desired, &namespace) } else { Error::Behind })
            }
            written => written.map(drop),
        };
    };
    if !same_owner(&found, desired) {
        return Err(foreign(desired, &namespace));
    }
    if found.data == desired.data && has_our_metadata(&found, desired) {
        return Ok(());
    }
    // The same goes for one that has changed since.
    let mut desired = desired.clone();
    let version = found.resource_version();
    desired.metadata.resource_version.clone_from(&version);
    write(context, &namespace, &desired, version.as_deref(), Way::Force).await.map(drop)
}

pub(crate) fn cached_secret(context: &Context, desired: &Secret) -> Option<Secret> {
    context.caches.secrets.get(&desired.namespace().unwrap_or_default(), &desired.name_any())
}
