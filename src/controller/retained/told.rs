//! What people are told of a server that is kept, and why. Pure.

use api::{
    RetainedDatabase, RetainedReason,
    annotations::{CONFIRM_DESTROY, RETENTION},
    reason::Reason,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use policy::quote::quote;

use super::end::End;
use crate::controller::{engine::verdict::Blocked, server::describe::Server};

/// `spec.database` names no `Database`.
pub(super) fn unreadable(record: &RetainedDatabase) -> Blocked {
    let why = format!("spec.database {} is not of the form <namespace>/<name>", quote(&record.spec.database));
    Blocked::by(Reason::Unreadable, why)
}

pub(super) fn kept(
    record: &RetainedDatabase,
    end: &End,
    warned_at: Option<&Time>,
    now: Timestamp,
) -> Blocked {
    let database = &record.spec.database;
    let back = format!("apply the manifest of Database {database} again to bring it back");
    let why = match record.spec.reason {
        RetainedReason::Deleted => "its Database was deleted",
        RetainedReason::OwnerLost => "its Database is gone, and nobody has decided what becomes of the data",
    };
    let (reason, message) = match end {
        End::At { promised, .. } if end.warns(now) => {
            let warned_at = Some(warned_at.map_or(now, |time| time.0));
            let at = End::At { promised: *promised, warned_at }.due().unwrap_or(*promised);
            (
                Reason::ExpiresSoon,
                format!("The server is destroyed with all its data at {at}; put spec.until off, or {back}"),
            )
        }
        End::At { promised, .. } => {
            (Reason::KeptUntil, format!("The server is kept until {promised}, because {why}; {back}"))
        }
        End::Confirmed(at) => (
            Reason::DestroyConfirmed,
            format!(
                "The server is destroyed with all its data at {at}, as was confirmed when its Database was deleted; to keep \
                 it, annotate this record with {RETENTION}: Retain, or {back}"
            ),
        ),
        End::Never(None) | End::Approved | End::Outdated => {
            (Reason::Kept, format!("The server is kept, because {why}; {back}"))
        }
        End::Never(Some(doubt)) => {
            (Reason::Kept, format!("The server is kept; its end doesn't count: {doubt}"))
        }
    };
    Blocked::by(reason, message)
}

/// A `Database` has had the server since the record was written: it came back from a backup, or was written by hand.
pub(super) fn outdated(record: &RetainedDatabase) -> Blocked {
    let (server, database) = (&record.spec.server.name, &record.spec.database);
    Blocked::by(
        Reason::RecordOutdated,
        format!(
            "Database {database} has had server {server} after {}, since when this record says that there is none: it is from \
             the past, and ends nothing. Apply the manifest of the Database to go on with the server. To destroy it with all \
             its data, annotate this record with {RETENTION}: Destroy and {CONFIRM_DESTROY}: {database}@<day>",
            record.spec.since.0
        ),
    )
}

/// Whether Azure made the server after it was kept: somebody deleted it there, and Azure Service Operator, which makes what
/// its objects say, made another one.
pub(super) fn recreated(record: &RetainedDatabase, server: &Server) -> Option<Blocked> {
    // One that was deleted while Azure was making its server is kept since before that.
    record.spec.server.id.as_ref()?;
    let created_at = server.created_at().filter(|created_at| *created_at > record.spec.since.0)?;
    let name = &record.spec.server.name;
    Some(Blocked::by(
        Reason::ServerRecreated,
        format!(
            "Server {name} in Azure was made at {created_at}, after the one that was kept: that one was deleted in Azure. The new \
             one is empty, unless somebody has restored it"
        ),
    ))
}

/// Its end has come, and Azure needs it still.
pub(super) fn copied_to(record: &RetainedDatabase, copy: &str) -> Blocked {
    Blocked::by(
        Reason::DestroyWaits,
        format!(
            "The server is to be destroyed, and waits: Azure is restoring its data to Database {copy}. It is destroyed once that \
             is done; to keep it, annotate this record with {RETENTION}: Retain, or apply the manifest of Database {} again",
            record.spec.database
        ),
    )
}

/// Its end has come, and Azure is making it still.
pub(super) fn being_made(record: &RetainedDatabase) -> Blocked {
    Blocked::by(
        Reason::DestroyWaits,
        format!(
            "The server is to be destroyed, and waits: Azure is making it still. It is destroyed once that is done; to keep it, \
             annotate this record with {RETENTION}: Retain, or apply the manifest of Database {} again",
            record.spec.database
        ),
    )
}

pub(super) fn gone(record: &RetainedDatabase) -> Blocked {
    let (server, database) = (&record.spec.server.name, &record.spec.database);
    let how = if record.spec.server.id.is_some() {
        " any more: it was deleted there, and can be restored there for five days"
    } else {
        ": it hadn't made it when the Database was deleted, and isn't asked for it now, or it was deleted there since"
    };
    Blocked::by(
        Reason::ServerGone,
        format!(
            "Azure has no server {server}{how}. If nobody needs its data any more, annotate this record with {RETENTION}: \
             Destroy and {CONFIRM_DESTROY}: {database}@<day>, which ends it"
        ),
    )
}
