//! Where servers are created.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use api::Backup;

use super::{Findings, shape};
use crate::{
    Code,
    document::{
        Located,
        limits::{FIREWALL, ITEMS},
        raw,
    },
    quote::quote,
    resource_id::{is_guid, resource},
};

/// The longest issuer that a federated credential takes.
const LONGEST_ISSUER: usize = 600;

/// Each judges one key, or one group, of `azure`.
const CHECKS: &[fn(&raw::Azure, &mut Findings)] = &[
    check_ids,
    check_resource_group,
    check_location,
    check_cluster_name,
    check_issuer,
    check_network,
    check_administrator,
    check_backup_vault,
    check_take_over_from,
    |azure, findings| check_tags(&azure.tags, findings),
];

pub(super) fn check_azure(azure: &raw::Azure, findings: &mut Findings) {
    for check in CHECKS {
        check(azure, findings);
    }
}

fn check_ids(azure: &raw::Azure, findings: &mut Findings) {
    for (name, id) in [("subscriptionId", &azure.subscription_id), ("tenantId", &azure.tenant_id)] {
        if !is_guid(&id.value) {
            let text =
                format!("{} is not a GUID, such as 00000000-0000-4000-8000-000000000001", quote(&id.value));
            findings.add(id.line, &format!("azure.{name}"), Code::PolicyMalformed, text);
        }
    }
}

fn check_resource_group(azure: &raw::Azure, findings: &mut Findings) {
    const PATH: &str = "azure.resourceGroup";
    let group = &azure.resource_group;
    shape(findings, PATH, group, 90, "letters, digits, - _ . ( )", |c| {
        c.is_alphanumeric() || "-_.()".contains(c)
    });
    if group.value.ends_with('.') {
        let text = format!(
            "{} ends with a dot, and Azure takes no such name; write the name of a group that is there",
            quote(&group.value)
        );
        findings.add(group.line, PATH, Code::PolicyMalformed, text);
    }
}

fn check_location(azure: &raw::Azure, findings: &mut Findings) {
    let described = "lower-case letters and digits, such as norwayeast";
    shape(findings, "azure.location", &azure.location, 40, described, |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit()
    });
}

/// The name is the beginning of each server's name, and a server's name begins with a letter or digit.
fn check_cluster_name(azure: &raw::Azure, findings: &mut Findings) {
    const PATH: &str = "azure.clusterName";
    let cluster = &azure.cluster_name;
    shape(findings, PATH, cluster, 20, "lower-case letters, digits and - between them", |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
    });
    if cluster.value.starts_with('-') || cluster.value.ends_with('-') {
        let text =
            format!("{} begins or ends with -; Azure takes no such server name", quote(&cluster.value));
        findings.add(cluster.line, PATH, Code::PolicyMalformed, text);
    }
}

fn check_issuer(azure: &raw::Azure, findings: &mut Findings) {
    let issuer = &azure.workload_identity.issuer;
    let is_url = |rest: &str| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>?#\\^`{|}".contains(&byte))
    };
    if !issuer.value.strip_prefix("https://").is_some_and(is_url) || issuer.value.len() > LONGEST_ISSUER {
        let text = format!(
            "{} is not an https URL; write the issuer that `kubectl get --raw /.well-known/openid-configuration` shows",
            quote(&issuer.value)
        );
        findings.add(issuer.line, "azure.workloadIdentity.issuer", Code::PolicyMalformed, text);
    }
}

fn check_network(azure: &raw::Azure, findings: &mut Findings) {
    check_firewall(&azure.network.firewall, findings);
    if let Some(private) = &azure.network.private {
        check_private(private, &azure.network.firewall, findings);
    }
}

/// The longest name of a role. <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
const LONGEST_ROLE: usize = 63;

/// Why this can't be the name of a role: PostgreSQL would cut it, or it or Azure keeps it for itself.
pub(super) fn no_role(name: &str) -> Option<String> {
    let begins = |with: &str| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if name.is_empty() || name.len() > LONGEST_ROLE {
        Some(format!("must have 1 to {LONGEST_ROLE} bytes, and has {}", name.len()))
    } else if name.chars().any(char::is_control) {
        Some(format!("{} holds a control character", quote(name)))
    } else if begins("pg_") || begins("azure") || ["public", "none"].contains(&name) {
        Some(format!("{} is a name that PostgreSQL or Azure keeps for itself", quote(name)))
    } else {
        None
    }
}

/// The name becomes that of a role.
fn check_administrator(azure: &raw::Azure, findings: &mut Findings) {
    let Some(administrator) = &azure.administrator else { return };
    let (name, id) = (&administrator.name, &administrator.object_id);
    if let Some(why) = no_role(&name.value) {
        let text = format!("{why}; write the display name of a group in Microsoft Entra");
        findings.add(name.line, "azure.administrator.name", Code::PolicyMalformed, text);
    }
    if !is_guid(&id.value) {
        let text = format!(
            "{} is not a GUID; write the object id, as `az ad group show --group <name> --query id` shows it",
            quote(&id.value)
        );
        findings.add(id.line, "azure.administrator.objectId", Code::PolicyMalformed, text);
    }
}

/// The longest name by which a `Database` names a backup policy.
const LONGEST_SHORT_NAME: usize = 40;
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftdataprotection>
const LONGEST_BACKUP_POLICY: usize = 150;

fn check_backup_vault(azure: &raw::Azure, findings: &mut Findings) {
    const PATH: &str = "azure.backupVault";
    let Some(vault) = &azure.backup_vault else { return };
    if resource(&vault.id.value, "Microsoft.DataProtection", &["backupVaults"]).is_none() {
        let text = format!(
            "{} is not the resource id of a Backup vault, such as /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/\
             rg-backup/providers/Microsoft.DataProtection/backupVaults/bv-databases",
            quote(&vault.id.value)
        );
        findings.add(vault.id.line, &format!("{PATH}.id"), Code::PolicyMalformed, text);
    }
    let policies = &vault.policies;
    if policies.value.is_empty() {
        let text = "is empty, so nothing can be protected in the vault; write at least one, such as weekly: pg-weekly-1y";
        findings.add(policies.line, &format!("{PATH}.policies"), Code::PolicyMalformed, text.to_owned());
    }
    findings.too_many(
        policies.line,
        &format!("{PATH}.policies"),
        policies.value.len(),
        ITEMS,
        "backup policies",
    );
    let takes = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for (name, in_vault) in &policies.value {
        let path = format!("{PATH}.policies[{}]", quote(name));
        let short = Located { value: name.clone(), line: in_vault.line };
        shape(findings, &path, &short, LONGEST_SHORT_NAME, "letters, digits and -", takes);
        shape(findings, &path, in_vault, LONGEST_BACKUP_POLICY, "letters, digits and -", takes);
        if name.eq_ignore_ascii_case(Backup::NO_VAULT) {
            let text = "is what a Database says that is to have no copy in the vault; write another name";
            findings.add(in_vault.line, &path, Code::PolicyMalformed, text.to_owned());
        }
    }
}

fn check_take_over_from(azure: &raw::Azure, findings: &mut Findings) {
    for (index, uid) in azure.take_over_from.iter().enumerate() {
        if !is_guid(uid) {
            let text = format!(
                "{} is not a uid; write what `kubectl get namespace kube-system -o jsonpath={{.metadata.uid}}` shows in that \
                 cluster",
                quote(uid)
            );
            findings.add(0, &format!("azure.takeOverFrom[{index}]"), Code::PolicyMalformed, text);
        }
    }
}

/// As many leave room for the operator's own: Azure's limit is 50.
const MOST_TAGS: usize = 40;
const LONGEST_TAG_NAME: usize = 512;
const LONGEST_TAG_VALUE: usize = 256;
const NOT_IN_TAG_NAMES: &str = "<>%&\\?/";
/// Beginnings of names that Azure keeps for itself.
const AZURES_TAGS: &[&str] = &["azure", "microsoft", "windows"];
/// By these the operator knows its servers again. One that only begins so may be its own one day.
const OUR_TAG: &str = "managed-by";
const OUR_TAGS: &str = "database-operator";

/// Azure refuses a server with a tag that it doesn't take, so one slip here would stop all.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>
fn check_tags(tags: &Located<BTreeMap<String, Located<String>>>, findings: &mut Findings) {
    const PATH: &str = "azure.tags";
    if tags.value.len() > MOST_TAGS {
        let text =
            format!("has {} tags; at most {MOST_TAGS} leave room for the operator's own", tags.value.len());
        findings.add(tags.line, PATH, Code::PolicyMalformed, text);
    }
    let mut seen = BTreeMap::new();
    for (name, value) in &tags.value {
        let path = format!("{PATH}[{}]", quote(name));
        let mut wrong = |text: String| findings.add(value.line, &path, Code::PolicyMalformed, text);
        let lower = name.to_lowercase();
        if let Some(found) = name.chars().find(|c| NOT_IN_TAG_NAMES.contains(*c) || c.is_control()) {
            let found = quote(&found.to_string());
            wrong(format!(
                "holds {found}; Azure takes none of {NOT_IN_TAG_NAMES} in a name, so write another"
            ));
        }
        if name.trim().is_empty() || name.chars().count() > LONGEST_TAG_NAME {
            wrong(format!("must have a name of 1 to {LONGEST_TAG_NAME} characters"));
        }
        if value.value.chars().count() > LONGEST_TAG_VALUE {
            let length = value.value.chars().count();
            wrong(format!(
                "has a value of {length} characters, and Azure takes {LONGEST_TAG_VALUE}; write a shorter one"
            ));
        }
        if let Some(reserved) = AZURES_TAGS.iter().find(|reserved| lower.starts_with(**reserved)) {
            wrong(format!("begins with {reserved}, which Azure keeps for itself; write another name"));
        }
        if lower == OUR_TAG || lower.starts_with(OUR_TAGS) {
            wrong(
                "is the operator's own, by which it knows its servers again; write another name".to_owned(),
            );
        }
        if let Some(earlier) = seen.insert(lower, name) {
            let earlier = quote(earlier);
            wrong(format!(
                "is the same name as {earlier}: for Azure, upper and lower case are the same; leave one out"
            ));
        }
    }
}

fn check_firewall(firewall: &[raw::Firewall], findings: &mut Findings) {
    let line = firewall.first().map_or(0, |rule| rule.name.line);
    findings.too_many(line, "azure.network.firewall", firewall.len(), FIREWALL, "rules");
    let mut names = BTreeSet::new();
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
        if !names.insert(&rule.name.value) {
            let text = format!("{} is the name of an earlier rule", quote(&rule.name.value));
            findings.add(rule.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
        }
        let mut address = |name: &str, written: &Located<String>| {
            let parsed = written.value.parse::<Ipv4Addr>().ok();
            if parsed.is_none() {
                let text = format!("{} is not an IPv4 address, such as 20.100.0.4", quote(&written.value));
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

/// What Azure asks of the network of a server.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private>
fn check_private(private: &raw::Private, firewall: &[raw::Firewall], findings: &mut Findings) {
    const PATH: &str = "azure.network.private";
    if let Some(rule) = firewall.first() {
        let text =
            "stands beside firewall, and a server in a virtual network has no firewall; write one of them";
        findings.add(rule.name.line, PATH, Code::PolicyMalformed, text.to_owned());
    }
    let subnet = &private.subnet_id;
    if resource(&subnet.value, "Microsoft.Network", &["virtualNetworks", "subnets"]).is_none() {
        let text = format!(
            "{} is not the resource id of a subnet, such as /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/\
             rg-network/providers/Microsoft.Network/virtualNetworks/cluster/subnets/databases",
            quote(&subnet.value)
        );
        findings.add(subnet.line, &format!("{PATH}.subnetId"), Code::PolicyMalformed, text);
    }
    let zone = &private.dns_zone_id;
    let path = format!("{PATH}.dnsZoneId");
    match resource(&zone.value, "Microsoft.Network", &["privateDnsZones"]) {
        Some(name) if is_zone(name) => {}
        Some(name) => {
            let text = format!(
                "names the zone {}; Azure takes one that ends with .postgres.database.azure.com",
                quote(name)
            );
            findings.add(zone.line, &path, Code::PolicyMalformed, text);
        }
        None => {
            let text = format!(
                "{} is not the resource id of a private DNS zone, such as /subscriptions/00000000-0000-4000-8000-000000000001/\
                 resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/prod.postgres.database.azure.com",
                quote(&zone.value)
            );
            findings.add(zone.line, &path, Code::PolicyMalformed, text);
        }
    }
}

/// A zone below Azure's own, each of whose labels a name in the DNS can have.
fn is_zone(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| is_plain(*byte) || *byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    lower.strip_suffix(".postgres.database.azure.com").is_some_and(|below| below.split('.').all(is_label))
}
