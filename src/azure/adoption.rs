//! Whether a server may be written: one that exists in Azure and isn't ours never is.
//!
//! ASO takes over whatever has the name in the object. So a server's object is written twice when it is created: first as a
//! probe, with `reconcile-policy: skip` and without tags, with which ASO only reads; and once it is known that the name is free, or
//! that the server is ours, with what we want.
//! <https://azure.github.io/azure-service-operator/guide/annotations/>

use std::collections::BTreeMap;

use api::DatabaseRef;
use jiff::{SignedDuration, Timestamp};

use super::{
    FlexibleServer, SKIP,
    condition::{self, Progress},
    database_for_postgresql::{FlexibleServerSpec, Network, Reference},
    has_policy, names,
};
use crate::labels::OPERATOR;

/// Tag that says who created a server.
const MANAGED_BY_TAG: &str = "managed-by";
/// Tag that says which cluster a server belongs to.
pub(super) const CLUSTER_TAG: &str = "database-operator-cluster";
/// Tag that says in which namespace a server's `Database` is.
const NAMESPACE_TAG: &str = "database-operator-namespace";
/// Tag that says the name of a server's `Database`.
const NAME_TAG: &str = "database-operator-name";

/// Tag that says the name of a server that its `Database` doesn't give: it had another one before.
const SERVER_TAG: &str = "database-operator-server";
/// Tag that says the name of the database in the server, which nothing else in Azure says of a server with several.
const DATABASE_TAG: &str = "database-operator-database";
/// Tag that says which cluster really has the server: two can be given the same name.
const CLUSTER_UID_TAG: &str = "database-operator-cluster-uid";
/// Tag that says the uid of the namespace of the server's `Database`: a name can be given to another team's.
const NAMESPACE_UID_TAG: &str = "database-operator-namespace-uid";
/// Tag that says whose data a server began with, and of which moment, as `<server>@<moment>`.
const RESTORED_TAG: &str = "database-operator-restored-from";
/// Tag that says since when the server has the `Database` that it has: what was written before that is about the past.
const TAKEN_TAG: &str = "database-operator-taken";

/// What may be done with a server's object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Adoption {
    /// It isn't known yet whether Azure has such a server: ASO is to read, and nothing else.
    Probe,
    /// It is ours, or nobody's yet.
    Manage,
    /// Somebody else's.
    Foreign(Foreign),
}

/// Why a server isn't this `Database`'s own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Foreign {
    /// Its tags are of another database, or it has none of ours.
    Tags {
        /// What they say.
        told: String,
        /// Those that would make it this `Database`'s own, as `key=value`.
        needed: String,
    },
    /// It is this database's by name, and another cluster has it: the uid of that cluster's namespace `kube-system`.
    Cluster(String),
}

/// The cluster that looks, and when.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    pub now: Timestamp,
    /// The uid of its namespace `kube-system`, which distinguishes clusters.
    pub uid: &'a str,
    /// The uids of clusters whose servers it may take over.
    pub takes_over: &'a [String],
}

impl Here<'_> {
    /// The other cluster that has this server in Azure, unless its servers may be taken over.
    pub fn stranger(&self, tags: &BTreeMap<String, String>) -> Option<String> {
        let has_it = tags.get(CLUSTER_UID_TAG)?;
        (has_it != self.uid && !self.takes_over.contains(has_it)).then(|| has_it.clone())
    }
}

/// What the tags say beside whose server it is.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// Name of the database in the server.
    pub database_name: &'a str,
    pub cluster_uid: &'a str,
    /// `None` while it isn't known.
    pub namespace_uid: Option<&'a str>,
    /// When the `Database` that has the server was created; `None` where none is live.
    pub taken: Option<Timestamp>,
    /// The server and the moment whose data it is to begin with; `None` where it is there, or begins empty.
    pub restored: Option<(&'a str, Timestamp)>,
}

/// The tags of a server that nothing is recognized by. What isn't known now stays as it is.
pub(super) fn more_tags(
    provenance: &Provenance<'_>,
    known: &BTreeMap<String, String>,
) -> impl Iterator<Item = (String, String)> {
    let kept = |key: &str, value: Option<String>| value.or_else(|| known.get(key).cloned());
    let values = [
        (DATABASE_TAG, Some(provenance.database_name.to_owned())),
        (CLUSTER_UID_TAG, Some(provenance.cluster_uid.to_owned())),
        (NAMESPACE_UID_TAG, kept(NAMESPACE_UID_TAG, provenance.namespace_uid.map(str::to_owned))),
        (TAKEN_TAG, kept(TAKEN_TAG, provenance.taken.map(|taken| taken.to_string()))),
        (
            RESTORED_TAG,
            kept(RESTORED_TAG, provenance.restored.map(|(server, time)| format!("{server}@{time}"))),
        ),
    ];
    values
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.filter(|value| !value.is_empty())?)))
}

/// The tags of a server in Azure, as ASO saw them last; or those of its spec, before it has seen any.
fn tags_of(server: &FlexibleServer) -> &BTreeMap<String, String> {
    server.created_status().map_or(&server.spec.tags, |status| &status.tags)
}

/// The name of the database in a server, by its tag.
pub fn database_name(server: &FlexibleServer) -> Option<&str> {
    tags_of(server).get(DATABASE_TAG).map(String::as_str)
}

/// The uid of the namespace whose `Database` has the server, by its tag.
pub fn namespace_uid(server: &FlexibleServer) -> Option<&str> {
    tags_of(server).get(NAMESPACE_UID_TAG).map(String::as_str)
}

/// Since when the server has the `Database` that it has, or had last, by its tag in Azure.
pub fn taken(server: &FlexibleServer) -> Option<Timestamp> {
    server.created_status()?.tags.get(TAKEN_TAG)?.parse().ok()
}

/// The server whose data a server began with, and their moment, by its tag.
pub fn restored(server: &FlexibleServer) -> Option<(&str, &str)> {
    tags_of(server).get(RESTORED_TAG)?.split_once('@')
}

/// The tags by which a server is known for one of ours.
pub(super) fn tags(cluster: &str, database: DatabaseRef<'_>, azure_name: &str) -> BTreeMap<String, String> {
    let has_other_name = names::server(cluster, database) != azure_name;
    [
        (MANAGED_BY_TAG, OPERATOR),
        (CLUSTER_TAG, cluster),
        (NAMESPACE_TAG, database.namespace),
        (NAME_TAG, database.name),
    ]
    .into_iter()
    .chain(has_other_name.then_some((SERVER_TAG, azure_name)))
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// The tags that somebody writes on a server which the operator is to find for a `Database`.
pub fn tags_of_one_made_by_hand(
    cluster: &str,
    database: DatabaseRef<'_>,
    azure_name: &str,
    database_name: &str,
) -> BTreeMap<String, String> {
    let mut tags = tags(cluster, database, azure_name);
    tags.insert(DATABASE_TAG.to_owned(), database_name.to_owned());
    tags
}

/// Whether an object is a probe, with which ASO only reads. Somebody else who writes `skip`, to have a server left alone for a while, leaves the tags.
pub fn is_probe(server: &FlexibleServer) -> bool {
    has_policy(server, SKIP) && server.spec.tags.is_empty()
}

/// What may be done with the object of the server of this `Database`, by what ASO found. `formerly` is the one that had the
/// server before it.
pub fn judge(
    server: Option<&FlexibleServer>,
    database: DatabaseRef<'_>,
    formerly: Option<DatabaseRef<'_>>,
    here: Here<'_>,
) -> Adoption {
    let Some(server) = server else { return Adoption::Probe };
    // Also of one that was ours: another cluster may have taken it over.
    let stranger =
        || Some(Adoption::Foreign(Foreign::Cluster(here.stranger(&server.created_status()?.tags)?)));
    if !is_probe(server) {
        // It may be what was restored for it: who asked for that may have lost the object that told.
        let looks_again = is_refused_as_there(server, here.now);
        return stranger().unwrap_or(if looks_again { Adoption::Probe } else { Adoption::Manage });
    }
    match condition::progress(server) {
        progress if is_absent(&progress) => Adoption::Manage,
        Progress::Ready => match server.created_status() {
            Some(_) if is_tagged(server, database) => stranger().unwrap_or(Adoption::Manage),
            Some(_) if formerly.is_some_and(|formerly| is_tagged(server, formerly)) => {
                stranger().unwrap_or(Adoption::Manage)
            }
            Some(status) => Adoption::Foreign(Foreign::Tags {
                told: described(&status.tags),
                needed: needed(server, database),
            }),
            // ASO says so only of what it has read.
            None => Adoption::Probe,
        },
        _ => Adoption::Probe,
    }
}

/// So long Azure's refusal of a name is told before Azure is asked whether the server is there after all: Azure also holds the name
/// of a deleted server for days, and each look is followed by another try.
const NAME_IS_HELD: SignedDuration = SignedDuration::from_mins(10);

/// Whether Azure makes no server with other data because there is one of that name, and has said so for a while.
fn is_refused_as_there(server: &FlexibleServer, now: Timestamp) -> bool {
    let since = condition::ready_since(server);
    server.spec.is_restore()
        && server.created_status().is_none()
        && matches!(condition::progress(server), Progress::GaveUp { reason, .. } if reason == "ServerNameAlreadyExists")
        && since.is_none_or(|since| now.duration_since(since) >= NAME_IS_HELD)
}

/// Whether ASO says that there is no such resource.
/// <https://github.com/Azure/azure-service-operator/blob/main/v2/pkg/genruntime/conditions/ready_condition_builder.go>
pub fn is_absent(progress: &Progress) -> bool {
    matches!(progress, Progress::Retrying { reason, .. } if reason == "AzureResourceNotFound")
}

/// Whether an object is a probe, and Azure has no such server.
pub fn probe_found_nothing(server: &FlexibleServer) -> bool {
    is_probe(server) && is_absent(&condition::progress(server))
}

/// Whether the server has, in Azure, the tags of this `Database`. They alone give its name, by whatever cluster it was made
/// in: those of a copy of the server don't.
pub fn is_tagged(server: &FlexibleServer, database: DatabaseRef<'_>) -> bool {
    let Some(status) = server.created_status() else { return false };
    let Some(cluster) = status.tags.get(CLUSTER_TAG) else { return false };
    let ours = tags(cluster, database, &server.spec.azure_name);
    ours.iter().all(|(key, value)| status.tags.get(key) == Some(value))
}

/// The tags that a server would need to be this `Database`'s own: with the cluster's name that it has, or any other.
fn needed(server: &FlexibleServer, database: DatabaseRef<'_>) -> String {
    let name_of_cluster = |cluster: &String| names::server(cluster, database) == server.spec.azure_name;
    let cluster = server
        .created_status()
        .and_then(|status| status.tags.get(CLUSTER_TAG))
        .filter(|cluster| name_of_cluster(cluster));
    let cluster = cluster.map_or("<azure.clusterName>", String::as_str);
    [
        (MANAGED_BY_TAG, OPERATOR),
        (CLUSTER_TAG, cluster),
        (NAMESPACE_TAG, database.namespace),
        (NAME_TAG, database.name),
    ]
    .map(|(key, value)| format!("{key}={value}"))
    .join(", ")
}

fn described(tags: &BTreeMap<String, String>) -> String {
    let ours: Vec<String> = [MANAGED_BY_TAG, CLUSTER_TAG, NAMESPACE_TAG, NAME_TAG, SERVER_TAG]
        .iter()
        .filter_map(|key| Some(format!("{key}={}", tags.get(*key)?)))
        .collect();
    if ours.is_empty() {
        "it has no tags of ours".to_owned()
    } else {
        format!("its tags are {}", ours.join(", "))
    }
}

/// Whether the server has the data of another one, and nothing of what is wanted of it was sent yet.
pub fn is_just_restored(server: &FlexibleServer) -> bool {
    server.spec.is_restore() && server.created_status().is_some()
}

/// The spec that a server stands for which is ours and was found in Azure, or restored: the spec of a probe holds wishes, and that
/// of a restore nothing but where the data come from.
pub fn found(server: &FlexibleServer) -> FlexibleServerSpec {
    let is_restored = is_just_restored(server);
    let Some(status) = server.created_status().filter(|_| is_probe(server) || is_restored) else {
        return server.spec.clone();
    };
    let wanted = server.spec.clone();
    let reference = |id: &Option<String>| id.clone().map(|arm_id| Reference { arm_id });
    let network = status.network.as_ref().map_or_else(Network::default, |network| Network {
        public_network_access: network.public_network_access.clone(),
        delegated_subnet_resource_reference: reference(&network.delegated_subnet_resource_id),
        private_dns_zone_arm_resource_reference: reference(&network.private_dns_zone_arm_resource_id),
    });
    FlexibleServerSpec {
        // Azure says "Norway East" in places.
        location: status.location.as_ref().map_or(wanted.location, |location| {
            location.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
        }),
        tags: status.tags.clone(),
        version: status.version.clone().unwrap_or(wanted.version),
        sku: status.sku.clone().unwrap_or(wanted.sku),
        storage: status.storage.clone().unwrap_or(wanted.storage),
        network: if network == Network::default() { wanted.network } else { network },
        // Azure restores neither, so that they say nothing of what is wanted.
        high_availability: status.high_availability.clone().filter(|_| !is_restored),
        maintenance_window: status.maintenance_window.clone().filter(|_| !is_restored),
        backup: status.backup.clone(),
        create_mode: None,
        source_server_resource_reference: None,
        point_in_time_utc: None,
        ..wanted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

    use kube::Resource;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const MAIN: DatabaseRef<'_> = DatabaseRef::new("orders", "main");
    use crate::azure::RECONCILE_POLICY;

    fn server(policy: &str, tags: Value, status: Value) -> FlexibleServer {
        serde_json::from_value(json!({
            "apiVersion": FlexibleServer::api_version(&()), "kind": "FlexibleServer",
            "metadata": {"name": "x", "generation": 1, "annotations": {RECONCILE_POLICY: policy}},
            "spec": {
                "azureName": names::server("prod-1", MAIN), "owner": {}, "location": "norwayeast",
                "version": "17", "tags": tags, "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn condition(status: &str, severity: &str, reason: &str) -> Value {
        json!([{"type": "Ready", "status": status, "severity": severity, "reason": reason, "observedGeneration": 1}])
    }

    fn seen(tags: &BTreeMap<String, String>) -> Value {
        json!({"id": "/subscriptions/s/x", "tags": tags, "conditions": condition("True", "", "Succeeded")})
    }

    const NOW: Timestamp = Timestamp::constant(1_796_126_400, 0);
    const HERE: Here<'static> = Here { now: NOW, uid: "c1", takes_over: &[] };

    fn foreign(told: &str, cluster: &str) -> Adoption {
        Adoption::Foreign(Foreign::Tags {
            told: told.to_owned(),
            needed: format!(
                "managed-by=database-operator, database-operator-cluster={cluster}, database-operator-namespace=orders, \
                 database-operator-name=main"
            ),
        })
    }

    #[rstest]
    #[case::ours("c1", &[], Adoption::Manage)]
    #[case::of_an_older_version("", &[], Adoption::Manage)]
    #[case::of_another_cluster("c2", &[], Adoption::Foreign(Foreign::Cluster("c2".into())))]
    #[case::of_one_that_is_gone("c2", &["c3", "c2"], Adoption::Manage)]
    #[case::of_a_third("c2", &["c3"], Adoption::Foreign(Foreign::Cluster("c2".into())))]
    fn the_server_of_another_cluster_is_taken_only_where_the_policy_says_so(
        #[case] uid: &str,
        #[case] takes_over: &[&str],
        #[case] expected: Adoption,
    ) {
        let takes_over: Vec<String> = takes_over.iter().map(|uid| (*uid).to_owned()).collect();
        let mut tags = own_tags("prod-1", "orders", "main");
        tags.extend((!uid.is_empty()).then(|| (CLUSTER_UID_TAG.to_owned(), uid.to_owned())));
        // Looked at for the first time, and taken long ago: another cluster may have taken it over since.
        for (policy, spec) in [("skip", json!({})), ("skip", json!(tags)), ("detach-on-delete", json!(tags))]
        {
            let server = server(policy, spec, seen(&tags));
            let here = Here { takes_over: &takes_over, ..HERE };
            assert_eq!(judge(Some(&server), MAIN, None, here), expected, "{policy}");
        }
    }

    #[test]
    fn what_is_not_known_now_stays_as_the_tags_tell_it() {
        let known = [(TAKEN_TAG, "2026-11-01T12:00:00Z"), (NAMESPACE_UID_TAG, "n1"), (DATABASE_TAG, "old")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let kept = Provenance {
            database_name: "main",
            cluster_uid: "c1",
            namespace_uid: None,
            taken: None,
            restored: None,
        };
        let tags: BTreeMap<_, _> = more_tags(&kept, &known).collect();
        assert_eq!(
            tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
            "database-operator-cluster-uid=c1 database-operator-database=main database-operator-namespace-uid=n1 \
             database-operator-taken=2026-11-01T12:00:00Z"
        );
        let taken = Some("2026-11-28T12:00:00Z".parse().unwrap());
        let live = Provenance { namespace_uid: Some("n2"), taken, ..kept };
        let tags: BTreeMap<_, _> = more_tags(&live, &known).collect();
        assert_eq!((&*tags[TAKEN_TAG], &*tags[NAMESPACE_UID_TAG]), ("2026-11-28T12:00:00Z", "n2"));
    }

    /// Of a server with the name that its `Database` gives.
    fn own_tags(cluster: &str, namespace: &str, name: &str) -> BTreeMap<String, String> {
        let database = DatabaseRef::new(namespace, name);
        tags(cluster, database, &names::server(cluster, database))
    }

    #[rstest]
    #[case::not_seen_yet(json!({}), Adoption::Probe)]
    #[case::being_looked_for(json!({"conditions": condition("False", "Info", "Reconciling")}), Adoption::Probe)]
    #[case::azure_does_not_say(json!({"conditions": condition("False", "Warning", "AuthorizationFailed")}), Adoption::Probe)]
    #[case::free(json!({"conditions": condition("False", "Warning", "AzureResourceNotFound")}), Adoption::Manage)]
    #[case::ours(seen(&own_tags("prod-1", "orders", "main")), Adoption::Manage)]
    #[case::another_database(
        seen(&own_tags("prod-1", "orders", "other")),
        foreign("its tags are managed-by=database-operator, database-operator-cluster=prod-1, \
                 database-operator-namespace=orders, database-operator-name=other", "prod-1")
    )]
    #[case::tags_that_give_another_name(
        seen(&own_tags("prod-2", "orders", "main")),
        foreign("its tags are managed-by=database-operator, database-operator-cluster=prod-2, \
                 database-operator-namespace=orders, database-operator-name=main", "<azure.clusterName>")
    )]
    #[case::made_by_hand(seen(&BTreeMap::new()), foreign("it has no tags of ours", "<azure.clusterName>"))]
    fn a_server_is_taken_only_when_it_is_free_or_ours(#[case] status: Value, #[case] expected: Adoption) {
        let server = server("skip", json!({}), status);
        assert_eq!(judge(Some(&server), MAIN, None, HERE), expected);
    }

    #[test]
    fn a_server_that_another_database_had_is_known_by_the_tag_with_its_name() {
        let (here, before) = (DatabaseRef::new("sales", "db"), MAIN);
        let mut moved = tags("prod-1", here, &names::server("prod-1", MAIN));
        assert_eq!(moved.len(), 5, "{moved:?}");
        let judge = |tags: &BTreeMap<String, String>, formerly| {
            judge(Some(&server("skip", json!({}), seen(tags))), here, formerly, HERE)
        };
        assert_eq!(judge(&moved, None), Adoption::Manage);
        // Until it has these tags, it has the old ones.
        let old = own_tags("prod-1", "orders", "main");
        assert_eq!(judge(&old, Some(before)), Adoption::Manage);
        assert!(matches!(judge(&old, None), Adoption::Foreign(_)));
        // A copy of it.
        moved.insert(SERVER_TAG.to_owned(), "another".to_owned());
        assert!(matches!(judge(&moved, None), Adoption::Foreign(_)));
    }

    /// It may be the server that was restored for this very `Database`; or Azure holds the name of a deleted one, for days.
    #[rstest]
    #[case::a_moment_ago(json!("2026-12-01T11:59:00Z"), "ServerNameAlreadyExists", Adoption::Manage)]
    #[case::for_a_while(json!("2026-12-01T11:50:00Z"), "ServerNameAlreadyExists", Adoption::Probe)]
    #[case::nobody_says_since_when(json!(null), "ServerNameAlreadyExists", Adoption::Probe)]
    #[case::another_refusal(json!("2026-12-01T11:50:00Z"), "QuotaExceeded", Adoption::Manage)]
    fn a_name_that_azure_holds_is_told_before_it_is_looked_at_again(
        #[case] since: Value,
        #[case] reason: &str,
        #[case] expected: Adoption,
    ) {
        let mut condition = condition("False", "Error", reason);
        condition[0]["lastTransitionTime"] = since;
        let mut server = server(
            "detach-on-delete",
            json!({"managed-by": "database-operator"}),
            json!({"conditions": condition}),
        );
        assert_eq!(judge(Some(&server), MAIN, None, HERE), Adoption::Manage, "one that is made empty");
        server.spec.create_mode = Some("PointInTimeRestore".to_owned());
        assert_eq!(judge(Some(&server), MAIN, None, HERE), expected);
    }

    #[test]
    fn what_was_taken_once_is_ours() {
        let tags = json!({"managed-by": "database-operator"});
        for policy in ["detach-on-delete", "manage", "skip"] {
            assert_eq!(
                judge(Some(&server(policy, tags.clone(), json!({}))), MAIN, None, HERE),
                Adoption::Manage
            );
        }
        assert_eq!(judge(None, MAIN, None, HERE), Adoption::Probe);
    }

    #[test]
    fn a_server_that_is_found_is_as_azure_has_it() {
        let status = json!({
            "id": "/subscriptions/s/x", "location": "Norway West", "version": "16",
            "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
            "storage": {"storageSizeGB": 256, "autoGrow": "Enabled", "tier": "P20"},
            "highAvailability": {"mode": "SameZone"}, "network": {"publicNetworkAccess": "Enabled"},
        });
        let spec = found(&server("skip", json!({}), status.clone()));
        assert_eq!((spec.location.as_str(), spec.version.as_str()), ("norwaywest", "16"));
        assert_eq!((spec.sku.name.as_str(), spec.storage.size_gib), ("Standard_D4ds_v5", Some(256)));
        assert_eq!(spec.high_availability.unwrap().mode.as_deref(), Some("SameZone"));
        // Once it is taken, the object holds what was asked for.
        let taken = server("detach-on-delete", json!({"managed-by": "database-operator"}), status);
        assert_eq!(found(&taken), taken.spec);
    }
}
