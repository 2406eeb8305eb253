//! How many databases a namespace may have.

use super::Context;
use crate::{Code, Problem, quote::quote};

/// A new database is not one too many.
pub(super) fn quota(context: &Context<'_>) -> Option<Problem> {
    let most = context.profile.allow.databases_per_namespace?;
    let has = context.request.databases?;
    if context.old.is_some() || has < most {
        return None;
    }
    let namespace = quote(context.request.namespace);
    let text = if most == 0 {
        format!("{namespace} may have no databases; use another namespace, or ask the platform team")
    } else {
        let databases = if has == 1 { "database" } else { "databases" };
        format!(
            "{namespace} has {has} {databases} and may have {most}; delete one, or ask the platform team for more"
        )
    };
    Some(Problem::new(Code::DatabasesPerNamespace, "metadata.namespace", &text))
}
