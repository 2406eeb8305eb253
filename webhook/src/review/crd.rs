//! A CRD of ours that is deleted: that deletes every object of its kind, and asks no webhook for them.

use api::{Database, RetainedDatabase};
use kube::CustomResourceExt;
use policy::{Code, Denial, Problem};

use super::{
    answer::Admitted,
    basis::{Basis, denial},
    sent::{Request, Target},
};
use crate::cluster::Kind;

/// Of which kind the CRD is that is to go, if it is ours.
pub(super) fn asked(request: &Request) -> Option<Kind> {
    let name = Target::of(request).name;
    let kinds =
        [(Database::crd_name(), Kind::Database), (RetainedDatabase::crd_name(), Kind::RetainedDatabase)];
    kinds.into_iter().find(|(crd, _): &(&str, Kind)| request.deletes() && *crd == name).map(|(_, kind)| kind)
}

pub(super) fn validate(request: &Request, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let Some(kind) = asked(request) else { return Ok(Admitted::default()) };
    let first = match kind {
        Kind::Database => "delete each Database first, by its own rules",
        Kind::RetainedDatabase => {
            "each is the record of retained data, and the operator deletes it when they are destroyed or have come back"
        }
    };
    let (code, text) = match &basis.facts.objects {
        Some(objects) if objects.count == 0 => return Ok(Admitted::default()),
        Some(objects) => {
            let text = format!(
                "has {} object(s), and deleting it would delete them all, and nobody has decided what happens to their data; {first}: {}",
                objects.count,
                objects.named()
            );
            (Code::CrdHoldsDatabases, text)
        }
        None => {
            let text = "can't be deleted at the moment, because the webhook can't find out whether it has objects; try again in a minute";
            (Code::CrdUnreadable, text.to_owned())
        }
    };
    let text = format!("the CRD {} {text}", Target::of(request).name);
    Err(denial(basis, Problem { code, field: "metadata.name".into(), text }))
}
