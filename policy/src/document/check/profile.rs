//! The rules of a profile.

use api::Backup;

use super::{
    Findings,
    defaults::{check_defaults, spec},
    offered::{check_backup_days, check_version, meant_or_add},
    shape,
};
use crate::{
    Code,
    catalogue::{Catalogue, DISK_SIZES_GIB, Unsettable, can_match_parameter, was_offered},
    deleting::{MOST_DAYS, Retention, RetentionRules},
    document::{
        Allowed, Located, Patterns, Policy, Profile,
        limits::{ITEMS, LABELS},
        namespaces::{Names, Namespaces},
        raw,
    },
    quote::{clean, quote, triggers_tool},
    suggest::instead,
};

pub(super) fn check_profile(
    raw: raw::Profile,
    path: &str,
    policy: &Policy,
    findings: &mut Findings,
) -> Profile {
    shape(findings, &format!("{path}.name"), &raw.name, 63, "letters, digits and -", |c| {
        c.is_ascii_alphanumeric() || c == '-'
    });
    if triggers_tool(&raw.name.value) {
        let text =
            "can't stand in a denial, since tools take some words for more than a name; write another".into();
        findings.add(raw.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
    }
    check_vaults(raw.allow.backup.vault.as_ref(), path, policy, findings);
    let allow = check_allow(&raw.allow, path, policy.catalogue(), findings);
    let profile = Profile {
        namespaces: check_namespaces(raw.namespaces.as_ref(), raw.name.line, path, findings),
        defaults: spec(&raw.defaults),
        retention: check_retention(&raw.retention, path, findings),
        rotate_after_days: check_passwords(&raw.passwords, path, findings),
        overlap_hours: check_overlap(&raw.passwords, path, findings),
        name: raw.name.value,
        allow,
        enforcement: raw.enforcement,
    };
    // What would do instead takes long to find where many patterns are allowed.
    if !findings.is_full() {
        check_defaults(&raw.defaults, &profile, policy, path, findings);
    }
    profile
}

/// Each name is one of the vault's that the policy names.
fn check_vaults(
    raw: Option<&Located<Vec<Located<String>>>>,
    path: &str,
    policy: &Policy,
    findings: &mut Findings,
) {
    let vault = policy.azure.backup_vault.as_ref();
    let known: Vec<&str> =
        vault.iter().flat_map(|vault| vault.policies.value.keys().map(String::as_str)).collect();
    for (index, name) in list(raw).into_iter().flatten().take(ITEMS).enumerate() {
        let is_known = name.value == Backup::NO_VAULT || known.contains(&name.value.as_str());
        if !is_known {
            let usable: Vec<&str> = known.iter().copied().chain([Backup::NO_VAULT]).collect();
            let text = format!(
                "{} is not a name in azure.backupVault.policies; {}, or add it there",
                quote(&name.value),
                instead(&usable, "")
            );
            findings.add(
                name.line,
                &format!("{path}.allow.backup.vault[{index}]"),
                Code::PolicyUnknownValue,
                text,
            );
        }
    }
}

fn check_passwords(raw: &raw::Passwords, path: &str, findings: &mut Findings) -> Option<u16> {
    let days = raw.rotate_after_days.as_ref()?;
    if !(1..=MOST_DAYS).contains(&days.value) {
        let text = format!(
            "{} is outside of 1 to {MOST_DAYS}; leave it out to replace passwords on request alone",
            days.value
        );
        findings.add(days.line, &format!("{path}.passwords.rotateAfterDays"), Code::PolicyMalformed, text);
    }
    Some(days.value)
}

/// The longest time for which two passwords work.
const LONGEST_OVERLAP: u16 = 720;
const OVERLAP: u16 = 24;

fn check_overlap(raw: &raw::Passwords, path: &str, findings: &mut Findings) -> u16 {
    let Some(hours) = &raw.overlap_hours else { return OVERLAP };
    if hours.value > LONGEST_OVERLAP {
        let text =
            format!("{} is outside of 0 to {LONGEST_OVERLAP}; leave it out for {OVERLAP}", hours.value);
        findings.add(hours.line, &format!("{path}.passwords.overlapHours"), Code::PolicyMalformed, text);
    }
    hours.value
}

fn check_namespaces(
    raw: Option<&raw::NamespaceMatch>,
    line: u64,
    path: &str,
    findings: &mut Findings,
) -> Namespaces {
    let Some(raw) = raw else { return Namespaces::default() };
    let path = format!("{path}.namespaces");
    let names = raw.names.as_ref().map(|names| names.value.as_slice());
    if let Some(names) = raw.names.as_ref().filter(|names| names.value.is_empty()) {
        let text = "is empty, so the profile matches no namespace; leave it out to match all".into();
        findings.add(names.line, &format!("{path}.names"), Code::PolicyNeverMatches, text);
    }
    let labels = raw.labels.as_ref().map(|labels| &labels.value);
    if let Some(labels) = &raw.labels {
        findings.too_many(labels.line, &format!("{path}.labels"), labels.value.len(), LABELS, "labels");
    }
    let empty = match &raw.labels {
        Some(labels) => labels.value.is_empty().then(|| (labels.line, format!("{path}.labels"))),
        None => names.is_none().then(|| (line, path.clone())),
    };
    if let Some((line, path)) = empty {
        let text = "is empty; leave it out to match all namespaces".into();
        findings.add(line, &path, Code::PolicyMalformed, text);
    }
    for (index, name) in names.into_iter().flatten().enumerate() {
        shape(
            findings,
            &format!("{path}.names[{index}]"),
            name,
            63,
            "lower-case letters, digits, -, * and ?",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*?".contains(c),
        );
    }
    for (key, value) in labels.into_iter().flatten() {
        // Kubernetes' own rules; a pattern would be taken to the letter, which nobody means.
        let takes = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let path = format!("{path}.labels[{}]", clean(key));
        if !value.value.is_empty() {
            shape(findings, &path, value, 63, "letters, digits, -, _ and .", takes);
        }
        let key = Located { value: key.clone(), line: value.line };
        shape(findings, &path, &key, 317, "letters, digits, -, _, . and one /", |c| takes(c) || c == '/');
    }
    Namespaces {
        names: names.map(|names| Names::new(names.iter().map(|name| name.value.as_str()))),
        labels: labels.into_iter().flatten().map(|(key, value)| (key.clone(), value.value.clone())).collect(),
    }
}

fn check_retention(raw: &raw::Retention, path: &str, findings: &mut Findings) -> RetentionRules {
    let minimum_days = raw.minimum_days.as_ref().map_or(0, |days| days.value);
    if let Some(days) = raw.minimum_days.as_ref().filter(|days| days.value > MOST_DAYS) {
        let text =
            format!("{} is more days than a retention can have; write {MOST_DAYS} or less", days.value);
        findings.add(days.line, &format!("{path}.retention.minimumDays"), Code::PolicyMalformed, text);
    }
    let when_missing = raw.when_missing.as_ref().and_then(|written| {
        let path = format!("{path}.retention.whenMissing");
        let quoted = quote(&written.value);
        let fewest = minimum_days.max(1);
        let meant = match Retention::parse(&written.value) {
            Some(Retention::Retain) => return Some(Retention::Retain),
            Some(Retention::Days(days)) if days >= minimum_days => return Some(Retention::Days(days)),
            None if written.value == "deny" => return None,
            Some(Retention::Days(_)) => "is less than minimumDays",
            Some(Retention::Destroy) => "would destroy data although nobody has decided that",
            None => "is not known here",
        };
        let text = format!("{quoted} {meant}; use deny, Retain, or days such as {fewest}d");
        findings.add(written.line, &path, Code::PolicyUnknownValue, text);
        None
    });
    RetentionRules { when_missing, destroy: raw.destroy, minimum_days }
}

fn check_allow(raw: &raw::Allow, path: &str, catalogue: &Catalogue, findings: &mut Findings) -> Allowed {
    let path = format!("{path}.allow");
    check_named(raw, &path, catalogue, findings);
    check_not_empty(raw, &path, findings);
    if let Some(max) = &raw.storage.max_gib
        && max.value < DISK_SIZES_GIB[0]
    {
        let text = format!("{} is less than Azure's smallest disk, {}", max.value, DISK_SIZES_GIB[0]);
        findings.add(max.line, &format!("{path}.storage.maxGiB"), Code::PolicyUnknownValue, text);
    }
    check_backup(&raw.backup, &path, findings);
    check_lengths(raw, &path, findings);
    allowed(raw)
}

/// What the catalogue must know: sizes, extensions, versions and parameters.
fn check_named(raw: &raw::Allow, path: &str, catalogue: &Catalogue, findings: &mut Findings) {
    let sizes = || catalogue.sizes().iter().map(|size| size.name.as_str());
    check_patterns(list(raw.skus.as_ref()), &format!("{path}.skus"), ("size", "sizes"), sizes, findings);
    let extensions = || catalogue.extensions().iter().map(|extension| extension.name.as_ref());
    let what = ("extension", "extensions");
    check_patterns(raw.extensions.as_deref(), &format!("{path}.extensions"), what, extensions, findings);
    let versions = list(raw.versions.as_ref());
    for (index, version) in
        few(versions, &format!("{path}.versions"), line_of(versions), findings).iter().enumerate()
    {
        check_version(version, &format!("{path}.versions[{index}]"), catalogue, findings);
    }
    let parameters =
        [("allow", raw.parameters.allow.as_deref()), ("deny", Some(raw.parameters.deny.as_slice()))];
    for (key, patterns) in parameters {
        let path = format!("{path}.parameters.{key}");
        for (index, pattern) in few(patterns, &path, line_of(patterns), findings).iter().enumerate() {
            check_parameter(pattern, &format!("{path}[{index}]"), catalogue, findings);
        }
    }
}

/// An empty list of extensions or parameters is no mistake: there, nothing is a choice.
fn check_not_empty(raw: &raw::Allow, path: &str, findings: &mut Findings) {
    let empty = [
        ("skus", empty_at(raw.skus.as_ref())),
        ("versions", empty_at(raw.versions.as_ref())),
        ("storage.tiers", empty_at(raw.storage.tiers.as_ref())),
        ("highAvailability", empty_at(raw.high_availability.as_ref())),
        ("backup.geoRedundant", empty_at(raw.backup.geo_redundant.as_ref())),
        ("backup.vault", empty_at(raw.backup.vault.as_ref())),
        ("authentication", empty_at(raw.authentication.as_ref())),
    ];
    for (name, line) in empty.into_iter().filter_map(|(name, line)| Some((name, line?))) {
        let text = "is empty, so nothing is allowed; leave it out to allow all that Azure offers".into();
        findings.add(line, &format!("{path}.{name}"), Code::PolicyMalformed, text);
    }
}

/// The other lists are looked at item by item, and their lengths with that.
fn check_lengths(raw: &raw::Allow, path: &str, findings: &mut Findings) {
    let lengths = [
        ("storage.tiers", length_at(raw.storage.tiers.as_ref())),
        ("highAvailability", length_at(raw.high_availability.as_ref())),
        ("backup.geoRedundant", length_at(raw.backup.geo_redundant.as_ref())),
        ("backup.vault", length_at(raw.backup.vault.as_ref())),
        ("authentication", length_at(raw.authentication.as_ref())),
    ];
    for (key, (line, length)) in lengths.into_iter().filter_map(|(key, list)| Some((key, list?))) {
        findings.too_many(line, &format!("{path}.{key}"), length, ITEMS, "items");
    }
}

fn allowed(raw: &raw::Allow) -> Allowed {
    // Of a list that is too long, the defaults are judged by its beginning.
    let patterns = |written: &[Located<String>]| {
        Patterns::new(written.iter().take(ITEMS).map(|pattern| pattern.value.as_str()))
    };
    Allowed {
        skus: list(raw.skus.as_ref()).map(patterns),
        versions: list(raw.versions.as_ref())
            .map(|versions| versions.iter().map(|version| version.value).collect()),
        max_gib: raw.storage.max_gib.as_ref().map(|max| max.value),
        tiers: list(raw.storage.tiers.as_ref()).map(<[_]>::to_vec),
        high_availability: list(raw.high_availability.as_ref()).map(<[_]>::to_vec),
        retention_days: (
            raw.backup.min_retention_days.as_ref().map(|days| days.value),
            raw.backup.max_retention_days.as_ref().map(|days| days.value),
        ),
        geo_redundant: list(raw.backup.geo_redundant.as_ref()).map(<[_]>::to_vec),
        vault: list(raw.backup.vault.as_ref())
            .map(|names| names.iter().map(|name| name.value.clone()).collect()),
        extensions: raw.extensions.as_deref().map(patterns),
        parameters: raw.parameters.allow.as_deref().map(patterns),
        parameters_denied: patterns(&raw.parameters.deny),
        authentication: list(raw.authentication.as_ref()).map(<[_]>::to_vec),
        databases_per_namespace: raw.databases_per_namespace.as_ref().map(|most| most.value),
    }
}

fn list<T>(written: Option<&Located<Vec<T>>>) -> Option<&[T]> {
    written.map(|list| list.value.as_slice())
}

/// The items of a list, if it isn't longer than one may be: nobody means more than there is.
fn few<'a, T>(written: Option<&'a [T]>, path: &str, line: u64, findings: &mut Findings) -> &'a [T] {
    let written = written.unwrap_or_default();
    if findings.too_many(line, path, written.len(), ITEMS, "items") { &[] } else { written }
}

/// The line of the first item.
fn line_of<T>(written: Option<&[Located<T>]>) -> u64 {
    written.and_then(<[_]>::first).map_or(0, |first| first.line)
}

/// The line of a list without items.
fn empty_at<T>(written: Option<&Located<Vec<T>>>) -> Option<u64> {
    written.filter(|list| list.value.is_empty()).map(|list| list.line)
}

/// The line of a list, and how long it is.
fn length_at<T>(written: Option<&Located<Vec<T>>>) -> Option<(u64, usize)> {
    written.map(|list| (list.line, list.value.len()))
}

fn check_backup(raw: &raw::AllowBackup, path: &str, findings: &mut Findings) {
    let bounds =
        [("minRetentionDays", &raw.min_retention_days), ("maxRetentionDays", &raw.max_retention_days)];
    for (key, days) in bounds {
        if let Some(days) = days {
            check_backup_days(days, &format!("{path}.backup.{key}"), findings);
        }
    }
    if let (Some(min), Some(max)) = (&raw.min_retention_days, &raw.max_retention_days)
        && min.value > max.value
    {
        let text = format!(
            "{} is more than maxRetentionDays {}, so nothing is allowed; swap them",
            min.value, max.value
        );
        findings.add(min.line, &format!("{path}.backup.minRetentionDays"), Code::PolicyMalformed, text);
    }
}

/// Each pattern matches something of the catalogue.
fn check_patterns<'a, I: Iterator<Item = &'a str>>(
    patterns: Option<&[Located<String>]>,
    path: &str,
    (what, key): (&str, &str),
    known: impl Fn() -> I,
    findings: &mut Findings,
) {
    for (index, pattern) in few(patterns, path, line_of(patterns), findings).iter().enumerate() {
        let matcher = Patterns::new([pattern.value.as_str()]);
        // What Azure no longer offers was right when it was written.
        if !known().any(|name| matcher.matches(name)) && !was_offered(|name| matcher.matches(name)) {
            let text = || {
                format!(
                    "{} matches no {what} that is known{}",
                    quote(&pattern.value),
                    meant_or_add(&pattern.value, key, known())
                )
            };
            findings.add_with(pattern.line, &format!("{path}[{index}]"), Code::PolicyUnknownValue, text);
        }
    }
}

/// A name is that of a parameter that is known, or of one of an extension; a pattern matches one.
fn check_parameter(pattern: &Located<String>, path: &str, catalogue: &Catalogue, findings: &mut Findings) {
    let matcher = Patterns::new([pattern.value.as_str()]);
    let is_known = |name: &str| catalogue.parameter(name, None) != Err(Unsettable::Unknown);
    if is_known(&pattern.value)
        || can_match_parameter(&pattern.value, catalogue.all_parameter_names(), |name| matcher.matches(name))
    {
        return;
    }
    let is_pattern = pattern.value.contains(['*', '?']);
    let what = if is_pattern { "matches no server parameter" } else { "is not a server parameter" };
    let text = || {
        let meant = meant_or_add(&pattern.value, "parameters", catalogue.parameter_names());
        format!("{} {what} that is known{meant}", quote(&pattern.value))
    };
    findings.add_with(pattern.line, path, Code::PolicyUnknownValue, text);
}
