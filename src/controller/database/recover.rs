//! A new `Database` that asks for the kept server of another one. The policy must allow it; then the record is rewritten,
//! and from there on the server is kept for this `Database`, which gets it back as any other does.

use api::{Database, DatabaseRef, RetainedDatabase, reason::Reason};
use jiff::tz::TimeZone;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use policy::{
    Denial, Policy,
    quote::{clean, quote},
    recovering::{self, RecoveryRequest},
};
use serde_json::json;

use crate::{
    controller::{
        engine::verdict::Blocked,
        retained::owner::{Owner, owner},
        server::{
            context::Context,
            error::{Error, failed},
            guards::recovering as told,
            ownership::kept,
        },
    },
    labels::{OPERATOR, owner_labels},
};

/// Gives what is to be told of it.
pub(crate) async fn recover(
    database: &Database,
    from: &str,
    policy: &Policy,
    context: &Context,
) -> Result<Blocked, Error> {
    let whose = DatabaseRef::of(database);
    let today = context.now().to_zoned(TimeZone::UTC).date();
    // It was judged at admission, and is judged once more: admission can be bypassed.
    let source = match recovering::judge(&RecoveryRequest { database: whose, from, today }, policy) {
        Ok(source) => source,
        Err(problem) => {
            let problems = vec![problem];
            let denial = Denial { problems, policy: context.policy_name.clone(), profile: None };
            return Ok(Blocked::by(Reason::RecoveryNotAllowed, denial.message()));
        }
    };
    let nothing = |why: &str| {
        Blocked::by(
            Reason::NothingToRecover,
            format!(
                "{why}, so there is nothing to bring back, and no server is made. Take altinn.app/recover-from out to have \
                 a new and empty one"
            ),
        )
    };
    let Some(record) = kept(&context.retained, source) else {
        return Ok(nothing(&format!("No server of Database {} is kept", quote(from))));
    };
    let server_name = &record.spec.server.name;
    let is_going = record.metadata.deletion_timestamp.is_some();
    if is_going || record.is_being_destroyed() {
        return Ok(nothing(&format!("Server {server_name} of Database {from} is not kept any more")));
    }
    if !matches!(owner(context, source).await?, Owner::Absent) {
        return Ok(nothing(&format!("Database {from} is there itself, and has its server")));
    }
    if let Some(why) = give(&record, whose, from, context).await? {
        return Ok(why);
    }
    Ok(told(server_name, source))
}

/// Writes on the record that the server is kept for another `Database`, unless the webhook refuses that.
async fn give(
    record: &RetainedDatabase,
    to: DatabaseRef<'_>,
    from: &str,
    context: &Context,
) -> Result<Option<Blocked>, Error> {
    let server_name = &record.spec.server.name;
    let body = json!({
        "metadata": {"resourceVersion": record.resource_version(), "labels": owner_labels(to)},
        "spec": {"database": to.to_string(), "formerly": from},
    });
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match context.records().patch(server_name, &params, &Patch::Merge(body)).await {
        Ok(_) => {
            context.count_write("RetainedDatabase");
            tracing::info!(database = %to, from, server = server_name, "a kept server is given to another Database");
            Ok(None)
        }
        // It is newer than the cache shows, or gone: the next pass sees.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        // The webhook's policy may be older than ours by a moment.
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Ok(Some(Blocked::by(Reason::Recovering, clean(&status.message))))
        }
        Err(error) => Err(failed("the RetainedDatabase", "given to another Database")(error)),
    }
}
