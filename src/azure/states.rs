//! States of a server, as Azure names them, and what they mean for who wants to log in.

use api::reason::Reason;

use super::FlexibleServer;

/// The state of a server in which nobody can log in, if it is in one.
pub(crate) fn not_serving(server: &FlexibleServer) -> Option<&'static (&'static str, Reason, &'static str)> {
    let state = server.status.as_ref()?.state.as_deref()?;
    NOT_SERVING.iter().find(|(known, ..)| *known == state)
}

/// Whether Azure lets nobody log in to a server, whatever is wanted of it.
pub(crate) fn lets_nobody_in(server: &FlexibleServer) -> bool {
    not_serving(server).is_some()
}

/// States of a server in which nobody can log in, and who ends them.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-servers>
const NOT_SERVING: &[(&str, Reason, &str)] = &[
    (
        "Stopped",
        Reason::ServerStopped,
        "is stopped in Azure, so no app can log in. Who stopped it must start it there; after seven days, Azure starts it. The \
         operator then continues",
    ),
    (
        "Stopping",
        Reason::ServerStopped,
        "is being stopped in Azure, so no app can log in. Who stops it must start it there again; the operator then \
         continues",
    ),
    (
        "Disabled",
        Reason::ServerDisabled,
        "is disabled by Azure, so no app can log in. The platform team must see in Azure why; when the server runs again, \
         the operator continues",
    ),
    (
        "Inaccessible",
        Reason::ServerInaccessible,
        "can't be reached in Azure, mostly because the key that its disk is encrypted with can't be read. The platform team \
         must make the key readable again; the operator then continues",
    ),
];
