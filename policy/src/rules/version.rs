//! `spec.version`: a version that is known, supported and allowed, and never lower than before.

use api::version::{major, written};

use super::Context;
use crate::{
    Code, Problem,
    catalogue::{Support, Version},
    quote::quote,
    recorded::Recorded,
    suggest::instead,
};

const FIELD: &str = "spec.version";

/// Data are restored with the version that they have, also one that no new database could have.
fn comes_with_data(context: &Context<'_>) -> bool {
    let theirs = context.request.comes_along().and_then(Recorded::major);
    theirs.is_some() && theirs == context.major()
}

fn changed(context: &Context<'_>) -> bool {
    !comes_with_data(context)
        && context.changed(|spec| {
            spec.version.as_ref().map(|version| major(version).ok_or_else(|| written(version)))
        })
}

/// The platform names the versions past standard support, which cost extra, that it wants all the same.
fn is_named(context: &Context<'_>, version: u16) -> bool {
    context.profile.allow.versions.as_ref().is_some_and(|allowed| allowed.contains(&version))
}

/// Whether its support lasts: the standard one, or the paid one where the platform wants it.
fn is_supported(context: &Context<'_>, version: Version) -> bool {
    match version.support(context.request.today) {
        Support::Standard => true,
        Support::Extended => is_named(context, version.major),
        Support::Ended => false,
    }
}

/// Versions that a new database may use, with the end of their support: known, supported and allowed; the newest first.
fn usable(context: &Context<'_>) -> Vec<String> {
    context
        .catalogue()
        .versions()
        .iter()
        .rev()
        .filter(|version| is_supported(context, **version))
        .filter(|version| is_allowed(context, version.major))
        .filter(|version| context.running_version().is_none_or(|running| version.major >= running))
        .map(|version| match version.support(context.request.today) {
            Support::Standard => format!("{} (until {})", version.major, version.until),
            _ => format!("{} (past standard support)", version.major),
        })
        .collect()
}

/// What to write: a version that may be used, else the one that runs. A version that stays isn't judged.
fn advice(context: &Context<'_>) -> String {
    let otherwise = match context.running_version() {
        Some(running) if context.major() != Some(running) => format!("write {running} back"),
        Some(_) => "no newer one is, so ask the platform team".to_owned(),
        None => "no other is, so ask the platform team".to_owned(),
    };
    instead(&usable(context), &otherwise)
}

fn is_allowed(context: &Context<'_>, version: u16) -> bool {
    context.profile.allow.versions.as_ref().is_none_or(|allowed| allowed.contains(&version))
}

fn wanted(context: &Context<'_>) -> Option<Version> {
    context.catalogue().version(context.major()?)
}

/// A version is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    context.new.version.is_none().then(|| {
        let ask = "ask the platform team for one";
        let text = format!("is missing and has no default here; {}", instead(&usable(context), ask));
        Problem::new(Code::Missing, FIELD, &text)
    })
}

/// The version is known.
pub(super) fn known(context: &Context<'_>) -> Option<Problem> {
    let version = context.new.version.as_ref()?;
    if !changed(context) || wanted(context).is_some() {
        return None;
    }
    let newest = context.catalogue().versions().last().map_or(0, |version| version.major);
    let or_add = match context.major() {
        Some(major) if major > newest => {
            "; if Azure has it, the platform team can add it under catalogue.versions"
        }
        _ => "",
    };
    let text = format!(
        "{} is not a major version that this version of the operator knows; {}{or_add}",
        context.major().map_or_else(|| quote(&written(version)), |major| major.to_string()),
        advice(context)
    );
    Some(Problem::new(Code::VersionOutOfSupport, FIELD, &text))
}

/// The version is in standard support, or in the paid one where the platform wants that.
pub(super) fn supported(context: &Context<'_>) -> Option<Problem> {
    let version = wanted(context)?;
    if !changed(context) || is_supported(context, version) {
        return None;
    }
    let why = match (version.support(context.request.today), version.extended_until) {
        (Support::Ended, Some(end)) => format!("is past Azure's Extended Support, which ended on {end}"),
        (_, Some(_)) => {
            format!("is past Azure's standard support, which ended on {}, and costs extra", version.until)
        }
        (_, None) => format!("is past its support, which ended on {}", version.until),
    };
    let text = format!("{} {why}; {}", version.major, advice(context));
    Some(Problem::new(Code::VersionOutOfSupport, FIELD, &text))
}

/// The profile allows the version.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let version = wanted(context)?;
    if !changed(context) || is_allowed(context, version.major) {
        return None;
    }
    let text = format!("{} is not allowed here; {}", version.major, advice(context));
    Some(Problem::new(Code::VersionNotAllowed, FIELD, &text))
}

/// The version is not lower than the one that runs: Azure upgrades in place and never goes back. A wish that Azure
/// hasn't fulfilled can be taken back.
pub(super) fn upward(context: &Context<'_>) -> Option<Problem> {
    let new = context.major()?;
    if !changed(context) {
        return None;
    }
    let running = context.running_version()?;
    (new < running).then(|| {
        let text = format!(
            "{new} is lower than {running}, and PostgreSQL can't be downgraded in place; write {running}"
        );
        Problem::new(Code::VersionDowngrade, FIELD, &text)
    })
}
