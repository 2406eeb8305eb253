//! From an effective spec to every object that we want.

use std::{collections::BTreeMap, sync::Arc};

use kube::api::ObjectMeta;
use policy::{Effective, document};

use super::{
    DATABASE_NAME, DATABASE_NAMESPACE, DETACH_ON_DELETE, FederatedIdentityCredential, FlexibleServer,
    FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
    FlexibleServersFirewallRule, MANAGED_BY, OPERATOR, Owner, RECONCILE_POLICY, UserAssignedIdentity,
    database_for_postgresql::{
        AuthConfig, FlexibleServerSpec, FlexibleServersAdministratorSpec, FlexibleServersConfigurationSpec,
        FlexibleServersDatabaseSpec, FlexibleServersFirewallRuleSpec, Network, Sku, Storage,
    },
    managed_identity::{FederatedIdentityCredentialSpec, UserAssignedIdentitySpec},
    parameters, settings,
};

/// The audience of a Kubernetes token that Entra exchanges for one of its own.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>
const TOKEN_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Tag that tells which cluster a server belongs to.
const CLUSTER_TAG: &str = "database-operator-cluster";

/// What the objects are built from.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Namespace of the `Database`.
    pub namespace: &'a str,
    /// Name of the `Database`.
    pub name: &'a str,
    /// Namespace of the objects.
    pub operator_namespace: &'a str,
    /// Name of the server in Azure, and of the objects.
    pub server_name: &'a str,
    pub effective: &'a Effective,
    pub azure: &'a document::Azure,
    /// The server's object, if there is one. A server that Azure has made stays in its place, tenant and cluster,
    /// whatever the policy names since; one that Azure refused can still go elsewhere.
    pub existing: Option<&'a FlexibleServer>,
    /// The objects of this server's parameters that there are.
    pub configurations: &'a [Arc<FlexibleServersConfiguration>],
    /// The identity, as soon as Azure has made it.
    pub identity: Option<&'a Identity>,
}

/// What Entra calls an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// What a token is asked for.
    pub client_id: String,
    /// Its object id.
    pub principal_id: String,
}

/// Every object that stands for a `Database` in Azure.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    pub identity: UserAssignedIdentity,
    pub credential: FederatedIdentityCredential,
    pub server: FlexibleServer,
    pub database: FlexibleServersDatabase,
    pub firewall: Vec<FlexibleServersFirewallRule>,
    /// Not before the identity has its object id.
    pub administrator: Option<FlexibleServersAdministrator>,
    /// A parameter for each that has, or once had, another value than Azure's own.
    pub configurations: Vec<FlexibleServersConfiguration>,
}

/// Builds every object.
pub fn build(input: &Input<'_>) -> Objects {
    let Input { azure, effective, server_name, .. } = *input;
    let Place { resource_group, location, tenant_id, cluster } = place(input);
    let tags = tags(input, &cluster);
    let of_server = || Owner { name: Some(server_name.to_owned()), arm_id: None };

    let mut server = FlexibleServer::new(
        server_name,
        FlexibleServerSpec {
            azure_name: server_name.to_owned(),
            owner: resource_group.clone(),
            location: location.clone(),
            tags: tags.clone(),
            version: effective.version.to_string(),
            sku: Sku { name: effective.size.name.clone(), tier: effective.size.tier.as_str().to_owned() },
            storage: Storage { size_gib: Some(effective.size_gib), ..Storage::default() },
            auth_config: AuthConfig {
                active_directory_auth: "Enabled".to_owned(),
                password_auth: "Disabled".to_owned(),
                tenant_id: tenant_id.clone(),
            },
            network: Network { public_network_access: "Enabled".to_owned() },
            ..FlexibleServerSpec::default()
        },
    );
    settings::write(&effective.settings, &mut server.spec);
    server.metadata = metadata(input, server_name);

    let mut database = FlexibleServersDatabase::new(
        server_name,
        FlexibleServersDatabaseSpec {
            azure_name: effective.database_name.clone(),
            owner: of_server(),
            // What Azure takes by itself, written down so that it never depends on a change of that.
            charset: "UTF8".to_owned(),
            collation: "en_US.utf8".to_owned(),
        },
    );
    database.metadata = metadata(input, server_name);

    let firewall = azure
        .network
        .firewall
        .iter()
        .map(|rule| {
            let name = format!("{server_name}-{}", rule.name.value);
            let mut object = FlexibleServersFirewallRule::new(
                &name,
                FlexibleServersFirewallRuleSpec {
                    azure_name: rule.name.value.clone(),
                    owner: of_server(),
                    start_ip_address: rule.start.value.clone(),
                    end_ip_address: rule.end.value.clone(),
                },
            );
            object.metadata = metadata(input, &name);
            object
        })
        .collect();

    let mut identity = UserAssignedIdentity::new(
        server_name,
        UserAssignedIdentitySpec {
            azure_name: server_name.to_owned(),
            owner: resource_group,
            location,
            tags,
        },
    );
    identity.metadata = metadata(input, server_name);

    let mut credential = FederatedIdentityCredential::new(
        server_name,
        FederatedIdentityCredentialSpec {
            azure_name: server_name.to_owned(),
            // The identity is named as the server is.
            owner: of_server(),
            audiences: vec![TOKEN_AUDIENCE.to_owned()],
            issuer: azure.workload_identity.issuer.value.clone(),
            subject: format!("system:serviceaccount:{}:{}", input.namespace, effective.service_account_name),
        },
    );
    credential.metadata = metadata(input, server_name);

    let administrator = input.identity.map(|identity| {
        let mut object = FlexibleServersAdministrator::new(
            server_name,
            FlexibleServersAdministratorSpec {
                azure_name: identity.principal_id.clone(),
                owner: of_server(),
                principal_name: server_name.to_owned(),
                principal_type: "ServicePrincipal".to_owned(),
                tenant_id,
            },
        );
        object.metadata = metadata(input, server_name);
        object
    });

    let configurations = configurations(input);
    Objects { identity, credential, server, database, firewall, administrator, configurations }
}

/// Azure can't delete a parameter: one that isn't wanted any more gets its default back, and its object stays as the
/// record of that.
fn configurations(input: &Input<'_>) -> Vec<FlexibleServersConfiguration> {
    let wanted = parameters::wanted(input.effective);
    let set = wanted.iter().map(|(name, value)| (name.clone(), parameters::OVERRIDE, Some(value.clone())));
    let reset =
        input.configurations.iter().filter(|existing| !wanted.contains_key(&existing.spec.azure_name)).map(
            |existing| {
                let default = existing.status.as_ref().and_then(|status| status.default_value.clone());
                // Written once: Azure knows its default without being told the value.
                let was_reset = existing.spec.source == parameters::DEFAULT;
                let value = if was_reset { existing.spec.value.clone() } else { default };
                (existing.spec.azure_name.clone(), parameters::DEFAULT, value)
            },
        );
    set.chain(reset)
        .map(|(parameter, source, value)| {
            let name = parameters::object_name(input.server_name, &parameter);
            let mut object = FlexibleServersConfiguration::new(
                &name,
                FlexibleServersConfigurationSpec {
                    azure_name: parameter,
                    owner: Owner { name: Some(input.server_name.to_owned()), arm_id: None },
                    source: source.to_owned(),
                    value,
                },
            );
            object.metadata = metadata(input, &name);
            object
        })
        .collect()
}

/// What is fixed once Azure has made a server.
struct Place {
    resource_group: Owner,
    location: String,
    tenant_id: String,
    /// The cluster's name, in the tag by which the server is known.
    cluster: String,
}

fn place(input: &Input<'_>) -> Place {
    let azure = input.azure;
    if let Some(FlexibleServer { spec, .. }) = input.existing.filter(|server| server.made().is_some()) {
        let tagged = spec.tags.get(CLUSTER_TAG);
        return Place {
            resource_group: spec.owner.clone(),
            location: spec.location.clone(),
            tenant_id: spec.auth_config.tenant_id.clone(),
            cluster: tagged.unwrap_or(&azure.cluster_name.value).clone(),
        };
    }
    let (subscription, group) = (&azure.subscription_id.value, &azure.resource_group.value);
    let arm_id = format!("/subscriptions/{subscription}/resourceGroups/{group}");
    Place {
        resource_group: Owner { name: None, arm_id: Some(arm_id) },
        location: azure.location.value.clone(),
        tenant_id: azure.tenant_id.value.clone(),
        cluster: azure.cluster_name.value.clone(),
    }
}

/// Labels of everything that stands for a `Database`, wherever it is.
pub fn marks(namespace: &str, name: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "postgresql"),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/part-of", OPERATOR),
        (MANAGED_BY, OPERATOR),
        (DATABASE_NAMESPACE, namespace),
        (DATABASE_NAME, name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn metadata(input: &Input<'_>, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(input.operator_namespace.to_owned()),
        labels: Some(marks(input.namespace, input.name)),
        annotations: Some([(RECONCILE_POLICY.to_owned(), DETACH_ON_DELETE.to_owned())].into()),
        ..ObjectMeta::default()
    }
}

/// The platform's tags, and ours, by which a server is known for one of ours.
fn tags(input: &Input<'_>, cluster: &str) -> BTreeMap<String, String> {
    let mut tags = input.azure.tags.clone();
    tags.extend(
        [
            ("managed-by", OPERATOR),
            (CLUSTER_TAG, cluster),
            ("database-operator-namespace", input.namespace),
            ("database-operator-name", input.name),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    tags
}

#[cfg(test)]
mod tests {
    use policy::{Policy, Request};

    use super::*;
    use crate::azure::AsoObject;

    fn objects(identity: Option<&Identity>) -> Objects {
        objects_by(include_str!("../../examples/policy.yaml"), identity, None)
    }

    fn objects_by(policy: &str, identity: Option<&Identity>, existing: Option<&FlexibleServer>) -> Objects {
        objects_with(policy, identity, existing, &api::DatabaseSpec::default(), &[])
    }

    fn objects_of(spec: &serde_json::Value, configurations: &[Arc<FlexibleServersConfiguration>]) -> Objects {
        let spec = serde_json::from_value(spec.clone()).unwrap();
        let policy = include_str!("../../examples/policy.yaml");
        objects_with(policy, Some(&identity()), None, &spec, configurations)
    }

    fn objects_with(
        policy: &str,
        identity: Option<&Identity>,
        existing: Option<&FlexibleServer>,
        spec: &api::DatabaseSpec,
        configurations: &[Arc<FlexibleServersConfiguration>],
    ) -> Objects {
        let policy = Policy::parse(policy).unwrap();
        let request = Request {
            policy_name: "database-policy",
            namespace: "orders",
            labels: None,
            databases: None,
            name: "my-app-db",
            new: spec,
            old: None,
            today: jiff::civil::date(2026, 11, 22),
        };
        let effective = policy.resolve(&request, None, &[]).unwrap();
        build(&Input {
            namespace: "orders",
            name: "my-app-db",
            operator_namespace: "database-operator",
            server_name: "prod-1-orders-my-app-db-0a1b2c3d",
            effective: &effective,
            azure: &policy.azure,
            existing,
            configurations,
            identity,
        })
    }

    fn identity() -> Identity {
        Identity { client_id: "client".into(), principal_id: "principal".into() }
    }

    #[test]
    fn an_empty_spec_becomes_these_objects() {
        let objects = objects(Some(&identity()));
        let all = serde_json::json!([
            objects.identity,
            objects.credential,
            objects.server,
            objects.database,
            objects.firewall,
            objects.administrator
        ]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    }

    #[test]
    fn every_object_is_detached_on_delete_and_lives_with_the_operator() {
        fn check<K: AsoObject>(object: &K) {
            let metadata = object.meta();
            assert_eq!(metadata.namespace.as_deref(), Some("database-operator"));
            let policy = metadata.annotations.as_ref().and_then(|all| all.get(RECONCILE_POLICY));
            assert_eq!(policy.map(String::as_str), Some("detach-on-delete"), "{}", K::kind(&()));
        }
        let all = objects_of(&serde_json::json!({"parameters": {"work_mem": "8192"}}), &[]);
        let Objects { identity, credential, server, database, firewall, administrator, configurations } = all;
        check(&identity);
        check(&credential);
        check(&server);
        check(&database);
        firewall.iter().for_each(check);
        check(&administrator.unwrap());
        assert_eq!(configurations.len(), 1);
        configurations.iter().for_each(check);
    }

    #[test]
    fn a_server_is_not_moved_by_a_policy_that_names_another_place() {
        let mut before = objects(Some(&identity()));
        let moved = include_str!("../../examples/policy.yaml")
            .replace("norwayeast", "westeurope")
            .replace("rg-databases", "rg-other")
            .replace("clusterName: prod-1", "clusterName: prod-2")
            .replace("0000000000f1", "0000000000f2");
        // Azure refused it, so the mended policy takes effect.
        let after = objects_by(&moved, None, Some(&before.server));
        assert_eq!(after.server.spec.location, "westeurope");

        let status = serde_json::json!({"id": "/subscriptions/s/flexibleServers/x"});
        before.server.status = Some(serde_json::from_value(status).unwrap());
        let after = objects_by(&moved, Some(&identity()), Some(&before.server));
        assert_eq!(after.server.spec, before.server.spec);
        assert_eq!(after.identity, before.identity);
        assert_eq!(after.administrator, before.administrator);
    }

    /// Name, source and value of each parameter.
    fn set(objects: &Objects) -> Vec<(&str, &str, Option<&str>)> {
        let specs = objects.configurations.iter().map(|object| &object.spec);
        specs.map(|spec| (spec.azure_name.as_str(), spec.source.as_str(), spec.value.as_deref())).collect()
    }

    #[test]
    fn extensions_and_parameters_become_server_parameters() {
        let spec = serde_json::json!({
            "extensions": ["PgCrypto", "pgaudit", "pg_cron"],
            "parameters": {"Work_Mem": "8192", "timezone": "Europe/Oslo", "pgaudit.log": "ddl"},
        });
        let objects = objects_of(&spec, &[]);
        assert_eq!(
            set(&objects),
            [
                ("TimeZone", "user-override", Some("Europe/Oslo")),
                ("azure.extensions", "user-override", Some("pg_cron,pgaudit,pgcrypto")),
                ("pgaudit.log", "user-override", Some("ddl")),
                ("shared_preload_libraries", "user-override", Some("pg_cron,pg_stat_statements,pgaudit")),
                ("work_mem", "user-override", Some("8192")),
            ]
        );
        let names: Vec<String> = objects.configurations.iter().map(kube::ResourceExt::name_any).collect();
        assert!(
            names.contains(&"prod-1-orders-my-app-db-0a1b2c3d-shared-preload-libraries".to_owned()),
            "{names:?}"
        );
        let (extensions, read) = parameters::read(objects.configurations.iter().map(|object| &object.spec));
        assert_eq!(extensions, ["pg_cron", "pgaudit", "pgcrypto"]);
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn what_azure_loads_anyway_needs_no_parameter() {
        let objects = objects_of(&serde_json::json!({"extensions": ["pg_cron"]}), &[]);
        assert_eq!(set(&objects), [("azure.extensions", "user-override", Some("pg_cron"))]);
    }

    #[test]
    fn a_parameter_that_is_left_out_gets_its_default_back_once() {
        let mut before =
            objects_of(&serde_json::json!({"parameters": {"work_mem": "8192"}}), &[]).configurations;
        before[0].status = Some(serde_json::from_value(serde_json::json!({"defaultValue": "4096"})).unwrap());
        let there = Arc::new(before.remove(0));
        let after = objects_of(&serde_json::json!({}), std::slice::from_ref(&there));
        assert_eq!(set(&after), [("work_mem", "system-default", Some("4096"))]);
        assert_eq!(after.configurations[0].metadata, there.metadata, "the same object");
        assert_eq!(parameters::read([&after.configurations[0].spec]), (Vec::new(), BTreeMap::new()));

        // What Azure says later is no reason to write again.
        let mut reset = after.configurations[0].clone();
        reset.status = Some(serde_json::from_value(serde_json::json!({"defaultValue": "5000"})).unwrap());
        let again = objects_of(&serde_json::json!({}), &[Arc::new(reset)]);
        assert_eq!(set(&again), set(&after));
        // And it can be set again.
        let set_again = objects_of(&serde_json::json!({"parameters": {"work_mem": "16384"}}), &[there]);
        assert_eq!(set(&set_again), [("work_mem", "user-override", Some("16384"))]);
    }

    #[test]
    fn nobody_administers_before_the_identity_exists() {
        assert_eq!(objects(None).administrator, None);
    }
}
