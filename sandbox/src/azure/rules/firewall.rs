//! Firewall rules.
//! <https://learn.microsoft.com/azure/postgresql/security/security-firewall-rules>

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::azure::arm::{
    errors::ArmError,
    server::{Server, is_enabled},
};

/// A server in a virtual network, or with public access off, takes no firewall rules.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private>
pub(in crate::azure) fn server_is_public(server: &Server) -> Result<(), ArmError> {
    let network = &server.properties.network;
    let public = network.delegated_subnet_resource_id.is_none()
        && is_enabled(network.public_network_access.as_deref().or(Some("Enabled")));
    if public {
        return Ok(());
    }
    Err(ArmError::not_allowed("Firewall rules can't be set on a server without public network access."))
}

/// 1 to 80 letters, digits, hyphens and underscores.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftdbforpostgresql>
pub(in crate::azure) fn name_shape(name: &str) -> Result<(), ArmError> {
    let fits = (1..=80).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if fits { Ok(()) } else { Err(ArmError::invalid_parameter("FirewallRuleName")) }
}

/// Two IPv4 addresses, the first not after the second.
pub(in crate::azure) fn range_is_valid(properties: &Value) -> Result<(), ArmError> {
    let address = |field: &str| {
        properties
            .get(field)
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<Ipv4Addr>().ok())
            .ok_or_else(|| ArmError::invalid_parameter(field).target(format!("properties.{field}")))
    };
    if address("startIpAddress")? <= address("endIpAddress")? {
        return Ok(());
    }
    Err(ArmError::invalid_parameter_because(
        "endIpAddress",
        "The start IP address must not be greater than the end IP address.",
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::testing::asking, *};

    #[rstest]
    #[case::one("20.100.0.4", "20.100.0.4", true)]
    #[case::range("20.100.0.4", "20.100.0.9", true)]
    #[case::backwards("20.100.0.9", "20.100.0.4", false)]
    #[case::no_address("cluster", "20.100.0.4", false)]
    #[case::ipv6("2001:db8::1", "2001:db8::2", false)]
    #[case::network("20.100.0.0/24", "20.100.0.4", false)]
    fn a_range_has_two_addresses(#[case] start: &str, #[case] end: &str, #[case] allowed: bool) {
        let properties = json!({"startIpAddress": start, "endIpAddress": end});
        assert_eq!(range_is_valid(&properties).is_ok(), allowed);
    }

    #[rstest]
    #[case::by_default(json!({}), true)]
    #[case::public(json!({"publicNetworkAccess": "Enabled"}), true)]
    #[case::closed(json!({"publicNetworkAccess": "Disabled"}), false)]
    #[case::private(json!({"delegatedSubnetResourceId": "/s"}), false)]
    fn only_public_servers_take_rules(#[case] network: Value, #[case] allowed: bool) {
        assert_eq!(server_is_public(&asking(json!({"network": network}))).is_ok(), allowed);
    }

    #[rstest]
    #[case("cluster-egress_1", true)]
    #[case("", false)]
    #[case("a b", false)]
    fn a_rule_has_a_name(#[case] name: &str, #[case] allowed: bool) {
        assert_eq!(name_shape(name).is_ok(), allowed);
    }
}
