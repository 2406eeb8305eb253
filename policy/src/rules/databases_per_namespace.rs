//! How many databases a namespace may have.

use super::Context;
use crate::{Code, Problem, quota};

/// A new database is not one too many. What is kept counts: otherwise creating and deleting made servers without end.
pub(super) fn within(context: &Context<'_>) -> Option<Problem> {
    let most = context.profile.allow.databases_per_namespace?;
    let used = context.request.databases?;
    if context.old.is_some() || used.total() < most {
        return None;
    }
    let text = quota::text(context.request.namespace, used, most);
    Some(Problem::new(Code::DatabasesPerNamespace, "metadata.namespace", &text))
}
