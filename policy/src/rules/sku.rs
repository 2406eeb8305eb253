//! `spec.sku`: a size that Azure offers and policy allows.

use super::Context;
use crate::{
    Code, Problem, catalogue,
    quote::quote,
    suggest::{alternatives, matching_sizes, nearest_sizes, sizes_like},
};

const FIELD: &str = "spec.sku";

fn changed(context: &Context<'_>) -> bool {
    context.changed(|spec| spec.sku.as_ref().map(|sku| sku.to_ascii_lowercase()))
}

/// A size is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    context.new.sku.is_none().then(|| {
        let smallest = sizes_like("", matching_sizes(|name| context.profile.allow.sku(name)));
        Problem::new(
            Code::Missing,
            FIELD,
            &format!("is missing and has no default here; use {}", alternatives(&smallest)),
        )
    })
}

/// The size exists.
pub(super) fn known(context: &Context<'_>) -> Option<Problem> {
    let sku = context.new.sku.as_deref()?;
    if !changed(context) || catalogue::size(sku).is_some() {
        return None;
    }
    let likely = sizes_like(sku, matching_sizes(|name| context.profile.allow.sku(name)));
    let text = format!("{} is no size that Azure offers; use {}", quote(sku), alternatives(&likely));
    Some(Problem::new(Code::SkuUnknown, FIELD, &text))
}

/// The profile allows the size.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let size = catalogue::size(context.new.sku.as_deref()?)?;
    if !changed(context) || context.profile.allow.sku(&size.name) {
        return None;
    }
    let nearest = nearest_sizes(size, matching_sizes(|name| context.profile.allow.sku(name)));
    let written = context.new.sku.as_deref().unwrap_or_default();
    let text = format!("{} is not allowed here; use {}", quote(written), alternatives(&nearest));
    Some(Problem::new(Code::SkuNotAllowed, FIELD, &text))
}
