//! One pass over one `Database`: the stages in their order, and what happens when one can't go on.

use std::{sync::Arc, time::Duration, time::Instant};

use api::{
    Authentication, Database, DatabaseRef, RefusedChange,
    annotations::{FINALIZER, ROTATE_PASSWORD},
    reason::Reason,
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    runtime::{
        controller::Action,
        finalizer::{self, finalizer},
        reflector::ObjectRef,
    },
};
use policy::{Effective, Policy, Problem, Request};

use super::{
    error::Error,
    finalize::{Fate, finalize},
    pause::{self, Pause},
    recover,
    report::report,
    status::Outcome,
};
use crate::azure::Administrator;
use crate::controller::{
    engine::{
        backoff::{self, LIMIT},
        in_flight::EXPIRY,
        quota::Beside,
        verdict::Blocked,
    },
    server::{
        app_password::AppPasswords,
        apply, build,
        build::AllPasswords,
        context::Context,
        handover::{self, Handover},
        known::Known,
        observe::{self, Found},
        password::{self, Passwords, fresh_password},
        refused,
        resolve::{self, Resolved},
        secrets,
        surroundings::Surroundings,
        write,
    },
};

/// A database at rest is looked at again after this long, should a watch have missed something.
const RESYNC: Duration = Duration::from_hours(1);
/// While Azure works, its objects tell when something happens; this is for the case that they don't.
const WORKING: Duration = Duration::from_mins(5);
/// How soon to look again for something that no watch tells of.
const SOON: Duration = Duration::from_secs(5);
/// The first lists take a moment.
const SYNCING: Duration = Duration::from_millis(500);

pub(crate) async fn reconcile(database: Arc<Database>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let object = ObjectRef::from_obj(database.as_ref());
    let api: Api<Database> =
        Api::namespaced(context.client.clone(), &database.namespace().unwrap_or_default());
    let with_finalizer = async {
        // Before the finalizer goes, and not while: it may take long.
        if database.metadata.deletion_timestamp.is_some()
            && database.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
            && let Fate::Wait(action) =
                Box::pin(finalize(&database, &context)).await.map_err(finalizer::Error::CleanupFailed)?
        {
            return Ok(action);
        }
        finalizer(&api, FINALIZER, database.clone(), |event| async {
            match event {
                finalizer::Event::Apply(database) => pass(&database, &context).await,
                finalizer::Event::Cleanup(_) => {
                    context.count("ok");
                    Ok(Action::await_change())
                }
            }
        })
        .await
    };
    let result = match tokio::time::timeout(LIMIT, with_finalizer).await {
        Ok(Ok(action)) => Ok(action),
        Ok(Err(finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error))) => Err(error),
        Ok(Err(error)) => {
            let is_race = is_race(&error);
            let error = Error::Finalizer(Box::new(error));
            // The status passes no webhook: it can tell what stands in the way where the object itself can't be
            // written.
            let why = Blocked::by(Reason::FinalizerFailed, error.to_string()).beside_the_app();
            if !is_race && let Err(worse) = report(&database, &context, &Outcome::Blocked(&why)).await {
                tracing::debug!(%object, %worse, "the status can't be written either");
            }
            Err(error)
        }
        Err(_) => Err(Error::TooLong),
    };
    match &result {
        Ok(_) => context.backoff.succeeded(&object),
        Err(error) => context.count(error.stage()),
    }
    context.metrics.passes.took(started);
    result
}

/// Whether a finalizer wasn't written because the object is gone, or newer than the cache: the next pass mends that.
fn is_race(error: &finalizer::Error<Error>) -> bool {
    let (finalizer::Error::AddFinalizer(source) | finalizer::Error::RemoveFinalizer(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if matches!(status.code, 404 | 409 | 422))
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(crate) fn on_error(database: Arc<Database>, error: &Error, context: Arc<Context>) -> Action {
    let object = ObjectRef::from_obj(database.as_ref());
    let delay = context.backoff.failed(&object, database.metadata.generation);
    tracing::warn!(%object, stage = error.stage(), %error, again_in_seconds = delay.as_secs(), "reconcile failed");
    Action::requeue(delay)
}

/// Why a pass goes no further.
enum Stop {
    /// The caches are being filled, or are behind; no trouble.
    NotSynced,
    Blocked(Blocked),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What is wanted of a `Database`, and what people are told with it.
struct Wanted {
    effective: Effective,
    breaches: Vec<Problem>,
    refused: Option<RefusedChange>,
    pause: Option<Pause>,
    desired: build::Desired,
    /// For how long a password of the app works that was replaced, or a login by which it administered its server.
    overlap: Option<SignedDuration>,
}

async fn pass(database: &Database, context: &Context) -> Result<Action, Error> {
    match stages(database, context).await {
        Ok(action) => Ok(action),
        Err(Stop::NotSynced) => {
            context.count("not-synced");
            Ok(Action::requeue(backoff::jittered(SYNCING)))
        }
        // Policies and namespaces are watched.
        Err(Stop::Blocked(why)) => {
            report(database, context, &Outcome::Blocked(&why)).await?;
            context.count("blocked");
            let again = if why.out_of_policy { WORKING } else { SOON };
            Ok(Action::requeue(backoff::jittered(again)))
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Observe, resolve, build, apply, and tell.
async fn stages(database: &Database, context: &Context) -> Result<Action, Stop> {
    let state = context.policy.load_full();
    let policy =
        state.require(&context.policy_name).map_err(|denial| Stop::Blocked(resolve::blocked(&denial)))?;
    let known = observe(database, policy, context).await?;
    let wanted = want(database, &known, policy, context)?;
    let replaced = replaced_password(context, &wanted.desired);
    let mode = apply::Mode::of(database, wanted.pause.as_ref().is_some_and(Pause::is_in_force));
    let applied = match Box::pin(apply::apply(context, database, &wanted.desired, mode)).await {
        Ok(applied) => applied,
        Err(write::Error::Foreign(why)) => return Err(Stop::Blocked(why)),
        Err(error) => {
            // The API server's own words, so that people see why nothing moves.
            let why = Blocked::by(Reason::ApplyFailed, error.to_string()).beside_the_app();
            report(database, context, &Outcome::Blocked(&why)).await?;
            return Err(error.into());
        }
    };
    if let Some(secret) = replaced {
        let old = match wanted.overlap {
            None => "works no longer".to_owned(),
            Some(left) => format!("works for {} hours more", left.as_hours().max(1)),
        };
        let note =
            format!("Secret {secret} holds a new password, and the old one {old}: restart what has read it");
        context.events.publish(database, Reason::PasswordReplaced, &note).await;
    }
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known,
        effective: &wanted.effective,
        breaches: &wanted.breaches,
        revision: &policy.revision,
        refused: wanted.refused.as_ref(),
        pause: wanted.pause.as_ref(),
        catalogue: policy.catalogue(),
    };
    report(database, context, &outcome).await?;
    if wanted.desired.handover == Handover::Begins {
        handover::note(context, known.former.as_ref()).await?;
    }
    context.look_at_record(&known.server_name);
    context.count("ok");
    let again = match (applied.unconfirmed, applied.is_ready()) {
        (true, _) => EXPIRY,
        (false, true) => RESYNC,
        (false, false) => WORKING,
    };
    let again = applied.again.map_or(again, |access| access.min(again));
    // The login that was replaced is closed then.
    let overlap = wanted.overlap.and_then(|left| Duration::try_from(left).ok());
    let again = overlap.map_or(again, |left| left.max(SOON).min(again));
    Ok(Action::requeue(backoff::jittered(again)))
}

/// All that is known; a kept server of another `Database` is asked for on the way.
async fn observe(database: &Database, policy: &Policy, context: &Context) -> Result<Box<Known>, Stop> {
    let namespace_uid = context.namespaces.uid(DatabaseRef::of(database).namespace);
    // A record may be of a namespace of the same name that is gone.
    if !context.namespaces.are_listed() {
        return Err(Stop::NotSynced);
    }
    let known = match observe::observe(database, Surroundings::of(context, policy, namespace_uid.as_deref()))
    {
        Ok(Found::Known(known)) => known,
        Ok(Found::Elsewhere(from)) => {
            return Err(Stop::Blocked(Box::pin(recover::recover(database, &from, policy, context)).await?));
        }
        Err(observe::Error::NotSynced) => return Err(Stop::NotSynced),
        Err(observe::Error::Blocked(why)) => return Err(Stop::Blocked(why)),
    };
    // A new password that the cache doesn't show yet would be made once more.
    let admin_secret =
        write::key::<Secret>(&context.operator_namespace, &password::secret_name(&known.server_name));
    let version = known.admin_secret.as_ref().and_then(ResourceExt::resource_version);
    if context.in_flight.is_pending(&admin_secret, version.as_deref()) {
        return Err(Stop::NotSynced);
    }
    Ok(known)
}

/// By the spec, the policy and what Azure has refused.
fn want(database: &Database, known: &Known, policy: &Arc<Policy>, context: &Context) -> Result<Wanted, Stop> {
    let now = context.now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let labels = context.namespaces.labels(DatabaseRef::of(database).namespace);
    let resolved = resolve::resolve(database, known, policy, &context.policy_name, labels.as_ref(), today);
    let Resolved { effective, breaches } = resolved.map_err(Stop::Blocked)?;
    if let Some(why) = held_back(database, known, context, policy, today) {
        return Err(Stop::Blocked(why));
    }
    let (effective, refused) = refused::held_back(database, known, effective, policy.catalogue());
    let overlap = SignedDuration::from_hours(effective.overlap_hours.into());
    let works = context.accesses.lets_app_in(&known.server_name);
    let handover = handover::handover(known.former.as_ref(), works, overlap, now);
    let passwords = match effective.authentication {
        Authentication::Identity => None,
        Authentication::Password => Some(passwords(database, known, &effective, handover, now)?),
    };
    let desired = build::build(
        database,
        known,
        &effective,
        passwords.as_ref(),
        handover,
        &policy.azure,
        &context.operator_namespace,
    );
    let of_password = passwords.and_then(|passwords| passwords.app?.overlap_left);
    let overlap = of_password.into_iter().chain(handover.left()).min();
    Ok(Wanted { effective, breaches, refused, pause: pause::of(database, today), desired, overlap })
}

/// Why nothing is made for it, where its namespace has as many servers as it may have.
fn held_back(
    database: &Database,
    known: &Known,
    context: &Context,
    policy: &Policy,
    today: Date,
) -> Option<Blocked> {
    let whose = DatabaseRef::of(database);
    let labels = context.namespaces.labels(whose.namespace);
    let request = Request {
        labels: labels.as_ref(),
        ..Request::new(&context.policy_name, whose, &database.spec, today)
    };
    let has_server =
        known.server.is_some() || known.recorded.is_some() || context.record_of(&known.server_name).is_some();
    let beside = Beside { databases: &context.databases, records: &context.retained };
    context.quotas.held_back(database, has_server, policy.quota(&request), &beside)
}

fn passwords(
    database: &Database,
    known: &Known,
    effective: &Effective,
    handover: Handover,
    now: Timestamp,
) -> Result<AllPasswords, Error> {
    let existing = known.admin_secret.as_ref();
    let wanted = password::Wanted {
        request: database.annotations().get(ROTATE_PASSWORD).map(String::as_str),
        rotate_after_days: effective.rotate_after_days,
        made_since: None,
    };
    let overlap = SignedDuration::from_hours(effective.overlap_hours.into());
    let (app, of_administrator) = match &known.administrator {
        // What nobody is given is replaced when the server is kept, and when an app isn't to have it any longer.
        Administrator::Platform(_) => {
            let app = AppPasswords::plan(existing, wanted, overlap, now, fresh_password);
            let made_since = match handover {
                Handover::Ends { since } => Some(since),
                _ => None,
            };
            let of_administrator = password::Wanted { made_since, ..password::Wanted::default() };
            (Some(app.ok_or(Error::NoPassword)?), of_administrator)
        }
        Administrator::App => (None, wanted),
    };
    let administrator =
        Passwords::plan(existing, known.sent_password(), of_administrator, now, fresh_password);
    Ok(AllPasswords { administrator: administrator.ok_or(Error::NoPassword)?, app })
}

/// The app's Secret, if it has a password and is about to get another.
fn replaced_password(context: &Context, desired: &build::Desired) -> Option<String> {
    let wanted = desired.secret.as_ref()?;
    let (namespace, name) = (wanted.namespace().unwrap_or_default(), wanted.name_any());
    let found = secrets::bound(context, wanted)?;
    let differs = found.has_another_password(wanted.data.as_ref()?);
    // What was written a moment ago was told of then.
    let key = write::key::<Secret>(&namespace, &name);
    (differs && !context.in_flight.is_pending(&key, Some(&found.version))).then_some(name)
}
