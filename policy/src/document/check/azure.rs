//! Where servers are created.

use std::{collections::BTreeSet, net::Ipv4Addr};

use super::{Findings, shape};
use crate::{
    Code,
    document::{Located, limits::FIREWALL, raw},
    quote::quote,
};

pub(super) fn check_azure(azure: &raw::Azure, findings: &mut Findings) {
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
            "{} is no https URL; write the issuer that `kubectl get --raw /.well-known/openid-configuration` shows",
            quote(&issuer.value)
        );
        findings.add(issuer.line, "azure.workloadIdentity.issuer", Code::PolicyMalformed, text);
    }
    check_firewall(&azure.network.firewall, findings);
    if let Some(private) = &azure.network.private {
        check_private(private, &azure.network.firewall, findings);
    }
    // Azure's limit is 50; the operator needs some of them to know its own servers again.
    if azure.tags.len() > 40 {
        let text = format!("has {} tags; at most 40 leave room for the operator's own", azure.tags.len());
        findings.add(0, "azure.tags", Code::PolicyMalformed, text);
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
            "{} is no subnet's resource id, such as /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/\
             rg-network/providers/Microsoft.Network/virtualNetworks/cluster/subnets/databases",
            quote(&subnet.value)
        );
        findings.add(subnet.line, &format!("{PATH}.subnetId"), Code::PolicyMalformed, text);
    }
    let zone = &private.dns_zone_id;
    let path = format!("{PATH}.dnsZoneId");
    match resource(&zone.value, "Microsoft.Network", &["privateDnsZones"]) {
        Some(name) if name.to_ascii_lowercase().ends_with(".postgres.database.azure.com") => {}
        Some(name) => {
            let text = format!(
                "names the zone {}; Azure takes one that ends with .postgres.database.azure.com",
                quote(name)
            );
            findings.add(zone.line, &path, Code::PolicyMalformed, text);
        }
        None => {
            let text = format!(
                "{} is no private DNS zone's resource id, such as /subscriptions/00000000-0000-4000-8000-000000000001/\
                 resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/prod.postgres.database.azure.com",
                quote(&zone.value)
            );
            findings.add(zone.line, &path, Code::PolicyMalformed, text);
        }
    }
}

/// The last name in the id of a resource of these types; `None` when it is no such id.
/// <https://learn.microsoft.com/rest/api/resources/resources/get-by-id>
fn resource<'a>(id: &'a str, provider: &str, types: &[&str]) -> Option<&'a str> {
    let mut parts = id.strip_prefix('/')?.split('/');
    let mut expect =
        |word: &str| parts.next().filter(|part| part.eq_ignore_ascii_case(word)).and_then(|_| parts.next());
    let subscription = expect("subscriptions").filter(|id| is_guid(id));
    let group = expect("resourceGroups").filter(|group| !group.is_empty());
    let by = expect("providers").filter(|by| by.eq_ignore_ascii_case(provider));
    (subscription.is_some() && group.is_some() && by.is_some()).then_some(())?;
    let mut name = None;
    for word in types {
        name = Some(expect(word).filter(|name| !name.is_empty())?);
    }
    name.filter(|_| parts.next().is_none())
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
