//! The objects that a `Database` becomes.

use policy::{Policy, Request};

use super::*;
use crate::azure::AsoObject;

const PROVENANCE: adoption::Provenance<'_> = adoption::Provenance {
    database_name: "my_app_db",
    cluster_uid: "00000000-0000-4000-8000-0000000000c1",
    namespace_uid: Some("00000000-0000-4000-8000-0000000000a1"),
    taken: Some(jiff::Timestamp::UNIX_EPOCH),
    restored: None,
};

fn objects(identity: Option<&Identity>) -> Objects {
    objects_by(include_str!("../../../examples/policy.yaml"), identity, None)
}

fn objects_by(policy: &str, identity: Option<&Identity>, existing: Option<&FlexibleServer>) -> Objects {
    objects_with(policy, identity, existing, &api::DatabaseSpec::default(), &[])
}

fn objects_of(spec: &serde_json::Value, configurations: &[FlexibleServersConfiguration]) -> Objects {
    let spec = serde_json::from_value(spec.clone()).unwrap();
    let policy = include_str!("../../../examples/policy.yaml");
    objects_with(policy, Some(&identity()), None, &spec, configurations)
}

fn objects_with(
    policy: &str,
    identity: Option<&Identity>,
    existing: Option<&FlexibleServer>,
    spec: &api::DatabaseSpec,
    configurations: &[FlexibleServersConfiguration],
) -> Objects {
    let existing = Existing { server: existing, configurations, ..Existing::default() };
    objects_beside(policy, identity, existing, spec, &Adoption::Manage)
}

fn objects_beside(
    policy: &str,
    identity: Option<&Identity>,
    existing: Existing<'_>,
    spec: &api::DatabaseSpec,
    adoption: &Adoption,
) -> Objects {
    let policy = Policy::parse(policy).unwrap();
    let database = DatabaseRef::new("orders", "my-app-db");
    let request = Request::new("database-policy", database, spec, jiff::civil::date(2026, 11, 22));
    let effective = policy.resolve(&request, None).unwrap();
    build(&Input {
        database,
        operator_namespace: "database-operator",
        server_name: "prod-1-orders-my-app-db-0a1b2c3d",
        effective: &effective,
        azure: &policy.azure,
        adoption,
        provenance: PROVENANCE,
        accepts_empty: false,
        restore: None,
        existing,
        in_database: &[],
        identity,
        administrator: &Administrator::App,
        former: None,
        password_administrator: None,
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
    let Objects { identity, credential, server, database, firewall, administrator, configurations, .. } = all;
    check(&identity);
    check(&credential);
    check(&server);
    check(&database.expect("Azure is asked for it, where the app administers the server"));
    firewall.iter().for_each(check);
    check(&administrator.unwrap());
    assert_eq!(configurations.len(), 1);
    configurations.iter().for_each(check);
}

/// Those of Argo CD, Flux, Helm, kapp and kpt, as far as any of them looks for labels.
#[test]
fn no_object_bears_a_label_by_which_tools_of_gitops_know_their_own() {
    let known = [
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/",
        "kustomize.toolkit.fluxcd.io/",
        "helm.toolkit.fluxcd.io/",
        "helm.sh/",
        "kapp.k14s.io/",
        "kustomize.config.k8s.io/",
        "cli-utils.sigs.k8s.io/",
    ];
    let labels = owner_labels(DatabaseRef::new("orders", "my-app-db"));
    for key in labels.keys() {
        assert!(!known.iter().any(|known| key.starts_with(known)), "{key}");
    }
    let server = objects(None).server;
    assert_eq!(server.metadata.labels, Some(labels));
    let annotations = server.metadata.annotations.unwrap();
    assert_eq!(annotations["argocd.argoproj.io/sync-options"], "Prune=false");
    assert_eq!(annotations["argocd.argoproj.io/compare-options"], "IgnoreExtraneous");
}

#[test]
fn the_label_that_was_written_once_is_told_from_that_of_others() {
    let with = |value: &str| {
        let mut server = objects(None).server;
        let labels = server.metadata.labels.get_or_insert_default();
        labels.insert(crate::labels::TRACKED.to_owned(), value.to_owned());
        crate::labels::is_tracked(&server)
    };
    assert!(with("my-app-db") && !with("somebody-elses"));
    assert!(!crate::labels::is_tracked(&objects(None).server));
}

#[test]
fn a_server_whose_object_is_gone_is_where_its_recorded_id_says() {
    let policy = POLICY.replacen("resourceGroup: rg-databases", "resourceGroup: rg-mistaken", 1);
    let id = "/subscriptions/s/resourceGroups/rg-old/providers/Microsoft.DBforPostgreSQL/flexibleServers/\
              prod-1-orders-my-app-db-0a1b2c3d";
    let owner = |id| {
        let existing = Existing { id, ..Existing::default() };
        let objects =
            objects_beside(&policy, None, existing, &api::DatabaseSpec::default(), &Adoption::Probe);
        assert_eq!(objects.server.spec.owner, objects.identity.spec.owner);
        objects.server.spec.owner.arm_id.unwrap()
    };
    assert_eq!(owner(Some(id)), "/subscriptions/s/resourceGroups/rg-old");
    let others =
        "/subscriptions/s/resourceGroups/rg-old/providers/Microsoft.DBforPostgreSQL/flexibleServers/other";
    assert!(owner(None).ends_with("/rg-mistaken") && owner(Some(others)).ends_with("/rg-mistaken"));
}

#[test]
fn a_server_is_not_moved_by_a_policy_that_names_another_place() {
    let mut before = objects(Some(&identity()));
    let moved = include_str!("../../../examples/policy.yaml")
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

/// Azure drops none that isn't in the list.
#[test]
fn an_extension_stays_in_the_list_until_it_is_gone_from_the_database() {
    let parse = |spec: serde_json::Value| {
        let policy = Policy::parse(include_str!("../../../examples/policy.yaml")).unwrap();
        let spec = serde_json::from_value(spec).unwrap();
        let whose = DatabaseRef::new("orders", "my-app-db");
        let request = Request::new("database-policy", whose, &spec, jiff::civil::date(2026, 11, 22));
        policy.resolve(&request, None).unwrap()
    };
    let there =
        objects_of(&serde_json::json!({"extensions": ["hstore", "pgaudit", "pgcrypto"]}), &[]).configurations;
    let lists = |spec: serde_json::Value, in_database: &[&str]| {
        let in_database = in_database.iter().map(|name| (*name).to_owned());
        let in_database: Vec<_> =
            in_database.map(|name| api::ExtensionStatus { name, version: "1".into() }).collect();
        let existing = there.iter().map(|object| &object.spec);
        let wanted = parameters::wanted(&parse(spec), existing, &in_database);
        ["azure.extensions", "shared_preload_libraries"]
            .map(|name| wanted.get(name).cloned().unwrap_or_default())
    };
    let one = || serde_json::json!({"extensions": ["pgcrypto"]});
    let [all, base] = ["pg_cron,pg_stat_statements,pgaudit", "pg_cron,pg_stat_statements"];
    assert_eq!(lists(one(), &["hstore", "pgaudit", "plpgsql"]), ["hstore,pgaudit,pgcrypto", all]);
    assert_eq!(lists(one(), &["hstore", "pgcrypto"]), ["hstore,pgcrypto", all]);
    assert_eq!(lists(one(), &["pgcrypto", "citext"]), ["pgcrypto", base]);
    assert_eq!(lists(serde_json::json!({}), &["hstore"]), ["hstore", all]);
    assert_eq!(lists(serde_json::json!({}), &[]), ["", base]);
}

/// Azure's default is `pg_stat_statements` alone.
#[test]
fn what_a_server_loads_is_written_whole_from_the_first_library_on() {
    let loads = |spec: serde_json::Value, there: &[FlexibleServersConfiguration]| {
        let objects = objects_of(&spec, there);
        let libraries =
            objects.configurations.iter().find(|object| object.spec.azure_name == "shared_preload_libraries");
        let sent = libraries.map(|object| (object.spec.source.clone(), object.spec.value.clone()));
        (sent, objects.configurations)
    };
    let ours = |list: &str| Some(("user-override".to_owned(), Some(list.to_owned())));
    // One that was adopted or changed by hand may load less than a new one does.
    let (sent, _) = loads(serde_json::json!({"extensions": ["pg_cron"]}), &[]);
    assert_eq!(sent, ours("pg_cron,pg_stat_statements"));
    let (sent, there) = loads(serde_json::json!({"extensions": ["pg_cron", "pgaudit"]}), &[]);
    assert_eq!(sent, ours("pg_cron,pg_stat_statements,pgaudit"));
    // What was there stays loaded when another goes, and when all go.
    let (sent, _) = loads(serde_json::json!({"extensions": ["pg_cron"]}), &there);
    assert_eq!(sent, ours("pg_cron,pg_stat_statements"));
    let (sent, there) = loads(serde_json::json!({}), &there);
    assert_eq!(sent, ours("pg_cron,pg_stat_statements"));
    // So does what an earlier version of the operator gave its default back.
    let mut reset = there;
    for object in &mut reset {
        object.spec.source = "system-default".to_owned();
        object.spec.value = Some("pg_stat_statements".to_owned());
    }
    let (sent, _) = loads(serde_json::json!({}), &reset);
    assert_eq!(sent, ours("pg_cron,pg_stat_statements"));
    // Nobody asked for any.
    let (sent, _) = loads(serde_json::json!({"extensions": ["pgcrypto"]}), &[]);
    assert_eq!(sent, None);
}

#[test]
fn a_library_without_an_extension_is_loaded_and_not_created() {
    let spec = serde_json::json!({"extensions": ["auto_explain", "vector"]});
    let objects = objects_of(&spec, &[]);
    assert_eq!(
        set(&objects),
        [
            ("azure.extensions", "user-override", Some("vector")),
            ("shared_preload_libraries", "user-override", Some("pg_cron,pg_stat_statements,auto_explain")),
        ]
    );
    // It is known again as what was asked for: a policy that gets stricter doesn't refuse it.
    let (extensions, _) = parameters::read(objects.configurations.iter().map(|object| &object.spec));
    assert_eq!(extensions, ["vector", "auto_explain"]);
}

#[test]
fn the_pooler_is_on_before_its_parameters_are_set_and_off_after() {
    let policy = include_str!("../../../examples/policy.yaml").replace("Standard_B1ms", "Standard_D2ds_v5");
    let policy = policy.replace("[\"Standard_B*\"]", "[\"Standard_*\"]");
    let spec =
        serde_json::json!({"parameters": {"pgbouncer.default_pool_size": "80", "pgbouncer.enabled": "on"}});
    let spec = serde_json::from_value(spec).unwrap();
    let there = objects_with(&policy, None, None, &spec, &[]);
    let (first, second) = ("pgbouncer.enabled", "pgbouncer.default_pool_size");
    assert_eq!(set(&there), [(first, "user-override", Some("true")), (second, "user-override", Some("80"))]);
    let after = objects_with(&policy, None, None, &api::DatabaseSpec::default(), &there.configurations);
    assert_eq!(set(&after).iter().map(|(name, ..)| *name).collect::<Vec<_>>(), [second, first]);
}

/// `on`, `true` and `yes` are one value, and Azure takes one spelling of it.
#[test]
fn a_switch_is_written_as_azure_takes_it() {
    let spec = serde_json::json!({"parameters": {"autovacuum": "true", "log_lock_waits": "yes", "wal_compression": "LZ4"}});
    assert_eq!(
        set(&objects_of(&spec, &[])),
        [
            ("autovacuum", "user-override", Some("on")),
            ("log_lock_waits", "user-override", Some("on")),
            ("wal_compression", "user-override", Some("lz4")),
        ]
    );
}

#[test]
fn a_parameter_that_is_left_out_gets_its_default_back_once() {
    let mut before = objects_of(&serde_json::json!({"parameters": {"work_mem": "8192"}}), &[]).configurations;
    before[0].status = Some(serde_json::from_value(serde_json::json!({"defaultValue": "4096"})).unwrap());
    let there = before.remove(0);
    let after = objects_of(&serde_json::json!({}), std::slice::from_ref(&there));
    assert_eq!(set(&after), [("work_mem", "system-default", Some("4096"))]);
    assert_eq!(after.configurations[0].metadata, there.metadata, "the same object");
    assert_eq!(parameters::read([&after.configurations[0].spec]), (Vec::new(), BTreeMap::new()));

    // What Azure says later doesn't cause another write.
    let mut reset = after.configurations[0].clone();
    reset.status = Some(serde_json::from_value(serde_json::json!({"defaultValue": "5000"})).unwrap());
    let again = objects_of(&serde_json::json!({}), &[reset]);
    assert_eq!(set(&again), set(&after));
    // And it can be set again.
    let set_again = objects_of(&serde_json::json!({"parameters": {"work_mem": "16384"}}), &[there]);
    assert_eq!(set(&set_again), [("work_mem", "user-override", Some("16384"))]);
}

const POLICY: &str = include_str!("../../../examples/policy.yaml");

/// The example with servers in a virtual network.
fn private() -> String {
    let place = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-network/providers";
    let network = format!(
        "{{private: {{subnetId: {place}/Microsoft.Network/virtualNetworks/v/subnets/s, \
         dnsZoneId: {place}/Microsoft.Network/privateDnsZones/prod.postgres.database.azure.com}}}}\n"
    );
    let (before, rest) = POLICY.split_once("network:\n").unwrap();
    let (_, after) = rest.split_once("end: 20.100.0.4}\n").unwrap();
    format!("{before}network: {network}{after}")
}

#[test]
fn an_object_that_only_looks_carries_nothing_by_which_a_server_would_be_ours() {
    let spec = api::DatabaseSpec::default();
    let objects = objects_beside(POLICY, None, Existing::default(), &spec, &Adoption::Probe);
    assert!(adoption::is_probe(&objects.server));
    let taken = objects_beside(POLICY, None, Existing::default(), &spec, &Adoption::Manage).server;
    assert!(!adoption::is_probe(&taken));
    assert_ne!(taken.spec, objects.server.spec, "so that ASO's word on one is none on the other");
}

#[test]
fn a_rule_that_the_policy_has_no_more_goes_in_azure_too() {
    let objects = objects(None);
    let existing: Vec<_> = objects.firewall;
    let renamed = POLICY.replace("name: cluster-egress", "name: office");
    let spec = api::DatabaseSpec::default();
    let beside = Existing { firewall: &existing, ..Existing::default() };
    let after = objects_beside(&renamed, None, beside, &spec, &Adoption::Manage);
    let names = |rules: &[FlexibleServersFirewallRule]| {
        rules
            .iter()
            .map(|rule| (rule.spec.azure_name.clone(), rule.metadata.annotations.clone().unwrap()))
            .collect::<Vec<_>>()
    };
    let policy = annotations;
    assert_eq!(names(&after.firewall), [("office".to_owned(), policy(DETACH_ON_DELETE))]);
    assert_eq!(names(&after.firewall_removed), [("cluster-egress".to_owned(), policy(MANAGE))]);
}

#[test]
fn a_server_is_in_a_virtual_network_from_the_start_or_never() {
    let spec = api::DatabaseSpec::default();
    let new = objects_beside(&private(), None, Existing::default(), &spec, &Adoption::Manage);
    assert!(new.server.spec.network.is_private() && new.firewall.is_empty());
    assert_eq!(new.server.spec.network.public_network_access, None);

    // Made before the policy said so, it stays as it is, and so does who may connect.
    let mut public = objects(None);
    let status = serde_json::json!({"id": "/subscriptions/s/flexibleServers/x"});
    public.server.status = Some(serde_json::from_value(status).unwrap());
    let rules = public.firewall.clone();
    let beside = Existing { server: Some(&public.server), firewall: &rules, ..Existing::default() };
    let after = objects_beside(&private(), None, beside, &spec, &Adoption::Manage);
    assert_eq!(after.server.spec.network, public.server.spec.network);
    assert_eq!((after.firewall, after.firewall_removed), (public.firewall, Vec::new()));

    // And the other way round.
    let mut inside = new.server;
    inside.status = public.server.status;
    let beside = Existing { server: Some(&inside), ..Existing::default() };
    let after = objects_beside(POLICY, None, beside, &spec, &Adoption::Manage);
    assert!(after.server.spec.network.is_private() && after.firewall.is_empty());
}

#[test]
fn nobody_administers_before_the_identity_exists() {
    assert_eq!(objects(None).administrator, None);
}

/// An object of a server as it was built, with what ASO says of it.
fn said(desired: &FlexibleServer, policy: &str, status: &str, reason: &str) -> FlexibleServer {
    let mut server = desired.clone();
    server.metadata.generation = Some(1);
    set_reconcile_policy(&mut server, policy);
    let severity = if status == "True" { "" } else { "Warning" };
    server.status = serde_json::from_value(serde_json::json!({
        "id": "/subscriptions/s/x", "tags": desired.spec.tags,
        "conditions": [{
            "type": "Ready", "status": status, "severity": severity, "reason": reason, "observedGeneration": 1,
        }],
    }))
    .unwrap();
    server
}

#[rstest::rstest]
#[case::ready("detach-on-delete", "True", "Succeeded", false, "skip")]
#[case::at_rest("skip", "True", "Succeeded", false, "skip")]
#[case::being_made("detach-on-delete", "False", "Reconciling", false, "detach-on-delete")]
#[case::refused("detach-on-delete", "False", "AuthorizationFailed", false, "detach-on-delete")]
#[case::gone("skip", "False", "AzureResourceNotFound", false, "skip")]
#[case::gone_and_accepted("skip", "False", "AzureResourceNotFound", true, "detach-on-delete")]
#[case::not_seen("skip", "False", "AuthorizationFailed", true, "skip")]
fn what_holds_data_only_looks_while_nothing_new_is_wanted(
    #[case] policy: &str,
    #[case] status: &str,
    #[case] reason: &str,
    #[case] accepts_empty: bool,
    #[case] expected: &str,
) {
    let first = objects(Some(&identity()));
    let found = said(&first.server, policy, status, reason);
    assert_eq!(rests(Some(&found), &first.server, accepts_empty), expected == "skip");
    // A wish is sent to Azure.
    let mut wanted = first.server.clone();
    wanted.spec.version = "18".to_owned();
    assert!(!rests(Some(&found), &wanted, accepts_empty));
    assert!(!rests(None, &first.server, accepts_empty));
}
