//! Brings back the object of a kept server that was deleted by hand: without it Azure can't be told of the server's end. It
//! is looked at first, as any server is.

use api::{Database, DatabaseSpec, RetainedDatabase, reason::Reason};
use jiff::tz::TimeZone;
use kube::api::ObjectMeta;

use super::{
    apply, build,
    context::Context,
    error::Error,
    objects::ServerRef,
    observe::{self, Found, observe},
    resolve,
    surroundings::Surroundings,
};
use crate::{
    azure::{
        adoption,
        condition::{self, Progress},
        names,
    },
    controller::engine::verdict::Blocked,
};

/// Where the server's object is.
pub(crate) enum Restored {
    There,
    /// Azure Service Operator looks for the server.
    UnderWay,
    /// Azure has no such server any more.
    Gone,
    /// Azure has a server of that name, which isn't this one.
    Foreign(Blocked),
    Blocked(Blocked),
}

pub(crate) async fn restore(
    record: &RetainedDatabase,
    kept: &ServerRef<'_>,
    context: &Context,
) -> Result<Restored, Error> {
    let server = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    if let Some(server) = server.filter(|server| !adoption::is_probe(server)) {
        // At rest it only looks, and tells when Azure has lost the server.
        let is_gone = adoption::is_absent(&condition::progress(&server));
        return Ok(if is_gone { Restored::Gone } else { Restored::There });
    }
    let state = context.policy.load_full();
    // Without a policy nothing says where the server is; what is kept stays so.
    let Some(policy) = state.policy() else { return Ok(Restored::There) };
    let database = database(record, kept);
    let known = match observe(&database, Surroundings::of(context, policy, None)) {
        Ok(Found::Known(known)) if known.server_name == kept.server_name => known,
        // The record isn't in the cache yet.
        Ok(_) | Err(observe::Error::NotSynced) => return Ok(Restored::UnderWay),
        Err(observe::Error::Blocked(why)) if why.is_by(Reason::ServerNotOurs) => {
            return Ok(Restored::Foreign(why));
        }
        Err(observe::Error::Blocked(why)) if why.is_by(Reason::ServerGone) => return Ok(Restored::Gone),
        Err(observe::Error::Blocked(why)) => return Ok(Restored::Blocked(why)),
    };
    if known.server.as_ref().is_some_and(|server| adoption::probe_found_nothing(server.object())) {
        return Ok(Restored::Gone);
    }
    let labels = context.namespaces.labels(kept.database.namespace);
    let today = context.now().to_zoned(TimeZone::UTC).date();
    let resolved = resolve::resolve(&database, &known, policy, &context.policy_name, labels.as_ref(), today);
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(why) => return Ok(Restored::Blocked(why)),
    };
    let effective = &resolved.effective;
    let mut desired =
        build::build(&database, &known, effective, None, &policy.azure, &context.operator_namespace);
    // The policy may name another place since.
    if let Some(group) = record.spec.server.id.as_deref().and_then(names::resource_group) {
        desired.azure.server.spec.owner.arm_id = Some(group.to_owned());
    }
    Ok(match apply::apply_server(context, &desired.azure).await? {
        Progress::GaveUp { reason, message } | Progress::Retrying { reason, message } => {
            let server = kept.server_name;
            let message = format!("Whether Azure has server {server} can't be told: {reason}: {message}");
            Restored::Blocked(Blocked::by(Reason::ServerUnknown, message))
        }
        _ => Restored::UnderWay,
    })
}

/// The `Database` that the record tells of.
fn database(record: &RetainedDatabase, kept: &ServerRef<'_>) -> Database {
    let spec: Option<DatabaseSpec> =
        record.spec.last_spec.as_ref().and_then(|spec| serde_json::from_value(spec.clone()).ok());
    Database {
        metadata: ObjectMeta {
            namespace: Some(kept.database.namespace.to_owned()),
            name: Some(kept.database.name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: spec.unwrap_or_default(),
        status: None,
    }
}
