//! How servers are reached: the policy's firewall, or a virtual network.

use serde_json::json;

use crate::{
    common::{FIREWALL_RULE, Story, eventually},
    policy::{GOOD, Restored, apply_policy},
    sandbox,
};

const RULE: &str = "{name: cluster-egress, start: 20.100.0.4, end: 20.100.0.4}";

fn rules(story: &Story<'_>) -> Vec<String> {
    story.in_azure(FIREWALL_RULE).into_iter().map(|rule| rule.name).collect()
}

#[test]
fn a_rule_that_the_policy_loses_goes_in_azure_and_a_new_one_comes() {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "walled");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    assert_eq!(rules(&story), ["cluster-egress"]);

    let office = "{name: office, start: 20.200.0.0, end: 20.200.0.255}";
    apply_policy(&sandbox, &GOOD.replace(RULE, office));
    eventually("the new rule alone is in Azure", || (rules(&story) == ["office"]).then_some(()));
    story.wait_ready("main");
    story.data_is_unharmed();
    let objects = "flexibleserversfirewallrules";
    let selector = "altinn.app/database-namespace=walled";
    eventually("its object is gone", || {
        let arguments = ["get", objects, "-n", "database-operator", "-l", selector, "-o", "name"];
        let left = crate::common::run(sandbox.kubectl(&arguments), "").succeeded();
        (left.lines().count() == 1).then_some(())
    });
    drop(restored);
    eventually("the old rule alone is back", || (rules(&story) == ["cluster-egress"]).then_some(()));
}

#[test]
fn a_server_is_made_in_a_virtual_network_and_one_outside_stays_where_it_is() {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "outside");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");

    let place = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-network/providers/Microsoft.Network";
    let (subnet, zone) = (
        format!("{place}/virtualNetworks/cluster/subnets/databases"),
        format!("{place}/privateDnsZones/prod.postgres.database.azure.com"),
    );
    let firewall = format!("firewall:\n      - {RULE}");
    assert!(GOOD.contains(&firewall));
    let private = format!("private:\n      subnetId: {subnet}\n      dnsZoneId: {zone}");
    apply_policy(&sandbox, &GOOD.replace(&firewall, &private));

    let inside = Story::new(&sandbox, "inside");
    inside.database("main", "{}").succeeded();
    inside.wait_ready("main");
    let network = &inside.server().body["properties"]["network"];
    assert_eq!(network["delegatedSubnetResourceId"], json!(subnet));
    assert_eq!(network["privateDnsZoneArmResourceId"], json!(zone));
    assert_eq!(rules(&inside), Vec::<String>::new());

    // The one outside can still be changed, and who may connect to it stays.
    let is_larger = |story: &Story<'_>| {
        (story.server().body["properties"]["storage"]["storageSizeGB"] == 64).then_some(())
    };
    story.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    eventually("its disk is larger", || is_larger(&story));
    story.wait_ready("main");
    assert_eq!(rules(&story), ["cluster-egress"]);

    drop(restored);
    inside.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    eventually("the other one's, too", || is_larger(&inside));
    inside.wait_ready("main");
    assert_eq!(rules(&inside), Vec::<String>::new());
}
