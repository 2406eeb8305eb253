//! Where servers are created.

use std::net::Ipv4Addr;

use super::{Findings, shape};
use crate::{
    Code,
    document::{Located, raw},
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

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
