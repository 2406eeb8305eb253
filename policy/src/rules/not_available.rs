//! Fields of the API that have no effect yet. They are refused rather than ignored: who asks for an
//! extension must not believe that it is there.

use api::{Authentication, DatabaseSpec};

use super::Context;
use crate::{Code, Problem};

/// Whether a field is set to anything but what happens anyway, given the name of the `Database`.
type IsSet = fn(&DatabaseSpec, &str) -> bool;

/// No field without effect is newly set to anything but what happens anyway.
pub(super) fn fields(context: &Context<'_>) -> Option<Problem> {
    let name = context.request.name;
    let set: [(&str, IsSet); 4] = [
        ("spec.extensions", |spec, _| spec.extensions.as_ref().is_some_and(|all| !all.is_empty())),
        ("spec.parameters", |spec, _| spec.parameters.as_ref().is_some_and(|all| !all.is_empty())),
        ("spec.authentication", |spec, _| spec.authentication == Some(Authentication::Password)),
        ("spec.serviceAccountName", |spec, name| {
            spec.service_account_name.as_deref().is_some_and(|account| account != name)
        }),
    ];
    let fields: Vec<&str> = set
        .iter()
        .filter(|(_, is_set)| is_set(context.new, name) && context.changed(|spec| is_set(spec, name)))
        .map(|(field, _)| *field)
        .collect();
    let (first, rest) = fields.split_first()?;
    let others = if rest.is_empty() { String::new() } else { format!("and {} ", rest.join(", ")) };
    let verb = if rest.is_empty() { "is" } else { "are" };
    Some(Problem::new(
        Code::NotAvailable,
        first,
        &format!("{others}{verb} not available in this version of the operator; leave it out"),
    ))
}
