//! What Azure refuses. Each rule is a pure function with the page it comes from.

pub(super) mod administrator;
pub(super) mod assertion;
mod authentication;
mod availability;
mod backup;
mod compute;
mod creation;
pub(super) mod database;
pub(super) mod federation;
pub(super) mod firewall;
mod fixed;
pub(super) mod lock;
mod maintenance;
pub(super) mod name;
pub(super) mod owner;
pub(super) mod parameter;
pub(super) mod region;
pub(super) mod restore;
pub(super) mod state;
pub(super) mod storage;
pub(super) mod tags;
#[cfg(test)]
pub(super) mod testing;
pub(super) mod version;

use super::{
    arm::{errors::ArmError, server::Server},
    circumstances::Region,
};

/// A rule about a server: what exists (`None` when it is being created), and what is asked for.
type ServerRule = fn(Option<&Server>, &Server) -> Result<(), ArmError>;

/// In the order in which Azure is most likely to complain: it reports the first problem only.
const SERVER_RULES: &[ServerRule] = &[
    creation::mode_suits,
    creation::essentials_are_given,
    fixed::location,
    fixed::administrator_login,
    fixed::network,
    fixed::geo_redundant_backup,
    fixed::storage_type,
    compute::tier_matches_size,
    compute::v6_is_not_in_a_network,
    compute::v6_and_burstable_dont_meet,
    version::is_offered,
    version::only_goes_up,
    storage::size_is_sold,
    storage::only_grows,
    storage::tier_fits_size,
    storage::suits_compute_tier,
    storage::performance_in_range,
    backup::retention_in_range,
    backup::region_is_paired,
    availability::mode_is_known,
    availability::not_on_burstable,
    availability::region_has_zones,
    availability::zones_differ,
    availability::zone_only_swaps,
    maintenance::window_in_range,
    authentication::some_method_remains,
    authentication::entra_names_its_tenant,
    authentication::password_comes_with_login,
    authentication::login_is_not_reserved,
    authentication::password_is_strong,
    creation::network_is_complete,
];

/// Every rule about a server. `region` is how things stand in the region where it is, or will be.
pub(super) fn check_server(
    current: Option<&Server>,
    requested: &Server,
    region: &Region,
) -> Result<(), ArmError> {
    SERVER_RULES.iter().try_for_each(|rule| rule(current, requested))?;
    region::sells_size(current, requested, region)
}

#[cfg(test)]
mod tests {
    use super::{testing::server, *};

    #[test]
    fn a_plain_server_may_be_created_and_sent_again() {
        let (plain, open) = (testing::plain(), Region::default());
        assert_eq!(check_server(None, &plain, &open), Ok(()));
        assert_eq!(check_server(Some(&plain), &plain, &open), Ok(()));
        assert_eq!(check_server(Some(&plain), &server(serde_json::json!({})), &open), Ok(()));
    }
}
