//! The policy as somebody writes it: mistakes are told in plain lines, and a policy that holds keeps its promises.

use std::collections::BTreeMap;

use api::{DatabaseRef, DatabaseSpec};
use jiff::civil::date;
use policy::{
    Code, Policy, PolicyState, Request,
    document::{KEY, Labels, PolicyErrors},
    message::LONGEST_MESSAGE,
};

use super::{POLICY, line, menu::Menu};

const NAMESPACES: &[&str] = &["orders", "orders-prod", "a", ""];
/// What a policy writes after a colon, and what nobody should.
const VALUES: &[&str] = &[
    "deny",
    "warn",
    "audit",
    "allow",
    "Retain",
    "14d",
    "17",
    "18",
    "[16, 17]",
    "[]",
    "{}",
    "~",
    "32",
    "64",
    "-1",
    "Standard_B2s",
    "Standard_D2ds_v5",
    "[\"*\"]",
    "[\"Standard_D*\", \"*s\"]",
    "{sizeGiB: 64, tier: P10}",
    "{maxGiB: 64, tiers: [P4]}",
    "ZoneRedundant",
    "norwaywest",
    "westeurope",
    "[SameZone]",
    "&a [*a]",
    "!!binary x",
    "\"immutable\"",
    "\"a\\nb\\e\"",
    "{team: x}",
    "0",
    "99999999999999999999",
    "2027-01-31",
    "|",
];
/// Lines that a profile may have.
const LINES: &[&str] = &[
    "      databasesPerNamespace: 0",
    "      highAvailability: SameZone",
    "      backup: {retentionDays: 14, geoRedundant: true}",
    "      storage: {tier: P80}",
    "      authentication: [Identity]",
    "    namespaces: {labels: {team: x}}",
    "    enforcement: {skus: audit, storage: warn}",
    "  - name: other",
];

/// A policy as text; one that begins with a byte below a blank is the example with some lines changed.
pub fn hold(data: &[u8]) {
    match data.split_first() {
        Some((first, rest)) if *first < b' ' => {
            let mut menu = Menu::new(rest);
            let text = edited(&mut menu);
            judged(&text, &mut menu);
        }
        _ => judged(&String::from_utf8_lossy(data), &mut Menu::new(data)),
    }
}

fn edited(menu: &mut Menu<'_>) -> String {
    let mut lines: Vec<String> = POLICY.lines().map(ToOwned::to_owned).collect();
    for _ in 0..=menu.number(5) {
        let at = menu.number(lines.len());
        match menu.number(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, menu.one(LINES).to_owned()),
            2 => lines.insert(at, lines[menu.number(lines.len())].clone()),
            _ => {
                let value = menu.text(VALUES);
                let Some((key, _)) = lines[at].split_once(": ") else { continue };
                lines[at] = format!("{key}: {value}");
            }
        }
    }
    lines.join("\n")
}

fn judged(text: &str, menu: &mut Menu<'_>) {
    match Policy::parse(text) {
        Ok(policy) => {
            let spec = serde_json::from_value(menu.spec()).unwrap_or_default();
            for namespace in NAMESPACES {
                keeps_its_promises(&policy, namespace, &DatabaseSpec::default());
                keeps_its_promises(&policy, namespace, &spec);
            }
        }
        Err(errors) => are_readable(text, &errors),
    }
}

fn are_readable(text: &str, errors: &PolicyErrors) {
    assert!(!errors.0.is_empty());
    // The policy's author reads these on a terminal, where a control character does harm.
    for error in &errors.0 {
        let shown = error.to_string();
        assert!(!shown.contains(char::is_control), "breaks the line: {shown:?}");
    }
    errors.to_problems().iter().for_each(|problem| line::is_plain(&problem.text));
    let data = BTreeMap::from([(KEY.to_owned(), text.to_owned())]);
    let state = PolicyState::default().applied(Some(&data));
    let denial = state.require("database-policy").expect_err("the policy is broken");
    line::is_plain(&denial.message());
    line::fits(&denial.message(), LONGEST_MESSAGE);
}

fn keeps_its_promises(policy: &Policy, namespace: &str, spec: &DatabaseSpec) {
    let labels = Labels::from([("team".to_owned(), "x".to_owned())]);
    for labels in [None, Some(&labels)] {
        let database = DatabaseRef::new(namespace, "main");
        let request = Request {
            labels,
            databases: Some(1.into()),
            ..Request::new("database-policy", database, spec, date(2026, 11, 22))
        };
        let verdict = policy.judge(&request, None);
        let resolved = policy.resolve(&request, None);
        let _ = policy.breaches(&request, None);
        match (verdict.denial, resolved) {
            (None, Ok(effective)) => built_again(policy, &request, &effective.to_spec(spec)),
            (None, Err(denial)) => panic!("admitted, and can't be built: {}", denial.message()),
            (Some(denial), Ok(_)) => panic!("refused, and can be built: {}", denial.message()),
            (Some(denial), Err(_)) => {
                line::is_plain(&denial.message());
                line::fits(&denial.message(), LONGEST_MESSAGE);
                if *spec == DatabaseSpec::default() {
                    refused_for_what_is_not_the_defaults(&denial.codes());
                }
            }
        }
    }
}

/// What is built is what was admitted: written out in full it is admitted as well.
fn built_again(policy: &Policy, request: &Request<'_>, whole: &DatabaseSpec) {
    let request = Request { new: whole, ..*request };
    let denial = policy.judge(&request, None).denial.map(|denial| denial.message());
    assert_eq!(denial, None, "{whole:?}");
}

/// In a policy that holds every default exists and is allowed.
fn refused_for_what_is_not_the_defaults(codes: &[Code]) {
    let others = [
        Code::Missing,
        Code::PolicyNoProfile,
        Code::LabelsUnknown,
        Code::DatabasesPerNamespace,
        // What Azure does when nothing is said can be forbidden, so that each manifest has to say something.
        Code::Authentication,
        Code::Backup,
        Code::HighAvailability,
    ];
    assert!(codes.iter().all(|code| others.contains(code)), "a default is refused: {codes:?}");
}
