//! From the bytes of a review to its answer: pure, quick, without a write anywhere, because the API server
//! may ask several times for one request.
//!
//! [`Question::read`] parses, [`Question::needs`] says what of the cluster must be known, and [`answer()`] judges. Each
//! kind that is judged has a file of its own.

mod answer;
mod basis;
mod change;
mod crd;
mod database;
mod envelope;
mod hook;
mod metadata;
mod namespace;
mod policy_config;
mod respond;
mod retained;
mod sent;
mod spec;
mod status;

use std::collections::BTreeMap;

use policy::{Code, Denial, PolicyState, Problem, quote::quote_text};

use crate::cluster::Needs;
use answer::Admitted;
pub use answer::{Answer, Subject};
pub use basis::Basis;
use change::Change;
pub use envelope::Envelope;
pub use hook::Hook;
use sent::{Request, Sent, Target};

/// A review as it came in.
#[derive(Debug)]
pub struct Question(Asked);

#[derive(Debug)]
enum Asked {
    /// With what the API server would find invalid.
    Mutate(Box<(Request, Change, Vec<Problem>)>),
    Database(Box<(Request, Change)>),
    /// With the data of the ConfigMap.
    Policy(Box<Request>, Option<BTreeMap<String, String>>),
    Namespace(Box<Request>),
    Crd(Box<Request>),
    Retained(Box<(Request, retained::Record)>),
    /// With what surrounds it, and why.
    Unreadable(Hook, Envelope, String),
}

impl Question {
    /// Reads the body of a request. What can't be read becomes a question too: the answer says so.
    pub fn read(hook: Hook, body: &[u8]) -> Self {
        Self(Asked::read(hook, body).unwrap_or_else(|why| Asked::Unreadable(hook, Envelope::read(body), why)))
    }

    /// Whether it is the policy that is to be judged, which takes longer than anything else.
    pub(crate) fn is_about_policy(&self, policy_name: &str) -> bool {
        matches!(&self.0, Asked::Policy(request, _) if Target::of(request).name == policy_name)
    }

    /// What surrounds it.
    pub(crate) fn envelope(&self) -> Envelope {
        match &self.0 {
            Asked::Mutate(asked) => Envelope::of(&asked.0),
            Asked::Database(asked) => Envelope::of(&asked.0),
            Asked::Policy(request, _) | Asked::Namespace(request) | Asked::Crd(request) => {
                Envelope::of(request)
            }
            Asked::Retained(asked) => Envelope::of(&asked.0),
            Asked::Unreadable(_, envelope, _) => envelope.clone(),
        }
    }

    /// What of the cluster must be known to answer.
    pub fn needs(&self, state: &PolicyState) -> Needs<'_> {
        match &self.0 {
            Asked::Mutate(asked) => {
                // One that is refused is judged as a whole, since the validating hook won't be asked.
                let hook = if asked.2.is_empty() { Hook::Mutate } else { Hook::Validate };
                database::needs(hook, &asked.0, &asked.1, state)
            }
            Asked::Database(asked) => database::needs(Hook::Validate, &asked.0, &asked.1, state),
            Asked::Namespace(request) => namespace::needs(request),
            Asked::Policy(request, _) => policy_config::needs(request),
            Asked::Crd(request) => Needs { objects: crd::asked(request), ..Needs::default() },
            Asked::Retained(asked) => retained::needs(&asked.1, state),
            Asked::Unreadable(..) => Needs::default(),
        }
    }
}

impl Asked {
    fn read(hook: Hook, body: &[u8]) -> Result<Self, String> {
        let sent = Sent::read(hook, body)?;
        Ok(match hook {
            Hook::Mutate => {
                let (change, mistakes) = (Change::read(&sent), metadata::mistakes(&sent));
                Self::Mutate(Box::new((sent.request, change, mistakes)))
            }
            Hook::Validate => {
                let change = Change::read(&sent);
                Self::Database(Box::new((sent.request, change)))
            }
            Hook::Policy => {
                let data = policy_config::data(sent.new_data, sent.new_binary_data);
                Self::Policy(Box::new(sent.request), data)
            }
            Hook::Namespace => Self::Namespace(Box::new(sent.request)),
            Hook::Crd => Self::Crd(Box::new(sent.request)),
            Hook::Retained => {
                let record = retained::Record::read(&sent)?;
                Self::Retained(Box::new((sent.request, record)))
            }
        })
    }
}

/// Answers a question. Whatever it is, the answer is a well-formed review.
pub fn answer(question: &Question, basis: &Basis<'_>) -> Answer {
    let (hook, request, outcome) = match &question.0 {
        Asked::Unreadable(hook, envelope, why) => {
            let text = format!(
                "the review can't be read, so nothing is admitted; if the manifest is fine, tell the platform team: {}",
                quote_text(why)
            );
            let problem = Problem { code: Code::Unreadable, field: "request".into(), text };
            return Answer { operation: "unreadable", ..envelope.answer(*hook, problem, basis) };
        }
        Asked::Mutate(asked) => {
            let (request, change, mistakes) = &**asked;
            (Hook::Mutate, request, database::mutate(request, change, mistakes, basis))
        }
        Asked::Database(asked) => {
            let (request, change) = &**asked;
            (Hook::Validate, request, database::validate(request, change, basis))
        }
        Asked::Policy(request, data) => {
            (Hook::Policy, &**request, policy_config::validate(request, data.as_ref(), basis))
        }
        Asked::Namespace(request) => (Hook::Namespace, &**request, namespace::validate(request, basis)),
        Asked::Crd(request) => (Hook::Crd, &**request, crd::validate(request, basis)),
        Asked::Retained(asked) => {
            let (request, record) = &**asked;
            (Hook::Retained, request, retained::validate(request, record, basis))
        }
    };
    finish(hook, request, outcome, basis)
}

/// The answer when the judgement itself failed: the validating hooks deny, the mutating one fills in nothing.
pub fn answer_mistake(hook: Hook, asked: &Envelope, basis: &Basis<'_>) -> Answer {
    let text = "the webhook made a mistake of its own, so nothing is admitted; tell the platform team".into();
    let problem = Problem { code: Code::Internal, field: "request".into(), text };
    asked.answer(hook, problem, basis)
}

fn finish(hook: Hook, request: &Request, outcome: Result<Admitted, Denial>, basis: &Basis<'_>) -> Answer {
    let target = Target::of(request);
    let subject = Subject {
        user: request.user.clone(),
        namespace: target.namespace.to_owned(),
        name: target.name.to_owned(),
        dry_run: request.dry_run,
    };
    let blank = || respond::to(request.api_version.clone(), request.uid.clone());
    let (mut response, denial) = match outcome {
        Ok(admitted) => (respond::admit(blank, admitted), None),
        Err(denial) => (respond::deny(blank(), &denial, hook, &target), Some(denial)),
    };
    respond::annotate(&mut response, basis);
    Answer { review: response.into_review(), operation: request.operation(), denial, subject }
}

#[cfg(test)]
mod tests;
