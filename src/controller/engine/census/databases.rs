//! Databases: how they are, and on which servers.

use std::{collections::HashMap, fmt, sync::Arc};

use api::{Database, reason::Reason};
use exposition::{Teller, Who, labels};
use jiff::Timestamp;
use prometheus_client::metrics::{family::Family, gauge::Gauge};

use super::is_true;
use crate::controller::engine::conditions::{
    ACCESS_READY, POLICY_COMPLIANT, RESTART_PENDING, STALLED, SYNCED, VAULT_BACKUP, find, is_work, ready,
};

/// As many databases that aren't ready have a series of their own: those that have waited longest. If all of thousands aren't, a
/// hundred names are enough to see why.
const SHOWN: usize = 100;

labels! {
    /// Labels of a number of databases.
    struct StateLabels {
        /// `ready`, `working`, or `stalled` until a person acts
        state: &'static str,
    }
}

labels! {
    /// Labels of one database that isn't ready.
    struct NotReadyLabels {
        /// namespace of the `Database`
        database_namespace: String,
        /// its name
        database_name: String,
        /// `working`, or `stalled` until a person acts
        state: &'static str,
        /// as the condition `Ready` says it
        reason: String,
    }
}

labels! {
    /// Labels of a number of databases into which the operator looks.
    struct AccessLabels {
        /// as the condition `AccessReady` says it
        reason: &'static str,
    }
}

labels! {
    /// Labels of a number of databases of which there are to be copies in the vault.
    struct VaultLabels {
        /// as the condition `VaultBackup` says it, by its reason
        state: &'static str,
    }
}

labels! {
    /// Labels of a number of servers.
    struct ServerLabels {
        /// major version of PostgreSQL, such as `17`
        version: String,
        /// size, such as `Standard_B1ms`
        sku: String,
        /// the policy's profile
        profile: String,
    }
}

const READY: &str = "ready";
const WORKING: &str = "working";
const STALLS: &str = "stalled";

/// What is told of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Databases {
    states: Family<StateLabels, Gauge>,
    not_ready: Family<NotReadyLabels, Gauge>,
    out_of_sync: Gauge,
    out_of_policy: Gauge,
    restart_pending: Gauge,
    access: Family<AccessLabels, Gauge>,
    vault: Family<VaultLabels, Gauge>,
    servers: Family<ServerLabels, Gauge>,
    versions: Vec<u16>,
}

/// One that isn't ready, since when, and its state.
type NotReady<'a> = (Timestamp, &'static str, &'a Database);

impl Databases {
    pub(super) fn count(databases: &[Arc<Database>]) -> Self {
        let mut counts = Self::default();
        // An alert on a state must see 0, and not nothing.
        for state in [READY, WORKING, STALLS] {
            counts.states.get_or_create(&StateLabels { state }).set(0);
        }
        let (mut not_ready, mut servers) = (Vec::new(), HashMap::<[&str; 3], i64>::new());
        for database in databases {
            let state = state(database);
            counts.states.get_or_create(&StateLabels { state }).inc();
            if state != READY {
                not_ready.push((not_ready_since(database), state, &**database));
            }
            counts.count_conditions(database);
            if let Some(server) = server(database) {
                *servers.entry(server).or_default() += 1;
            }
        }
        counts.show(not_ready);
        for ([version, sku, profile], number) in servers {
            let [version, sku, profile] = [version, sku, profile].map(ToOwned::to_owned);
            counts.versions.extend(version.parse::<u16>().ok());
            counts.servers.get_or_create(&ServerLabels { version, sku, profile }).set(number);
        }
        counts.versions.sort_unstable();
        counts.versions.dedup();
        counts
    }

    /// What lies beside whether it is ready.
    fn count_conditions(&self, database: &Database) {
        let conditions = database.status.as_ref().map_or(&[][..], |status| &status.conditions);
        if find(conditions, SYNCED).is_some_and(|synced| !is_work(&synced.reason)) {
            self.out_of_sync.inc();
        }
        if find(conditions, POLICY_COMPLIANT).is_some_and(|compliant| compliant.status == "False") {
            self.out_of_policy.inc();
        }
        if find(conditions, RESTART_PENDING).is_some_and(is_true) {
            self.restart_pending.inc();
        }
        // Only what the operator says: of any text there would be no end of series.
        if let Some(reason) = find(conditions, ACCESS_READY).and_then(|access| Reason::parse(&access.reason))
        {
            self.access.get_or_create(&AccessLabels { reason: reason.as_str() }).inc();
        }
        if let Some(reason) = find(conditions, VAULT_BACKUP).and_then(|vault| Reason::parse(&vault.reason)) {
            self.vault.get_or_create(&VaultLabels { state: reason.as_str() }).inc();
        }
    }

    /// Shows those that have waited longest.
    fn show(&self, mut not_ready: Vec<NotReady<'_>>) {
        // Of those that were created together the same ones are shown each time.
        not_ready.sort_unstable_by(|(since, _, one), (before, _, other)| {
            (since, name(one)).cmp(&(before, name(other)))
        });
        for (since, state, database) in not_ready.into_iter().take(SHOWN) {
            let [database_namespace, database_name] = name(database).map(ToOwned::to_owned);
            let reason = ready(database.status.as_ref()).map(|ready| ready.reason.clone());
            let reason = reason.unwrap_or_default();
            let labels = NotReadyLabels { database_namespace, database_name, state, reason };
            self.not_ready.get_or_create(&labels).set(since.as_second());
        }
    }

    /// The major versions of their servers.
    pub(super) fn versions(&self) -> &[u16] {
        &self.versions
    }

    pub(super) fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
        teller.metric("databases", "Databases by how they are", Who::Planner, &self.states)?;
        teller.metric(
            "database_not_ready_since_timestamp_seconds",
            "Since when a database isn't ready, of the 100 that have waited longest; of one that never was ready, since it was \
             created",
            Who::OnCall,
            &self.not_ready,
        )?;
        teller.metric(
            "databases_out_of_sync",
            "Databases that are ready, and of which Azure doesn't have what is wanted, or can't be told of it",
            Who::OnCall,
            &self.out_of_sync,
        )?;
        teller.metric(
            "databases_out_of_policy",
            "Databases that the policy would not let be made today",
            Who::Planner,
            &self.out_of_policy,
        )?;
        teller.metric(
            "databases_restart_pending",
            "Databases of which some parameters are in effect only after a restart of the server",
            Who::Planner,
            &self.restart_pending,
        )?;
        teller.metric(
            "databases_access",
            "Databases into whose servers the operator looks by SQL, by what it found last",
            Who::OnCall,
            &self.access,
        )?;
        teller.metric(
            "databases_vault",
            "Databases of which there are to be copies in the Azure Backup vault, by how that is",
            Who::OnCall,
            &self.vault,
        )?;
        teller.metric(
            "servers",
            "Servers of databases; those that are kept without one are not among them",
            Who::Planner,
            &self.servers,
        )
    }
}

/// By its conditions. One that nobody has looked at yet is worked on.
fn state(database: &Database) -> &'static str {
    let Some(status) = &database.status else { return WORKING };
    if find(&status.conditions, STALLED).is_some_and(is_true) {
        STALLS
    } else if ready(Some(status)).is_some_and(is_true) {
        READY
    } else {
        WORKING
    }
}

/// Since when it isn't ready. One that never was has waited since it was created, whatever it said meanwhile.
fn not_ready_since(database: &Database) -> Timestamp {
    let status = database.status.as_ref();
    let was_ready = status.is_some_and(|status| status.host.is_some());
    let since = ready(status).filter(|_| was_ready).map(|ready| ready.last_transition_time.0);
    let created = || database.metadata.creation_timestamp.as_ref().map(|created| created.0);
    since.or_else(created).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Version, size and profile of its server, once Azure has made it.
fn server(database: &Database) -> Option<[&str; 3]> {
    let status = database.status.as_ref()?;
    let server = status.server.as_ref()?;
    let profile = status.policy.as_ref().map(|policy| policy.profile.as_str());
    Some([server.version.as_deref()?, server.sku.as_deref().unwrap_or_default(), profile.unwrap_or_default()])
}

fn name(database: &Database) -> [&str; 2] {
    let metadata = &database.metadata;
    [&metadata.namespace, &metadata.name].map(|part| part.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{super::tests::told, *};

    fn condition(kind: &str, status: &str, reason: &str, hour: u8) -> Value {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": format!("1970-01-01T{hour:02}:00:00Z"),
        })
    }

    /// Created in the first second of 1970.
    fn database(name: &str, status: &Value) -> Arc<Database> {
        let database = json!({
            "metadata": {"name": name, "namespace": "orders", "creationTimestamp": "1970-01-01T00:00:01Z"},
            "spec": {}, "status": status,
        });
        Arc::new(serde_json::from_value(database).unwrap())
    }

    fn counted(databases: &[Arc<Database>]) -> String {
        let databases = Databases::count(databases);
        told(move |teller| databases.tell(teller))
    }

    #[test]
    fn each_database_counts_once_as_what_it_is_now() {
        let ready = |beside: &[Value]| {
            let conditions = [&[condition("Ready", "True", "Ready", 1)][..], beside].concat();
            json!({"conditions": conditions})
        };
        let databases = [
            database("new", &Value::Null),
            database("visited", &json!({})),
            database("fine", &ready(&[])),
            database(
                "stalled",
                &json!({"conditions": [
                    condition("Ready", "False", "SkuNotAvailable", 2), condition("Stalled", "True", "SkuNotAvailable", 2),
                ]}),
            ),
            // Trouble that no app feels is seen all the same.
            database("unsynced", &ready(&[condition("Synced", "False", "AuthorizationFailed", 1)])),
            database("updating", &ready(&[condition("Synced", "False", "Updating", 1)])),
            database("breaks-policy", &ready(&[condition("PolicyCompliant", "False", "OutOfPolicy", 1)])),
            database("complies", &ready(&[condition("PolicyCompliant", "True", "Compliant", 1)])),
            database("restart", &ready(&[condition("RestartPending", "True", "ParameterChanged", 1)])),
            database("settled", &ready(&[condition("AccessReady", "True", "Settled", 1)])),
            database("drifted", &ready(&[condition("AccessReady", "False", "Drifted", 1)])),
            database("protected", &ready(&[condition("VaultBackup", "True", "Protected", 1)])),
            database("stopped", &ready(&[condition("VaultBackup", "False", "ProtectionStopped", 1)])),
            database("of-a-stranger", &ready(&[condition("AccessReady", "False", "Whatever", 1)])),
        ];
        insta::assert_snapshot!(counted(&databases));
    }

    #[rstest]
    #[case::nobody_has_looked(&Value::Null, 1)]
    #[case::never_was_ready(&json!({"conditions": [condition("Ready", "False", "Pending", 5)]}), 1)]
    #[case::was_ready(&json!({"host": "h", "conditions": [condition("Ready", "False", "ServerStopped", 5)]}), 5 * 3600)]
    #[case::lost_its_conditions(&json!({"host": "h"}), 1)]
    fn one_that_is_not_ready_tells_since_when(#[case] status: &Value, #[case] seconds: i64) {
        assert_eq!(not_ready_since(&database("main", status)).as_second(), seconds);
    }

    #[test]
    fn of_many_that_are_not_ready_those_are_shown_that_have_waited_longest() {
        let stopped = |number: u8| {
            let conditions = json!([condition("Ready", "False", "ServerStopped", number / 10)]);
            database(&format!("d{number:03}"), &json!({"host": "h", "conditions": conditions}))
        };
        let mut databases: Vec<_> = (0..120).map(stopped).collect();
        let shown = |databases: &[Arc<Database>]| {
            let text = counted(databases);
            let shown = text.lines().filter(|line| line.starts_with("database_not_ready_since"));
            shown.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let first = shown(&databases);
        assert_eq!(first.len(), SHOWN);
        assert!(first.iter().any(|line| line.contains("\"d099\"")), "{first:?}");
        assert!(!first.iter().any(|line| line.contains("\"d100\"")), "{first:?}");
        databases.reverse();
        assert_eq!(shown(&databases), first);
    }

    #[test]
    fn servers_are_counted_by_version_size_and_profile_once_they_are_made() {
        let on = |name: &str, version: &Value, sku: &str, profile: &str| {
            let server = json!({"name": name, "version": version, "sku": sku});
            database(name, &json!({"server": server, "policy": {"profile": profile}}))
        };
        let databases = [
            on("a", &json!("17"), "Standard_B1ms", "default"),
            on("b", &json!("17"), "Standard_B1ms", "default"),
            on("c", &json!("17"), "Standard_B1ms", "production"),
            on("d", &json!("13"), "Standard_D2ds_v5", "default"),
            on("to-come", &Value::Null, "Standard_B1ms", "default"),
        ];
        let counts = Databases::count(&databases);
        assert_eq!(counts.versions(), [13, 17]);
        let text = counted(&databases);
        let servers: Vec<&str> = text.lines().filter(|line| line.starts_with("servers")).collect();
        assert_eq!(
            servers,
            [
                "servers{version=\"13\",sku=\"Standard_D2ds_v5\",profile=\"default\"} 1",
                "servers{version=\"17\",sku=\"Standard_B1ms\",profile=\"default\"} 2",
                "servers{version=\"17\",sku=\"Standard_B1ms\",profile=\"production\"} 1",
            ]
        );
    }
}
