//! Who administers a server in Microsoft Entra: who logs in as it may do all but Azure's own part.

use policy::document;

use super::database_for_postgresql::FlexibleServersAdministratorSpec;

/// Azure's type of an identity that an app or an operator logs in with.
pub(super) const SERVICE_PRINCIPAL: &str = "ServicePrincipal";

/// The administrator of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Administrator {
    /// The app's own identity, by a role that is named as the server is.
    App,
    Platform(Principal),
}

/// A group or an identity that the operator logs in as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Name of the role in PostgreSQL.
    pub name: String,
    /// In Entra, a GUID in lower case.
    pub object_id: String,
    /// `Group` or `ServicePrincipal`.
    pub kind: String,
}

impl Administrator {
    /// A server keeps the platform's administrator that it has, whatever the policy names since: PostgreSQL 16 and later let
    /// nobody else go on with the roles that it has made, and Azure deletes none that owns a database. Where the app administers
    /// it, the one that the policy names comes beside.
    ///
    /// `existing` are those that there are.
    pub fn of<'a>(
        existing: impl IntoIterator<Item = &'a FlexibleServersAdministratorSpec>,
        policy: Option<&document::Administrator>,
        server_name: &str,
    ) -> Self {
        let platforms = existing.into_iter().find(|one| !is_apps(one, server_name));
        let existing = platforms.map(|existing| Principal {
            name: existing.principal_name.clone(),
            object_id: existing.azure_name.clone(),
            kind: existing.principal_type.clone(),
        });
        let named = || {
            policy.map(|administrator| Principal {
                name: administrator.name.value.clone(),
                object_id: administrator.object_id.value.to_ascii_lowercase(),
                kind: administrator.kind.as_str().to_owned(),
            })
        };
        existing.or_else(named).map_or(Self::App, Self::Platform)
    }
}

/// Whether an administrator of a server is its app.
pub fn is_apps(administrator: &FlexibleServersAdministratorSpec, server_name: &str) -> bool {
    administrator.principal_name == server_name && administrator.principal_type == SERVICE_PRINCIPAL
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn spec(name: &str, kind: &str) -> FlexibleServersAdministratorSpec {
        FlexibleServersAdministratorSpec {
            azure_name: "id".to_owned(),
            principal_name: name.to_owned(),
            principal_type: kind.to_owned(),
            ..FlexibleServersAdministratorSpec::default()
        }
    }

    fn platform(name: &str, object_id: &str, kind: &str) -> Administrator {
        let [name, object_id, kind] = [name, object_id, kind].map(str::to_owned);
        Administrator::Platform(Principal { name, object_id, kind })
    }

    #[rstest]
    #[case::a_new_server_without_one_in_the_policy(None, None, Administrator::App)]
    #[case::a_new_server(None, Some("Group"), platform("operators", "00ab", "Group"))]
    #[case::a_single_identity(
        None,
        Some("ServicePrincipal"),
        platform("operators", "00ab", "ServicePrincipal")
    )]
    #[case::the_app_and_none_in_the_policy(Some(spec("srv", "ServicePrincipal")), None, Administrator::App)]
    #[case::the_app_before_the_policy_named_one(
        Some(spec("srv", "ServicePrincipal")),
        Some("Group"),
        platform("operators", "00ab", "Group")
    )]
    #[case::the_policy_names_another(
        Some(spec("former", "Group")),
        Some("Group"),
        platform("former", "id", "Group")
    )]
    #[case::the_policy_names_none_any_more(
        Some(spec("former", "Group")),
        None,
        platform("former", "id", "Group")
    )]
    #[case::a_group_of_the_servers_name(Some(spec("srv", "Group")), None, platform("srv", "id", "Group"))]
    fn a_server_keeps_the_administrator_that_it_has(
        #[case] existing: Option<FlexibleServersAdministratorSpec>,
        #[case] kind: Option<&str>,
        #[case] expected: Administrator,
    ) {
        let policy: Option<document::Administrator> = kind.map(|kind| {
            serde_json::from_value(serde_json::json!({"name": "operators", "objectId": "00AB", "type": kind}))
                .unwrap()
        });
        assert_eq!(Administrator::of(existing.as_ref(), policy.as_ref(), "srv"), expected);
        // The app's own comes and goes beside it.
        let apps = spec("srv", "ServicePrincipal");
        let both = existing.iter().chain([&apps]);
        assert_eq!(Administrator::of(both, policy.as_ref(), "srv"), expected);
    }
}
