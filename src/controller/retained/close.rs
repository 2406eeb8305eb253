//! Closes the ways in to a server that is kept: nobody keeps access to it by accident. They are made anew on recovery.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    reconcile::Error,
    remove::{Doomed, Removal, own, remove},
};
use crate::{
    azure::{FlexibleServer, OPERATOR, claim, condition},
    controller::{
        apply, build,
        context::Context,
        password::{self, Passwords, Told, Wanted},
        reconcile::fresh_password,
    },
};

/// Tells whether they are closed, as far as the caches show.
pub(super) async fn close(context: &Context, kept: &Doomed<'_>, since: Timestamp) -> Result<Removal, Error> {
    let caches = &context.caches;
    let mut closed = remove(context, &caches.credentials, kept.server_name, kept).await?;
    for rule in caches.firewall_rules.of(&context.operator_namespace, kept.namespace, kept.name) {
        let rule = remove(context, &caches.firewall_rules.cache, &rule.name_any(), kept).await?;
        if closed == Removal::Done {
            closed = rule;
        }
    }
    let password = change_password(context, kept, since).await?;
    Ok(if closed == Removal::Done { password } else { closed })
}

/// Gives the administrator another password, once for each time that the server is kept: within its network it can still be
/// reached, and who has copied the old one is not to get in.
async fn change_password(context: &Context, kept: &Doomed<'_>, since: Timestamp) -> Result<Removal, Error> {
    let caches = &context.caches;
    let name = password::secret_name(kept.server_name);
    let Some(server) = own(context, &caches.servers.cache, kept.server_name, kept) else {
        return Ok(Removal::Done);
    };
    let (Some(told), false) = (&server.spec.administrator_login_password, claim::only_looks(&server)) else {
        return Ok(Removal::Done);
    };
    let existing = own(context, &caches.secrets, &name, kept);
    // A new one that the cache doesn't show yet would be made once more.
    let version = existing.as_ref().and_then(ResourceExt::resource_version);
    if context
        .in_flight
        .is_pending(&apply::key::<Secret>(&context.operator_namespace, &name), version.as_deref())
    {
        return Ok(Removal::UnderWay);
    }
    let is_taken = condition::progress(&server) == condition::Progress::Ready;
    let request = format!("kept since {since}");
    let passwords = Passwords::plan(
        existing.as_ref(),
        Told { key: Some(&told.key), is_taken },
        Wanted { request: Some(&request), rotate_after_days: None },
        context.now(),
        fresh_password,
    )
    .ok_or(Error::NoPassword)?;
    let database = (kept.namespace, kept.name);
    let desired =
        build::admin_secret(database, kept.server_name, Some(&passwords), &context.operator_namespace);
    match apply::apply_admin_secret(context, &desired).await {
        Ok(()) => {}
        // The cache will tell of what has changed.
        Err(apply::Error::Behind) => return Ok(Removal::UnderWay),
        Err(error) => return Err(error.into()),
    }
    if told.key != passwords.newest {
        tell(context, &server, &passwords.newest).await?;
        return Ok(Removal::UnderWay);
    }
    let is_done = is_taken && passwords.fulfilled.as_deref() == Some(&request);
    Ok(if is_done { Removal::Done } else { Removal::UnderWay })
}

/// Names the new password in this very object as the cache shows it: one that has changed since is looked at again.
async fn tell(context: &Context, server: &FlexibleServer, key: &str) -> Result<(), Error> {
    let body = json!({
        "metadata": {"uid": server.uid(), "resourceVersion": server.resource_version()},
        "spec": {"administratorLoginPassword": {"key": key}},
    });
    let name = server.name_any();
    let api: Api<FlexibleServer> = Api::namespaced(context.client.clone(), &context.operator_namespace);
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &params, &Patch::Merge(body)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
        Err(source) => {
            return Err(super::reconcile::failed("the server's password", "changed")(source));
        }
    }
    tracing::info!(server = name, "the password of a kept server is changed");
    context.count_write("FlexibleServer");
    Ok(())
}
