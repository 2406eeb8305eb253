//! What comes of a review.

use kube::core::{DynamicObject, admission::AdmissionReview};
use policy::{Code, Denial};

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

/// What goes with an admission.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) patch: Option<json_patch::Patch>,
    /// Each at most 120 characters.
    pub(super) warnings: Vec<String>,
    /// Rules that are broken and not enforced, for the audit log.
    pub(super) audited: Vec<Code>,
    /// The exception that lets something pass: until when, and why.
    pub(super) exception: Option<String>,
}
