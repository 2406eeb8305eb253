//! `spec.extensions`: extensions that are known, that the version has, and that policy allows.

use std::{
    cell::LazyCell,
    collections::{BTreeSet, HashSet},
};

use super::Context;
use crate::{
    Code, Problem,
    catalogue::{Extension, was_offered},
    quote::quote,
    suggest::{did_you_mean, instead},
};

/// For as many extensions it is looked up what may be written instead: a message has no room for more.
const SUGGESTED: usize = 8;

/// Where the profile allows no extension at all.
const NONE: &str = "no extension is allowed here, leave it out";

/// For what isn't misspelt.
const ADD: &str = "(if Azure has it, the platform team can add it under catalogue.extensions)";

/// The extensions of the request, each with its field.
fn all<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (String, &'a str)> {
    let new = context.new.extensions.as_deref().unwrap_or_default();
    new.iter().enumerate().map(|(index, name)| (format!("spec.extensions[{index}]"), name.as_str()))
}

/// Tells whether the request adds it.
fn is_added(context: &Context<'_>) -> impl Fn(&str) -> bool + use<> {
    let old = context.old.and_then(|old| old.extensions.as_deref()).unwrap_or_default();
    let old: BTreeSet<String> = old.iter().map(|name| name.to_ascii_lowercase()).collect();
    move |name| !old.contains(&name.to_ascii_lowercase())
}

fn added<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (String, &'a str)> {
    let is_added = is_added(context);
    all(context).filter(move |(_, name)| is_added(name))
}

fn is_offered(context: &Context<'_>, extension: &Extension) -> bool {
    context.major().is_none_or(|major| extension.offered.with(major))
}

/// Allowed extensions; what is spelt like the written one comes first.
fn usable<'a>(context: &'a Context<'_>, written: &str) -> Vec<&'a str> {
    let allowed = || {
        let offered =
            context.catalogue().extensions().iter().filter(|extension| is_offered(context, extension));
        offered.map(|extension| extension.name.as_ref()).filter(|name| context.profile.allow.extension(name))
    };
    let meant = did_you_mean(written, allowed());
    meant.into_iter().chain(allowed().filter(|name| Some(*name) != meant)).collect()
}

/// Each is known.
pub(super) fn known(context: &Context<'_>) -> Vec<Problem> {
    added(context)
        .filter(|(_, name)| context.catalogue().extension(name).is_none())
        .enumerate()
        .map(|(index, (field, name))| {
            if index >= SUGGESTED {
                let text = format!(
                    "{} is not an extension that this version of the operator knows; leave it out {ADD}",
                    quote(name)
                );
                return Problem::new(Code::Extension, &field, &text);
            }
            let likely = usable(context, name);
            // A list of all others helps nobody who misspelt one.
            let meant = did_you_mean(name, likely.iter().copied());
            let text = if was_offered(|known| known.eq_ignore_ascii_case(name)) {
                format!("{} is not an extension that Azure still offers; leave it out", quote(name))
            } else {
                let advice =
                    meant.map_or_else(|| instead(&likely, NONE), |meant| format!("did you mean {meant}?"));
                format!(
                    "{} is not an extension that this version of the operator knows; {advice} {ADD}",
                    quote(name)
                )
            };
            Problem::new(Code::Extension, &field, &text)
        })
        .collect()
}

/// The version has each, also one that was there before, when it is the version that changes.
pub(super) fn offered(context: &Context<'_>) -> Vec<Problem> {
    let upgraded = context.changed(|spec| spec.version.as_ref().and_then(api::version::major));
    let is_added = is_added(context);
    let judged = all(context).filter(|(_, name)| upgraded || is_added(name));
    let lacking = judged.filter_map(|(field, name)| {
        let extension = context.catalogue().extension(name)?;
        (!is_offered(context, extension)).then_some((field, extension))
    });
    lacking
        .map(|(field, extension)| {
            let version = context.major().unwrap_or_default();
            let text = format!(
                "{} is not there with version {version}, as far as this version of the operator knows; leave it out, or \
                 write another spec.version",
                extension.name
            );
            Problem::new(Code::Extension, &field, &text)
        })
        .collect()
}

/// None stands twice: PostgreSQL doesn't care for case.
pub(super) fn once(context: &Context<'_>) -> Vec<Problem> {
    let mut seen = HashSet::new();
    added(context)
        .filter(|(_, name)| !seen.insert(name.to_ascii_lowercase()))
        .map(|(field, name)| {
            Problem::new(
                Code::Extension,
                &field,
                &format!("{} stands there twice; leave one out", quote(name)),
            )
        })
        .collect()
}

/// The profile allows each.
pub(super) fn allowed(context: &Context<'_>) -> Vec<Problem> {
    let is_known = |name: &str| context.catalogue().extension(name).is_some();
    let advice = LazyCell::new(|| instead(&usable(context, ""), "no extension is, leave it out"));
    added(context)
        .filter(|(_, name)| is_known(name) && !context.profile.allow.extension(name))
        .map(|(field, name)| {
            let advice = &*advice;
            let text = format!("{} is not allowed here; {advice}", quote(name));
            Problem::new(Code::Extension, &field, &text)
        })
        .collect()
}
