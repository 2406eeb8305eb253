//! Who reaches a server at all, before anybody is asked who they are.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::azure::arm::server::{Server, is_enabled};

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Open,
    /// There is no answer: Azure drops the packets.
    Silent(&'static str),
    /// There is nobody who listens.
    Closed(&'static str),
}

/// Where a client is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// As the server sees it.
    pub(super) address: Ipv4Addr,
    /// In the cluster, which is in Azure, and in the network that private servers are in.
    pub(super) in_cluster: bool,
}

/// `rules` are the properties of the server's firewall rules. A private server is reached from its network alone, a public
/// one from the addresses of its rules; the rule from 0.0.0.0 to 0.0.0.0 lets in who is in Azure.
/// <https://learn.microsoft.com/azure/postgresql/security/security-firewall-rules>
///
/// What a client sees of a server that is stopped isn't documented. Here the connection is closed.
pub(super) fn admits<'a>(
    server: &Server,
    mut rules: impl Iterator<Item = &'a Value>,
    client: Client,
) -> Admission {
    match server.properties.state.as_deref() {
        Some("Ready" | "Updating") => {}
        Some("Stopped" | "Stopping") => return Admission::Closed("stopped"),
        _ => return Admission::Closed("not ready"),
    }
    let network = &server.properties.network;
    if network.delegated_subnet_resource_id.is_some() {
        return if client.in_cluster { Admission::Open } else { Admission::Silent("private network") };
    }
    let is_public = is_enabled(network.public_network_access.as_deref().or(Some("Enabled")));
    let address =
        |rule: &Value, field: &str| rule[field].as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
    let lets_in = |rule: &Value| {
        let Some((start, end)) = address(rule, "startIpAddress").zip(address(rule, "endIpAddress")) else {
            return false;
        };
        let of_azure = (start, end) == (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        (start..=end).contains(&client.address) || (of_azure && client.in_cluster)
    };
    if is_public && rules.any(lets_in) { Admission::Open } else { Admission::Silent("firewall") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::azure::rules::testing::asking;

    fn rule(start: &str, end: &str) -> Value {
        json!({"startIpAddress": start, "endIpAddress": end})
    }

    fn outside(address: &str) -> Client {
        Client { address: address.parse().unwrap(), in_cluster: false }
    }

    const FIREWALL: Admission = Admission::Silent("firewall");

    #[rstest]
    #[case::first("20.100.0.4", Admission::Open)]
    #[case::last("20.100.0.9", Admission::Open)]
    #[case::below("20.100.0.3", FIREWALL)]
    #[case::above("20.100.0.10", FIREWALL)]
    #[case::second_rule("10.0.0.1", Admission::Open)]
    fn a_public_server_is_reached_from_the_addresses_of_its_rules(
        #[case] address: &str,
        #[case] expected: Admission,
    ) {
        let server = asking(json!({"state": "Ready"}));
        let rules = [rule("20.100.0.4", "20.100.0.9"), rule("10.0.0.1", "10.0.0.1")];
        assert_eq!(admits(&server, rules.iter(), outside(address)), expected);
        assert_eq!(admits(&server, [].iter(), outside(address)), FIREWALL);
        let closed = asking(json!({"state": "Ready", "network": {"publicNetworkAccess": "Disabled"}}));
        assert_eq!(admits(&closed, rules.iter(), outside(address)), FIREWALL);
    }

    #[test]
    fn a_rule_lets_in_who_is_in_azure() {
        let server = asking(json!({"state": "Ready"}));
        let rules = [rule("0.0.0.0", "0.0.0.0")];
        let inside = Client { in_cluster: true, ..outside("20.100.0.4") };
        assert_eq!(admits(&server, rules.iter(), inside), Admission::Open);
        assert_eq!(admits(&server, rules.iter(), outside("20.100.0.4")), FIREWALL);
    }

    #[test]
    fn a_private_server_is_reached_from_its_network() {
        let server = asking(json!({"state": "Ready", "network": {"delegatedSubnetResourceId": "/s"}}));
        let inside = Client { in_cluster: true, ..outside("20.100.0.4") };
        assert_eq!(admits(&server, [].iter(), inside), Admission::Open);
        let everybody = [rule("0.0.0.0", "255.255.255.255")];
        let client = outside("20.100.0.4");
        assert_eq!(admits(&server, everybody.iter(), client), Admission::Silent("private network"));
    }

    #[rstest]
    #[case("Ready", Admission::Open)]
    #[case("Updating", Admission::Open)]
    #[case("Stopped", Admission::Closed("stopped"))]
    #[case("Stopping", Admission::Closed("stopped"))]
    #[case("Starting", Admission::Closed("not ready"))]
    #[case("Dropping", Admission::Closed("not ready"))]
    #[case("Provisioning", Admission::Closed("not ready"))]
    fn a_server_that_does_not_run_takes_nobody(#[case] state: &str, #[case] expected: Admission) {
        let server = asking(json!({"state": state}));
        let everybody = [rule("0.0.0.0", "255.255.255.255")];
        assert_eq!(admits(&server, everybody.iter(), outside("20.100.0.4")), expected);
    }
}
