//! From the bytes of a review to its answer: pure, quick, without a write anywhere, because the API server
//! may ask several times for one request.

use api::{
    Database, DatabaseSpec,
    annotations::{DEFAULTED, RETENTION},
};
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{
    DynamicObject, TypeMeta,
    admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation},
    response::{Status, StatusCause, StatusDetails, StatusSummary},
};
use policy::{
    Code, Denial, PolicyState, Problem, Recorded, Request, defaults, deleting, quote::quote_text, warning,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a review is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    pub state: &'a PolicyState,
    /// Name of the policy ConfigMap, for messages.
    pub policy_name: &'a str,
    /// The current day in UTC.
    pub today: Date,
}

/// Which of the two webhooks is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Fills in defaults.
    Mutate,
    /// Judges.
    Validate,
}

/// The answer, and what is worth a metric and a log line.
#[derive(Debug)]
pub struct Answer {
    pub review: AdmissionReview<DynamicObject>,
    pub operation: &'static str,
    pub denial: Option<Denial>,
    /// Who asked for what, for the log line of a denial.
    pub subject: Subject,
}

/// Who asked for what.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub user: String,
    pub namespace: String,
    pub name: String,
    pub dry_run: bool,
}

/// Answers the body of a request. Whatever it holds, the answer is a well-formed review.
pub fn answer(hook: Hook, body: &[u8], basis: &Basis<'_>) -> Answer {
    let request = match parse(body) {
        Ok(request) => request,
        Err(unreadable) => return answer_unreadable(hook, body, &unreadable, basis),
    };
    let target = Target::of(&request);
    let subject = Subject {
        user: request.user_info.username.clone().unwrap_or_default(),
        namespace: target.namespace.to_owned(),
        name: target.name.to_owned(),
        dry_run: request.dry_run,
    };
    let outcome = match hook {
        Hook::Mutate => Ok(Admitted { patch: mutate(&request, &target, basis), warnings: Vec::new() }),
        Hook::Validate => validate(&request, &target, basis),
    };
    let mut response = AdmissionResponse::from(&request);
    annotate(&mut response, basis);
    let denial = match outcome {
        Ok(admitted) => {
            if !admitted.warnings.is_empty() {
                response.warnings = Some(admitted.warnings);
            }
            // A patch of ours always serializes; were it not so, going without defaults is safe, because the
            // validating hook and the controller fill in the same ones.
            if let Some(patch) = admitted.patch {
                response = response.clone().with_patch(patch).unwrap_or(response);
            }
            None
        }
        Err(denial) => {
            deny(&mut response, &denial, &target);
            Some(denial)
        }
    };
    Answer { review: response.into_review(), operation: operation(&request.operation), denial, subject }
}

/// The object that a request is about.
struct Target<'a> {
    namespace: &'a str,
    /// Empty on creation with `generateName`. A collection delete sends no name with the request, so the
    /// object's own is read.
    name: &'a str,
}

impl<'a> Target<'a> {
    fn of(request: &'a AdmissionRequest<Database>) -> Self {
        let metadata = request.object.as_ref().or(request.old_object.as_ref()).map(|object| &object.metadata);
        let own = metadata.and_then(|metadata| metadata.name.as_deref());
        let own_namespace = metadata.and_then(|metadata| metadata.namespace.as_deref());
        Self {
            namespace: request.namespace.as_deref().or(own_namespace).unwrap_or_default(),
            name: if request.name.is_empty() { own.unwrap_or_default() } else { &request.name },
        }
    }
}

struct Admitted {
    patch: Option<json_patch::Patch>,
    warnings: Vec<String>,
}

fn parse(body: &[u8]) -> Result<AdmissionRequest<Database>, String> {
    let review: AdmissionReview<Database> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    // The conversion carries the review's version over, which the answer must echo.
    let request: AdmissionRequest<Database> = review.try_into().map_err(|_| "it holds no request")?;
    if request.kind.group != api::GROUP || request.kind.kind != "Database" {
        return Err(format!("it is about a {} of the group {:?}", request.kind.kind, request.kind.group));
    }
    let (wants_object, wants_old) = match request.operation {
        Operation::Create => (true, false),
        Operation::Update => (true, true),
        Operation::Delete => (false, true),
        Operation::Connect => return Err("CONNECT is not for a Database".into()),
    };
    if wants_object && request.object.is_none() {
        return Err("it holds no object".into());
    }
    if wants_old && request.old_object.is_none() {
        return Err("it holds no oldObject".into());
    }
    Ok(request)
}

/// The defaults as a patch; `None` when nothing is to be filled in.
fn mutate(
    request: &AdmissionRequest<Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Option<json_patch::Patch> {
    let object = request.object.as_ref()?;
    if object.metadata.deletion_timestamp.is_some() {
        return None;
    }
    // Without a policy nothing is filled in, and the validating hook says why.
    let profile = basis.state.policy()?.profile(target.namespace)?;
    let old = request.old_object.as_ref();
    let recorded = Recorded::from_status(old.and_then(|old| old.status.as_ref()));
    let before = old.and_then(|old| annotation(&old.metadata, DEFAULTED)).map(defaults::from_annotation);
    let filled = defaults::fill(
        &object.spec,
        old.map(|old| &old.spec),
        recorded.as_ref(),
        profile,
        &before.unwrap_or_default(),
    );
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

fn validate(
    request: &AdmissionRequest<Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    let old = request.old_object.as_ref();
    match (&request.operation, &request.object, old) {
        (Operation::Delete, _, Some(old)) => delete(old, target, basis),
        (_, Some(new), Some(old)) if old.metadata.deletion_timestamp.is_some() => {
            terminating(new, old, basis)
        }
        (_, Some(new), old) => change(new, old, target, basis),
        _ => Ok(Admitted { patch: None, warnings: Vec::new() }),
    }
}

fn change(
    new: &Database,
    old: Option<&Database>,
    target: &Target<'_>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    let retention = annotation(&new.metadata, RETENTION);
    let recorded = Recorded::from_status(old.and_then(|old| old.status.as_ref()));
    let noted = annotation(&new.metadata, DEFAULTED);
    let mut warnings = warning::on_apply(retention);
    warnings.extend(warning::on_defaults(&new.spec, noted, recorded.as_ref()));
    let admitted = Admitted { patch: None, warnings };
    // Labels, annotations and finalizers are always free, with whatever policy or none.
    if old.is_some_and(|old| old.spec == new.spec) {
        return Ok(admitted);
    }
    let policy = basis.state.require(basis.policy_name)?;
    let request = Request {
        policy_name: basis.policy_name,
        namespace: target.namespace,
        name: target.name,
        new: &new.spec,
        old: old.map(|old| &old.spec),
        today: basis.today,
    };
    match policy.judge(&request, recorded.as_ref()) {
        Some(denial) => Err(denial),
        None => Ok(admitted),
    }
}

/// While an object is being deleted, finalizers must be removable; its spec and the fate of its data stay.
fn terminating(new: &Database, old: &Database, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let field = if new.spec != old.spec {
        "spec"
    } else if annotation(&new.metadata, RETENTION) != annotation(&old.metadata, RETENTION) {
        "metadata.annotations"
    } else {
        return Ok(Admitted { patch: None, warnings: Vec::new() });
    };
    let text = format!(
        "{field} can't change any more: this Database is being deleted; wait until it is gone and apply the manifest again"
    );
    Err(denial(basis, Problem { code: Code::Terminating, field: field.into(), text }))
}

fn delete(old: &Database, target: &Target<'_>, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let profile = basis.state.policy().and_then(|policy| policy.profile(target.namespace));
    let retention = annotation(&old.metadata, RETENTION);
    match deleting::judge(retention, profile.map(|profile| profile.when_missing)) {
        Ok(_) => Ok(Admitted { patch: None, warnings: Vec::new() }),
        Err(problem) => {
            Err(Denial { profile: profile.map(|profile| profile.name.clone()), ..denial(basis, problem) })
        }
    }
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn denial(basis: &Basis<'_>, problem: Problem) -> Denial {
    Denial { problems: vec![problem], policy: basis.policy_name.to_owned(), profile: None }
}

fn operation(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

/// Writes the denial into the response.
///
/// 403 and `Forbidden`: to 409 and 422 Flux and `kubectl apply --force` answer by deleting the object.
fn deny(response: &mut AdmissionResponse, denial: &Denial, target: &Target<'_>) {
    response.allowed = false;
    response.result = Status {
        status: Some(StatusSummary::Failure),
        code: 403,
        reason: "Forbidden".into(),
        message: denial.message(),
        details: Some(StatusDetails {
            name: target.name.to_owned(),
            group: api::GROUP.into(),
            kind: "Database".into(),
            causes: denial
                .problems
                .iter()
                .map(|problem| StatusCause {
                    field: problem.field.clone(),
                    message: problem.text.clone(),
                    reason: problem.code.to_string(),
                })
                .collect(),
            uid: String::new(),
            retry_after_seconds: 0,
        }),
        ..Status::default()
    };
    let codes: Vec<String> = denial.codes().iter().map(ToString::to_string).collect();
    response.audit_annotations.insert("codes".into(), codes.join(","));
    if let Some(profile) = &denial.profile {
        response.audit_annotations.insert("profile".into(), profile.clone());
    }
}

fn annotate(response: &mut AdmissionResponse, basis: &Basis<'_>) {
    if let Some(policy) = basis.state.policy() {
        response.audit_annotations.insert("policy-revision".into(), policy.revision.clone());
    }
}

/// What is needed of a request that can't be read: its uid, which the answer must echo.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    request: EnvelopeRequest,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EnvelopeRequest {
    uid: String,
}

/// The validating hook denies what it can't read. The mutating one lets it pass as it is: the API server checks
/// the schema after it, and says better what is wrong with, say, a misspelt `highAvailability`.
fn answer_unreadable(hook: Hook, body: &[u8], why: &str, basis: &Basis<'_>) -> Answer {
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
    let mut response = AdmissionResponse::invalid("");
    response.types = TypeMeta { api_version: "admission.k8s.io/v1".into(), kind: "AdmissionReview".into() };
    response.uid = envelope.request.uid;
    let denial = match hook {
        Hook::Mutate => {
            response.allowed = true;
            response.result = Status::default();
            None
        }
        Hook::Validate => {
            let text = format!("the review can't be read, so nothing is admitted: {}", quote_text(why));
            let denial = denial(basis, Problem { code: Code::Unreadable, field: "request".into(), text });
            deny(&mut response, &denial, &Target { namespace: "", name: "" });
            Some(denial)
        }
    };
    Answer { review: response.into_review(), operation: "unreadable", denial, subject: Subject::default() }
}

#[cfg(test)]
mod tests;
