//! Names that Kubernetes, PostgreSQL and Azure all take, and what is derived from `metadata.name`.

use api::DatabaseSpec;

use super::Context;
use crate::{
    Code, Problem,
    metadata::{self, LONGEST_SUBDOMAIN, is_subdomain},
    quote::quote,
};

/// Longest name of a database in PostgreSQL.
const LONGEST_NAME: usize = 63;

/// Databases that every server has from the start.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-servers>
const RESERVED: &[&str] = &["azure_maintenance", "azure_sys", "postgres", "template0", "template1"];

/// Name of the database in the server: written, or `metadata.name` with `_` for each `-`.
pub fn database_name(object_name: &str, spec: &DatabaseSpec) -> String {
    spec.database_name.clone().unwrap_or_else(|| object_name.replace('-', "_"))
}

/// Name of the ServiceAccount that may log in: written, or `metadata.name`.
pub fn service_account_name(object_name: &str, spec: &DatabaseSpec) -> String {
    spec.service_account_name.clone().unwrap_or_else(|| object_name.to_owned())
}

/// `metadata.name` fits into a label of everything that belongs to the database.
pub(super) fn object_name(context: &Context<'_>) -> Option<Problem> {
    if context.old.is_some() { None } else { metadata::name(context.request.name) }
}

/// PostgreSQL and Azure take the database's name.
pub(super) fn database_name_shape(context: &Context<'_>) -> Option<Problem> {
    let name = database_name(context.request.name, context.new);
    if !context.changed(|spec| database_name(context.request.name, spec)) {
        return None;
    }
    let (field, hint) = match &context.new.database_name {
        Some(_) => ("spec.databaseName", ""),
        None => ("spec.databaseName", " (from metadata.name, since it is left out)"),
    };
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        let text = format!(
            "{}{hint} is a database that each server has from the start; use another name",
            quote(&name)
        );
        return Some(Problem::new(Code::Name, field, &text));
    }
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let holds_well = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if begins_well && holds_well && name.len() <= LONGEST_NAME {
        return None;
    }
    let text = format!(
        "{}{hint} must begin with a letter or _ and go on with letters, digits, _ or -, at most {LONGEST_NAME} characters",
        quote(&name)
    );
    Some(Problem::new(Code::Name, field, &text))
}

/// Kubernetes takes the ServiceAccount's name: a DNS subdomain.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
pub(super) fn service_account_name_shape(context: &Context<'_>) -> Option<Problem> {
    let name = context.new.service_account_name.as_ref()?;
    if is_subdomain(name) || !context.changed(|spec| spec.service_account_name.clone()) {
        return None;
    }
    let text = format!(
        "{} is not a name for a ServiceAccount; write a-z, 0-9, - and ., with a letter or digit at both ends and on both \
         sides of each dot, at most {LONGEST_SUBDOMAIN} characters",
        quote(name)
    );
    Some(Problem::new(Code::Name, "spec.serviceAccountName", &text))
}
