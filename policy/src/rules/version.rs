//! `spec.version`: a version that Azure offers and policy allows, and never lower than before.

use api::version::{major, written};

use super::Context;
use crate::{Code, Problem, catalogue, quote::quote, suggest::instead};

const FIELD: &str = "spec.version";

fn changed(context: &Context<'_>) -> bool {
    context
        .changed(|spec| spec.version.as_ref().map(|version| major(version).ok_or_else(|| written(version))))
}

/// Versions that a new database may use, with the end of their support: offered by Azure, in support and allowed; the
/// newest first.
fn usable(context: &Context<'_>) -> Vec<String> {
    catalogue::VERSIONS
        .iter()
        .rev()
        .filter(|version| version.end_of_support > context.request.today)
        .filter(|version| is_allowed(context, version.major))
        .filter(|version| context.running_version().is_none_or(|running| version.major >= running))
        .map(|version| format!("{} (until {})", version.major, version.end_of_support))
        .collect()
}

/// What to write: a version that may be used, else the one that runs. A version that stays isn't judged.
fn advice(context: &Context<'_>) -> String {
    let wanted = context.new.version.as_ref().and_then(major);
    let otherwise = match context.running_version() {
        Some(running) if wanted != Some(running) => format!("write {running} back"),
        Some(_) => "no newer one is, so ask the platform team".to_owned(),
        None => "no other is, so ask the platform team".to_owned(),
    };
    instead(&usable(context), &otherwise)
}

fn is_allowed(context: &Context<'_>, version: u16) -> bool {
    context.profile.allow.versions.as_ref().is_none_or(|allowed| allowed.contains(&version))
}

/// A version is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    context.new.version.is_none().then(|| {
        let ask = "ask the platform team for one";
        let text = format!("is missing and has no default here; {}", instead(&usable(context), ask));
        Problem::new(Code::Missing, FIELD, &text)
    })
}

/// The version exists.
pub(super) fn known(context: &Context<'_>) -> Option<Problem> {
    let version = context.new.version.as_ref()?;
    if !changed(context) || major(version).is_some_and(|major| catalogue::version(major).is_some()) {
        return None;
    }
    let text = format!(
        "{} is no major version that Azure offers; {}",
        major(version).map_or_else(|| quote(&written(version)), |major| major.to_string()),
        advice(context)
    );
    Some(Problem::new(Code::VersionOutOfSupport, FIELD, &text))
}

/// The version is still supported: Azure creates no server of one that isn't.
pub(super) fn supported(context: &Context<'_>) -> Option<Problem> {
    let version = catalogue::version(major(context.new.version.as_ref()?)?)?;
    if !changed(context) || version.end_of_support > context.request.today {
        return None;
    }
    let text = format!(
        "{} has been out of support since {}; {}",
        version.major,
        version.end_of_support,
        advice(context)
    );
    Some(Problem::new(Code::VersionOutOfSupport, FIELD, &text))
}

/// The profile allows the version.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let version = catalogue::version(major(context.new.version.as_ref()?)?)?;
    if !changed(context) || is_allowed(context, version.major) {
        return None;
    }
    let text = format!("{} is not allowed here; {}", version.major, advice(context));
    Some(Problem::new(Code::VersionNotAllowed, FIELD, &text))
}

/// The version is not lower than the one that runs: Azure upgrades in place and never goes back. A wish that Azure
/// hasn't fulfilled can be taken back.
pub(super) fn upward(context: &Context<'_>) -> Option<Problem> {
    let new = major(context.new.version.as_ref()?)?;
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
