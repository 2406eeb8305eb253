//! The ConfigMap of the policy: a broken one is refused, and one that would put databases out of policy is warned of.

use std::{collections::BTreeMap, fmt, sync::Arc};

use api::{ACCESS_READY, Database, DatabaseRef, annotations::DEFAULTED};
use kube::{ResourceExt, core::admission::Operation};
use policy::{
    Denial, Policy, Problem, Recorded, defaults,
    document::{Administrator, AdministratorKind, KEY, KEY_OF_BYTES, LARGEST},
    quote::clean,
    warning::{self, LONGEST_WARNING},
};
use serde::{
    Deserializer,
    de::{Error, MapAccess, Unexpected, Visitor},
};
use serde_json::value::RawValue;

use super::{
    answer::Admitted,
    basis::{Basis, labels, refusal},
    sent::{Key, Raw, Request, Target},
};
use crate::cluster::{Issuer, Needs};

/// The longest key that a ConfigMap can have.
const LONGEST_KEY: usize = 253;
/// As many databases and as many exceptions as the warnings name; the rest is counted.
const SHOWN: usize = 8;

/// An issuer is longer than most warnings, and stands in this one whole. The API server cuts none that is shorter.
const LONGEST_WITH_ISSUER: usize = 256;

/// The policy among the data of a ConfigMap, and as many other keys as a message needs to say what is there instead.
pub(super) fn data(sent: Raw<'_>, binary: Raw<'_>) -> Option<BTreeMap<String, String>> {
    // Data that are no texts are refused by the API server's own schema.
    let read = |data: &RawValue| serde_json::Deserializer::from_str(data.get()).deserialize_map(FewKeys).ok();
    let mut data = sent.and_then(read);
    if binary.and_then(read).is_some_and(|bytes| bytes.contains_key(KEY)) {
        data.get_or_insert_default().insert(KEY_OF_BYTES.to_owned(), String::new());
    }
    data
}

struct FewKeys;

impl<'de> Visitor<'de> for FewKeys {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the data of a ConfigMap")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = BTreeMap::new();
        while let Some(Key(key)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            if !value.get().starts_with('"') {
                return Err(A::Error::invalid_type(Unexpected::Other("no text"), &"text"));
            }
            if key == KEY {
                // Each byte of the text takes six in JSON at the most. What is longer is too large in any case, and isn't
                // copied for the answer.
                let is_endless = value.get().len() > 6 * LARGEST + 2;
                let text =
                    if is_endless { Ok(" ".repeat(LARGEST + 1)) } else { serde_json::from_str(value.get()) };
                data.insert(key.into_owned(), text.map_err(A::Error::custom)?);
            } else if data.len() < SHOWN {
                data.insert(key.chars().take(LONGEST_KEY).collect(), String::new());
            }
        }
        Ok(data)
    }
}

/// What a policy is held against; one that goes is held against nothing.
pub(super) fn needs(request: &Request) -> Needs<'static> {
    let comes = request.operation != Operation::Delete;
    Needs { databases: comes, issuer: comes, guard: comes, ..Needs::default() }
}

pub(super) fn validate(
    request: &Request,
    data: Option<&BTreeMap<String, String>>,
    basis: &Basis<'_>,
) -> Result<Admitted, Denial> {
    if Target::of(request).name != basis.policy_name {
        return Ok(Admitted::default());
    }
    if request.operation == Operation::Delete {
        let text = "without its policy the operator keeps the last one, and after a restart admits no change";
        return Ok(Admitted { warnings: vec![text.to_owned()], ..Admitted::default() });
    }
    let policy =
        Policy::from_config_map(data).map_err(|errors| refusal(errors.to_problems(), None, basis))?;
    Ok(Admitted { warnings: warnings(&policy, basis), ..Admitted::default() })
}

fn warnings(policy: &Policy, basis: &Basis<'_>) -> Vec<String> {
    // The API server shows 4096 characters of all warnings together, so the important ones come first.
    let mut warnings: Vec<String> = issuer(policy, basis).into_iter().collect();
    warnings.extend(out_of_policy(policy, basis));
    if basis.facts.guard == Some(true) {
        warnings.extend(policy.silent_deletes().map(|profile| {
            let profile = warning::cut(profile, 20);
            format!("profile {profile}: whenMissing does nothing before the chart's deleteGuard.whenMissing is set to webhook")
        }));
    }
    warnings.extend(policy.outdated_defaults(basis.today()).map(|(profile, version)| {
        let text = format!(
            "profile {profile}: standard support of the default version {} ended on {}; write a newer one",
            version.major, version.until
        );
        warning::cut(&text, LONGEST_WARNING)
    }));
    warnings.extend(policy.doubtful_defaults().map(|(profile, field, why)| {
        warning::cut(
            &format!("profile {profile}: defaults.{field}: {why}; Azure may refuse it"),
            LONGEST_WARNING,
        )
    }));
    warnings.extend(policy.azure.administrator.as_ref().and_then(single_administrator));
    warnings.extend(handover(policy, basis));
    warnings.extend(ended(policy, basis));
    warnings
}

/// PostgreSQL 16 and later let nobody but its maker go on with a role.
fn single_administrator(administrator: &Administrator) -> Option<String> {
    (administrator.kind == AdministratorKind::ServicePrincipal).then(|| {
        "azure.administrator: with another identity, the operator could not go on with the servers of this one; write a Group"
            .to_owned()
    })
}

/// That apps which administer their servers get another login, which they have only after a restart.
fn handover(policy: &Policy, basis: &Basis<'_>) -> Option<String> {
    let had_one = basis.state.policy().is_some_and(|policy| policy.azure.administrator.is_some());
    if had_one || policy.azure.administrator.is_none() {
        return None;
    }
    let administers = |database: &&Arc<Database>| {
        let status = database.status.as_ref();
        status.is_some_and(|status| {
            status.host.is_some() && status.conditions.iter().all(|condition| condition.type_ != ACCESS_READY)
        })
    };
    let apps = basis.facts.databases.iter().flatten().filter(administers).count();
    (apps > 0).then(|| {
        let apps = count(apps, "database");
        format!("azure.administrator: {apps} will have another login; restart their pods within passwords.overlapHours")
    })
}

/// That no app can log in by the issuer that is written. It is no refusal: a policy can be written for a cluster whose
/// issuer is about to change.
fn issuer(policy: &Policy, basis: &Basis<'_>) -> Option<String> {
    match &basis.facts.issuer {
        Issuer::NotAsked => None,
        Issuer::Known(actual) => {
            policy.wrong_issuer(actual).map(|text| warning::cut(&text, LONGEST_WITH_ISSUER))
        }
        Issuer::Unknown => Some(
            "azure.workloadIdentity.issuer isn't compared: /.well-known/openid-configuration can't be read"
                .to_owned(),
        ),
    }
}

/// What was granted for a while, and is over.
fn ended(policy: &Policy, basis: &Basis<'_>) -> Vec<String> {
    let exceptions = policy.expired_exceptions(basis.today()).map(|exception| {
        format!("the exception of {}/{} ended on {}", exception.namespace, exception.name, exception.until)
    });
    let recoveries = policy.expired_recoveries(basis.today()).map(|recovery| {
        let ((from, from_name), (to, to_name)) = (&recovery.from, &recovery.to);
        format!("the recovery of {from}/{from_name} as {to}/{to_name} ended on {}", recovery.until)
    });
    let copies = policy.expired_copies(basis.today()).map(|copy| {
        let (namespace, name) = &copy.to;
        let name = name.as_deref().unwrap_or("*");
        format!("the copy of {} to {namespace}/{name} ended on {}", copy.from, copy.until)
    });
    let ended: Vec<_> = exceptions.chain(recoveries).chain(copies).collect();
    let more = ended.len().saturating_sub(SHOWN);
    let shown = ended.iter().take(SHOWN).map(|text| warning::cut(text, LONGEST_WARNING));
    let rest = (more > 0).then(|| format!("and {more} more exceptions, recoveries or copies have ended"));
    shown.chain(rest).collect()
}

fn out_of_policy(policy: &Policy, basis: &Basis<'_>) -> Vec<String> {
    let mut out = basis
        .facts
        .databases
        .iter()
        .flatten()
        .filter(|database| database.metadata.deletion_timestamp.is_none())
        .filter_map(|database| newly_broken(policy, database, basis))
        .collect::<Vec<_>>();
    if out.is_empty() {
        return Vec::new();
    }
    out.sort();
    let mut namespaces: Vec<&str> = out.iter().map(|broken| broken.namespace.as_str()).collect();
    namespaces.dedup();
    let (databases, in_namespaces) = (count(out.len(), "database"), count(namespaces.len(), "namespace"));
    let mut warnings =
        vec![format!("{databases} in {in_namespaces} would no longer comply; none of them is changed")];
    warnings.extend(out.iter().take(SHOWN).map(|broken| {
        let database = clean(&format!("{}/{}", broken.namespace, broken.name));
        warning::cut(&format!("{database}: {}", broken.text), LONGEST_WARNING)
    }));
    if out.len() > SHOWN {
        warnings.push(format!("and {} more", out.len() - SHOWN));
    }
    warnings
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A database that would break more of the new policy than it does of the one in force.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Broken {
    namespace: String,
    name: String,
    text: String,
}

fn newly_broken(policy: &Policy, database: &Database, basis: &Basis<'_>) -> Option<Broken> {
    let (namespace, name) = (database.metadata.namespace.as_deref()?, database.metadata.name.as_deref()?);
    let defaulted = database.annotations().get(DEFAULTED).map(|text| defaults::from_annotation(text));
    let defaulted = defaulted.unwrap_or_default();
    let spec = &database.spec;
    let request = policy::Request {
        labels: labels(basis, namespace),
        old: Some(spec),
        defaulted: &defaulted,
        ..policy::Request::new(basis.policy_name, DatabaseRef::new(namespace, name), spec, basis.today())
    };
    let recorded = Recorded::from_status(database.status.as_ref());
    let breaches = policy.breaches(&request, recorded.as_ref());
    let before = basis.state.policy().map(|policy| policy.breaches(&request, recorded.as_ref()));
    // What is broken already is no news.
    let is_news = |problem: &Problem| {
        !before.iter().flatten().any(|(_, old)| (old.code, &old.field) == (problem.code, &problem.field))
    };
    let problem = breaches.into_iter().map(|(_, problem)| problem).find(is_news)?;
    Some(Broken {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        text: format!("{} [{}]", problem.text, problem.code),
    })
}
