//! A `Database` that is created, changed or deleted.

use api::{Authentication, DatabaseRef, DatabaseSpec, DefaultedField, RestoreFrom, annotations::DEFAULTED};
use kube::core::admission::Operation;
use policy::{
    Code, Denial, PolicyState, Problem, Recorded, Verdict, accepting,
    catalogue::Catalogue,
    defaults,
    deleting::{self, Deletion},
    document::Level,
    metadata::LARGEST_ANNOTATIONS,
    pausing,
    quota::Used,
    recovering::{self, RecoveryRequest},
    restoring::{self, Origin, Source},
    updating, warning,
};
use serde_json::{Value, json};

use super::{
    answer::Admitted,
    basis::{Basis, denial, labels, profile, refusal},
    change::{Change, Specs},
    hook::Hook,
    sent::{Annotations, Metadata, Request, Target},
};
use crate::cluster::Needs;

/// The labels of the namespace where a profile depends on them; the servers that it has where one is created; who else
/// uses a ServiceAccount that is named.
pub(super) fn needs<'a>(
    hook: Hook,
    request: &'a Request,
    change: &'a Change,
    state: &PolicyState,
) -> Needs<'a> {
    let target = Target::of(request);
    let Some(policy) = state.policy() else { return Needs::default() };
    let is_new = hook == Hook::Validate && request.operation == Operation::Create;
    let recovers = request.new.as_ref().is_some_and(|metadata| metadata.recover_from().is_some());
    let restores = restore_from(change).filter(|_| hook == Hook::Validate);
    Needs {
        labels: policy.looks_at_labels().then_some(target.namespace),
        servers_in: (is_new && policy.has_quotas()).then_some(target.namespace),
        kept_of: (is_new && (recovers || restores.is_some())).then_some((target.namespace, target.name)),
        source: restores.and_then(|from| match restoring::origin(from, target.database()).ok()? {
            Origin::Database(namespace, name) => Some((namespace, name)),
            Origin::Server(_) => None,
        }),
        using: (hook == Hook::Validate)
            .then(|| named_account(change))
            .flatten()
            .map(|account| (target.namespace, account)),
        ..Needs::default()
    }
}

/// Whose data are wanted for a server that Azure has yet to make.
fn restore_from(change: &Change) -> Option<&RestoreFrom> {
    change.specs.as_ref()?.new.restore_from.as_ref().filter(|_| change.recorded.is_none())
}

/// The ServiceAccount, where its name is written for the first time and an app logs in with a token of it.
fn named_account(change: &Change) -> Option<&str> {
    let Specs { new, old, .. } = change.specs.as_ref()?;
    if new.authentication == Some(Authentication::Password) {
        return None;
    }
    let named = new.service_account_name.as_deref()?;
    let before = old.as_ref().and_then(|old| old.service_account_name.as_deref());
    (before != Some(named)).then_some(named)
}

/// The defaults as a patch, or why they are left out; a denial where the API server would find something invalid.
pub(super) fn mutate(
    request: &Request,
    change: &Change,
    mistakes: &[Problem],
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    if mistakes.is_empty() {
        Ok(fill_in(request, change, basis))
    } else {
        Err(invalid(request, change, mistakes, basis))
    }
}

/// The mistakes, and what the validating hook would say of the rest.
fn invalid(request: &Request, change: &Change, mistakes: &[Problem], basis: &Basis<'_>) -> Denial {
    // Of a name that is yet to be generated nothing can be said.
    let has_name = !Target::of(request).name.is_empty();
    let others = has_name.then(|| validate(request, change, basis).err()).flatten();
    let others = others.unwrap_or_else(|| refusal(Vec::new(), None, basis));
    let is_new = |problem: &Problem| !mistakes.contains(problem);
    let rest = others.problems.into_iter().filter(is_new);
    Denial { problems: mistakes.iter().cloned().chain(rest).collect(), ..others }
}

fn fill_in(request: &Request, change: &Change, basis: &Basis<'_>) -> Admitted {
    let Some((patch, annotation)) = defaulting(request, change, basis) else { return Admitted::default() };
    let annotations = request.new.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    let room = LARGEST_ANNOTATIONS.saturating_sub(annotations.map_or(0, Annotations::size_of_others));
    // A default that looks like what somebody wrote could change a server that is found again. Without one, the
    // validating hook and the controller fill in the same.
    if annotation.is_some_and(|annotation| DEFAULTED.len() + annotation.len() > room) {
        let text = "metadata.annotations leave no room for altinn.app/defaulted, so no default is written into the spec";
        return Admitted { warnings: vec![text.to_owned()], ..Admitted::default() };
    }
    Admitted { patch: Some(patch), ..Admitted::default() }
}

/// The patch, and the note that it writes; `None` when nothing is to be filled in.
fn defaulting(
    request: &Request,
    change: &Change,
    basis: &Basis<'_>,
) -> Option<(json_patch::Patch, Option<String>)> {
    let metadata = request.new.as_ref().filter(|metadata| !metadata.is_going())?;
    // What is wrong with it is the validating hook's to say.
    let specs = change.specs.as_ref().filter(|specs| specs.can_be_read())?;
    let Specs { new, old, is_written, .. } = specs;
    // Without a policy, or a profile, nothing is filled in, and the validating hook says why.
    let profile = profile(basis, Target::of(request).namespace)?;
    let stored = request.old.as_ref().and_then(Metadata::defaulted);
    // The API server asks again when another webhook changed the object: what was filled in then stands in it already.
    let sent = metadata.defaulted();
    let before = defaults::recorded_defaults(stored, old.as_ref(), sent, profile);
    let mut filled = defaults::fill(new, old.as_ref(), change.recorded.as_ref(), profile, &before);
    if restore_from(change).is_some() {
        defaults::leave_to_source(&mut filled, new);
    }
    let annotation = defaults::note(stored, old.as_ref(), sent, &filled);
    if annotation.as_deref() == sent && filled.spec == *new {
        return None;
    }
    let has_annotations = metadata.annotations.is_some();
    let before = document(is_written.then_some(new), sent, has_annotations);
    let after = document(Some(&filled.spec), annotation.as_deref(), has_annotations);
    Some((json_patch::diff(&before, &after), annotation))
}

/// The parts of an object that defaults touch. Comparing whole documents gives a patch whose parents exist.
fn document(spec: Option<&DatabaseSpec>, annotation: Option<&str>, has_annotations: bool) -> Value {
    let metadata = match annotation {
        Some(annotation) => json!({"annotations": {DEFAULTED: annotation}}),
        None if has_annotations => json!({"annotations": {}}),
        None => json!({}),
    };
    match spec {
        Some(spec) => json!({"metadata": metadata, "spec": spec}),
        None => json!({"metadata": metadata}),
    }
}

pub(super) fn validate(request: &Request, change: &Change, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let target = Target::of(request);
    match (&request.new, &request.old) {
        (Some(new), Some(old)) if old.is_going() => terminating(new, old, change, &target, basis),
        (Some(new), old) => apply(new, old.as_ref(), change, &target, basis),
        (None, Some(old)) => delete(old, &target, basis),
        // No such request is let through to here.
        (None, None) => Ok(Admitted::default()),
    }
}

fn apply(
    metadata: &Metadata,
    old: Option<&Metadata>,
    change: &Change,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    let mut warnings = on_annotations(metadata, target, basis);
    let Some(specs) = &change.specs else { return Ok(Admitted { warnings, ..Admitted::default() }) };
    let recorded = change.recorded.as_ref();
    let profile = profile(basis, target.namespace);
    let (stored, sent) = (old.and_then(Metadata::defaulted), metadata.defaulted());
    let defaulted = profile
        .map(|profile| defaults::recorded_defaults(stored, specs.old.as_ref(), sent, profile))
        .unwrap_or_default();
    let database = target.database();
    let source = source(change, target, basis);
    // What is kept of itself comes back, and nothing is restored.
    let restores = restore_from(change).is_some() && basis.facts.is_kept != Some(true);
    let request = policy::Request {
        labels: labels(basis, target.namespace),
        databases: used(metadata, target, basis),
        old: specs.old.as_ref(),
        defaulted: &defaulted,
        source: source.as_ref().filter(|_| restores),
        asked_at: restores.then_some(basis.now),
        ..policy::Request::new(basis.policy_name, database, &specs.new, basis.today())
    };
    // Labels, annotations and finalizers are always free, with whatever policy or none.
    let verdict =
        if specs.are_the_same() { Verdict::default() } else { specs.judge(&request, recorded, basis)? };
    let recovery = recovery(metadata, old, change, target, basis)?;
    if verdict.denial.is_some() || recovery.is_some() {
        let mut denial = verdict.denial.unwrap_or_else(|| refusal(Vec::new(), profile, basis));
        denial.problems.extend(recovery);
        return Err(denial);
    }
    warnings.extend(on_account(change, target, basis));
    warnings.extend(on_spec(specs, &defaulted, recorded, basis));
    warnings.extend(on_source(specs, &request));
    warnings.extend(updating::on_apply(metadata.update_extensions(), &specs.new));
    warnings.extend(on_breaches(specs, &verdict, &request, recorded, basis));
    let audited = verdict.warned.iter().chain(&verdict.audited).map(|problem| problem.code).collect();
    Ok(Admitted { patch: None, warnings, audited, exception: exception(&verdict) })
}

fn on_annotations(metadata: &Metadata, target: &Target<'_>, basis: &Basis<'_>) -> Vec<String> {
    let rules = profile(basis, target.namespace).map(|profile| profile.retention);
    let mut warnings = warning::on_apply(&deletion(metadata, target, basis), rules.as_ref());
    warnings.extend(accepting::on_apply(metadata.accept_empty(), basis.today()));
    warnings.extend(pausing::on_apply(metadata.paused(), basis.today()));
    warnings
}

/// That somebody else uses the ServiceAccount that is named.
fn on_account(change: &Change, target: &Target<'_>, basis: &Basis<'_>) -> Option<String> {
    named_account(change)?;
    let mut others = basis.facts.using.iter().filter(|other| *other != target.name);
    others.next().map(|other| warning::on_shared_account(other))
}

/// What is known of the database whose data are wanted. Who may not have them is told nothing of it, either.
fn source(change: &Change, target: &Target<'_>, basis: &Basis<'_>) -> Option<Source> {
    let (database, policy) = (target.database(), basis.state.policy()?);
    let origin = restoring::origin(restore_from(change)?, database).ok()?;
    restoring::allowed(&origin, database, policy, basis.today()).ok()?;
    basis.facts.source.as_deref().and_then(Source::of)
}

/// What keeps the controller from restoring the data, as far as the other database is known.
fn on_source(specs: &Specs, request: &policy::Request<'_>) -> Vec<String> {
    let (Some(from), Some(source), Some(now)) = (&specs.new.restore_from, request.source, request.asked_at)
    else {
        return Vec::new();
    };
    let Ok(origin) = restoring::origin(from, request.database()) else { return Vec::new() };
    let problems = restoring::against_source(&specs.new, from, &origin.to_string(), source, now);
    problems.iter().map(warning::of).collect()
}

/// What the spec does on the server that runs, or is to be.
fn on_spec(
    specs: &Specs,
    defaulted: &[DefaultedField],
    recorded: Option<&Recorded>,
    basis: &Basis<'_>,
) -> Vec<String> {
    let Specs { new, old, .. } = specs;
    let mut warnings = warning::on_defaults(new, defaulted, recorded);
    warnings.extend(warning::on_vault(new, old.as_ref()));
    if let Some(policy) = basis.state.policy() {
        warnings.extend(warning::on_place(new, old.as_ref(), recorded, policy));
        warnings.extend(warning::on_support(new, recorded, policy.catalogue(), basis.today()));
    }
    if let Some(old) = old {
        let known = match basis.state.policy() {
            Some(policy) => policy.catalogue(),
            None => Catalogue::known(),
        };
        warnings.extend(warning::on_change(new, old, recorded, known));
    }
    warnings
}

/// What of the policy it breaks, and is admitted all the same; each code once.
fn on_breaches(
    specs: &Specs,
    verdict: &Verdict,
    request: &policy::Request<'_>,
    recorded: Option<&Recorded>,
    basis: &Basis<'_>,
) -> Vec<String> {
    // All of a new one was judged just now.
    let policy = specs.old.as_ref().and_then(|_| basis.state.policy());
    let breaches = policy.map(|policy| policy.breaches(request, recorded)).unwrap_or_default();
    let is_among = |problem: &Problem| breaches.iter().any(|(_, breach)| breach.code == problem.code);
    let shown = breaches.iter().filter(|(level, _)| *level != Level::Audit).map(|(_, problem)| problem);
    shown.chain(verdict.warned.iter().filter(|problem| !is_among(problem))).map(warning::of).collect()
}

/// The exceptions that let it through, as the audit log shows them.
fn exception(verdict: &Verdict) -> Option<String> {
    let excepted: Vec<String> = verdict
        .excepted
        .iter()
        .map(|exception| format!("until {}: {}", exception.until, exception.reason))
        .collect();
    (!excepted.is_empty()).then(|| excepted.join("; "))
}

/// What the namespace has already. One that brings back a server that is kept in it takes no other one, and is never one
/// too many.
fn used(metadata: &Metadata, target: &Target<'_>, basis: &Basis<'_>) -> Option<Used> {
    let servers = basis.facts.servers.as_ref()?;
    let from = metadata.recover_from().and_then(DatabaseRef::parse);
    let from = from.filter(|from| from.namespace == target.namespace).map(|from| from.name);
    let comes_back = [Some(target.name), from].into_iter().flatten().any(|name| servers.kept.contains(name));
    (!comes_back).then(|| servers.used())
}

/// What stands in the way of bringing back the data of another database; asked once, when that is written.
fn recovery(
    metadata: &Metadata,
    old: Option<&Metadata>,
    change: &Change,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Option<Problem>, Denial> {
    let from = metadata.recover_from();
    let Some(from) = from.filter(|_| from != old.and_then(Metadata::recover_from)) else { return Ok(None) };
    // What is kept of itself comes back whatever the annotation says, which was followed before.
    if change.recovered_from.as_deref() == Some(from) || basis.facts.is_kept == Some(true) {
        return Ok(None);
    }
    if change.recorded.is_some() {
        return Ok(Some(recovering::has_server(from)));
    }
    let policy = basis.state.require(basis.policy_name)?;
    let database = target.database();
    let request = RecoveryRequest { database, from, today: basis.today() };
    Ok(recovering::judge(&request, policy).err())
}

/// While an object is being deleted, finalizers must be removable; its spec stays, and the fate of its data can only
/// be made safer.
fn terminating(
    new: &Metadata,
    old: &Metadata,
    change: &Change,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    if change.specs.as_ref().is_some_and(|specs| !specs.are_alike()) {
        let text = "spec can't change any more: this Database is being deleted; wait until it is gone and apply the \
                    manifest again";
        let problem = Problem { code: Code::Terminating, field: "spec".into(), text: text.into() };
        return Err(denial(basis, problem));
    }
    let warnings = warning::on_terminating(&deletion(new, target, basis));
    let [old, new] = [old, new].map(|metadata| (metadata.retention(), metadata.confirmation()));
    match deleting::judge_change(old, new) {
        Ok(()) => Ok(Admitted { warnings, ..Admitted::default() }),
        Err(problem) => Err(denial(basis, problem)),
    }
}

fn delete(old: &Metadata, target: &Target<'_>, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    // The delete was admitted before, and asking again changes nothing: the finalizer decides from here.
    if old.is_going() {
        return Ok(Admitted::default());
    }
    let profile = profile(basis, target.namespace);
    let rules = profile.map(|profile| &profile.retention);
    match deleting::judge(&deletion(old, target, basis), rules) {
        Ok(_) => Ok(Admitted::default()),
        Err(problems) => Err(refusal(problems, profile, basis)),
    }
}

/// What an object says of its own deletion.
fn deletion<'a>(metadata: &'a Metadata, target: &Target<'a>, basis: &Basis<'_>) -> Deletion<'a> {
    Deletion {
        namespace: target.namespace,
        name: target.name,
        retention: metadata.retention(),
        confirmation: metadata.confirmation(),
        today: basis.today(),
    }
}
