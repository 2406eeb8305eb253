//! Writes answers: what is admitted, and what is denied.

use kube::core::{
    admission::AdmissionResponse,
    response::{Status, StatusCause, StatusDetails, StatusSummary},
};
use policy::{Code, Denial};

use super::{answer::Admitted, basis::Basis, hook::Hook, sent::Target};

/// As many problems are shown one by one; the message counts them all.
const CAUSES: usize = 32;

/// An answer that admits, and says nothing else.
pub(super) fn to(api_version: String, uid: String) -> AdmissionResponse {
    let mut response = AdmissionResponse::invalid("");
    response.types.api_version = api_version;
    response.uid = uid;
    response.allowed = true;
    response.result = Status::default();
    response
}

pub(super) fn admit(blank: impl Fn() -> AdmissionResponse, admitted: Admitted) -> AdmissionResponse {
    let mut response = match admitted.patch {
        // A patch of ours always serializes; were it not so, going without defaults is safe, because the
        // validating hook and the controller fill in the same ones.
        Some(patch) => blank().with_patch(patch).unwrap_or_else(|_| blank()),
        None => blank(),
    };
    if !admitted.warnings.is_empty() {
        response.warnings = Some(admitted.warnings);
    }
    if !admitted.audited.is_empty() {
        response.audit_annotations.insert("broken".into(), join(&admitted.audited));
    }
    if let Some(exception) = admitted.exception {
        response.audit_annotations.insert("exception".into(), exception);
    }
    response
}

/// Writes the denial into the response.
///
/// 403 and `Forbidden`: to 409 and 422 Flux and `kubectl apply --force` answer by deleting the object.
pub(super) fn deny(
    mut response: AdmissionResponse,
    denial: &Denial,
    hook: Hook,
    target: &Target<'_>,
) -> AdmissionResponse {
    let (group, kind) = hook.kind();
    response.allowed = false;
    response.result = Status {
        status: Some(StatusSummary::Failure),
        code: 403,
        reason: "Forbidden".into(),
        message: denial.message(),
        details: Some(StatusDetails {
            name: target.name.to_owned(),
            group: group.into(),
            kind: kind.into(),
            causes: denial
                .problems
                .iter()
                .take(CAUSES)
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
    response.audit_annotations.insert("codes".into(), join(&denial.codes()));
    if let Some(profile) = &denial.profile {
        response.audit_annotations.insert("profile".into(), profile.clone());
    }
    response
}

fn join(codes: &[Code]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn annotate(response: &mut AdmissionResponse, basis: &Basis<'_>) {
    if let Some(policy) = basis.state.policy() {
        response.audit_annotations.insert("policy-revision".into(), policy.revision.clone());
    }
}
