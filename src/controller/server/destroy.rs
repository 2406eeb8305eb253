//! The only place that ends anything in Azure: in two writes, each of which can be the last before a crash.
//!
//! An object first gets the reconcile policy with which its resource in Azure goes along, and is deleted when the cache
//! shows that. Whoever changes his mind in between finds the object as it was but for that annotation.

use api::{DatabaseRef, reason::Reason};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    context::Context,
    observe, password,
    write::{self, Error},
};
use crate::{
    azure::{
        self, AT_REST, AsoObject, DETACH_ON_DELETE, FlexibleServer, MANAGE, RECONCILE_POLICY, SKIP, claim,
        condition::{self, Progress},
    },
    controller::engine::{cache::Cache, verdict::Blocked},
};

/// Whose server it is that goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerRef<'a> {
    pub(crate) database: DatabaseRef<'a>,
    pub(crate) server_name: &'a str,
}

/// How far it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Removal {
    /// Nothing is left.
    Done,
    /// Something was written, or Azure works on it.
    UnderWay,
    /// Azure refuses, or gives up: its own words.
    Refused { reason: String, message: String },
}

impl Removal {
    fn of(progress: Progress) -> Self {
        match progress {
            Progress::GaveUp { reason, message } | Progress::Retrying { reason, message } => {
                Self::Refused { reason, message }
            }
            Progress::Ready | Progress::Sent | Progress::Working => Self::UnderWay,
        }
    }
}

fn is_going<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// Whether the resource in Azure goes along with the object.
fn deletes_azure_resource<K: AsoObject>(object: &K) -> bool {
    azure::has_policy(object, MANAGE)
}

/// What a pass that destroys a server came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The caches are being filled.
    Wait,
    /// To be told in the status: the server is kept for this.
    Kept(Blocked),
    /// To be noted in the status, with this told, and gone on from there.
    Destroying(Blocked),
    /// Nothing is left.
    Done,
}

/// Goes on destroying a server. Its object gets the reconcile policy for that; then it is noted in the status of its record,
/// since who starts anew must know why the server is not there; and then the object is deleted. `instead` says what people can do where nothing would end the server in Azure.
pub(crate) async fn destroy(
    context: &Context,
    is_noted: bool,
    target: &ServerRef<'_>,
    instead: &str,
) -> Result<Step, Error> {
    match observe::check(&context.caches) {
        Ok(()) => {}
        Err(observe::Error::NotSynced) => return Ok(Step::Wait),
        // What is written down tells whether Azure was told.
        Err(observe::Error::Blocked(_)) if is_noted => return Ok(Step::Wait),
        Err(observe::Error::Blocked(why)) => return Ok(Step::Kept(why)),
    }
    let (namespace, server) = (&context.operator_namespace, target.server_name);
    let destroying =
        Blocked::by(Reason::Destroying, format!("Server {server} is being destroyed with all its data"));
    let found = own(context, &context.caches.servers.cache, server, target);
    // What only looks tells Azure nothing, and may be about somebody else's server.
    if let Some(found) = &found
        && claim::only_looks(found)
        && !claim::finds_nothing(found)
        && !is_going(found)
    {
        return Ok(Step::Kept(impossible(namespace, server, instead)));
    }
    if !is_noted {
        return Ok(match found {
            // Somebody else lets go of it, and the server stays.
            Some(found) if is_going(&found) && !deletes_azure_resource(&found) => Step::Wait,
            Some(found) if deletes_azure_resource(&found) || claim::finds_nothing(&found) => {
                Step::Destroying(destroying)
            }
            Some(found) => {
                set_policy(context, &found, MANAGE).await?;
                Step::Wait
            }
            // It must not be taken for gone.
            None => Step::Kept(impossible(namespace, server, instead)),
        });
    }
    Ok(match delete_in_order(context, target).await? {
        Removal::Done => Step::Done,
        Removal::UnderWay => Step::Destroying(destroying),
        Removal::Refused { reason, message } => Step::Destroying(Blocked::by(
            Reason::DestroyRefused,
            format!("Server {server} is to be destroyed, and is still there: {reason}: {message}"),
        )),
    })
}

fn impossible(namespace: &str, server: &str, instead: &str) -> Blocked {
    Blocked::by(
        Reason::DestroyImpossible,
        format!(
            "FlexibleServer {namespace}/{server} is not there, or not at work, so Azure can't be told to destroy the server, \
             and it is kept; {instead}"
        ),
    )
}

/// The next step of destroying a server with all that belongs to it.
///
/// The server is first: with it go its databases, and no order can leave one without the other. What stands for its parts
/// in the cluster is let go after that, and deletes nothing in Azure. The identity is last, for it holds no data.
async fn delete_in_order(context: &Context, target: &ServerRef<'_>) -> Result<Removal, Error> {
    let caches = &context.caches;
    let server = match own(context, &caches.servers.cache, target.server_name, target) {
        Some(found) if claim::finds_nothing(&found) && !is_going(&found) => {
            write::delete(context, &found).await?;
            Removal::UnderWay
        }
        _ => remove(context, &caches.servers.cache, target.server_name, target).await?,
    };
    if server != Removal::Done {
        return Ok(server);
    }
    // Kubernetes' garbage collection is at it, too.
    release(context, &caches.databases, target.server_name, target).await?;
    release(context, &caches.administrators, target.server_name, target).await?;
    for rule in caches.firewall_rules.of(&context.operator_namespace, target.database) {
        release(context, &caches.firewall_rules.cache, &rule.name_any(), target).await?;
    }
    for configuration in caches.configurations.of(&context.operator_namespace, target.database) {
        release(context, &caches.configurations.cache, &configuration.name_any(), target).await?;
    }
    let credential = remove(context, &caches.credentials, target.server_name, target).await?;
    if credential != Removal::Done {
        return Ok(credential);
    }
    let identity = remove(context, &caches.identities, target.server_name, target).await?;
    if identity != Removal::Done {
        return Ok(identity);
    }
    let secret = password::secret_name(target.server_name);
    if let Some(secret) = own(context, &caches.secrets, &secret, target) {
        write::delete(context, &secret).await?;
    }
    Ok(Removal::Done)
}

/// Takes back what was begun, and tells whether that is done: nothing that holds data goes along with its object any more,
/// as far as the caches show.
pub(crate) async fn cancel_destroy(context: &Context, kept: &ServerRef<'_>) -> Result<bool, Error> {
    let caches = &context.caches;
    let server = cancel_one(context, &caches.servers.cache, kept).await?;
    let database = cancel_one(context, &caches.databases, kept).await?;
    let identity = cancel_one(context, &caches.identities, kept).await?;
    Ok(server && database && identity)
}

/// Has what holds data only looked at, once nothing is under way, and tells whether that is so: what Azure lost isn't made
/// anew, and empty, whenever Azure Service Operator compares.
pub(crate) async fn rest(context: &Context, kept: &ServerRef<'_>) -> Result<bool, Error> {
    let caches = &context.caches;
    let server = rest_one(context, &caches.servers.cache, kept).await?;
    let database = rest_one(context, &caches.databases, kept).await?;
    Ok(server && database)
}

async fn rest_one<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    kept: &ServerRef<'_>,
) -> Result<bool, Error> {
    match own(context, cache, kept.server_name, kept) {
        Some(object) if azure::has_policy(&object, DETACH_ON_DELETE) && !is_going(&object) => {
            // Only what Azure has as it is wanted.
            if condition::progress(&object) == Progress::Ready {
                set_policy(context, &object, SKIP).await?;
            }
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Deletes a server's object, so that it is made anew, and tells whether it goes. Azure is told nothing: it has a reconcile
/// policy that keeps the server.
pub(crate) async fn let_go_of_object(context: &Context, server: &FlexibleServer) -> Result<bool, Error> {
    let is_safe = azure::has_policy(server, SKIP) || azure::has_policy(server, DETACH_ON_DELETE);
    Ok(is_safe && write::delete(context, server).await?)
}

async fn cancel_one<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    kept: &ServerRef<'_>,
) -> Result<bool, Error> {
    match own(context, cache, kept.server_name, kept) {
        Some(object) if deletes_azure_resource(&object) && !is_going(&object) => {
            set_policy(context, &object, DETACH_ON_DELETE).await?;
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// The object, if it stands for that `Database`.
pub(crate) fn own<K: Resource<DynamicType = ()> + DeserializeOwned>(
    context: &Context,
    cache: &Cache<K>,
    name: &str,
    of: &ServerRef<'_>,
) -> Option<K> {
    cache.own(&context.operator_namespace, name, of.database)
}

/// Ends an object and its resource in Azure.
pub(crate) async fn remove<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    name: &str,
    of: &ServerRef<'_>,
) -> Result<Removal, Error> {
    let Some(found) = own(context, cache, name, of) else { return Ok(Removal::Done) };
    if is_going(&found) {
        // Azure Service Operator tells what keeps it from deleting.
        return Ok(Removal::of(condition::progress(&found)));
    }
    if deletes_azure_resource(&found) {
        write::delete(context, &found).await?;
    } else {
        set_policy(context, &found, MANAGE).await?;
    }
    Ok(Removal::UnderWay)
}

/// Lets go of an object, whose resource in Azure is gone with its server, or stays.
async fn release<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    name: &str,
    of: &ServerRef<'_>,
) -> Result<(), Error> {
    match own(context, cache, name, of) {
        Some(found) if !is_going(&found) && !deletes_azure_resource(&found) => {
            write::delete(context, &found).await.map(drop)
        }
        _ => Ok(()),
    }
}

async fn set_policy<K: AsoObject>(context: &Context, found: &K, policy: &str) -> Result<(), Error> {
    // What rests is known by that.
    let rests = (policy == SKIP).then_some("true");
    let annotations = json!({RECONCILE_POLICY: policy, AT_REST: rests});
    if write::amend(context, found, json!({"annotations": annotations})).await? {
        tracing::info!(kind = %K::kind(&()), name = found.name_any(), policy, "reconcile policy set");
    }
    Ok(())
}
