//! Finds what can't work in a policy: names that don't exist, defaults that their own `allow` refuses,
//! profiles that never match. All mistakes are reported, not the first alone.

use std::net::Ipv4Addr;

use wildmatch::WildMatch;

use super::{
    Allow, Defaults, Document, Located, Namespaces, Policy, PolicyError, PolicyErrors, Profile, raw,
};
use crate::{
    Code, catalogue,
    quote::quote,
    suggest::{alternatives, did_you_mean},
};

/// The mistakes found so far.
struct Findings(Vec<PolicyError>);

impl Findings {
    fn add(&mut self, line: u64, path: &str, code: Code, text: String) {
        self.0.push(PolicyError { line, path: path.to_owned(), code, text });
    }
}

pub(super) fn check(document: Document) -> Result<Policy, PolicyErrors> {
    let mut findings = Findings(Vec::new());
    check_azure(&document.azure, &mut findings);
    if document.profiles.is_empty() {
        let text = "is empty, so no database is allowed anywhere; write at least one profile".into();
        findings.add(0, "profiles", Code::PolicyMalformed, text);
    }
    let mut profiles: Vec<Profile> = Vec::new();
    for (index, raw) in document.profiles.into_iter().enumerate() {
        let path = format!("profiles[{index}]");
        let line = raw.name.line;
        let profile = check_profile(raw, &path, &mut findings);
        if let Some(earlier) = profiles.iter().find(|earlier| earlier.namespaces.covers(&profile.namespaces))
        {
            let text = format!(
                "({}) can never match: {} stands before it and takes every namespace of it; put the narrower one first",
                profile.name, earlier.name
            );
            findings.add(line, &path, Code::PolicyNeverMatches, text);
        }
        if profiles.iter().any(|earlier| earlier.name == profile.name) {
            let text = format!(
                "{} is the name of an earlier profile; names tell them apart in messages",
                quote(&profile.name)
            );
            findings.add(line, &format!("{path}.name"), Code::PolicyMalformed, text);
        }
        profiles.push(profile);
    }
    if findings.0.is_empty() {
        Ok(Policy { revision: String::new(), azure: document.azure, profiles })
    } else {
        Err(PolicyErrors(findings.0))
    }
}

fn check_azure(azure: &raw::Azure, findings: &mut Findings) {
    for (name, id) in [("subscriptionId", &azure.subscription_id), ("tenantId", &azure.tenant_id)] {
        if !is_guid(&id.value) {
            let text =
                format!("{} is no GUID, such as 00000000-0000-4000-8000-000000000001", quote(&id.value));
            findings.add(id.line, &format!("azure.{name}"), Code::PolicyMalformed, text);
        }
    }
    shape(findings, "azure.resourceGroup", &azure.resource_group, 90, "letters, digits, - _ . ( )", |c| {
        c.is_alphanumeric() || "-_.()".contains(c)
    });
    shape(
        findings,
        "azure.location",
        &azure.location,
        40,
        "lower-case letters and digits, such as norwayeast",
        |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
    );
    // The name is the beginning of each server's name, and a server's name begins with a letter or digit.
    shape(
        findings,
        "azure.clusterName",
        &azure.cluster_name,
        20,
        "lower-case letters, digits and - between them",
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
    );
    let cluster = &azure.cluster_name;
    if cluster.value.starts_with('-') || cluster.value.ends_with('-') {
        let text =
            format!("{} begins or ends with -; Azure takes no such server name", quote(&cluster.value));
        findings.add(cluster.line, "azure.clusterName", Code::PolicyMalformed, text);
    }
    let issuer = &azure.workload_identity.issuer;
    if issuer.value.strip_prefix("https://").is_none_or(str::is_empty) {
        let text = format!(
            "{} is no https URL; `kubectl get --raw /.well-known/openid-configuration` shows the cluster's issuer",
            quote(&issuer.value)
        );
        findings.add(issuer.line, "azure.workloadIdentity.issuer", Code::PolicyMalformed, text);
    }
    check_firewall(&azure.network.firewall, findings);
    // Azure's limit is 50; the operator needs some of them to know its own servers again.
    if azure.tags.len() > 40 {
        let text = format!("has {} tags; at most 40 leave room for the operator's own", azure.tags.len());
        findings.add(0, "azure.tags", Code::PolicyMalformed, text);
    }
}

fn check_firewall(firewall: &[raw::Firewall], findings: &mut Findings) {
    for (index, rule) in firewall.iter().enumerate() {
        let path = format!("azure.network.firewall[{index}]");
        // Part of a Kubernetes object's name as well, so narrower than Azure's own rule.
        shape(findings, &format!("{path}.name"), &rule.name, 60, "lower-case letters, digits and -", |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        });
        if rule.name.value.starts_with('-') || rule.name.value.ends_with('-') {
            let text = format!("{} begins or ends with -", quote(&rule.name.value));
            findings.add(rule.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
        }
        if firewall[..index].iter().any(|earlier| earlier.name.value == rule.name.value) {
            let text = format!("{} is the name of an earlier rule", quote(&rule.name.value));
            findings.add(rule.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
        }
        let mut address = |name: &str, written: &Located<String>| {
            let parsed = written.value.parse::<Ipv4Addr>().ok();
            if parsed.is_none() {
                let text = format!("{} is no IPv4 address, such as 20.100.0.4", quote(&written.value));
                findings.add(written.line, &format!("{path}.{name}"), Code::PolicyMalformed, text);
            }
            parsed
        };
        let (start, end) = (address("start", &rule.start), address("end", &rule.end));
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            let text = format!("ends at {end}, before its start {start}; swap them");
            findings.add(rule.end.line, &path, Code::PolicyMalformed, text);
        }
    }
}

fn check_profile(raw: raw::Profile, path: &str, findings: &mut Findings) -> Profile {
    shape(findings, &format!("{path}.name"), &raw.name, 63, "letters, digits and -", |c| {
        c.is_ascii_alphanumeric() || c == '-'
    });
    if let Some(namespaces) = &raw.namespaces
        && namespaces.names.is_empty()
    {
        let text =
            "is empty, so the profile matches no namespace; leave `namespaces` out to match all".into();
        findings.add(raw.name.line, &format!("{path}.namespaces.names"), Code::PolicyNeverMatches, text);
    }
    for (index, name) in raw.namespaces.iter().flat_map(|namespaces| &namespaces.names).enumerate() {
        shape(
            findings,
            &format!("{path}.namespaces.names[{index}]"),
            name,
            63,
            "lower-case letters, digits, -, * and ?",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*?".contains(c),
        );
    }
    let allow = check_allow(&raw.allow, path, findings);
    let defaults = check_defaults(&raw.defaults, &allow, path, findings);
    Profile {
        name: raw.name.value,
        namespaces: Namespaces {
            names: raw
                .namespaces
                .map(|namespaces| namespaces.names.iter().map(|name| WildMatch::new(&name.value)).collect()),
        },
        defaults,
        allow,
        when_missing: raw.retention.when_missing,
    }
}

fn check_allow(raw: &raw::Allow, path: &str, findings: &mut Findings) -> Allow {
    for (index, pattern) in raw.skus.iter().flatten().enumerate() {
        let matcher = WildMatch::new(&pattern.value.to_ascii_lowercase());
        if !catalogue::sizes().iter().any(|size| matcher.matches(&size.name.to_ascii_lowercase())) {
            let path = format!("{path}.allow.skus[{index}]");
            let text = format!(
                "{} matches no size that Azure offers{}",
                quote(&pattern.value),
                meant_size(&pattern.value)
            );
            findings.add(pattern.line, &path, Code::PolicyUnknownValue, text);
        }
    }
    for (index, version) in raw.versions.iter().flatten().enumerate() {
        check_version(version, &format!("{path}.allow.versions[{index}]"), findings);
    }
    for (name, empty) in [
        ("skus", raw.skus.as_ref().is_some_and(Vec::is_empty)),
        ("versions", raw.versions.as_ref().is_some_and(Vec::is_empty)),
    ] {
        if empty {
            let text = "is empty, so nothing is allowed; leave it out to allow all that Azure offers".into();
            findings.add(0, &format!("{path}.allow.{name}"), Code::PolicyMalformed, text);
        }
    }
    let max_gib = raw.storage.as_ref().and_then(|storage| storage.max_gib.as_ref());
    if let Some(max) = max_gib
        && max.value < catalogue::DISK_SIZES_GIB[0]
    {
        let text =
            format!("{} is less than Azure's smallest disk, {}", max.value, catalogue::DISK_SIZES_GIB[0]);
        findings.add(max.line, &format!("{path}.allow.storage.maxGiB"), Code::PolicyUnknownValue, text);
    }
    Allow {
        skus: raw.skus.as_ref().map(|skus| {
            skus.iter().map(|pattern| WildMatch::new(&pattern.value.to_ascii_lowercase())).collect()
        }),
        versions: raw
            .versions
            .as_ref()
            .map(|versions| versions.iter().map(|version| version.value).collect()),
        max_gib: max_gib.map(|max| max.value),
    }
}

fn check_defaults(raw: &raw::Defaults, allow: &Allow, path: &str, findings: &mut Findings) -> Defaults {
    if let Some(sku) = &raw.sku {
        let path = format!("{path}.defaults.sku");
        if catalogue::size(&sku.value).is_none() {
            let text =
                format!("{} is no size that Azure offers{}", quote(&sku.value), meant_size(&sku.value));
            findings.add(sku.line, &path, Code::PolicyUnknownValue, text);
        } else if !allow.sku(&sku.value) {
            let text =
                format!("{} is refused by the profile's own allow.skus; add it there", quote(&sku.value));
            findings.add(sku.line, &path, Code::PolicyDefaultRefused, text);
        }
    }
    if let Some(version) = &raw.version {
        let path = format!("{path}.defaults.version");
        check_version(version, &path, findings);
        if allow.versions.as_ref().is_some_and(|allowed| !allowed.contains(&version.value)) {
            let text =
                format!("{} is refused by the profile's own allow.versions; add it there", version.value);
            findings.add(version.line, &path, Code::PolicyDefaultRefused, text);
        }
    }
    let size_gib = raw.storage.as_ref().and_then(|storage| storage.size_gib.as_ref());
    if let Some(size) = size_gib {
        let path = format!("{path}.defaults.storage.sizeGiB");
        if !catalogue::DISK_SIZES_GIB.contains(&size.value) {
            let text =
                format!("{} is no disk size of Azure's; use {}", size.value, nearest_disks(size.value));
            findings.add(size.line, &path, Code::PolicyUnknownValue, text);
        } else if let Some(max) = allow.max_gib
            && size.value > max
        {
            let text = format!("{} is refused by the profile's own allow.storage.maxGiB {max}", size.value);
            findings.add(size.line, &path, Code::PolicyDefaultRefused, text);
        }
    }
    Defaults {
        version: raw.version.as_ref().map(|version| version.value),
        sku: raw.sku.as_ref().map(|sku| sku.value.clone()),
        size_gib: size_gib.map(|size| size.value),
    }
}

fn check_version(version: &Located<u16>, path: &str, findings: &mut Findings) {
    if catalogue::version(version.value).is_none() {
        let known: Vec<u16> = catalogue::VERSIONS.iter().rev().map(|known| known.major).collect();
        let text = format!("{} is no version that Azure offers; use {}", version.value, alternatives(&known));
        findings.add(version.line, path, Code::PolicyUnknownValue, text);
    }
}

fn meant_size(written: &str) -> String {
    if written.contains(['*', '?']) {
        return String::new();
    }
    did_you_mean(written, catalogue::sizes().iter().map(|size| size.name.as_str()))
        .map(|meant| format!("; did you mean {meant}?"))
        .unwrap_or_default()
}

/// Azure's disk sizes, nearest first.
pub(crate) fn nearest_disks(wanted: i32) -> String {
    let mut sizes = catalogue::DISK_SIZES_GIB.to_vec();
    sizes.sort_by_key(|size| size.abs_diff(wanted));
    alternatives(&sizes[..2])
}

/// A name of limited length and characters.
fn shape(
    findings: &mut Findings,
    path: &str,
    written: &Located<String>,
    longest: usize,
    described: &str,
    takes: impl Fn(char) -> bool,
) {
    let value = &written.value;
    if value.is_empty() || value.chars().count() > longest || !value.chars().all(takes) {
        let text = format!("{} must be 1 to {longest} characters: {described}", quote(value));
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
