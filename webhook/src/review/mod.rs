//! From the bytes of a review to its answer: pure, quick, without a write anywhere, because the API server
//! may ask several times for one request.
//!
//! [`Question::read`] parses, [`Question::needs`] says what of the cluster must be known, and [`answer`] judges. Each
//! kind that is judged has a file of its own.

mod crd;
mod database;
mod envelope;
mod namespace;
mod policy_config;
mod respond;
mod sent;

use api::Database;
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{
    DynamicObject, Resource,
    admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation},
};
use policy::{Code, Denial, PolicyState, Problem, document::Labels, quote::quote_text};
use serde::de::DeserializeOwned;

use crate::{
    cluster::{Facts, Needs},
    weight,
};
use envelope::Envelope;
use sent::{Review, SentDatabase};

/// What a review is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    pub state: &'a PolicyState,
    /// Name of the policy ConfigMap.
    pub policy_name: &'a str,
    /// The current day in UTC.
    pub today: Date,
    /// What is known of the cluster.
    pub facts: &'a Facts,
}

/// Which of the webhooks is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Fills in defaults of a `Database`.
    Mutate,
    /// Judges a `Database`.
    Validate,
    /// Judges the ConfigMap of the policy.
    Policy,
    /// Judges the deletion of a namespace.
    Namespace,
    /// Judges the deletion of a CRD.
    Crd,
}

impl Hook {
    /// Every hook with its path.
    pub const ALL: &[(&str, Self)] = &[
        ("/mutate", Self::Mutate),
        ("/validate", Self::Validate),
        ("/validate/policy", Self::Policy),
        ("/validate/namespace", Self::Namespace),
        ("/validate/crd", Self::Crd),
    ];

    /// As metrics and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
            Self::Policy => "policy",
            Self::Namespace => "namespace",
            Self::Crd => "crd",
        }
    }

    /// What it is about.
    fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Mutate | Self::Validate => (api::GROUP, "Database"),
            Self::Policy => ("", "ConfigMap"),
            Self::Namespace => ("", "Namespace"),
            Self::Crd => ("apiextensions.k8s.io", "CustomResourceDefinition"),
        }
    }
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

/// A review as it came in.
#[derive(Debug)]
pub struct Question(Asked);

#[derive(Debug)]
enum Asked {
    Database(Hook, Box<AdmissionRequest<Database>>),
    Other(Hook, Box<AdmissionRequest<DynamicObject>>),
    /// With what surrounds it, and why.
    Unreadable(Hook, Envelope, String),
}

impl Question {
    /// Reads the body of a request. What can't be read becomes a question too: the answer says so.
    pub fn read(hook: Hook, body: &[u8]) -> Self {
        Self::weighed(hook, body, weight::of(body))
    }

    /// The same for a body whose weight is known.
    pub(crate) fn weighed(hook: Hook, body: &[u8], weight: usize) -> Self {
        let asked = match (envelope::too_heavy(body, weight), hook) {
            (Some(why), _) => Err(why.to_owned()),
            (None, Hook::Mutate | Hook::Validate) => {
                parse::<SentDatabase, _>(hook, body).map(|request| Asked::Database(hook, Box::new(request)))
            }
            (None, Hook::Policy | Hook::Namespace | Hook::Crd) => {
                parse::<DynamicObject, _>(hook, body).map(|request| Asked::Other(hook, Box::new(request)))
            }
        };
        Self(asked.unwrap_or_else(|why| Asked::Unreadable(hook, Envelope::read(body), why)))
    }

    /// What of the cluster must be known to answer.
    pub fn needs(&self, state: &PolicyState) -> Needs<'_> {
        match &self.0 {
            Asked::Database(hook, request) => database::needs(*hook, request, state),
            Asked::Other(Hook::Namespace, request) => {
                let target = Target::of(request);
                Needs { labels: Some(target.name), databases: true, ..Needs::default() }
            }
            Asked::Other(..) => Needs { databases: true, ..Needs::default() },
            Asked::Unreadable(..) => Needs::default(),
        }
    }
}

/// Answers a question. Whatever it is, the answer is a well-formed review.
pub fn answer(question: &Question, basis: &Basis<'_>) -> Answer {
    match &question.0 {
        Asked::Unreadable(hook, envelope, why) => {
            let text = format!(
                "the review can't be read, so nothing is admitted; if the manifest is fine, tell the platform team: {}",
                quote_text(why)
            );
            let problem = Problem { code: Code::Unreadable, field: "request".into(), text };
            Answer { operation: "unreadable", ..envelope.answer(*hook, problem, basis) }
        }
        Asked::Database(hook, request) => {
            let target = Target::of(request);
            let outcome = match hook {
                Hook::Mutate => {
                    Ok(Admitted { patch: database::mutate(request, &target, basis), ..Admitted::default() })
                }
                _ => database::validate(request, &target, basis),
            };
            finish(*hook, request, &target, outcome, basis)
        }
        Asked::Other(hook, request) => {
            let target = Target::of(request);
            let outcome = match hook {
                Hook::Policy => policy_config::validate(request, &target, basis),
                Hook::Namespace => namespace::validate(request, &target, basis),
                _ => crd::validate(request, &target, basis),
            };
            finish(*hook, request, &target, outcome, basis)
        }
    }
}

/// The answer when the judgement itself failed: the validating hooks deny, the mutating one fills in nothing.
pub fn answer_mistake(hook: Hook, body: &[u8], basis: &Basis<'_>) -> Answer {
    let text = "the webhook made a mistake of its own, so nothing is admitted; tell the platform team".into();
    let problem = Problem { code: Code::Internal, field: "request".into(), text };
    Envelope::read(body).answer(hook, problem, basis)
}

fn finish<T: Resource>(
    hook: Hook,
    request: &AdmissionRequest<T>,
    target: &Target<'_>,
    outcome: Result<Admitted, Denial>,
    basis: &Basis<'_>,
) -> Answer {
    let subject = Subject {
        user: request.user_info.username.clone().unwrap_or_default(),
        namespace: target.namespace.to_owned(),
        name: target.name.to_owned(),
        dry_run: request.dry_run,
    };
    let mut response = AdmissionResponse::from(request);
    respond::annotate(&mut response, basis);
    let denial = match outcome {
        Ok(admitted) => {
            respond::admit(&mut response, admitted);
            None
        }
        Err(denial) => {
            respond::deny(&mut response, &denial, hook, target);
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
    fn of<T: Resource>(request: &'a AdmissionRequest<T>) -> Self {
        let metadata = request.object.as_ref().or(request.old_object.as_ref()).map(Resource::meta);
        let own = metadata.and_then(|metadata| metadata.name.as_deref());
        let own_namespace = metadata.and_then(|metadata| metadata.namespace.as_deref());
        Self {
            namespace: request.namespace.as_deref().or(own_namespace).unwrap_or_default(),
            name: if request.name.is_empty() { own.unwrap_or_default() } else { &request.name },
        }
    }
}

/// What goes with an admission.
#[derive(Debug, Default)]
struct Admitted {
    patch: Option<json_patch::Patch>,
    /// Each at most 120 characters.
    warnings: Vec<String>,
    /// Rules that are broken and not enforced, for the audit log.
    audited: Vec<Code>,
    /// The exception that lets something pass: until when, and why.
    exception: Option<String>,
}

/// Reads a review whose objects are sent as `S`, for a judge of `T`.
fn parse<S, T>(hook: Hook, body: &[u8]) -> Result<AdmissionRequest<T>, String>
where
    S: DeserializeOwned + Into<T>,
    T: Resource,
{
    let review: Review<S> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let request = review.into_request()?;
    let (group, kind) = hook.kind();
    if request.kind.group != group || request.kind.kind != kind {
        let got = &request.kind;
        return Err(format!("it is about a {} of the group {:?}, and not a {kind}", got.kind, got.group));
    }
    let (wants_object, wants_old) = match request.operation {
        Operation::Create => (true, false),
        Operation::Update => (true, true),
        Operation::Delete => (false, true),
        Operation::Connect => return Err(format!("CONNECT is not for a {kind}")),
    };
    if wants_object && request.object.is_none() {
        return Err("it holds no object".into());
    }
    if wants_old && request.old_object.is_none() {
        return Err("it holds no oldObject".into());
    }
    Ok(request)
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

/// Labels of a namespace, as far as they are known.
fn labels<'a>(basis: &Basis<'a>, namespace: &str) -> Option<&'a Labels> {
    basis.facts.labels.get(namespace)
}

#[cfg(test)]
mod tests;
