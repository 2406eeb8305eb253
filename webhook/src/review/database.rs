//! A `Database` that is created, changed or deleted.

use api::{
    Database, DatabaseSpec,
    annotations::{CONFIRM_DESTROY, DEFAULTED, RETENTION},
};
use kube::core::admission::{AdmissionRequest, Operation};
use policy::{
    Code, Denial, PolicyState, Problem, Recorded, Request, Verdict, defaults,
    deleting::{self, Deletion},
    document::{Level, Namespace, Profile},
    warning,
};
use serde_json::{Value, json};

use super::{Admitted, Basis, Hook, Target, annotation, denial, labels};
use crate::cluster::Needs;

/// The labels of the namespace where a profile depends on them, and the number of its databases where one is created.
pub(super) fn needs<'a>(
    hook: Hook,
    request: &'a AdmissionRequest<Database>,
    state: &PolicyState,
) -> Needs<'a> {
    let target = Target::of(request);
    let Some(policy) = state.policy() else { return Needs::default() };
    let is_new = hook == Hook::Validate && request.operation == Operation::Create;
    Needs {
        labels: policy.looks_at_labels().then_some(target.namespace),
        count_in: (is_new && policy.has_quotas()).then_some(target.namespace),
        databases: false,
    }
}

/// The defaults as a patch; `None` when nothing is to be filled in.
pub(super) fn mutate(
    request: &AdmissionRequest<Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Option<json_patch::Patch> {
    let object = request.object.as_ref()?;
    if object.metadata.deletion_timestamp.is_some() {
        return None;
    }
    // Without a policy, or a profile, nothing is filled in, and the validating hook says why.
    let profile = profile(target, basis)?;
    let old = request.old_object.as_ref();
    let recorded = Recorded::from_status(old.and_then(|old| old.status.as_ref()));
    let stored = old.and_then(|old| annotation(&old.metadata, DEFAULTED));
    // The API server asks again when another webhook changed the object: what was filled in then stands in it already.
    let sent = annotation(&object.metadata, DEFAULTED);
    let old_spec = old.map(|old| &old.spec);
    let before = defaults::noted(stored, old_spec, sent, profile);
    let filled = defaults::fill(&object.spec, old_spec, recorded.as_ref(), profile, &before);
    let mut annotations = object.metadata.annotations.clone();
    if filled.defaulted.is_empty() {
        if let Some(annotations) = &mut annotations {
            annotations.remove(DEFAULTED);
        }
    } else {
        let text = defaults::to_annotation(&filled.defaulted);
        annotations.get_or_insert_default().insert(DEFAULTED.to_owned(), text);
    }
    let before = document(&object.spec, object.metadata.annotations.as_ref());
    let after = document(&filled.spec, annotations.as_ref());
    let patch = json_patch::diff(&before, &after);
    (!patch.0.is_empty()).then_some(patch)
}

/// The parts of an object that defaults touch. Comparing whole documents gives a patch whose parents exist.
fn document<A: serde::Serialize>(spec: &DatabaseSpec, annotations: Option<A>) -> Value {
    match annotations {
        Some(annotations) => json!({"metadata": {"annotations": annotations}, "spec": spec}),
        None => json!({"metadata": {}, "spec": spec}),
    }
}

pub(super) fn validate(
    request: &AdmissionRequest<Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    match (&request.object, &request.old_object) {
        (Some(new), Some(old)) if old.metadata.deletion_timestamp.is_some() => terminating(new, old, basis),
        (Some(new), old) => apply(new, old.as_ref(), target, basis),
        (None, Some(old)) => delete(old, target, basis),
        // `parse` lets no such request through.
        (None, None) => Ok(Admitted::default()),
    }
}

fn apply(
    new: &Database,
    old: Option<&Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    let recorded = Recorded::from_status(old.and_then(|old| old.status.as_ref()));
    let recorded = recorded.as_ref();
    let profile = profile(target, basis);
    let rules = profile.map(|profile| profile.retention);
    let stored = old.and_then(|old| annotation(&old.metadata, DEFAULTED));
    let sent = annotation(&new.metadata, DEFAULTED);
    let old_spec = old.map(|old| &old.spec);
    let noted = profile.map(|profile| defaults::noted(stored, old_spec, sent, profile)).unwrap_or_default();
    let mut warnings = warning::on_apply(&deletion(new, target, basis), rules.as_ref());
    warnings.extend(warning::on_defaults(&new.spec, &noted, recorded));
    if let Some(old) = old {
        warnings.extend(warning::on_change(&new.spec, &old.spec, recorded));
    }
    let request = Request {
        policy_name: basis.policy_name,
        namespace: target.namespace,
        labels: labels(basis, target.namespace),
        databases: basis.facts.count,
        name: target.name,
        new: &new.spec,
        old: old_spec,
        defaulted: &noted,
        today: basis.today,
    };
    // Labels, annotations and finalizers are always free, with whatever policy or none.
    let is_unchanged = old.is_some_and(|old| old.spec == new.spec);
    let verdict = if is_unchanged {
        Verdict::default()
    } else {
        basis.state.require(basis.policy_name)?.judge(&request, recorded)
    };
    if let Some(denial) = verdict.denial {
        return Err(denial);
    }
    let breaches = basis.state.policy().map(|policy| policy.breaches(&request, recorded)).unwrap_or_default();
    let told = breaches.iter().filter(|(level, _)| *level != Level::Audit);
    warnings.extend(told.map(|(_, problem)| warning::of(problem)));
    // A quota is no breach of any one database.
    let is_told = |problem: &Problem| breaches.iter().any(|(_, told)| told.code == problem.code);
    warnings.extend(verdict.warned.iter().filter(|problem| !is_told(problem)).map(warning::of));
    let audited = verdict.warned.iter().chain(&verdict.audited).map(|problem| problem.code).collect();
    let excepted: Vec<String> = verdict
        .excepted
        .iter()
        .map(|exception| format!("until {}: {}", exception.until, exception.reason))
        .collect();
    let exception = (!excepted.is_empty()).then(|| excepted.join("; "));
    Ok(Admitted { patch: None, warnings, audited, exception })
}

/// While an object is being deleted, finalizers must be removable; its spec stays, and the fate of its data can only
/// be made safer.
fn terminating(new: &Database, old: &Database, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    // `kubectl replace` leaves out what a default filled in, and no default is filled in any more.
    if defaults::with_stored(&new.spec, &old.spec) != old.spec {
        let text = "spec can't change any more: this Database is being deleted; wait until it is gone and apply the \
                    manifest again";
        let problem = Problem { code: Code::Terminating, field: "spec".into(), text: text.into() };
        return Err(denial(basis, problem));
    }
    match deleting::judge_change(said(old), said(new)) {
        Ok(()) => Ok(Admitted::default()),
        Err(problem) => Err(denial(basis, problem)),
    }
}

/// What an object says of its data: the retention, and the confirmation.
fn said(database: &Database) -> (Option<&str>, Option<&str>) {
    (annotation(&database.metadata, RETENTION), annotation(&database.metadata, CONFIRM_DESTROY))
}

fn delete(old: &Database, target: &Target<'_>, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    // It was let go, and asking again changes nothing: the finalizer decides from here.
    if old.metadata.deletion_timestamp.is_some() {
        return Ok(Admitted::default());
    }
    let profile = profile(target, basis);
    let rules = profile.map(|profile| &profile.retention);
    match deleting::judge(&deletion(old, target, basis), rules) {
        Ok(_) => Ok(Admitted::default()),
        Err(problems) => Err(Denial {
            problems,
            policy: basis.policy_name.to_owned(),
            profile: profile.map(|profile| profile.name.clone()),
        }),
    }
}

/// The profile in force for the namespace, if there is one and it can be told.
fn profile<'a>(target: &Target<'_>, basis: &Basis<'a>) -> Option<&'a Profile> {
    let namespace = Namespace { name: target.namespace, labels: labels(basis, target.namespace) };
    basis.state.policy()?.profile(namespace).ok()
}

/// What an object says of its own deletion.
pub(super) fn deletion<'a>(database: &'a Database, target: &Target<'a>, basis: &Basis<'_>) -> Deletion<'a> {
    Deletion {
        namespace: target.namespace,
        name: target.name,
        retention: annotation(&database.metadata, RETENTION),
        confirmation: annotation(&database.metadata, CONFIRM_DESTROY),
        today: basis.today,
    }
}
