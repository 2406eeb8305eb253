//! Warnings that `kubectl` prints beside an accepted request.

use std::collections::{BTreeMap, BTreeSet};

use api::{Authentication, Backup, DatabaseSpec, DefaultedField, HighAvailability, annotations::RETENTION};
use jiff::{ToSpan, civil::Date};

use crate::{
    Policy, Problem, Recorded,
    catalogue::{Catalogue, LARGEST_IN_VAULT_GIB, Support, Zones},
    defaults,
    deleting::{self, Deletion, Retention, RetentionRules},
    quote::{clean, quote},
    spec,
};

/// The longest warning, in characters: the API server's own recommendation.
pub const LONGEST_WARNING: usize = 120;

/// A problem that is only warned of, cut so that its code still stands at the end.
pub fn of(problem: &Problem) -> String {
    let code = format!(" [{}]", problem.code);
    cut(&problem.text, LONGEST_WARNING - code.chars().count()) + &code
}

/// The text, cut to so many characters with an ellipsis.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// What a person should know about the retention of a manifest that is fine otherwise: that a delete would be refused
/// although something is said, because of what is said.
pub fn on_apply(deletion: &Deletion<'_>, rules: Option<&RetentionRules>) -> Vec<String> {
    let Some(value) = deletion.retention else { return Vec::new() };
    let Err(problems) = deleting::judge(deletion, rules) else { return Vec::new() };
    let value = cut(&quote(value), 24);
    let codes: Vec<String> = problems.iter().map(|problem| problem.code.to_string()).collect();
    vec![format!("{RETENTION}: with {value} a delete will be refused [{}]", codes.join(","))]
}

/// That another `Database` uses the same ServiceAccount, which can have the client id of one identity only.
pub fn on_shared_account(other: &str) -> String {
    let other = cut(other, 24);
    format!(
        "spec.serviceAccountName: Database {other} uses it, too; set AZURE_CLIENT_ID by the Secret's client-id"
    )
}

/// What who applies an object that is being deleted must know: it will be gone, whatever was answered.
pub fn on_terminating(deletion: &Deletion<'_>) -> Vec<String> {
    let name = cut(&clean(&format!("{}/{}", deletion.namespace, deletion.name)), 24);
    let mut warnings = vec![format!(
        "{name} is being deleted, and applying it doesn't bring it back; wait until it is gone and apply again"
    )];
    // What isn't written is what the policy says, and was decided when the delete was let through.
    if deletion.retention.is_some_and(|retention| Retention::parse(retention) != Some(Retention::Retain)) {
        warnings.push(format!(
            "its data will be destroyed; to keep them, set {RETENTION} to \"Retain\" before it is gone"
        ));
    }
    warnings
}

/// An update of a server that runs.
struct Update<'a> {
    new: &'a DatabaseSpec,
    old: &'a DatabaseSpec,
    recorded: &'a Recorded,
    catalogue: &'a Catalogue,
    /// The major version that the new spec names.
    major: Option<u16>,
}

/// Each warns of one thing that an update does. The warnings are shown in this order.
const ON_CHANGE: &[fn(&Update<'_>) -> Vec<String>] = &[
    of_new_size,
    of_upgrade,
    of_other_role,
    of_older_version,
    of_new_libraries,
    of_changed_parameters,
    of_removed_parameters,
];

/// What an update does to a server that runs.
pub fn on_change(
    new: &DatabaseSpec,
    old: &DatabaseSpec,
    recorded: Option<&Recorded>,
    catalogue: &Catalogue,
) -> Vec<String> {
    let Some(recorded) = recorded else { return Vec::new() };
    let major = new.version.as_ref().and_then(api::version::major);
    let update = Update { new, old, recorded, catalogue, major };
    ON_CHANGE.iter().flat_map(|warnings| warnings(&update)).collect()
}

fn of_new_size(update: &Update<'_>) -> Vec<String> {
    let Update { new, old, recorded, .. } = update;
    let Some(sku) = &new.sku else { return Vec::new() };
    // A default that gave way to the server stands in both, and does nothing.
    let differs = |old: Option<&String>| old.is_none_or(|old| !sku.eq_ignore_ascii_case(old));
    let is_new = differs(old.sku.as_ref()) && differs(recorded.running.sku.as_ref().or(old.sku.as_ref()));
    let warning = "spec.sku: the server restarts when its size changes";
    is_new.then(|| warning.to_owned()).into_iter().collect()
}

fn of_upgrade(update: &Update<'_>) -> Vec<String> {
    let Update { new: new_spec, old, .. } = update;
    let (Some(new), Some(running)) = (update.major, update.recorded.major()) else { return Vec::new() };
    if new <= running || old.version.as_ref().and_then(api::version::major) == Some(new) {
        return Vec::new();
    }
    let mut warnings = vec![format!(
        "spec.version: going from {running} to {new} takes the server down for minutes and can't be undone"
    )];
    let extensions = new_spec.extensions.iter().chain(&old.extensions).flatten();
    warnings.extend(on_upgrade(extensions.map(String::as_str), running, new));
    warnings
}

fn of_other_role(update: &Update<'_>) -> Vec<String> {
    let running = update.recorded.running.authentication;
    let before = running.or(update.old.authentication).unwrap_or(Authentication::Identity);
    if update.new.authentication.unwrap_or(Authentication::Identity) == before {
        return Vec::new();
    }
    vec![
        "spec.authentication: the app logs in as another role, which doesn't own the tables it has made"
            .to_owned(),
    ]
}

fn of_older_version(update: &Update<'_>) -> Vec<String> {
    match (update.major, update.recorded.major()) {
        (Some(new), Some(running)) if new < running => vec![format!(
            "spec.version: {new} is written, and {running} runs, which can't be undone; write {running}"
        )],
        _ => Vec::new(),
    }
}

fn of_new_libraries(update: &Update<'_>) -> Vec<String> {
    let before: BTreeSet<String> =
        update.old.extensions.iter().flatten().map(|name| name.to_ascii_lowercase()).collect();
    let names = update.new.extensions.iter().flatten();
    names
        .filter(|name| !before.contains(&name.to_ascii_lowercase()))
        .filter_map(|name| update.catalogue.extension(name))
        .filter(|extension| extension.library_to_load().is_some())
        .map(|extension| format!("spec.extensions: {} takes effect when the server restarts", extension.name))
        .collect()
}

impl Update<'_> {
    fn needs_restart(&self, parameter: &str) -> bool {
        self.catalogue.parameter(parameter, self.major).is_ok_and(|parameter| parameter.needs_restart)
    }
}

fn of_changed_parameters(update: &Update<'_>) -> Vec<String> {
    let before = |name: &str| update.old.parameters.as_ref().and_then(|old| old.get(name));
    let parameters = update.new.parameters.iter().flatten();
    parameters
        .filter(|(name, value)| before(name) != Some(*value) && update.needs_restart(name))
        .map(|(name, _)| cut(&quote(name), 40))
        .map(|name| format!("spec.parameters[{name}]: takes effect when the server restarts"))
        .collect()
}

fn of_removed_parameters(update: &Update<'_>) -> Vec<String> {
    let names = || update.new.parameters.iter().flat_map(BTreeMap::keys);
    let is_gone = |name: &str| !names().any(|new| new.eq_ignore_ascii_case(name));
    let before = update.old.parameters.iter().flat_map(BTreeMap::keys);
    before
        .filter(|name| update.needs_restart(name) && is_gone(name))
        .map(|name| cut(&quote(name), 40))
        .map(|name| format!("spec.parameters[{name}]: goes when the server restarts"))
        .collect()
}

/// Extensions that Azure's upgrade stumbles over, and the version to which it does; 0 for each.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-major-version-upgrade>
const IN_THE_WAY: &[(&str, u16)] = &[
    ("age", 17),
    ("azure_ai", 17),
    ("hll", 17),
    ("hypopg", 0),
    ("pg_diskann", 17),
    ("pg_hint_plan", 0),
    ("pg_repack", 0),
    ("pgrouting", 17),
    ("plv8", 0),
    ("postgres_fdw", 0),
    ("session_variable", 0),
    ("timescaledb", 0),
];

/// What stands in the way of an upgrade, each once.
fn on_upgrade<'a>(extensions: impl Iterator<Item = &'a str>, running: u16, new: u16) -> Vec<String> {
    let named: Vec<&str> = extensions.collect();
    let in_the_way = IN_THE_WAY.iter().filter(|(name, since)| {
        (*since == 0 || (running < *since && new >= *since))
            && named.iter().any(|named| named.eq_ignore_ascii_case(name))
    });
    in_the_way
        .map(|(name, _)| {
            format!("spec.version: Azure refuses the upgrade while {name} is created; drop it before")
        })
        .collect()
}

/// How many days before the end of a version's standard support the warning begins.
const DAYS_BEFORE: i64 = 90;

/// That Azure charges extra for the version that runs, or for the one that is wanted, or will soon.
pub fn on_support(
    spec: &DatabaseSpec,
    recorded: Option<&Recorded>,
    catalogue: &Catalogue,
    today: Date,
) -> Option<String> {
    let wanted = spec.version.as_ref().and_then(api::version::major);
    let major = wanted.max(recorded.and_then(Recorded::major))?;
    let version = catalogue.version(major)?;
    let is_near = version.until.checked_sub(DAYS_BEFORE.days()).is_ok_and(|day| today > day);
    let (until, is_paid) = (version.until, version.extended_until.is_some());
    match version.support(today) {
        Support::Standard if is_near && is_paid => Some(format!(
            "spec.version: standard support of {major} ends on {until}, then Azure charges extra for it; raise it before"
        )),
        Support::Standard if is_near => {
            Some(format!("spec.version: the support of {major} ends on {until}; raise it before"))
        }
        Support::Standard => None,
        Support::Extended if is_paid => Some(format!(
            "spec.version: standard support of {major} ended on {until}, and Azure charges extra for it; raise it"
        )),
        Support::Extended | Support::Ended => {
            let end = version.extended_until.unwrap_or(until);
            Some(format!("spec.version: the support of {major} ended on {end}; raise it"))
        }
    }
}

/// What Azure may refuse where the server is, or is to be, which isn't certain.
pub fn on_place(
    new: &DatabaseSpec,
    old: Option<&DatabaseSpec>,
    recorded: Option<&Recorded>,
    policy: &Policy,
) -> Vec<String> {
    let location = policy.location(recorded);
    let region = policy.catalogue().region(location);
    let mut warnings = Vec::new();
    let zone_redundant = Some(HighAvailability::ZoneRedundant);
    let was_there = old.is_some_and(|old| old.high_availability == zone_redundant);
    if new.high_availability == zone_redundant && !was_there && region.zones == Zones::Closed {
        warnings.push(format!(
            "spec.highAvailability: {location} had no room for new ZoneRedundant ones; if Azure refuses, use SameZone"
        ));
    }
    // A server that exists stays in its network, and which one that is isn't known here.
    let size = new.sku.as_deref().and_then(|sku| policy.catalogue().size(sku));
    let resized = old.is_some_and(|old| old.sku != new.sku) && recorded.is_some();
    if let Some(size) = size.filter(|size| size.is_v6())
        && resized
        && policy.azure.network.private.is_some()
    {
        warnings.push(format!(
            "spec.sku: Azure refuses {} for a server in a virtual network; use a v5 size there",
            size.name
        ));
    }
    warnings
}

/// That Azure promises no copies of so large a disk, where that is so from now on.
pub fn on_vault(new: &DatabaseSpec, old: Option<&DatabaseSpec>) -> Option<String> {
    let is_too_large = |spec: &DatabaseSpec| {
        spec::vault(spec) != Backup::NO_VAULT
            && spec::size_gib(spec).is_some_and(|size| size > LARGEST_IN_VAULT_GIB)
    };
    let is_new = is_too_large(new) && !old.is_some_and(is_too_large);
    is_new.then(|| {
        format!(
            "spec.backup.vault: Azure promises copies of at most {LARGEST_IN_VAULT_GIB} GiB; take a smaller disk, or write None"
        )
    })
}

/// Defaults that stand in the spec but give way to the server, which was there before them.
pub fn on_defaults(
    spec: &DatabaseSpec,
    notes: &[DefaultedField],
    recorded: Option<&Recorded>,
) -> Vec<String> {
    let Some(recorded) = recorded else { return Vec::new() };
    defaults::not_in_effect(spec, notes, recorded)
        .into_iter()
        .map(|(field, default, running)| {
            format!("spec.{field}: {default} is only a default, the server keeps {running}; write another to change it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn runs(running: Value) -> Recorded {
        serde_json::from_value::<DatabaseSpec>(running).unwrap().into()
    }

    #[test]
    fn a_default_that_gives_way_to_the_server_is_told() {
        let spec = DatabaseSpec { sku: Some("Standard_B1ms".into()), ..DatabaseSpec::default() };
        let recorded = runs(json!({"sku": "Standard_D192ds_v6"}));
        let notes = defaults::from_annotation("sku=Standard_B1ms@default");
        let warnings = on_defaults(&spec, &notes, Some(&recorded));
        assert_eq!(
            warnings,
            [
                "spec.sku: Standard_B1ms is only a default, the server keeps Standard_D192ds_v6; write another to change it"
            ]
        );
        assert!(warnings[0].len() <= LONGEST_WARNING);
        assert!(on_defaults(&spec, &[], Some(&recorded)).is_empty());
        assert!(on_defaults(&spec, &notes, None).is_empty());
    }

    fn deletion<'a>(retention: Option<&'a str>, confirmation: Option<&'a str>) -> Deletion<'a> {
        Deletion { namespace: "orders", name: "main", retention, confirmation, today: date(2026, 11, 22) }
    }

    #[rstest]
    #[case::absent(None, None, &[])]
    #[case::kept(Some("Retain"), None, &[])]
    #[case::wrong_case(Some("retain"), None, &["altinn.app/retention: with \"retain\" a delete will be refused [DB206]"])]
    #[case::unconfirmed(Some("Destroy"), None, &["altinn.app/retention: with \"Destroy\" a delete will be refused [DB202]"])]
    fn a_retention_that_will_not_work_is_told_at_apply(
        #[case] retention: Option<&str>,
        #[case] confirmation: Option<&str>,
        #[case] expected: &[&str],
    ) {
        assert_eq!(on_apply(&deletion(retention, confirmation), Some(&RetentionRules::default())), expected);
    }

    #[rstest]
    #[case::kept(Some("Retain"), 1)]
    #[case::unsaid(None, 1)]
    #[case::some_days(Some("14d"), 2)]
    #[case::destroyed(Some("Destroy"), 2)]
    fn who_applies_what_is_being_deleted_is_told(#[case] retention: Option<&str>, #[case] count: usize) {
        let mut deletion = deletion(retention, None);
        let shown = on_terminating(&deletion);
        assert_eq!(
            shown[0],
            "orders/main is being deleted, and applying it doesn't bring it back; wait until it is gone and apply again"
        );
        assert_eq!(shown.len(), count, "{shown:?}");
        let long = "x".repeat(63);
        (deletion.namespace, deletion.name) = (&long, &long);
        for warning in on_terminating(&deletion) {
            assert!(warning.chars().count() <= LONGEST_WARNING, "{warning}");
        }
    }

    #[test]
    fn a_warning_fits() {
        let endless = "x\n".repeat(200);
        let problem = Problem::new(crate::Code::SkuNotAllowed, "spec.sku", &"x".repeat(500));
        let name = "max_connections".to_owned();
        let new =
            DatabaseSpec { parameters: Some([(name, "100".to_owned())].into()), ..DatabaseSpec::default() };
        let recorded = runs(json!({"version": 16}));
        let mut all = on_apply(&deletion(Some(&endless), None), None);
        all.push(of(&problem));
        all.extend(on_change(&new, &DatabaseSpec::default(), Some(&recorded), Catalogue::known()));
        assert_eq!(all.len(), 3);
        for warning in all {
            assert!(warning.chars().count() <= LONGEST_WARNING, "{warning}");
            assert!(!warning.contains(char::is_control));
        }
        assert!(of(&problem).ends_with("… [DB101]"));
    }

    #[test]
    fn a_version_that_was_passed_in_azure_is_told_with_what_to_write() {
        let new: DatabaseSpec = serde_json::from_value(json!({"version": 16})).unwrap();
        let recorded = runs(json!({"version": 17}));
        assert_eq!(
            on_change(&new, &new, Some(&recorded), Catalogue::known()),
            ["spec.version: 16 is written, and 17 runs, which can't be undone; write 17"]
        );
    }

    #[rstest]
    #[case::nothing(json!({"sku": "standard_b1MS"}), &[])]
    #[case::resize(json!({"sku": "Standard_B2s"}), &["spec.sku: the server restarts when its size changes"])]
    #[case::upgrade(json!({"version": 18}), &["spec.version: going from 17 to 18 takes the server down for minutes and can't be undone"])]
    #[case::upgrade_over_what_is_in_the_way(json!({"version": 18, "extensions": ["PgRouting", "plv8", "vector"]}), &["spec.version: going from 17 to 18 takes the server down for minutes and can't be undone", "spec.version: Azure refuses the upgrade while plv8 is created; drop it before"])]
    #[case::at_once(json!({"parameters": {"work_mem": "8192"}}), &[])]
    #[case::restart(json!({"parameters": {"max_connections": "100"}}), &["spec.parameters[\"max_connections\"]: takes effect when the server restarts"])]
    #[case::library(json!({"extensions": ["PgAudit", "vector", "pg_cron"]}), &["spec.extensions: pgaudit takes effect when the server restarts"])]
    fn what_a_change_does_to_a_running_server_is_told(#[case] new: Value, #[case] expected: &[&str]) {
        let new: DatabaseSpec = serde_json::from_value(new).unwrap();
        let recorded = runs(json!({"version": 17, "sku": "Standard_B1ms"}));
        let known = Catalogue::known();
        assert_eq!(on_change(&new, &DatabaseSpec::default(), Some(&recorded), known), expected);
        assert!(on_change(&new, &DatabaseSpec::default(), None, known).is_empty(), "nothing runs yet");
        let shown = on_change(&new, &new, Some(&recorded), known);
        assert!(shown.is_empty(), "nothing is changed: {shown:?}");
    }

    #[rstest]
    #[case::to_seventeen(16, 17, &["hll", "timescaledb"])]
    #[case::below(14, 16, &["timescaledb"])]
    #[case::beyond(17, 18, &["timescaledb"])]
    fn what_stands_in_the_way_of_an_upgrade_is_told(
        #[case] running: u16,
        #[case] new: u16,
        #[case] expected: &[&str],
    ) {
        let shown = on_upgrade(["hll", "TimescaleDB", "vector", "hll"].into_iter(), running, new);
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        assert!(shown.iter().zip(expected).all(|(shown, name)| shown.contains(name)), "{shown:?}");
    }

    #[rstest]
    #[case::far(17, date(2026, 11, 28), None)]
    #[case::far_from_paid(14, date(2026, 9, 12), None)]
    #[case::near(
        14,
        date(2026, 9, 13),
        Some("standard support of 14 ends on 2026-12-11, then Azure charges extra")
    )]
    #[case::paid(13, date(2026, 11, 28), Some("ended on 2026-07-31, and Azure charges extra for it"))]
    #[case::over(11, date(2026, 11, 28), Some("the support of 11 ended on 2026-11-08"))]
    #[case::near_without_a_price(15, date(2027, 11, 1), Some("the support of 15 ends on 2027-11-11"))]
    #[case::over_without_a_price(15, date(2028, 1, 1), Some("the support of 15 ended on 2027-11-11"))]
    #[case::not_known(99, date(2026, 11, 28), None)]
    fn what_a_version_costs_is_told_before_and_after(
        #[case] running: u16,
        #[case] today: Date,
        #[case] expected: Option<&str>,
    ) {
        let recorded = runs(json!({"version": running}));
        let spec = DatabaseSpec::default();
        let shown = on_support(&spec, Some(&recorded), Catalogue::known(), today);
        assert_eq!(shown.is_some(), expected.is_some(), "{shown:?}");
        let shown = shown.unwrap_or_default();
        assert!(shown.contains(expected.unwrap_or_default()) && shown.len() <= LONGEST_WARNING, "{shown}");
    }

    #[rstest]
    #[case::closed("westeurope", "", json!({"highAvailability": "ZoneRedundant"}), json!({}), Some("spec.highAvailability: westeurope"))]
    #[case::open("norwayeast", "", json!({"highAvailability": "ZoneRedundant"}), json!({}), None)]
    #[case::there_already("westeurope", "", json!({"highAvailability": "ZoneRedundant"}), json!({"highAvailability": "ZoneRedundant"}), None)]
    #[case::said_to_be_open("westeurope", "catalogue: {regions: {westeurope: {zones: true}}}", json!({"highAvailability": "ZoneRedundant"}), json!({}), None)]
    fn what_a_region_may_refuse_is_told(
        #[case] location: &str,
        #[case] catalogue: &str,
        #[case] new: Value,
        #[case] old: Value,
        #[case] expected: Option<&str>,
    ) {
        let yaml = include_str!("../../examples/policy.yaml").replace("norwayeast", location);
        let policy = Policy::parse(&format!("{yaml}{catalogue}\n")).unwrap();
        let spec = |value| serde_json::from_value::<DatabaseSpec>(value).unwrap();
        let shown = on_place(&spec(new), Some(&spec(old)), None, &policy);
        assert_eq!(!shown.is_empty(), expected.is_some(), "{shown:?}");
        assert!(shown.first().is_none_or(|shown| shown.starts_with(expected.unwrap())), "{shown:?}");
        assert!(shown.iter().all(|shown| shown.len() <= LONGEST_WARNING));
    }

    /// Of both kinds of change: of the disk, and of the wish for copies.
    #[rstest]
    #[case::as_large_as_may_be(json!({"storage": {"sizeGiB": 1024}, "backup": {"vault": "weekly"}}), None, false)]
    #[case::larger(json!({"storage": {"sizeGiB": 2048}, "backup": {"vault": "weekly"}}), None, true)]
    #[case::larger_without_copies(json!({"storage": {"sizeGiB": 2048}, "backup": {"vault": "None"}}), None, false)]
    #[case::larger_without_a_word(json!({"storage": {"sizeGiB": 2048}}), None, false)]
    #[case::of_no_known_size(json!({"backup": {"vault": "weekly"}}), None, false)]
    #[case::it_grows(
        json!({"storage": {"sizeGiB": 2048}, "backup": {"vault": "weekly"}}),
        Some(json!({"storage": {"sizeGiB": 512}, "backup": {"vault": "weekly"}})),
        true
    )]
    #[case::copies_are_wanted(
        json!({"storage": {"sizeGiB": 2048}, "backup": {"vault": "weekly"}}),
        Some(json!({"storage": {"sizeGiB": 2048}})),
        true
    )]
    #[case::it_was_said_before(
        json!({"storage": {"sizeGiB": 4096}, "backup": {"vault": "archive"}}),
        Some(json!({"storage": {"sizeGiB": 2048}, "backup": {"vault": "weekly"}})),
        false
    )]
    fn who_wants_copies_of_a_disk_that_is_too_large_is_told(
        #[case] new: Value,
        #[case] old: Option<Value>,
        #[case] is_told: bool,
    ) {
        let spec = |value| serde_json::from_value::<DatabaseSpec>(value).unwrap();
        let shown = on_vault(&spec(new), old.map(spec).as_ref());
        let expected = "spec.backup.vault: Azure promises copies of at most 1024 GiB; take a smaller disk, or write None";
        assert_eq!(shown.as_deref(), is_told.then_some(expected));
        assert!(expected.len() <= LONGEST_WARNING);
    }

    #[test]
    fn a_parameter_that_goes_with_a_restart_is_told() {
        let parameters = [("max_connections", "100"), ("work_mem", "8192")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let old = DatabaseSpec { parameters: Some(parameters), ..DatabaseSpec::default() };
        let recorded = runs(json!({"version": 17}));
        assert_eq!(
            on_change(&DatabaseSpec::default(), &old, Some(&recorded), Catalogue::known()),
            ["spec.parameters[\"max_connections\"]: goes when the server restarts"]
        );
    }
}
