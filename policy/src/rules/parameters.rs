//! `spec.parameters`: server parameters that can be set, with values that can be taken, and that policy allows.

use std::{borrow::Cow, collections::BTreeMap};

use api::DatabaseSpec;

use super::{Context, spec::sku_in_lower_case};
use crate::{
    Code, Problem,
    catalogue::{Form, Parameter, Tier, Unsettable},
    quote::quote,
    suggest::{alternatives, did_you_mean},
};

/// As many names are looked at for what was meant: a message has no room for more, and there can be hundreds.
const SUGGESTED: usize = 8;

/// For what isn't misspelt.
const ADD: &str = "(if Azure has it, the platform team can add it under catalogue.parameters)";

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
        // The key is a stranger's text, and a path is no place for one on which a tool would act.
        field: format!("spec.parameters[{}]", quote(name)),
        name,
        value,
    })
}

/// The value as Azure takes it, where it is one.
fn canonical<'a>(context: &'a Context<'_>, name: &str, value: &'a str) -> Cow<'a, str> {
    let parameter = find(context, name);
    parameter.ok().and_then(|parameter| parameter.form.canonical(value)).unwrap_or(Cow::Borrowed(value))
}

fn find<'a>(context: &'a Context<'_>, name: &str) -> Result<&'a Parameter, Unsettable> {
    context.catalogue().parameter(name, context.major())
}

/// Whether the request adds or changes it. `on` and `true` are the same, and what runs has Azure's spelling.
fn is_changed(context: &Context<'_>, written: &Written<'_>) -> bool {
    let old = context.old.and_then(|old| old.parameters.as_ref()).and_then(|old| old.get(written.name));
    old.is_none_or(|old| {
        old != written.value
            && canonical(context, written.name, old) != canonical(context, written.name, written.value)
    })
}

fn changed<'a>(context: &'a Context<'_>) -> impl Iterator<Item = Written<'a>> {
    all(context).filter(|written| is_changed(context, written))
}

/// Those that can be set, with what is known of them.
fn known<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (Written<'a>, &'a Parameter)> {
    changed(context)
        .filter_map(|changed| Some((find(context, changed.name).ok()?, changed)))
        .map(|(p, c)| (c, p))
}

/// Each is known, and not Azure's own.
pub(super) fn settable(context: &Context<'_>) -> Vec<Problem> {
    changed(context)
        .filter_map(|changed| Some((find(context, changed.name).err()?, changed)))
        .enumerate()
        .map(|(index, (why, changed))| match why {
            Unsettable::Unknown => {
                let known = context
                    .catalogue()
                    .parameter_names()
                    .filter(|name| index < SUGGESTED && context.profile.allow.parameter(name))
                    .filter(|name| find(context, name).is_ok());
                let meant = did_you_mean(changed.name, known);
                let advice =
                    meant.map_or_else(|| "leave it out".to_owned(), |meant| format!("did you mean {meant}?"));
                changed.problem(&format!(
                    "is not a server parameter that this version of the operator knows; {advice} {ADD}"
                ))
            }
            Unsettable::ReadOnly => changed.problem("is read-only, Azure sets it itself; leave it out"),
            Unsettable::Extensions => {
                changed.problem("follows from spec.extensions; write the extension there and leave this out")
            }
            Unsettable::Since(major) => changed
                .problem(&format!("is there from version {major} on; leave it out, or raise spec.version")),
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

/// What a value must look like.
fn expected(form: &Form, value: &str) -> String {
    let words: Vec<&str> = form.words().collect();
    match form {
        Form::One(_) => match did_you_mean(value, words.iter().copied()) {
            Some(meant) => meant.to_owned(),
            None => alternatives(&words),
        },
        Form::Any(_) => format!("{}, or some of them with commas between", alternatives(&words)),
        Form::Integer(least, most) => format!("a whole number from {least} to {most}, without a unit"),
        // Azure's greatest number is no bound that anybody meets.
        Form::Real(least, most) if *most > 1e300 => format!("a number from {least} on, without a unit"),
        Form::Real(least, most) => format!("a number from {least} to {most}, without a unit"),
        Form::Text => "text on one line".to_owned(),
    }
}

/// Each value is one that the parameter can have.
pub(super) fn form(context: &Context<'_>) -> Vec<Problem> {
    known(context)
        .filter(|(changed, parameter)| parameter.form.canonical(changed.value).is_none())
        .map(|(changed, parameter)| {
            let expected = expected(&parameter.form, changed.value);
            changed.problem(&format!("can't be {}; write {expected}", quote(changed.value)))
        })
        .collect()
}

/// A parameter of an extension needs the extension, and one of another library isn't available.
pub(super) fn library(context: &Context<'_>) -> Vec<Problem> {
    let has = |spec: &DatabaseSpec, name: &str| {
        spec.extensions.iter().flatten().any(|extension| extension.eq_ignore_ascii_case(name))
    };
    // Taking an extension out leaves its parameters without effect, though none of them is changed.
    let is_taken = |name: &str| context.old.is_some_and(|old| has(old, name));
    all(context)
        .filter_map(|written| {
            let library = find(context, written.name).ok()?.library.as_deref()?;
            let is_changed = is_changed(context, &written);
            let Some(extension) = context.catalogue().extension_of(library) else {
                let text = format!("has no effect, since the library {library} is never loaded; leave it out");
                return is_changed.then(|| written.problem(&text));
            };
            let (name, library) = (&extension.name, extension.library_to_load()?);
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

/// The switch of the connection pooler.
const POOLER: &str = "pgbouncer.enabled";

/// Burstable servers have no `PgBouncer`, and its other parameters aren't there while it is off.
/// <https://learn.microsoft.com/azure/postgresql/connectivity/concepts-pgbouncer>
pub(super) fn pooler(context: &Context<'_>) -> Vec<Problem> {
    let is_on = |spec: &DatabaseSpec| {
        let switch = |(name, _): &(&String, &String)| name.eq_ignore_ascii_case(POOLER);
        let written = spec.parameters.iter().flatten().find(switch);
        written.is_some_and(|(_, value)| canonical(context, POOLER, value) == "true")
    };
    let resized = context.changed(sku_in_lower_case);
    let was_on = context.old.is_some_and(is_on);
    let burstable = context.size().filter(|size| size.tier == Tier::Burstable);
    all(context)
        .filter_map(|written| {
            let is_switch = written.name.eq_ignore_ascii_case(POOLER);
            let is_of_pooler = written.name.to_ascii_lowercase().starts_with("pgbouncer.");
            let is_changed = is_changed(context, &written);
            match burstable {
                Some(size) if is_switch && is_on(context.new) && (is_changed || resized) => {
                    Some(written.problem(&format!(
                        "can't be {} with the Burstable size {}, which has no PgBouncer; leave it out, or use another \
                         spec.sku",
                        quote(written.value),
                        size.name
                    )))
                }
                _ if is_of_pooler && !is_switch && !is_on(context.new) && (is_changed || was_on) => {
                    let text = format!("is not there while {POOLER} is off; set {POOLER} to true, or leave it out");
                    Some(written.problem(&text))
                }
                _ => None,
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
