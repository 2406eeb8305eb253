//! A namespace that is deleted: refused before anything in it dies, when it holds databases that would be refused.
//!
//! Without this the namespace's Secrets, ServiceAccounts and workloads would be gone, and the namespace would hang on
//! its databases for ever.

use api::annotations::{CONFIRM_DESTROY, RETENTION};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use policy::{
    Code, Denial, Problem,
    deleting::{self, Deletion, Retention},
    message::and_more,
    quote::{clean, quote},
    warning::{self, LONGEST_WARNING},
};

use super::{
    answer::Admitted,
    basis::{Basis, denial, profile, refusal},
    sent::{Request, Target},
};
use crate::cluster::{Needs, Objects};

/// As many databases as a message names; the rest is counted.
const SHOWN: usize = 5;

pub(super) fn needs(request: &Request) -> Needs<'_> {
    if !request.deletes() {
        return Needs::default();
    }
    let name = Some(Target::of(request).name);
    Needs { labels: name, inside: name, kept_in: name, ..Needs::default() }
}

pub(super) fn validate(request: &Request, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let target = Target::of(request);
    if !request.deletes() {
        return Ok(Admitted::default());
    }
    if let Some(kept) = basis.facts.kept.as_ref().filter(|kept| kept.count > 0) {
        return Err(denial(basis, of_records(target.name, kept)));
    }
    // Each database has its own guard: not knowing them here lets nothing be lost.
    let Some(inside) = &basis.facts.inside else { return Ok(Admitted::default()) };
    let inside: Vec<_> = inside.iter().filter(|database| database.deletion_timestamp.is_none()).collect();
    let profile = profile(basis, target.name);
    let rules = profile.map(|profile| &profile.retention);
    let mut fates = Vec::new();
    let mut refused: Vec<String> = inside
        .iter()
        .filter_map(|database| {
            let name = database.name.as_deref().unwrap_or_default();
            let deletion = Deletion {
                namespace: target.name,
                name,
                retention: annotation(database, RETENTION),
                confirmation: annotation(database, CONFIRM_DESTROY),
                today: basis.today(),
            };
            match deleting::judge(&deletion, rules) {
                Ok(fate) => {
                    fates.push(fate);
                    None
                }
                Err(problems) => Some(format!("{} [{}]", clean(name), problems.first()?.code)),
            }
        })
        .collect();
    refused.sort();
    if !refused.is_empty() {
        let problem = problem(target.name, &refused);
        return Err(refusal(vec![problem], profile, basis));
    }
    let warnings =
        (!fates.is_empty()).then(|| warning::cut(&fate(&fates), LONGEST_WARNING)).into_iter().collect();
    Ok(Admitted { warnings, ..Admitted::default() })
}

/// What becomes of the servers of databases that go with their namespace.
fn fate(fates: &[Retention]) -> String {
    let count = |is: fn(&Retention) -> bool| fates.iter().filter(|fate| is(fate)).count();
    let (destroyed, ended) =
        (count(|fate| *fate == Retention::Destroy), count(|fate| matches!(fate, Retention::Days(_))));
    if destroyed + ended == 0 {
        return format!("{} Database(s) go with it, and their servers are kept", fates.len());
    }
    let kept = fates.len() - destroyed - ended;
    format!(
        "{} Database(s) go with it: {destroyed} server(s) are destroyed now, {ended} after some days, {kept} are kept",
        fates.len()
    )
}

fn annotation<'a>(database: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    database.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The namespace of the operator: with the records would go the dates until when the data are kept.
fn of_records(namespace: &str, kept: &Objects) -> Problem {
    let text = format!(
        "namespace {} holds the records of data that are kept, and nothing is deleted now. Bring each back or end it first; \
         `kubectl get retaineddatabases -n {}` lists them: {}",
        quote(namespace),
        clean(namespace),
        kept.named()
    );
    Problem { code: Code::NamespaceHoldsDatabases, field: "metadata.name".into(), text }
}

fn problem(namespace: &str, refused: &[String]) -> Problem {
    let more = and_more(refused.len().saturating_sub(SHOWN));
    let shown = refused[..refused.len().min(SHOWN)].join(", ");
    // The names come last: five long ones leave no room for what to do where a tool shows the beginning alone.
    let text = format!(
        "namespace {} holds {} deleted yet; set altinn.app/retention to \"Retain\" on each, which keeps its server and \
         data, and delete the namespace then. Nothing is deleted now. It holds {shown}{more}",
        quote(namespace),
        if refused.len() == 1 {
            "a Database that can't be".to_owned()
        } else {
            format!("{} Databases that can't be", refused.len())
        },
    );
    Problem { code: Code::NamespaceHoldsDatabases, field: "metadata.name".into(), text }
}
