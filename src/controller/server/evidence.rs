//! What says that a `Database` has data already, and whether they are still there. Pure.
//!
//! Something that isn't there is made only where nothing says that it was: an empty server in the place of one with data is
//! worse than none.

use api::{DatabaseSpec, DatabaseStatus, RetainedDatabase, annotations::ACCEPT_EMPTY, reason::Reason};
use jiff::Timestamp;

use crate::{
    azure::{
        AsoObject, FlexibleServer, FlexibleServersDatabase, SKIP, adoption,
        condition::{self, Progress},
        has_policy,
    },
    controller::engine::verdict::Blocked,
};

/// Everything that speaks of the data of one `Database`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// Name of the server in Azure.
    pub(crate) server_name: &'a str,
    /// Azure Service Operator's object of it.
    pub(crate) server: Option<&'a FlexibleServer>,
    /// Azure Service Operator's object of the database in it.
    pub(crate) inner: Option<&'a FlexibleServersDatabase>,
    pub(crate) status: Option<&'a DatabaseStatus>,
    /// The record, where it is kept.
    pub(crate) record: Option<&'a RetainedDatabase>,
    /// What somebody has written as `altinn.app/accept-empty`.
    pub(crate) said: Option<&'a str>,
    /// Whether that names this server, and its day isn't over.
    pub(crate) accepts_today: bool,
}

impl Evidence<'_> {
    /// Whether Azure made the server once.
    pub(crate) fn server_was_made(&self) -> bool {
        let in_status = self.status.and_then(|status| status.server.as_ref()?.id.as_ref()).is_some();
        let in_record = self.record.is_some_and(|record| record.spec.server.id.is_some());
        let in_azure = self.server.is_some_and(|server| server.created_status().is_some());
        // It is made in the server.
        in_status || in_record || in_azure || self.inner.is_some_and(was_seen)
    }

    /// Whether Azure made the database in the server once: an app could connect, or ASO has seen it.
    pub(crate) fn database_was_made(&self) -> bool {
        let could_connect = self.status.is_some_and(|status| status.host.is_some());
        let in_record = self.record.is_some_and(|record| record.spec.database_name.is_some());
        could_connect || in_record || self.inner.is_some_and(was_seen)
    }

    /// When Azure made the server that has the data, as it was seen then.
    fn created_before(&self) -> Option<Timestamp> {
        // One that was deleted while Azure was making its server is kept since before that.
        let in_record =
            self.record.filter(|record| record.spec.server.id.is_some()).map(|record| record.spec.since.0);
        let in_status =
            self.status.and_then(|status| status.server.as_ref()?.created_at.as_ref()).map(|time| time.0);
        in_status.or(in_record)
    }

    /// Whether an empty one will do. What was said counts for one loss: not for another of the same day, nor by a clock that is
    /// behind.
    pub(crate) fn accepts_empty(&self) -> bool {
        self.accepts_today && self.said != self.has_accepted()
    }

    /// What was said of a loss that is over.
    fn has_accepted(&self) -> Option<&str> {
        self.status?.accepted_empty.as_deref()
    }

    /// What was said, and has counted: everything is there, as far as Azure Service Operator tells.
    pub(crate) fn accepted_empty(&self) -> Option<String> {
        fn is_ready<K: AsoObject>(object: Option<&K>) -> bool {
            object.is_some_and(|object| condition::progress(object) == Progress::Ready)
        }
        let is_whole = is_ready(self.server) && is_ready(self.inner) && self.missing().is_none();
        self.said.filter(|_| is_whole).or_else(|| self.has_accepted()).map(str::to_owned)
    }

    /// What keeps the database from going on: its data are gone, or may be.
    pub(crate) fn loss(&self) -> Option<Blocked> {
        self.missing().filter(|_| !self.accepts_empty())
    }

    fn missing(&self) -> Option<Blocked> {
        let how = how_to_accept(self.has_accepted());
        let server_name = self.server_name;
        let restore = "for five days after it was deleted the platform team can restore it in Azure \
                       (https://learn.microsoft.com/azure/postgresql/backup-restore/how-to-restore-dropped-server)";
        if self.server.is_some_and(is_gone) && self.server_was_made() {
            return Some(Blocked::by(
                Reason::ServerGone,
                format!(
                    "Azure has no server {server_name} any more, and nothing empty is made in its place; {restore}. To go on \
                     with an empty one, annotate this Database with {ACCEPT_EMPTY}: {server_name}@{how}"
                ),
            ));
        }
        if let Some((created_at, before)) =
            self.server.and_then(FlexibleServer::created_at).zip(self.created_before())
            && created_at > before
        {
            return Some(Blocked::by(
                Reason::ServerRecreated,
                format!(
                    "Server {server_name} in Azure is not the one that this Database had: that one was deleted, and this one \
                     is empty, unless somebody has restored it. Look what it holds; {restore}. To go on with this one as it \
                     is, annotate this Database with {ACCEPT_EMPTY}: {server_name}@{how}"
                ),
            ));
        }
        if self.inner.is_some_and(is_gone) && self.database_was_made() {
            let name = self.inner.map_or("", |inner| &inner.spec.azure_name);
            return Some(Blocked::by(
                Reason::DatabaseGone,
                format!(
                    "Server {server_name} has no database {name} any more, and no empty one is made in its place; the \
                     platform team can restore the server to a moment before that, as another server. To go on with an empty \
                     one, annotate this Database with {ACCEPT_EMPTY}: {server_name}@{how}"
                ),
            ));
        }
        None
    }

    /// The name of the database in the server: what stands for it, what was written down of it, or its server's tag. `None`
    /// where none was made. Nobody guesses it for a server that was found: the data may be under another name.
    pub(crate) fn database_name(&self, spec: &DatabaseSpec) -> Result<Option<String>, Blocked> {
        let some = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let known = self
            .inner
            .and_then(|inner| some(&inner.spec.azure_name))
            .or_else(|| some(self.record?.spec.database_name.as_deref()?))
            .or_else(|| some(adoption::database_name(self.server?)?))
            .or_else(|| some(self.status?.database_name.as_deref()?));
        let is_found =
            self.server.is_some_and(|server| adoption::is_probe(server) && server.created_status().is_some());
        if known.is_some() || !is_found || spec.database_name.is_some() {
            return Ok(known);
        }
        Err(Blocked::by(
            Reason::DatabaseNameUnknown,
            format!(
                "Azure has this Database's server {}, and nothing says what the database in it is called; write its name as \
                 spec.databaseName",
                self.server_name
            ),
        ))
    }
}

/// What stands behind the name of the server in `altinn.app/accept-empty`; `before` is what has counted already.
pub(crate) fn how_to_accept(before: Option<&str>) -> String {
    match before {
        Some(before) => format!("<last day> ({before} has counted for a former one)"),
        None => "<last day>".to_owned(),
    }
}

/// Whether ASO says that Azure has no such resource.
fn is_gone<K: AsoObject>(object: &K) -> bool {
    adoption::is_absent(&condition::progress(object))
}

/// Whether ASO has seen the resource in Azure: only what was ready once is left to be looked at.
fn was_seen<K: AsoObject>(object: &K) -> bool {
    has_policy(object, SKIP) || condition::progress(object) == Progress::Ready
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::evidence::*;

    /// ASO's object of a kind, by its reconcile policy and what ASO says of it.
    fn object<K: serde::de::DeserializeOwned>(kind: &str, policy: &str, reason: &str, more: &Value) -> K {
        let (status, severity) = if reason == "Succeeded" { ("True", "") } else { ("False", "Warning") };
        let mut object = json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": kind,
            "metadata": {
                "name": "srv", "generation": 1,
                "annotations": {"serviceoperator.azure.com/reconcile-policy": policy},
            },
            "spec": {"azureName": "main", "owner": {}, "location": "x"},
            "status": {"conditions": [{
                "type": "Ready", "status": status, "severity": severity, "reason": reason, "observedGeneration": 1,
            }]},
        });
        object["status"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn server(reason: &str, more: Value) -> FlexibleServer {
        object("FlexibleServer", "skip", reason, &more)
    }

    fn inner(policy: &str, reason: &str) -> FlexibleServersDatabase {
        object("FlexibleServersDatabase", policy, reason, &json!({}))
    }

    fn status(status: Value) -> DatabaseStatus {
        serde_json::from_value(status).unwrap()
    }

    fn record(spec: Value) -> RetainedDatabase {
        let mut whole = json!({
            "database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted", "since": "2026-11-01T12:00:00Z",
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "metadata": {"name": "srv"}, "spec": whole,
        }))
        .unwrap()
    }

    const NOTHING: Evidence<'_> = Evidence {
        server_name: "srv",
        server: None,
        inner: None,
        status: None,
        record: None,
        said: None,
        accepts_today: false,
    };

    fn reason(evidence: Evidence<'_>) -> Option<String> {
        let accepted = Evidence { said: Some("srv@2026-11-28"), accepts_today: true, ..evidence };
        assert_eq!(accepted.loss(), None, "whoever accepts it goes on");
        evidence.loss().map(|why| why.cause.as_str().to_owned())
    }

    #[test]
    fn what_is_accepted_counts_for_one_loss() {
        const SAID: Option<&str> = Some("srv@2026-11-28");
        let (gone, there, inner) = (
            server(absent(), json!({"id": "/s"})),
            server("Succeeded", json!({"id": "/s"})),
            inner("skip", "Succeeded"),
        );
        let (fresh, used) =
            (status(json!({"host": "h"})), status(json!({"host": "h", "acceptedEmpty": "srv@2026-11-28"})));
        let lost = Evidence {
            server: Some(&gone),
            said: SAID,
            accepts_today: true,
            status: Some(&fresh),
            ..NOTHING
        };
        assert!(lost.accepts_empty() && lost.loss().is_none() && lost.accepted_empty().is_none());
        // Once everything is there it has counted, whether it was needed or not: for a clock that goes back, too.
        let whole = Evidence { server: Some(&there), inner: Some(&inner), ..lost };
        assert_eq!(whole.accepted_empty().as_deref(), SAID);
        assert_eq!(Evidence { accepts_today: false, ..whole }.accepted_empty().as_deref(), SAID);
        // But not before that: what was said must hold until the empty one is whole.
        let not_yet = object("FlexibleServersDatabase", "skip", "ServerIsBusy", &json!({}));
        for missing in [
            Evidence { inner: Some(&not_yet), ..whole },
            Evidence { server: None, ..whole },
            Evidence { inner: None, ..whole },
        ] {
            assert_eq!(missing.accepted_empty(), None, "{missing:?}");
        }
        let again = Evidence { status: Some(&used), ..lost };
        let told = again.loss().unwrap().message;
        assert!(!again.accepts_empty() && told.contains("srv@2026-11-28 has counted"), "{told}");
        assert_eq!(again.accepted_empty().as_deref(), SAID, "and stays so");
        let another = Evidence { said: Some("srv@2026-11-29"), ..again };
        assert!(another.accepts_empty() && another.loss().is_none());
    }

    fn absent() -> &'static str {
        "AzureResourceNotFound"
    }

    #[rstest]
    #[case::never_made(json!({}), None, json!({}), None)]
    #[case::in_the_status(json!({"server": {"name": "srv", "id": "/s"}}), None, json!({}), Some("ServerGone"))]
    #[case::named_and_never_made(json!({"server": {"name": "srv"}}), None, json!({}), None)]
    #[case::in_the_record(json!({}), Some(json!({"server": {"name": "srv", "id": "/s"}})), json!({}), Some("ServerGone"))]
    #[case::deleted_before_it_was_made(json!({}), Some(json!({})), json!({}), None)]
    #[case::seen_in_azure(json!({}), None, json!({"id": "/s"}), Some("ServerGone"))]
    fn a_server_that_there_was_is_not_taken_for_one_that_is_not_made_yet(
        #[case] told: Value,
        #[case] kept: Option<Value>,
        #[case] azure: Value,
        #[case] expected: Option<&str>,
    ) {
        let (status, record, server) = (status(told), kept.map(record), server(absent(), azure.clone()));
        let evidence =
            Evidence { server: Some(&server), status: Some(&status), record: record.as_ref(), ..NOTHING };
        assert_eq!(reason(evidence).as_deref(), expected);
        // While Azure doesn't say, nothing is gone.
        for other in ["AuthorizationFailed", "Succeeded"] {
            let server = self::server(other, azure.clone());
            assert_eq!(reason(Evidence { server: Some(&server), ..evidence }), None, "{other}");
        }
    }

    #[test]
    fn the_object_of_the_database_in_it_tells_too_that_there_was_a_server() {
        let (server, inner) = (server(absent(), json!({})), inner("skip", absent()));
        let evidence = Evidence { server: Some(&server), inner: Some(&inner), ..NOTHING };
        assert_eq!(reason(evidence).as_deref(), Some("ServerGone"));
    }

    #[rstest]
    #[case::the_same("2026-10-01T12:00:00Z", json!({"server": {"name": "srv", "createdAt": "2026-10-01T12:00:00Z"}}), None, None)]
    #[case::the_same_to_the_second(
        "2026-10-01T12:00:00.956143Z", json!({"server": {"name": "srv", "createdAt": "2026-10-01T12:00:00Z"}}), None, None
    )]
    #[case::a_later_one(
        "2026-11-20T12:00:00Z", json!({"server": {"name": "srv", "createdAt": "2026-10-01T12:00:00Z"}}), None,
        Some("ServerRecreated")
    )]
    #[case::after_it_was_kept(
        "2026-11-20T12:00:00Z", json!({}), Some(json!({"server": {"name": "srv", "id": "/s"}})), Some("ServerRecreated")
    )]
    #[case::deleted_while_it_was_made("2026-11-01T12:00:05Z", json!({}), Some(json!({})), None)]
    #[case::nothing_tells("2026-11-20T12:00:00Z", json!({}), None, None)]
    fn a_server_that_was_made_later_is_another_one(
        #[case] created_at: &str,
        #[case] told: Value,
        #[case] kept: Option<Value>,
        #[case] expected: Option<&str>,
    ) {
        let azure = json!({"id": "/s", "systemData": {"createdAt": created_at}});
        let (status, record, server) = (status(told), kept.map(record), server("Succeeded", azure));
        let evidence =
            Evidence { server: Some(&server), status: Some(&status), record: record.as_ref(), ..NOTHING };
        assert_eq!(reason(evidence).as_deref(), expected);
    }

    #[rstest]
    #[case::at_rest("skip", absent(), json!({}), Some("DatabaseGone"))]
    #[case::there("skip", "Succeeded", json!({}), None)]
    #[case::being_made("detach-on-delete", absent(), json!({}), None)]
    #[case::being_made_again("detach-on-delete", absent(), json!({"host": "h"}), Some("DatabaseGone"))]
    fn a_database_that_there_was_is_not_taken_for_one_that_is_not_made_yet(
        #[case] policy: &str,
        #[case] said: &str,
        #[case] told: Value,
        #[case] expected: Option<&str>,
    ) {
        let server = server("Succeeded", json!({"id": "/s"}));
        let (inner, status) = (inner(policy, said), status(told));
        let evidence =
            Evidence { server: Some(&server), inner: Some(&inner), status: Some(&status), ..NOTHING };
        assert_eq!(reason(evidence).as_deref(), expected);
    }

    #[test]
    fn the_name_of_the_database_is_known_or_asked_for_and_never_guessed() {
        let named = DatabaseSpec { database_name: Some("orders".to_owned()), ..DatabaseSpec::default() };
        let found = server("Succeeded", json!({"id": "/s"}));
        let name = |evidence: Evidence<'_>| evidence.database_name(&DatabaseSpec::default());
        // Nothing was made: it will be called as the spec says.
        assert_eq!(name(NOTHING), Ok(None));
        let unknown = Evidence { server: Some(&found), ..NOTHING };
        assert!(name(unknown).unwrap_err().is_by(Reason::DatabaseNameUnknown));
        assert_eq!(unknown.database_name(&named), Ok(None));
        let tagged =
            server("Succeeded", json!({"id": "/s", "tags": {"database-operator-database": "by_tag"}}));
        let tagged = Evidence { server: Some(&tagged), ..NOTHING };
        assert_eq!(name(tagged), Ok(Some("by_tag".to_owned())));
        let record = record(json!({"databaseName": "by_record"}));
        let recorded = Evidence { record: Some(&record), ..tagged };
        assert_eq!(name(recorded), Ok(Some("by_record".to_owned())));
        let inner = inner("skip", "Succeeded");
        assert_eq!(name(Evidence { inner: Some(&inner), ..recorded }), Ok(Some("main".to_owned())));
        let status = status(json!({"databaseName": "by_status"}));
        assert_eq!(name(Evidence { status: Some(&status), ..unknown }), Ok(Some("by_status".to_owned())));
    }
}
