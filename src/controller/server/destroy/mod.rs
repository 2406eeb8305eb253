//! The only place that ends anything in Azure: [`plan`] says what is written, one step at a time, each of which can be the last
//! before a crash.

pub(in crate::controller::server) mod plan;

use api::reason::Reason;

pub(crate) use self::plan::Removal;
use self::plan::Step as Planned;
use super::{
    context::Context,
    describe::Server,
    objects::{Objects, ServerRef, act},
    observe,
    write::{self, Error},
};
use crate::{
    azure::{DETACH_ON_DELETE, SKIP, has_policy},
    controller::engine::verdict::Blocked,
};

/// What a pass that destroys a server came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// Something was written, or the caches are being filled.
    Wait,
    /// To be told in the status: the server is kept for this.
    Kept(Blocked),
    /// To be noted in the status, with this told, and gone on from there.
    Destroying(Blocked),
    /// Nothing is left.
    Done,
}

/// Goes on destroying a server. `is_noted` tells whether its record says so. `instead` says what people can do where nothing
/// would end the server in Azure.
pub(crate) async fn destroy(
    context: &Context,
    is_noted: bool,
    target: &ServerRef<'_>,
    objects: &Objects,
    instead: &str,
) -> Result<Step, Error> {
    match observe::check(&context.caches) {
        Ok(()) => {}
        Err(observe::Error::NotSynced) => return Ok(Step::Wait),
        // What is written down tells whether Azure was told.
        Err(observe::Error::Blocked(_)) if is_noted => return Ok(Step::Wait),
        Err(observe::Error::Blocked(why)) => return Ok(Step::Kept(why)),
    }
    let (acts, step) = plan::destroy(objects, is_noted);
    act(context, objects, &acts).await?;
    let (namespace, server) = (&context.operator_namespace, target.server_name);
    let destroying =
        Blocked::by(Reason::Destroying, format!("Server {server} is being destroyed with all its data"));
    Ok(match step {
        Planned::Wait => Step::Wait,
        Planned::Impossible => Step::Kept(Blocked::by(
            Reason::DestroyImpossible,
            format!(
                "FlexibleServer {namespace}/{server} is not there, or not at work, so Azure can't be told to destroy the server, \
                 and it is kept; {instead}"
            ),
        )),
        Planned::Note | Planned::GoOn(Removal::UnderWay) => Step::Destroying(destroying),
        Planned::GoOn(Removal::Refused { reason, message }) => Step::Destroying(Blocked::by(
            Reason::DestroyRefused,
            format!("Server {server} is to be destroyed, and is still there: {reason}: {message}"),
        )),
        Planned::GoOn(Removal::Done) => Step::Done,
    })
}

/// Whether nothing that holds data is deleted with its object, as far as the caches show.
pub(crate) fn is_cancelled(objects: &Objects) -> bool {
    plan::cancel(objects).is_empty()
}

/// Takes back what was begun, and tells whether that is done: nothing that holds data is deleted with its object any more, as far
/// as the caches show.
pub(crate) async fn cancel_destroy(context: &Context, objects: &Objects) -> Result<bool, Error> {
    let acts = plan::cancel(objects);
    act(context, objects, &acts).await?;
    Ok(acts.is_empty())
}

/// Has what holds data only looked at, once nothing is under way, and tells whether that is so: what Azure lost isn't made
/// anew, and empty, whenever Azure Service Operator compares.
pub(crate) async fn rest(context: &Context, objects: &Objects) -> Result<bool, Error> {
    let (acts, rests) = plan::rest(objects);
    act(context, objects, &acts).await?;
    Ok(rests)
}

/// Deletes a server's object, so that it is made anew, and tells whether it goes. Azure is told nothing: it has a reconcile
/// policy that keeps the server.
pub(crate) async fn delete_object(context: &Context, server: &Server) -> Result<bool, Error> {
    let server = server.object();
    let is_safe = has_policy(server, SKIP) || has_policy(server, DETACH_ON_DELETE);
    Ok(is_safe && write::delete(context, server).await?)
}
