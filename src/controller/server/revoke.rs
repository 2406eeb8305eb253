//! Closes the ways in to a server that is kept: nobody keeps access to it by accident. They are made anew on recovery.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::{
    build,
    context::Context,
    destroy::{Removal, plan},
    error::Error,
    look_first::look_first,
    objects::{Objects, ServerRef, act},
    password::{self, Passwords, Sent, Wanted, fresh_password},
    secrets, write,
};
use crate::{
    azure::{
        DETACH_ON_DELETE, FlexibleServer, MANAGE, SKIP, SecretReference, adoption, annotations, condition,
        has_policy,
    },
    labels::owner_labels,
};

/// Tells whether they are closed, as far as the caches show.
pub(crate) async fn revoke(
    context: &Context,
    kept: &ServerRef<'_>,
    objects: &Objects,
    since: Timestamp,
) -> Result<Removal, Error> {
    let closed = close(context, objects).await?;
    let password = change_password(context, kept, objects, since).await?;
    Ok(closed.then(|| password))
}

/// Closes those that have an object of their own, which goes along with the server's object.
pub(crate) async fn close(context: &Context, objects: &Objects) -> Result<Removal, Error> {
    let (acts, closed) = plan::close(objects);
    act(context, objects, &acts).await?;
    Ok(closed)
}

/// Gives the administrator another password, once for each time that the server is kept: within its network it can still be
/// reached, and who has copied the old one is not to get in.
async fn change_password(
    context: &Context,
    kept: &ServerRef<'_>,
    objects: &Objects,
    since: Timestamp,
) -> Result<Removal, Error> {
    let name = password::secret_name(kept.server_name);
    let Some(server) = objects.server.as_ref().filter(|server| !adoption::is_probe(server)) else {
        return Ok(Removal::Done);
    };
    let existing = objects.secret.as_ref();
    // A new one that the cache doesn't show yet would be made once more.
    let version = existing.and_then(ResourceExt::resource_version);
    if context
        .in_flight
        .is_pending(&write::key::<Secret>(&context.operator_namespace, &name), version.as_deref())
    {
        return Ok(Removal::UnderWay);
    }
    let Some(told) = &server.spec.administrator_login_password else {
        // Without passwords none is kept either: turned on again, there are new ones.
        let has_some =
            existing.is_some_and(|secret| secret.data.as_ref().is_some_and(|data| !data.is_empty()));
        return if has_some { write(context, kept, None).await } else { Ok(Removal::Done) };
    };
    let accepted = condition::progress(server) == condition::Progress::Ready;
    // A record may have stayed through a `Database` that came and went.
    let since = adoption::taken(server).map_or(since, |taken| since.max(taken));
    let passwords = Passwords::plan(
        existing,
        Sent { key: Some(&told.key), accepted },
        Wanted { made_since: Some(since), ..Wanted::default() },
        // A clock that is behind would make one after another.
        context.now().max(since),
        fresh_password,
    )
    .ok_or(Error::NoPassword)?;
    if write(context, kept, Some(&passwords)).await? == Removal::UnderWay {
        return Ok(Removal::UnderWay);
    }
    if told.key == passwords.newest {
        return Ok(if accepted { Removal::Done } else { Removal::UnderWay });
    }
    let reference = SecretReference { key: passwords.newest, ..told.clone() };
    // Nobody gets in to what is gone, and nothing empty is made in its place.
    if adoption::is_absent(&condition::progress(server)) {
        return Ok(Removal::Done);
    }
    // Azure is to be told; an object at rest only looks.
    if has_policy(server, SKIP) && look_first(context, server).await?.is_some() {
        return Ok(Removal::UnderWay);
    }
    // Whole, as it is but for that: a part of it would have another owner than the rest.
    let mut desired = FlexibleServer::new(kept.server_name, server.spec.clone());
    desired.spec.administrator_login_password = Some(reference);
    desired.metadata.namespace = server.namespace();
    desired.metadata.resource_version = server.resource_version();
    desired.metadata.labels = Some(owner_labels(kept.database));
    let policy = if has_policy(server, MANAGE) { MANAGE } else { DETACH_ON_DELETE };
    desired.metadata.annotations = Some(annotations(policy));
    write::aso(context, &context.caches.servers.cache, &desired).await?;
    tracing::info!(server = kept.server_name, "the password of a kept server is changed");
    Ok(Removal::UnderWay)
}

/// Writes the Secret of the administrator, if it differs.
async fn write(
    context: &Context,
    kept: &ServerRef<'_>,
    passwords: Option<&Passwords>,
) -> Result<Removal, Error> {
    let database = kept.database;
    let desired =
        build::admin_secret(database, kept.server_name, passwords, None, &context.operator_namespace);
    match secrets::apply_admin_secret(context, &desired).await {
        Ok(()) => Ok(Removal::Done),
        // The cache will tell of what has changed.
        Err(write::Error::Behind) => Ok(Removal::UnderWay),
        Err(error) => Err(error.into()),
    }
}
