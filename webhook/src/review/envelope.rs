//! Answers from what surrounds a review, for when the review itself can't be judged.

use policy::Problem;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    answer::{Answer, Subject},
    basis::{Basis, denial},
    hook::Hook,
    respond,
    sent::{self, Target},
};

/// A field is not read that is longer than the API server ever sends one, and would be copied into the answer.
const LONGEST_FIELD: usize = 16 * 1024;

/// What surrounds a review. Of each field it has what can be read of it: a name that is a number must not cost the answer
/// its uid.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Envelope {
    #[serde(deserialize_with = "lenient")]
    api_version: Option<String>,
    request: Request,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    #[serde(deserialize_with = "lenient")]
    uid: Option<String>,
    #[serde(deserialize_with = "lenient")]
    operation: Option<String>,
    #[serde(deserialize_with = "lenient")]
    namespace: Option<String>,
    #[serde(deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    user_info: Option<UserInfo>,
    #[serde(deserialize_with = "lenient")]
    dry_run: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    #[serde(deserialize_with = "lenient")]
    username: Option<String>,
}

impl Envelope {
    /// That of a body.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(super) fn of(request: &sent::Request) -> Self {
        let target = Target::of(request);
        Self {
            api_version: Some(request.api_version.clone()),
            request: Request {
                uid: Some(request.uid.clone()),
                operation: Some(request.operation().to_owned()),
                namespace: Some(target.namespace.to_owned()),
                name: Some(target.name.to_owned()),
                user_info: Some(UserInfo { username: Some(request.user.clone()) }),
                dry_run: Some(request.dry_run),
            },
        }
    }

    /// Denies with the problem, or allows without a patch.
    ///
    /// The mutating hook lets pass what it can't read: the API server checks the schema after it, and says better what
    /// is wrong with, say, a misspelt `highAvailability`.
    pub(super) fn answer(&self, hook: Hook, problem: Problem, basis: &Basis<'_>) -> Answer {
        let request = &self.request;
        let user = request.user_info.as_ref().and_then(|user| user.username.clone());
        let subject = Subject {
            user: user.unwrap_or_default(),
            namespace: request.namespace.clone().unwrap_or_default(),
            name: request.name.clone().unwrap_or_default(),
            dry_run: request.dry_run.unwrap_or_default(),
        };
        let version = self.api_version.clone().unwrap_or_else(|| "admission.k8s.io/v1".into());
        let mut response = respond::to(version, request.uid.clone().unwrap_or_default());
        let denial = (hook != Hook::Mutate).then(|| denial(basis, problem));
        if let Some(denial) = &denial {
            let target = Target { namespace: &subject.namespace, name: &subject.name };
            response = respond::deny(response, denial, hook, &target);
            respond::annotate(&mut response, basis);
        }
        let operation = operation(request.operation.as_deref());
        Answer { review: response.into_review(), operation, denial, subject }
    }
}

/// One of the names of operations, for a metric whose labels are a closed set.
fn operation(text: Option<&str>) -> &'static str {
    let known = ["CREATE", "UPDATE", "DELETE", "CONNECT"];
    known.into_iter().find(|known| text == Some(known)).unwrap_or("unreadable")
}

fn lenient<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    // Text of the body, since a tree of it may take a hundred times as much.
    let text = <&RawValue>::deserialize(deserializer)?.get();
    Ok((text.len() <= LONGEST_FIELD).then(|| serde_json::from_str(text).ok()).flatten())
}

#[cfg(test)]
mod tests {
    use policy::{Code, PolicyState};
    use rstest::rstest;

    use super::*;
    use crate::cluster::Facts;

    const WHOLE: &str = r#"{"apiVersion": "admission.k8s.io/v1beta1", "request": {"uid": "1", "name": "main",
        "namespace": "orders", "operation": "UPDATE", "dryRun": true, "userInfo": {"username": "flux"}}}"#;

    #[rstest]
    #[case::whole(WHOLE, "admission.k8s.io/v1beta1", "UPDATE", "flux main")]
    #[case::a_name_of_another_kind(
        r#"{"request": {"uid": "1", "name": 7}}"#,
        "admission.k8s.io/v1",
        "unreadable",
        " "
    )]
    #[case::an_operation_of_its_own(
        r#"{"request": {"uid": "1", "operation": "x"}}"#,
        "admission.k8s.io/v1",
        "unreadable",
        " "
    )]
    fn what_can_be_read_is_echoed(
        #[case] body: &str,
        #[case] version: &str,
        #[case] operation: &str,
        #[case] subject: &str,
    ) {
        let state = PolicyState::default();
        let facts = Facts::default();
        let basis = Basis {
            state: &state,
            policy_name: "database-policy",
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            facts: &facts,
        };
        let problem = Problem { code: Code::Internal, field: "request".into(), text: "broken".into() };
        for (hook, allowed) in [(Hook::Mutate, true), (Hook::Validate, false)] {
            let answer = Envelope::read(body.as_bytes()).answer(hook, problem.clone(), &basis);
            let response = answer.review.response.unwrap();
            assert_eq!((response.uid.as_str(), response.allowed), ("1", allowed));
            assert_eq!(answer.review.types.api_version, version);
            assert_eq!(answer.operation, operation);
            assert_eq!(format!("{} {}", answer.subject.user, answer.subject.name), subject);
        }
    }
}
