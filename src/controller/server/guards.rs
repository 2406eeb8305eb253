//! Why a `Database` can't have the server of its name, or not yet: the first guard that says so is told.

use api::{DatabaseRef, reason::Reason};

use super::{ownership::NameHolder, surroundings::Surroundings, transfer};
use crate::{
    azure::{
        self, Adoption,
        adoption::{self, Foreign},
    },
    controller::engine::verdict::Blocked,
};

/// What there is under the name of the server.
pub(crate) struct There<'a> {
    pub(crate) database: DatabaseRef<'a>,
    pub(crate) under: NameHolder<'a>,
    pub(crate) around: Surroundings<'a>,
}

impl There<'_> {
    /// The `Database` that had the server before, and of which the record gives it to this one.
    fn formerly(&self) -> Option<DatabaseRef<'_>> {
        let record = self
            .under
            .record
            .filter(|record| DatabaseRef::parse(&record.spec.database) == Some(self.database))?;
        DatabaseRef::parse(record.spec.formerly.as_deref()?)
    }

    /// Whether the server may be written.
    pub(crate) fn adoption(&self) -> Adoption {
        adoption::judge(self.under.server, self.database, self.formerly(), self.around.here())
    }
}

type Guard = fn(&There<'_>) -> Option<Blocked>;

/// In the order in which they are asked: whose it is comes before what becomes of it.
const GUARDS: &[Guard] =
    &[is_being_recovered, is_taken, is_of_another_namespace, is_being_destroyed, is_not_ours];

/// What the first guard says that has something to say.
pub(crate) fn first(there: &There<'_>) -> Option<Blocked> {
    GUARDS.iter().find_map(|guard| guard(there))
}

fn is_being_recovered(there: &There<'_>) -> Option<Blocked> {
    let (formerly, around) = (there.formerly()?, there.around);
    let is_due = transfer::is_due(around.caches, around.operator_namespace, there.under.name, formerly);
    is_due.then(|| recovering(there.under.name, formerly))
}

fn is_taken(there: &There<'_>) -> Option<Blocked> {
    let why = there.under.conflict_with(there.database)?;
    Some(Blocked::by(
        Reason::ServerNameTaken,
        format!(
            "{why}; it is left alone. Give this Database another name, or find out what that object is for"
        ),
    ))
}

fn is_being_destroyed(there: &There<'_>) -> Option<Blocked> {
    let is_ended = there.under.server.is_some_and(azure::is_being_ended);
    let server_name = there.under.name;
    is_ended.then(|| Blocked::by(
        Reason::ServerBeingDestroyed,
        format!(
            "Server {server_name} is being destroyed with all its data, as was decided before this Database was applied; \
             a new and empty one is made once it is gone"
        ),
    ))
}

/// The namespace may have been deleted and made again, by whoever got its name.
fn is_of_another_namespace(there: &There<'_>) -> Option<Blocked> {
    let (record, around) = (there.under.record?, there.around);
    // Where it was given to another Database, the policy has consented to that.
    if record.spec.formerly.is_some() {
        return None;
    }
    let (then, now) = (record.spec.namespace_uid.as_deref()?, around.namespace_uid?);
    let database = DatabaseRef::parse(&record.spec.database)?;
    let namespace = database.namespace;
    let is_allowed = then == now
        || around.policy.recoveries.iter().any(|recovery| recovery.is_of_its_own(database, around.today));
    (!is_allowed).then(|| {
        Blocked::by(Reason::NamespaceRecreated,
            format!(
                "Server {} is kept of Database {database} of a namespace {namespace} that was deleted; this is another \
                 namespace of the same name, and may be another team's. If it is to have that data, ask the platform team \
                 to write {{from: {database}, to: {database}, until: <last day>, reason: <why>}} under recoveries in \
                 ConfigMap {}; else give this Database another name",
                record.spec.server.name, around.policy_name
            ),
        )
    })
}

/// What Azure has under this server's name is another's. Nothing here advises to remove it: it may hold data.
fn is_not_ours(there: &There<'_>) -> Option<Blocked> {
    let Adoption::Foreign(foreign) = there.adoption() else { return None };
    let (server_name, policy_name) = (there.under.name, there.around.policy_name);
    let message = match foreign {
        Foreign::Tags { told, needed } => format!(
            "Azure has a server {server_name} already, and nothing says that it is this Database's own ({told}); it is left \
             alone. If it is, because its tags were lost, have the platform team give it the tags {needed} in Azure. Else \
             give this Database another name. It is looked at again every hour"
        ),
        Foreign::Cluster(uid) => format!(
            "Server {server_name} in Azure belongs to another cluster, whose namespace kube-system has the uid {uid}; it is \
             left alone. If that cluster is gone for good, have the platform team write {uid} under azure.takeOverFrom in \
             ConfigMap {policy_name}. Else have it give one of the clusters another azure.clusterName, or give this Database \
             another name. It is looked at again every hour"
        ),
    };
    Some(Blocked::by(Reason::ServerNotOurs, message))
}

/// The status names a server, and nothing says that it is its own.
pub(crate) fn unknown(recorded: &str, derived: &str, operator_namespace: &str) -> Blocked {
    Blocked::by(
        Reason::ServerNameUnknown,
        format!(
            "status.server.name is {recorded}, while this Database would get {derived}, and nothing in namespace \
             {operator_namespace} says that {recorded} belongs to it; nothing is touched. If the server is this \
             Database's own, the platform team must write a RetainedDatabase {recorded} that says so"
        ),
    )
}

/// What a `Database` is told while the server of another one becomes its own.
pub(crate) fn recovering(server_name: &str, formerly: DatabaseRef<'_>) -> Blocked {
    Blocked::by(
        Reason::Recovering,
        format!("Server {server_name}, which was kept of Database {formerly}, is being brought back here"),
    )
}

#[cfg(test)]
mod tests {
    use api::RetainedDatabase;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::{
        engine::cache::Health,
        golden::{example_in_force, example_with_recovery, in_an_empty_cluster, in_force, unasked},
    };

    const MAIN: DatabaseRef<'_> = DatabaseRef::new("orders", "main");

    fn record(more: &Value) -> RetainedDatabase {
        let mut record = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "metadata": {"name": "srv"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted", "since": "2026-11-01T12:00:00Z",
                "namespaceUid": "then",
            },
        });
        json_patch::merge(&mut record["spec"], more);
        serde_json::from_value(record).unwrap()
    }

    const AGAIN: &str = "NamespaceRecreated";

    /// A namespace of the same name may be another team's.
    #[rstest]
    #[case::the_same(json!({}), Some("then"), None, None)]
    #[case::another(json!({}), Some("now"), None, Some(AGAIN))]
    #[case::that_the_policy_lets_have_it(json!({}), Some("now"), Some("{from: orders/main, to: orders/main, until: 2026-11-24, reason: moved}"), None)]
    #[case::that_the_policy_let_have_it_until_yesterday(json!({}), Some("now"), Some("{from: orders/main, to: orders/main, until: 2026-11-23, reason: moved}"), Some(AGAIN))]
    #[case::another_database_is_let(json!({}), Some("now"), Some("{from: orders/main, to: orders/other, until: 2026-11-24, reason: moved}"), Some(AGAIN))]
    // For that the policy was asked.
    #[case::given_to_another(json!({"database": "orders/main", "formerly": "reports/old"}), Some("now"), None, None)]
    #[case::it_is_not_known_now(json!({}), None, None, None)]
    #[case::it_was_not_known_then(json!({"namespaceUid": null}), Some("now"), None, None)]
    #[tokio::test]
    async fn what_is_kept_of_another_namespace_stays_there(
        #[case] spec: Value,
        #[case] now: Option<&str>,
        #[case] recovery: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let state = recovery.map_or_else(example_in_force, |entry| in_force(example_with_recovery(entry)));
        let context = in_an_empty_cluster(&Health::Synced, unasked());
        let record = record(&spec);
        let there = There {
            database: MAIN,
            under: NameHolder {
                name: "srv",
                operator_namespace: &context.operator_namespace,
                record: Some(&record),
                server: None,
                identity: None,
            },
            around: Surroundings::of(&context, state.policy().unwrap(), now),
        };
        let told = first(&there);
        assert_eq!(told.as_ref().map(|why| why.cause.as_str()), expected);
    }
}
