//! A namespace that is deleted: refused before anything in it dies, when it holds databases that would be refused.
//!
//! Without this the namespace's Secrets, ServiceAccounts and workloads would be gone, and the namespace would hang on
//! its databases for ever.

use api::{
    Database,
    annotations::{CONFIRM_DESTROY, RETENTION},
};
use kube::core::admission::Operation;
use policy::{
    Code, Denial, Problem,
    deleting::{self, Deletion},
    document::Namespace,
    quote::{clean, quote},
    warning::{self, LONGEST},
};

use super::{Admitted, Basis, Request, Target, denial, labels, sent::Metadata};

/// As many databases as a message names; the rest is counted.
const SHOWN: usize = 5;

pub(super) fn validate(request: &Request, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let target = Target::of(request);
    let is_going = request.old.as_ref().is_some_and(Metadata::is_going);
    if request.operation != Operation::Delete || is_going {
        return Ok(Admitted::default());
    }
    // Each database is guarded by itself: not knowing them here lets nothing be lost.
    let Some(databases) = &basis.facts.databases else { return Ok(Admitted::default()) };
    let inside: Vec<_> = databases
        .iter()
        .filter(|database| database.metadata.namespace.as_deref() == Some(target.name))
        .filter(|database| database.metadata.deletion_timestamp.is_none())
        .collect();
    let namespace = Namespace { name: target.name, labels: labels(basis, target.name) };
    let profile = basis.state.policy().and_then(|policy| policy.profile(namespace).ok());
    let rules = profile.map(|profile| &profile.retention);
    let mut refused: Vec<String> = inside
        .iter()
        .filter_map(|object| {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            let deletion = Deletion {
                namespace: target.name,
                name,
                retention: annotation(object, RETENTION),
                confirmation: annotation(object, CONFIRM_DESTROY),
                today: basis.today,
            };
            let problems = deleting::judge(&deletion, rules).err()?;
            Some(format!("{} [{}]", clean(name), problems.first()?.code))
        })
        .collect();
    refused.sort();
    if !refused.is_empty() {
        let problem = problem(target.name, &refused);
        return Err(Denial {
            profile: profile.map(|profile| profile.name.clone()),
            ..denial(basis, problem)
        });
    }
    let warnings = if inside.is_empty() {
        Vec::new()
    } else {
        let text = format!("{} Database(s) go with it, and their servers are kept", inside.len());
        vec![warning::cut(&text, LONGEST)]
    };
    Ok(Admitted { warnings, ..Admitted::default() })
}

fn annotation<'a>(database: &'a Database, key: &str) -> Option<&'a str> {
    database.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn problem(namespace: &str, refused: &[String]) -> Problem {
    let more = refused.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" (+{more} more)") } else { String::new() };
    let shown = refused[..refused.len().min(SHOWN)].join(", ");
    let text = format!(
        "namespace {} holds {} deleted yet: {shown}{more}. Nothing is deleted. Set altinn.app/retention to \
         \"Retain\" on each, which keeps its server and data, and delete the namespace then",
        quote(namespace),
        if refused.len() == 1 {
            "a Database that can't be".to_owned()
        } else {
            format!("{} Databases that can't be", refused.len())
        },
    );
    Problem { code: Code::NamespaceHoldsDatabases, field: "metadata.name".into(), text }
}
