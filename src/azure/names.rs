//! Names in Azure. A server's name is global, so it holds the cluster, and it is recorded once and never
//! derived again: a policy with another cluster name must not send the operator to another server.

use api::DatabaseRef;
use sha2::{Digest, Sha256};

/// Azure's longest server name. <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
const LONGEST_SERVER_NAME: usize = 63;

/// `<cluster>-<namespace>-<name>-<hash>`, cut to 63 characters. The hash keeps apart what is cut, and
/// `a-b/c` from `a/b-c`.
pub fn server(cluster: &str, database: DatabaseRef<'_>) -> String {
    let digest = format!("{:x}", Sha256::digest(format!("{cluster}/{database}")));
    let hash = &digest[..8];
    let readable: String = format!("{cluster}-{}-{}", database.namespace, database.name)
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(LONGEST_SERVER_NAME - 1 - hash.len())
        .collect();
    format!("{}-{hash}", readable.trim_matches('-'))
}

/// Of the app's identity and its credential, where the first identity of a server administers it. No server's name ends so.
pub fn app_identity(server: &str) -> String {
    format!("{server}-app")
}

/// Of the object of the platform's administrator, where the app's has the name of the server.
pub fn platform_administrator(server: &str) -> String {
    format!("{server}-platform")
}

/// `/subscriptions/<id>/resourceGroups/<name>` of what lies in it.
pub fn resource_group(id: &str) -> Option<&str> {
    let end = id.match_indices('/').nth(4)?.0;
    Some(&id[..end]).filter(|group| group.to_lowercase().contains("/resourcegroups/"))
}

/// The same, if it is the id of this server.
pub(super) fn resource_group_of<'a>(id: &'a str, server: &str) -> Option<&'a str> {
    let (parent, name) = id.rsplit_once('/')?;
    let is_it =
        name.eq_ignore_ascii_case(server) && parent.to_ascii_lowercase().ends_with("/flexibleservers");
    resource_group(id).filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_name_tells_whose_server_it_is() {
        assert_eq!(server("prod-1", DatabaseRef::new("orders", "main")), "prod-1-orders-main-fa6e2486");
    }

    #[test]
    fn dashes_do_not_make_two_databases_one() {
        assert_ne!(server("c", DatabaseRef::new("a-b", "c")), server("c", DatabaseRef::new("a", "b-c")));
    }

    #[rstest]
    #[case("/subscriptions/s/resourceGroups/rg/providers/x/y/z", Some("/subscriptions/s/resourceGroups/rg"))]
    #[case("/subscriptions/s/resourcegroups/RG/providers/x", Some("/subscriptions/s/resourcegroups/RG"))]
    #[case("/subscriptions/s/resourceGroups/rg", None)]
    #[case("/subscriptions/s/providers/x/y", None)]
    #[case("", None)]
    fn a_resource_id_tells_its_group(#[case] id: &str, #[case] group: Option<&str>) {
        assert_eq!(resource_group(id), group);
    }

    #[rstest]
    #[case("/subscriptions/s/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/a", true)]
    #[case("/subscriptions/s/resourcegroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleservers/A", true)]
    #[case("/subscriptions/s/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/b", false)]
    #[case("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a", false)]
    #[case("a", false)]
    fn an_id_counts_if_it_is_the_servers_own(#[case] id: &str, #[case] counts: bool) {
        assert_eq!(resource_group_of(id, "a").is_some(), counts);
    }

    proptest! {
        #[test]
        fn azure_takes_every_name(
            cluster in "[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?",
            namespace in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            name in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        ) {
            let server = server(&cluster, DatabaseRef::new(&namespace, &name));
            prop_assert!((3..=LONGEST_SERVER_NAME).contains(&server.len()), "{server}");
            prop_assert!(server.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!server.starts_with('-') && !server.ends_with('-'));
        }
    }
}
