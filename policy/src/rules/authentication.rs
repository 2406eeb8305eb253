//! `spec.authentication`: how the app logs in.

use api::{Authentication, DatabaseSpec};

use super::Context;
use crate::{Code, Problem, suggest::alternatives};

/// As it is, written or not.
fn authentication(spec: &DatabaseSpec) -> Authentication {
    spec.authentication.unwrap_or(Authentication::Identity)
}

/// The profile allows it.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let allowed = context.profile.allow.authentication.as_ref()?;
    let wanted = authentication(context.new);
    if !context.changed(authentication) || allowed.contains(&wanted) {
        return None;
    }
    let text = format!("{wanted} is not allowed here; use {}", alternatives(allowed));
    Some(Problem::new(Code::Authentication, "spec.authentication", &text))
}
