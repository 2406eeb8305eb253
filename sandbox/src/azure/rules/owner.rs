//! Whom a database belongs to in PostgreSQL. The API doesn't say, and can't change it.

use jiff::Timestamp;
use serde_json::Value;

use crate::azure::{
    arm::server::{Server, is_enabled},
    circumstances::Ownership,
};

/// The superuser that Azure keeps for itself.
const NOBODY: &str = "azuresu";

/// A database belongs to the administrator with the password if there is one, else to an administrator from Microsoft
/// Entra if there is one at that moment, else to `azuresu`: nobody can use it or be let in, not even those who become
/// administrators later (hashicorp/terraform-provider-azurerm issue 27895, cyrilgdn/terraform-provider-postgresql
/// issue 500). `administrators` are those from Entra, as the API shows them.
pub(in crate::azure) fn of_new_database<'a>(
    server: &Server,
    administrators: impl Iterator<Item = &'a Value>,
    made_at: Timestamp,
) -> Ownership {
    let names = administrators.filter_map(|body| body.pointer("/properties/principalName")?.as_str());
    let administrators: Vec<String> = names.map(str::to_owned).collect();
    let with_password = is_enabled(server.properties.auth_config.password_auth.as_deref());
    let login = server.properties.administrator_login.clone().filter(|_| with_password);
    let owner = login.or_else(|| administrators.first().cloned()).unwrap_or_else(|| NOBODY.to_owned());
    Ownership { owner, administrators, made_at }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::testing::asking, *};

    #[rstest]
    #[case::too_early(json!({"passwordAuth": "Disabled"}), &[], "azuresu")]
    #[case::from_entra(json!({"passwordAuth": "Disabled"}), &["platform", "app"], "platform")]
    #[case::with_a_password(json!({"passwordAuth": "Enabled"}), &[], "dbadmin")]
    #[case::both(json!({"passwordAuth": "Enabled"}), &["platform"], "dbadmin")]
    fn a_database_belongs_to_who_was_there(
        #[case] authentication: Value,
        #[case] administrators: &[&str],
        #[case] owner: &str,
    ) {
        let server = asking(json!({"authConfig": authentication, "administratorLogin": "dbadmin"}));
        let bodies: Vec<Value> =
            administrators.iter().map(|name| json!({"properties": {"principalName": name}})).collect();
        let ownership = of_new_database(&server, bodies.iter(), Timestamp::UNIX_EPOCH);
        assert_eq!((ownership.owner.as_str(), ownership.is_usable()), (owner, owner != "azuresu"));
        assert_eq!(ownership.administrators, administrators);
    }
}
