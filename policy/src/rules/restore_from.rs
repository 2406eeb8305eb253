//! `spec.restoreFrom`: data that a new database begins with. What depends on the other database is judged by
//! [`crate::restoring::against_source`].

use api::RestoreFrom;

use super::Context;
use crate::{
    Code, Problem,
    restoring::{Origin, allowed, moment, origin},
};

const FIELD: &str = "spec.restoreFrom";

/// What is written anew while there is no server, and none is kept.
fn asked<'a>(context: &Context<'a>) -> Option<&'a RestoreFrom> {
    let asks = context.request.asked_at.is_some() && context.changed(|spec| spec.restore_from.clone());
    context.new.restore_from.as_ref().filter(|_| asks)
}

/// It names one source, which isn't the database itself, and a moment that was.
pub(super) fn readable(context: &Context<'_>) -> Vec<Problem> {
    let Some(from) = asked(context) else { return Vec::new() };
    let time = context.request.asked_at.and_then(|now| moment(from, now).err());
    let origin = match origin(from, context.request.database()) {
        // Nothing tells which of its databases is meant.
        Ok(Origin::Server(_)) if context.new.database_name.is_none() => {
            let text =
                "is missing, and nothing else says which database of the server is meant; write its name";
            Some(Problem::new(Code::RestoreImpossible, "spec.databaseName", text))
        }
        Ok(_) => None,
        Err(problem) => Some(problem),
    };
    origin.into_iter().chain(time).collect()
}

/// It is in the same namespace, or the policy allows it.
pub(super) fn permitted(context: &Context<'_>) -> Option<Problem> {
    let (from, database) = (asked(context)?, context.request.database());
    let origin = origin(from, database).ok()?;
    allowed(&origin, database, context.policy, context.request.today).err()
}

/// It stays as it is once there is a server: no data are ever restored over others.
pub(super) fn stays(context: &Context<'_>) -> Option<Problem> {
    context.recorded?;
    let old = context.old?.restore_from.as_ref();
    let text = match (old, &context.new.restore_from) {
        (None, Some(_)) => {
            "can't bring data here: this Database has a server, and a restore never goes over data that are there; take it \
             out, and write it on a new Database beside this one"
        }
        (Some(old), Some(new)) if old != new => {
            "is fixed at creation, and the server is there; write back what it was, or leave it out"
        }
        _ => return None,
    };
    Some(Problem::new(Code::CreateOnly, FIELD, text))
}
