//! Labels everything of a kept server as another `Database`'s. A record says whose it was, so that whoever starts anew goes
//! on where it was left.

use api::DatabaseRef;

use super::{
    caches::Caches,
    context::Context,
    objects::{Act, Objects, ServerRef, act},
    write::Error,
};

/// Whether something of this server is still labelled with who had it before, as far as the caches show.
pub(crate) fn is_due(
    caches: &Caches,
    operator_namespace: &str,
    server_name: &str,
    formerly: DatabaseRef<'_>,
) -> bool {
    let former = ServerRef { database: formerly, server_name };
    !Objects::of(caches, operator_namespace, &former).parts().is_empty()
}

/// Labels everything of a server that is labelled with `formerly` with another `Database`.
pub(crate) async fn transfer(
    context: &Context,
    server_name: &str,
    formerly: DatabaseRef<'_>,
    to: DatabaseRef<'_>,
) -> Result<(), Error> {
    let former = ServerRef { database: formerly, server_name };
    let objects = Objects::of(&context.caches, &context.operator_namespace, &former);
    let acts: Vec<Act<'_>> = objects.parts().into_iter().map(|part| Act::SetOwner(part, to)).collect();
    act(context, &objects, &acts).await
}
