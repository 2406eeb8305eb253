//! Brings back the object of a kept server that was deleted by hand: without it Azure can't be told of the server's end. It
//! is looked at first, as any server is. [`plan`] decides, and writes nothing.

use std::sync::Arc;

use api::{Database, DatabaseSpec, RetainedDatabase, reason::Reason};
use kube::api::ObjectMeta;
use policy::{Policy, document::Labels};

use super::{
    apply, build,
    context::Context,
    error::Error,
    handover::Handover,
    objects::ServerRef,
    observe::{self, Found, observe},
    resolve,
    surroundings::Surroundings,
};
use crate::{
    azure::{
        FlexibleServer, Objects, adoption,
        condition::{self, Progress},
        names,
    },
    controller::engine::verdict::Blocked,
};

/// Where the server's object is.
#[derive(Debug)]
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

/// What there is to judge it by.
struct Seen<'a> {
    /// Without a policy nothing says where the server is.
    policy: Option<&'a Arc<Policy>>,
    server: Option<FlexibleServer>,
    /// Of the namespace; `None` while they aren't known.
    labels: Option<Labels>,
    /// All that is around, by the policy.
    around: Option<Surroundings<'a>>,
}

/// What is done about it.
#[derive(Debug)]
enum Plan {
    /// Nothing: it is known where the object is.
    Known(Restored),
    /// It is written so that Azure Service Operator looks for the server, and changes nothing.
    Look(Box<Objects>),
}

pub(crate) async fn restore(
    record: &RetainedDatabase,
    kept: &ServerRef<'_>,
    context: &Context,
) -> Result<Restored, Error> {
    let state = context.policy.load_full();
    let seen = Seen {
        policy: state.policy(),
        server: context.caches.servers.cache.get(&context.operator_namespace, kept.server_name),
        labels: context.namespaces.labels(kept.database.namespace),
        around: state.policy().map(|policy| Surroundings::of(context, policy, None)),
    };
    let desired = match plan(record, kept, &seen) {
        Plan::Known(restored) => return Ok(restored),
        Plan::Look(desired) => desired,
    };
    Ok(match apply::apply_server(context, &desired).await? {
        Progress::GaveUp { reason, message } | Progress::Retrying { reason, message } => {
            let server = kept.server_name;
            let message = format!("Whether Azure has server {server} can't be told: {reason}: {message}");
            Restored::Blocked(Blocked::by(Reason::ServerUnknown, message))
        }
        _ => Restored::UnderWay,
    })
}

fn plan(record: &RetainedDatabase, kept: &ServerRef<'_>, seen: &Seen<'_>) -> Plan {
    let object = seen.server.as_ref().filter(|server| !adoption::is_probe(server));
    // At rest it only looks, and tells when Azure has lost the server.
    if object.is_some_and(|server| adoption::is_absent(&condition::progress(server))) {
        return Plan::Known(Restored::Gone);
    }
    // Without a policy what is kept stays so.
    let (Some(policy), Some(around)) = (seen.policy, seen.around) else {
        return Plan::Known(Restored::There);
    };
    let database = database(record, kept);
    let observed = observe(&database, around);
    if object.is_some() {
        return Plan::Known(match observed {
            // Another cluster has taken it since.
            Err(observe::Error::Blocked(why)) if why.is_by(Reason::ServerNotOurs) => Restored::Foreign(why),
            _ => Restored::There,
        });
    }
    let known = match observed {
        Ok(Found::Known(known)) if known.server_name == kept.server_name => known,
        // The record isn't in the cache yet.
        Ok(_) | Err(observe::Error::NotSynced) => return Plan::Known(Restored::UnderWay),
        Err(observe::Error::Blocked(why)) if why.is_by(Reason::ServerNotOurs) => {
            return Plan::Known(Restored::Foreign(why));
        }
        Err(observe::Error::Blocked(why)) if why.is_by(Reason::ServerGone) => {
            return Plan::Known(Restored::Gone);
        }
        Err(observe::Error::Blocked(why)) => return Plan::Known(Restored::Blocked(why)),
    };
    if known.server.as_ref().is_some_and(|server| adoption::probe_found_nothing(server.object())) {
        return Plan::Known(Restored::Gone);
    }
    let (name, today) = (around.policy_name, around.today);
    let effective = match resolve::resolve(&database, &known, policy, name, seen.labels.as_ref(), today) {
        Ok(resolved) => resolved.effective,
        Err(why) => return Plan::Known(Restored::Blocked(why)),
    };
    let mut desired = build::build(
        &database,
        &known,
        &effective,
        None,
        Handover::None,
        &policy.azure,
        around.operator_namespace,
    )
    .azure;
    // The policy may name another place since.
    if let Some(group) = record.spec.server.id.as_deref().and_then(names::resource_group) {
        desired.server.spec.owner.arm_id = Some(group.to_owned());
    }
    Plan::Look(Box::new(desired))
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
