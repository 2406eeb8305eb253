//! A CRD of ours that is deleted: that deletes every object of its kind, and asks no webhook for them.

use api::Database;
use kube::CustomResourceExt;
use policy::{Code, Denial, Problem, message::and_more, quote::clean};

use super::{Admitted, Basis, Request, Target, denial};

/// Whether it is about deleting a CRD of ours.
pub(super) fn is_asked(request: &Request) -> bool {
    request.deletes() && Target::of(request).name == Database::crd_name()
}

pub(super) fn validate(request: &Request, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    if !is_asked(request) {
        return Ok(Admitted::default());
    }
    let (code, text) = match &basis.facts.objects {
        Some(objects) if objects.count == 0 => return Ok(Admitted::default()),
        Some(objects) => {
            let more = and_more(objects.count.saturating_sub(objects.some.len()));
            let names: Vec<String> = objects.some.iter().map(|name| clean(name)).collect();
            let text = format!(
                "has {} object(s), and deleting it would delete them all without a word on their data; delete each Database \
                 first, by its own rules: {}{more}",
                objects.count,
                names.join(", ")
            );
            (Code::CrdHoldsDatabases, text)
        }
        None => {
            let text = "can't be deleted at the moment, because it can't be told whether there are Databases; try again in a minute";
            (Code::CrdUnreadable, text.to_owned())
        }
    };
    let text = format!("the CRD {} {text}", Database::crd_name());
    Err(denial(basis, Problem { code, field: "metadata.name".into(), text }))
}
