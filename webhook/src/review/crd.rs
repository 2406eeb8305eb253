//! A CRD of ours that is deleted: that deletes every object of its kind, and asks no webhook for them.

use api::Database;
use kube::{CustomResourceExt, core::admission::Operation};
use policy::{Code, Denial, Problem, quote::clean};

use super::{Admitted, Basis, Request, Target, denial};

/// As many databases as a message names; the rest is counted.
const SHOWN: usize = 5;

pub(super) fn validate(request: &Request, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let Some(crd) = &request.old else { return Ok(Admitted::default()) };
    let target = Target::of(request);
    let is_ours = target.name == Database::crd_name();
    if request.operation != Operation::Delete || !is_ours || crd.is_going() {
        return Ok(Admitted::default());
    }
    let refuse = |code, text: String| {
        Err(denial(
            basis,
            Problem {
                code,
                field: "metadata.name".into(),
                text: format!("the CRD {} {text}", clean(target.name)),
            },
        ))
    };
    let Some(databases) = &basis.facts.databases else {
        let text = "can't be deleted at the moment, because it can't be told whether there are Databases; try again in a minute";
        return refuse(Code::CrdUnreadable, text.to_owned());
    };
    if databases.is_empty() {
        return Ok(Admitted::default());
    }
    let mut names: Vec<String> = databases
        .iter()
        .map(|database| {
            let metadata = &database.metadata;
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            clean(&format!("{}/{}", part(&metadata.namespace), part(&metadata.name)))
        })
        .collect();
    names.sort();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" (+{more} more)") } else { String::new() };
    let text = format!(
        "has {} object(s): {}{more}. Deleting it would delete them all without a word on their data; delete each Database \
         first, by its own rules",
        names.len(),
        names[..names.len().min(SHOWN)].join(", ")
    );
    refuse(Code::CrdHoldsDatabases, text)
}
