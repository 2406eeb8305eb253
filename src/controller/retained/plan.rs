//! What is done next about a server that is kept. Pure: all that it depends on was seen before, and [`super::act`] does it.

use std::time::Duration;

use api::{Database, Settled};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    end::{self, End, Notes, WARNING},
    owner::Owner,
    seen::Seen,
    status::Told,
    told,
};
use crate::{
    azure::condition::Progress,
    controller::{
        engine::verdict::Blocked,
        server::{describe::Server, restore::Restored},
    },
};

/// A record at rest is looked at again after this long; its end is met to the second all the same.
const RESYNC: Duration = Duration::from_hours(1);
/// And so often one that ends, or in which something is amiss.
const LONGEST: Duration = Duration::from_mins(10);

/// When a record is looked at again by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Again {
    /// As soon as what no watch tells of may have happened.
    Soon,
    /// After about this long: not all at the same time.
    About(Duration),
    /// After this long.
    In(Duration),
}

/// The next step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Something is under way, of which people know.
    Wait,
    /// People are told, and nothing is touched.
    Tell(Told, Again),
    /// The `Database` is there again, so the end that the record has is taken back; and a destroy that was begun is, unless
    /// the `Database` has its server already.
    TakeBack { cancels: bool },
    /// The `Database` has the server again, which is told there; the record goes.
    Recover { note: String },
    /// The record goes.
    Settle { settled: Settled, note: String },
    /// The record has come to its end, and what Azure has under that name isn't its own: the object that only looks goes, and
    /// the record.
    LetAlone { note: String },
    /// The server's object is made anew, so that Azure is asked what there is today: what the API server holds may be from a
    /// backup.
    LookAnew { before: Closing },
    /// The server is destroyed, by one step.
    Destroy,
    /// Nobody gets in to the server, and nothing about it is changed by itself. People are told.
    Keep { told: Told, again: Again },
}

/// What becomes of the ways in before the server's object, with which theirs go, is made anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Closing {
    /// They are another cluster's.
    No,
    /// Where Azure refuses, it goes on without.
    IfPossible,
    /// Where Azure refuses, nothing else is done.
    Must,
}

/// What there is to do before the server's object is looked for; `None` when that is next.
pub(super) fn first(seen: &Seen<'_>) -> Option<Plan> {
    match &seen.database {
        Owner::Absent => {}
        // The one that this record was just written for: its finalizer is about to go.
        Owner::Going(deleted) if *deleted == seen.record.spec.since.0 => return Some(Plan::Wait),
        // It was there again, and what was said before is of another time, should this one vanish by force.
        Owner::Going(_) => return Some(Plan::TakeBack { cancels: false }),
        Owner::Unreadable => return Some(Plan::TakeBack { cancels: true }),
        Owner::There(database) => return Some(returned(seen, database)),
    }
    if let Some(other) = seen.server.as_ref().and_then(|server| other_owner(server, seen)) {
        return Some(mistaken(seen, &other));
    }
    let Some(end) = &seen.end else { return Some(Plan::Wait) };
    // What has come to its end is looked for anew first.
    let server = seen.server.as_ref()?;
    if !seen.is_over || seen.copied_to.is_some() || seen.deletion_is_requested() || seen.is_fresh {
        return None;
    }
    Some(if server.is_being_made() && !server.is_going() {
        // Azure need not tell of a server that it is making: it would be taken for gone, and be there later, for nobody.
        keep(seen, end, Some(told::being_made(seen.record)))
    } else if server.is_going() {
        Plan::Wait
    } else if seen.record.is_being_destroyed() {
        // Or the object, once it is deleted to be made anew, would be taken for what Azure was told.
        let warned_at = Notes::of(seen.record).warned_at;
        let why = told::kept(seen.record, end, warned_at.as_ref(), seen.now);
        Plan::Tell(Told::kept(seen.record, why), Again::Soon)
    } else {
        let before = match end {
            _ if seen.is_anothers => Closing::No,
            // A server that is kept has its ways in closed. What somebody has confirmed needs no such sign.
            End::At { .. } => Closing::Must,
            _ => Closing::IfPossible,
        };
        Plan::LookAnew { before }
    })
}

/// What there is to do once the server's object was looked for.
pub(super) fn then(seen: &Seen<'_>, restored: Restored) -> Plan {
    let Some(end) = &seen.end else { return Plan::Wait };
    let record = seen.record;
    let is_requested = seen.deletion_is_requested();
    if let Some(copy) = seen.copied_to.as_deref().filter(|_| !is_requested) {
        return keep(seen, end, Some(told::copied_to(record, copy)));
    }
    let recreated = seen.server.as_ref().and_then(|server| told::recreated(record, server));
    let trouble = match restored {
        Restored::UnderWay => return Plan::Wait,
        Restored::Foreign(why) if seen.is_over => {
            let note = format!("Nothing is kept any more, and nothing is destroyed: {}", why.message);
            return Plan::LetAlone { note };
        }
        // Another one of the same name: only who has asked for it now can mean that one.
        Restored::There if recreated.is_some() && *end != End::Approved && !is_requested => recreated,
        Restored::There | Restored::Gone | Restored::Blocked(_) if is_requested || seen.is_over => {
            return Plan::Destroy;
        }
        Restored::There => recreated,
        Restored::Gone => Some(told::gone(record)),
        Restored::Foreign(why) => {
            return match keep(seen, end, Some(why)) {
                // The ways in are another one's, too.
                Plan::Keep { told, again } => Plan::Tell(told, again),
                plan => plan,
            };
        }
        Restored::Blocked(why) => Some(why),
    };
    keep(seen, end, trouble)
}

fn keep(seen: &Seen<'_>, end: &End, trouble: Option<Blocked>) -> Plan {
    let record = seen.record;
    let trouble = trouble.or_else(|| (*end == End::Outdated).then(|| told::outdated(record)));
    let mut notes = Notes::of(record);
    notes.confirmed = notes.confirmed.filter(|_| !end::is_overruled(record));
    let warned_at = end.warns(seen.now).then(|| notes.warned_at.clone().unwrap_or(Time(seen.now)));
    let is_ready = trouble.is_none();
    let why = trouble.unwrap_or_else(|| told::kept(record, end, warned_at.as_ref(), seen.now));
    let told = Told { is_ready, notes: Notes { warned_at, ..notes }, ..Told::kept(record, why) };
    // What is about the past touches nothing: whoever has the server now needs the ways in.
    if *end == End::Outdated || seen.is_anothers {
        return Plan::Tell(told, Again::About(LONGEST));
    }
    if record.is_being_destroyed() {
        // First, or the server's object, should it be deleted by hand now, would be taken for what Azure was told.
        return Plan::Tell(told, Again::Soon);
    }
    let again = match end {
        _ if !is_ready => Again::About(LONGEST),
        End::At { .. } | End::Confirmed(_) => Again::In(next(end, seen.now)),
        _ => Again::About(RESYNC),
    };
    Plan::Keep { told, again }
}

/// When to look again at a record that ends: at its warning, at its end, and now and then, because a clock can be set.
fn next(end: &End, now: Timestamp) -> Duration {
    let event = match end {
        End::At { promised, .. } if now.duration_until(*promised) > WARNING => {
            now.duration_until(*promised) - WARNING
        }
        end => now.duration_until(end.due().unwrap_or(now)),
    };
    Duration::try_from(event).unwrap_or_default().clamp(Duration::from_secs(1), LONGEST)
}

/// The `Database` that a server's object names, if it is another one.
fn other_owner(server: &Server, seen: &Seen<'_>) -> Option<String> {
    let named = server.labelled()?;
    let is_other = named != seen.kept.database && !server.is_probe();
    is_other.then(|| named.to_string())
}

/// The record is about another database's server: whoever wrote it was mistaken. It goes, so that it stands in nobody's way.
fn mistaken(seen: &Seen<'_>, other: &str) -> Plan {
    let note = format!(
        "Server {} belongs to Database {other}, as its FlexibleServer says, and not to Database {}: this record is mistaken, \
         and goes; nothing else is touched",
        seen.kept.server_name, seen.record.spec.database
    );
    Plan::Settle { settled: Settled::Mistaken, note }
}

/// The `Database` is there again. Once it has its server back, it is told since when the server was kept, and the record
/// goes.
fn returned(seen: &Seen<'_>, database: &Database) -> Plan {
    let (record, kept) = (seen.record, &seen.kept);
    let known = database.status.as_ref().and_then(|status| status.server.as_ref());
    let has_server = known.is_some_and(|server| server.name == kept.server_name);
    let Some(server) = seen.server.as_ref().filter(|server| has_server && has_it(server)) else {
        // Something may keep it from that for long, and a destroy that was begun has been overtaken.
        return Plan::TakeBack { cancels: true };
    };
    let formerly = record.spec.formerly.as_deref();
    // Until Azure knows whose it is, the record tells.
    let is_tagged = formerly.is_none() || server.is_tagged(kept.database);
    if !is_tagged || (!seen.deletion_is_requested() && Notes::taken_back(record).is_some()) {
        return Plan::TakeBack { cancels: false };
    }
    let since = &record.spec.since;
    let recreated = told::recreated(record, server);
    let is_destroyed =
        record.is_being_destroyed() && server.object_created_at().is_some_and(|created| created > since.0);
    if is_destroyed || recreated.is_some() {
        // It came too late: this is another server of the same name.
        let note = recreated.map_or_else(
            || format!("Server {} is destroyed with all its data; it was made anew since", kept.server_name),
            |why| why.message,
        );
        return Plan::Settle { settled: Settled::Destroyed, note };
    }
    let of = formerly.map_or_else(String::new, |formerly| format!(" of Database {formerly}"));
    let note =
        format!("Server {}{of} is back, with the data that was kept since {}", kept.server_name, since.0);
    Plan::Recover { note }
}

/// Whether Azure has the server as the object says: what is told of one that is gone, or is being made anew, is about the
/// former one.
fn has_it(server: &Server) -> bool {
    !server.is_probe() && server.progress() == Progress::Ready
}

#[cfg(test)]
mod tests;
