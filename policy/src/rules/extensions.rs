//! `spec.extensions`: extensions that Azure offers and policy allows.

use std::{cell::LazyCell, collections::BTreeSet};

use super::Context;
use crate::{
    Code, Problem, catalogue,
    quote::quote,
    suggest::{did_you_mean, instead},
};

/// For as many extensions it is looked up what may be written instead: a message has no room for more.
const SUGGESTED: usize = 8;

/// Where the profile allows no extension at all.
const NONE: &str = "no extension is allowed here, leave it out";

/// The extensions that the request adds, each with its field.
fn added<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (String, &'a str)> {
    let old = context.old.and_then(|old| old.extensions.as_deref()).unwrap_or_default();
    let old: BTreeSet<String> = old.iter().map(|name| name.to_ascii_lowercase()).collect();
    let new = context.new.extensions.as_deref().unwrap_or_default();
    new.iter()
        .enumerate()
        .filter(move |(_, name)| !old.contains(&name.to_ascii_lowercase()))
        .map(|(index, name)| (format!("spec.extensions[{index}]"), name.as_str()))
}

/// Allowed extensions; what is spelt like the written one comes first.
fn usable(context: &Context<'_>, written: &str) -> Vec<&'static str> {
    let allowed = || {
        catalogue::extensions()
            .map(|extension| extension.name)
            .filter(|name| context.profile.allow.extension(name))
    };
    let meant = did_you_mean(written, allowed());
    meant.into_iter().chain(allowed().filter(|name| Some(*name) != meant)).collect()
}

/// Each exists.
pub(super) fn known(context: &Context<'_>) -> Vec<Problem> {
    added(context)
        .filter(|(_, name)| catalogue::extension(name).is_none())
        .enumerate()
        .map(|(index, (field, name))| {
            if index >= SUGGESTED {
                let text = format!("{} is no extension that Azure offers; leave it out", quote(name));
                return Problem::new(Code::Extension, &field, &text);
            }
            let likely = usable(context, name);
            // A list of all others helps nobody who misspelt one.
            let meant = did_you_mean(name, likely.iter().copied());
            let advice =
                meant.map_or_else(|| instead(&likely, NONE), |meant| format!("did you mean {meant}?"));
            let text = format!("{} is no extension that Azure offers; {advice}", quote(name));
            Problem::new(Code::Extension, &field, &text)
        })
        .collect()
}

/// The profile allows each.
pub(super) fn allowed(context: &Context<'_>) -> Vec<Problem> {
    let advice = LazyCell::new(|| instead(&usable(context, ""), "no extension is, leave it out"));
    added(context)
        .filter(|(_, name)| catalogue::extension(name).is_some() && !context.profile.allow.extension(name))
        .map(|(field, name)| {
            let advice = &*advice;
            let text = format!("{} is not allowed here; {advice}", quote(name));
            Problem::new(Code::Extension, &field, &text)
        })
        .collect()
}
