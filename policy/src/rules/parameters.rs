//! `spec.parameters`: server parameters that can be set, with values that can be taken, and that policy allows.

use std::collections::BTreeMap;

use api::DatabaseSpec;

use super::Context;
use crate::{
    Code, Problem,
    catalogue::{self, Form, Parameter, Unsettable},
    quote::quote,
    suggest::did_you_mean,
};

/// As many names are looked at for what was meant: a message has no room for more, and there can be hundreds.
const SUGGESTED: usize = 8;

/// A parameter of the request.
struct Written<'a> {
    field: String,
    name: &'a str,
    value: &'a str,
}

impl Written<'_> {
    fn problem(&self, text: &str) -> Problem {
        Problem::new(Code::Parameter, &self.field, text)
    }
}

fn all<'a>(context: &'a Context<'_>) -> impl Iterator<Item = Written<'a>> {
    context.new.parameters.iter().flatten().map(|(name, value)| Written {
        // The key is a stranger's text, and a path is no place for one that sets off a tool.
        field: format!("spec.parameters[{}]", quote(name)),
        name,
        value,
    })
}

/// Whether the request adds or changes it.
fn is_changed(context: &Context<'_>, written: &Written<'_>) -> bool {
    let old = context.old.and_then(|old| old.parameters.as_ref());
    old.and_then(|old| old.get(written.name)).map(String::as_str) != Some(written.value)
}

fn changed<'a>(context: &'a Context<'_>) -> impl Iterator<Item = Written<'a>> {
    all(context).filter(|written| is_changed(context, written))
}

/// Those that can be set, with what is known of them.
fn known<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (Written<'a>, Parameter)> {
    changed(context)
        .filter_map(|changed| Some((catalogue::parameter(changed.name).ok()?, changed)))
        .map(|(p, c)| (c, p))
}

/// Each exists, and is not Azure's own.
pub(super) fn settable(context: &Context<'_>) -> Vec<Problem> {
    changed(context)
        .filter_map(|changed| Some((catalogue::parameter(changed.name).err()?, changed)))
        .enumerate()
        .map(|(index, (why, changed))| match why {
            Unsettable::Unknown => {
                let known = catalogue::parameter_names()
                    .filter(|name| index < SUGGESTED && context.profile.allow.parameter(name));
                let meant = did_you_mean(changed.name, known)
                    .map_or_else(|| "leave it out".to_owned(), |meant| format!("did you mean {meant}?"));
                changed.problem(&format!("is no server parameter that Azure offers; {meant}"))
            }
            Unsettable::ReadOnly => changed.problem("is read-only, Azure sets it itself; leave it out"),
            Unsettable::Extensions => {
                changed.problem("follows from spec.extensions; write the extension there and leave this out")
            }
        })
        .collect()
}

/// PostgreSQL doesn't care for case: of two spellings of one parameter, one would win by chance.
pub(super) fn once(context: &Context<'_>) -> Vec<Problem> {
    let mut spellings = BTreeMap::<String, Vec<&str>>::new();
    for (name, _) in context.new.parameters.iter().flatten() {
        spellings.entry(name.to_ascii_lowercase()).or_default().push(name);
    }
    known(context)
        .filter_map(|(changed, _)| {
            let alike = spellings.get(&changed.name.to_ascii_lowercase())?;
            let other = alike.iter().take(2).find(|other| **other != changed.name)?;
            Some(changed.problem(&format!("is there as {}, too; leave one out", quote(other))))
        })
        .collect()
}

/// Each value is one that the parameter can have.
pub(super) fn form(context: &Context<'_>) -> Vec<Problem> {
    known(context)
        .filter_map(|(changed, parameter)| {
            let value = changed.value;
            let expected = match parameter.form {
                Form::Boolean
                    if ["on", "off", "true", "false"].iter().any(|word| word.eq_ignore_ascii_case(value)) =>
                {
                    return None;
                }
                Form::Integer(least, most)
                    if value.parse().is_ok_and(|n: i64| (least..=most).contains(&n)) =>
                {
                    return None;
                }
                Form::Real if value.parse::<f64>().is_ok_and(f64::is_finite) => return None,
                Form::Text if !value.chars().any(char::is_control) => return None,
                Form::Boolean => "on or off".to_owned(),
                Form::Integer(least, most) => {
                    format!("a whole number from {least} to {most}, without a unit")
                }
                Form::Real => "a number, without a unit".to_owned(),
                Form::Text => "text on one line".to_owned(),
            };
            Some(changed.problem(&format!("can't be {}; write {expected}", quote(value))))
        })
        .collect()
}

/// A parameter of an extension needs the extension, and one of another library can't be had.
pub(super) fn library(context: &Context<'_>) -> Vec<Problem> {
    let has = |spec: &DatabaseSpec, name: &str| {
        spec.extensions.iter().flatten().any(|extension| extension.eq_ignore_ascii_case(name))
    };
    // Taking an extension out leaves its parameters without effect, though none of them is changed.
    let is_taken = |name| context.old.is_some_and(|old| has(old, name));
    all(context)
        .filter(|written| catalogue::parameter(written.name).is_ok())
        .filter_map(|written| {
            let library = catalogue::library(written.name)?;
            let is_changed = is_changed(context, &written);
            let Some(extension) = catalogue::extension(library).filter(|known| known.library.is_some()) else {
                let text = format!("has no effect, since the library {library} is never loaded; leave it out");
                return is_changed.then(|| written.problem(&text));
            };
            let (name, library) = (extension.name, extension.library_to_load()?);
            if has(context.new, name) {
                None
            } else if is_changed {
                let text = format!(
                    "has no effect before the library {library} is loaded; add {name} to spec.extensions"
                );
                Some(written.problem(&text))
            } else if is_taken(name) {
                let text = format!(
                    "has no effect without the library {library}; leave it out, too, or keep {name} in spec.extensions"
                );
                Some(written.problem(&text))
            } else {
                None
            }
        })
        .collect()
}

/// The profile allows each.
pub(super) fn allowed(context: &Context<'_>) -> Vec<Problem> {
    known(context)
        .filter(|(changed, _)| !context.profile.allow.parameter(changed.name))
        .map(|(changed, _)| changed.problem("is not allowed here; leave it out, or ask the platform team"))
        .collect()
}
