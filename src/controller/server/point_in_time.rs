//! Where the data come from of a server that is made with those of another one, as `spec.restoreFrom` says. Pure.
//!
//! It counts as long as nothing says that Azure has made the server. What Azure was asked for is read back from the server's
//! object, so that a moment that nobody wrote is the same in each pass, and the source may go once Azure is at it.

use api::{Database, DatabaseRef, DatabaseSpec, RestoreFrom, reason::Reason};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use policy::{
    Denial, Policy, Problem, Recorded, resource_id,
    restoring::{self, Origin, Source, comes_along},
};

use super::{caches::Caches, describe::Server, guards::There, password, surroundings::Surroundings};
use crate::{
    azure::{
        self, Adoption, FlexibleServer, RestoreSource, adoption,
        condition::{self, Progress},
        is_apps, names, parameters,
    },
    controller::engine::verdict::Blocked,
};

/// Where the data come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Restore {
    /// What Azure is asked for.
    pub(crate) source: RestoreSource,
    /// What the server has in the same way; `None` where nothing is known of the source, or no more.
    pub(crate) known: Option<Source>,
    /// Whether Azure is at it, and other data are wanted since.
    pub(crate) is_other: bool,
}

/// `None` for a server that is there, was, or is made empty.
pub(super) fn restore(
    database: &Database,
    there: &There<'_>,
    was_made: bool,
) -> Result<Option<Restore>, Blocked> {
    if was_made {
        return Ok(None);
    }
    let wanted = wanted(database, there);
    // Azure is asked first whether it has the server: what can't be restored today may have been long ago.
    if there.adoption() == Adoption::Manage { wanted } else { Ok(wanted.ok().flatten()) }
}

fn wanted(database: &Database, there: &There<'_>) -> Result<Option<Restore>, Blocked> {
    let (whose, around) = (there.database, there.around);
    let origin = database.spec.restore_from.as_ref().map(|from| restoring::origin(from, whose));
    let asked = there.under.server.and_then(|server| Some((server, RestoreSource::of(server)?)));
    if let Some((server, source)) = asked.clone().filter(|(server, _)| is_under_way(server)) {
        // It was judged when Azure was asked, and what is written since changes nothing.
        let origin = origin.and_then(Result::ok);
        let found = origin.as_ref().and_then(|origin| source_server(origin, &around));
        let is_other =
            database.spec.restore_from.as_ref().zip(origin.as_ref()).is_some_and(|(from, origin)| {
                let id = found.as_ref().and_then(|server| server.created_status()?.id.as_deref());
                is_other(from, origin, id, &source, around.now)
            });
        let known = found.zip(origin).map(|(server, origin)| known(&server, &origin, &around));
        return Ok(Some(Restore { source, known: Some(as_asked(known, server)), is_other }));
    }
    let (Some(from), Some(origin)) = (&database.spec.restore_from, origin) else { return Ok(None) };
    let origin = origin.map_err(|problem| impossible(vec![problem], &around))?;
    let time = restoring::moment(from, around.now).map_err(|problem| impossible(vec![problem], &around))?;
    restoring::allowed(&origin, whose, around.policy, around.today)
        .map_err(|problem| not_allowed(problem, &around))?;
    judge_policy(&around)?;
    let (id, location, known) = match source_server(&origin, &around) {
        Some(server) => {
            judge_server(&server, &origin, whose, &around)?;
            let known = known(&server, &origin, &around);
            judge_spec(&database.spec, from, &origin, &known, &around)?;
            judge_moment(&server, &origin, time, &around)?;
            let id = server.created_status().and_then(|status| status.id.clone()).unwrap_or_default();
            (id, known.comes_along.location.clone(), Some(known))
        }
        None => match origin {
            Origin::Server(id) => {
                judge_administrator(resource_id::name(id), &origin, &around)?;
                (id.to_owned(), None, None)
            }
            Origin::Database(namespace, name) => return Err(unknown(namespace, name)),
        },
    };
    let earliest = known.as_ref().and_then(|known| known.earliest);
    let time = time.unwrap_or_else(|| latest(asked.as_ref(), &id, earliest, around.now));
    if let Some(earliest) = earliest.filter(|earliest| time < *earliest) {
        return Err(too_early(&origin, earliest));
    }
    Ok(Some(Restore { source: RestoreSource { id, time, location }, known, is_other: false }))
}

/// Whether other data are wanted than Azure was asked for; `found` is the resource id of the server that is wanted, if it is known.
fn is_other(
    from: &RestoreFrom,
    origin: &Origin<'_>,
    found: Option<&str>,
    asked: &RestoreSource,
    now: Timestamp,
) -> bool {
    let id = match origin {
        Origin::Server(id) => Some(*id),
        Origin::Database(..) => found,
    };
    let time = restoring::moment(from, now).ok().flatten();
    id.is_some_and(|id| !id.eq_ignore_ascii_case(&asked.id)) || time.is_some_and(|time| time != asked.time)
}

/// Whether Azure does what it was asked for. If not, it is asked for what is written now.
fn is_under_way(server: &FlexibleServer) -> bool {
    !matches!(condition::progress(server), Progress::GaveUp { .. } | Progress::Retrying { .. })
}

/// So long a moment stays that nobody wrote and Azure has refused.
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// The moment where none is written. One that Azure Service Operator is trying stays, and one that Azure has refused does for a
/// while, or each pass would ask for another. None stays of which there is no backup.
fn latest(
    asked: Option<&(&FlexibleServer, RestoreSource)>,
    id: &str,
    earliest: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let stays = |(server, asked): &&(&FlexibleServer, RestoreSource)| {
        let is_tried = matches!(condition::progress(*server), Progress::Retrying { .. });
        asked.id.eq_ignore_ascii_case(id)
            && (is_tried || (SignedDuration::ZERO..LATEST).contains(&now.duration_since(asked.time)))
            && earliest.is_none_or(|earliest| earliest <= asked.time)
    };
    asked.filter(stays).map_or_else(|| full_second(now), |(_, asked)| asked.time)
}

/// What is known of a source, with what the server's object tells of it: the source may be gone.
fn as_asked(known: Option<Source>, server: &FlexibleServer) -> Source {
    let mut source = known.unwrap_or_default();
    let running = &mut source.comes_along.running;
    running.database_name = adoption::database_name(server).map(str::to_owned);
    source.comes_along.location = Some(server.spec.location.clone());
    source
}

/// The roles that own the data of a server that no `Database` has, as the policy says that gives them.
pub(super) fn owners(database: &Database, policy: &Policy) -> Vec<String> {
    let whose = DatabaseRef::of(database);
    let Some(from) = &database.spec.restore_from else { return Vec::new() };
    let Ok(origin) = restoring::origin(from, whose) else { return Vec::new() };
    let given = policy.copies.iter().filter(|copy| copy.is_about(&origin, whose));
    given.flat_map(|copy| copy.owners.clone()).collect()
}

/// The `Database` whose server Azure is making with the data of this one, given by its resource id: without them, that is lost.
pub(crate) fn copied_to(caches: &Caches, id: &str) -> Option<String> {
    let is_copy = |server: &FlexibleServer| {
        let source = RestoreSource::of(server).filter(|_| server.created_status().is_none());
        source.is_some_and(|source| source.id.eq_ignore_ascii_case(id))
            && !matches!(condition::progress(server), Progress::GaveUp { .. })
    };
    let copy = Server::from(caches.servers.cache.find(is_copy)?);
    Some(copy.labelled().map_or_else(|| copy.name(), |database| database.to_string()))
}

/// For people to read.
fn full_second(time: Timestamp) -> Timestamp {
    time.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor)).unwrap_or(time)
}

/// The object of the server whose data are wanted, if Azure has made it and it is the other database's own. What its labels and
/// its tags in Azure say counts; a status says nothing, for whoever may write one could name any server in it.
fn source_server(origin: &Origin<'_>, around: &Surroundings<'_>) -> Option<FlexibleServer> {
    let Origin::Database(namespace, name) = *origin else { return None };
    let source = DatabaseRef::new(namespace, name);
    let is_its = |server: &FlexibleServer| {
        server.created_status().is_some()
            && !azure::is_being_ended(server)
            && adoption::judge(Some(server), source, None, around.here()) == Adoption::Manage
    };
    let is_kept_on = |server: &FlexibleServer| {
        let record =
            around.records.get(&ObjectRef::new(&server.spec.azure_name).within(around.operator_namespace));
        record.is_none_or(|record| !record.is_being_destroyed())
    };
    let mut servers = around.caches.servers.of(around.operator_namespace, source);
    servers.retain(|server| is_its(server) && is_kept_on(server));
    // Of two it is the one that it would get today.
    let derived = names::server(&around.policy.azure.cluster_name.value, source);
    match servers.iter().position(|server| server.spec.azure_name == derived) {
        Some(place) => Some(servers.swap_remove(place)),
        None if servers.len() == 1 => servers.pop(),
        None => None,
    }
}

/// What a restored server has of this one, and what it must be told to have.
fn known(server: &FlexibleServer, origin: &Origin<'_>, around: &Surroundings<'_>) -> Source {
    let spec = adoption::found(server);
    let running = server.created_status().map(|status| DatabaseSpec {
        sku: status.sku.as_ref().map(|sku| sku.name.clone()),
        database_name: adoption::database_name(server).map(str::to_owned),
        ..azure::settings::running(&spec, status)
    });
    let running = running.unwrap_or_default();
    let settings = match *origin {
        Origin::Database(namespace, name) => {
            let source = DatabaseRef::new(namespace, name);
            let mut configurations = around.caches.configurations.of(around.operator_namespace, source);
            // It may have another server, whose objects are labelled in the same way.
            configurations.retain(|object| object.spec.owner.name.as_ref() == Some(&server.spec.azure_name));
            let (extensions, parameters) = parameters::read(configurations.iter().map(|object| &object.spec));
            Some(DatabaseSpec {
                extensions: Some(extensions),
                parameters: Some(parameters),
                ..DatabaseSpec::default()
            })
        }
        Origin::Server(_) => None,
    };
    Source {
        comes_along: comes_along(Recorded { running, is_whole: false, location: Some(spec.location) }),
        settings,
        earliest: server.earliest_restore(),
    }
}

/// Whether its data may come here: into the same kind of network, by the hands of the platform's administrator, and to nobody who
/// has but got the name of a namespace that was deleted.
fn judge_server(
    server: &FlexibleServer,
    origin: &Origin<'_>,
    whose: DatabaseRef<'_>,
    around: &Surroundings<'_>,
) -> Result<(), Blocked> {
    let name = &server.spec.azure_name;
    let is_private = adoption::found(server).network.is_private();
    if is_private != around.policy.azure.network.private.is_some() {
        let (theirs, here) = if is_private { ("is", "are not") } else { ("is not", "are") };
        return Err(Blocked::by(
            Reason::RestoreImpossible,
            format!(
                "Server {name} of Database {origin} {theirs} in a virtual network, and new servers {here}, by azure.network of \
                 ConfigMap {}; Azure restores only into the same kind of network, so nothing is restored, and no server is \
                 made. Ask the platform team, or, to have an empty one, delete this Database and apply it without \
                 spec.restoreFrom",
                around.policy_name
            ),
        ));
    }
    judge_administrator(name, origin, around)?;
    let is_own_namespace = matches!(origin, Origin::Database(namespace, _) if *namespace == whose.namespace);
    let then = adoption::namespace_uid(server);
    let is_of_another = then.zip(around.namespace_uid).is_some_and(|(then, now)| then != now);
    if is_own_namespace && is_of_another {
        restoring::granted(origin, whose, around.policy, around.today)
            .map_err(|problem| not_allowed(of_another_namespace(origin, problem), around))?;
    }
    Ok(())
}

/// Whether the operator can hand the data of this server on.
fn judge_administrator(name: &str, origin: &Origin<'_>, around: &Surroundings<'_>) -> Result<(), Blocked> {
    let administrator = around.caches.administrators.get(around.operator_namespace, name);
    let is_the_apps = administrator.is_some_and(|administrator| is_apps(&administrator.spec, name));
    if is_the_apps {
        return Err(Blocked::by(
            Reason::RestoreImpossible,
            format!(
                "The app administers server {name}, so that the operator can't give its data to another login, and nothing is \
                 restored. The platform team must write azure.administrator in ConfigMap {}; once condition AccessReady of \
                 {origin} is True, this goes on by itself",
                around.policy_name
            ),
        ));
    }
    Ok(())
}

/// Whether the platform administered the server at that moment. What the app owned as its administrator is the former login's in a
/// copy of then, and nothing tells the operator that this login is not to get in.
fn judge_moment(
    server: &FlexibleServer,
    origin: &Origin<'_>,
    time: Option<Timestamp>,
    around: &Surroundings<'_>,
) -> Result<(), Blocked> {
    let name = &server.spec.azure_name;
    // It came beside the app's, so that there was an app's before.
    let came = around
        .caches
        .administrators
        .get(around.operator_namespace, &names::platform_administrator(name))
        .and_then(|administrator| Some(administrator.creation_timestamp()?.0));
    let (Some(time), Some(came)) = (time, came) else { return Ok(()) };
    if time >= came {
        return Ok(());
    }
    let id = server.created_status().and_then(|status| status.id.as_deref()).unwrap_or_default();
    Err(Blocked::by(
        Reason::RestoreImpossible,
        format!(
            "The app administered server {name} until {came}, so that at {time} the data were its former login's, and the operator \
             can't tell whom to hand them to; nothing is restored. Write a later spec.restoreFrom.time. For that moment, the platform \
             team must write fromServer: {id} and owners: [{name}, {}] under copies in ConfigMap {}, and who wrote the spec \
             spec.restoreFrom.serverId and spec.databaseName in the place of {origin}",
            password::LOGIN,
            around.policy_name
        ),
    ))
}

fn judge_policy(around: &Surroundings<'_>) -> Result<(), Blocked> {
    if around.policy.azure.administrator.is_some() {
        return Ok(());
    }
    Err(Blocked::by(
        Reason::RestoreImpossible,
        format!(
            "ConfigMap {} has no azure.administrator, so that apps administer their servers, and the operator can't give restored \
             data to another login; nothing is restored. Ask the platform team to write it",
            around.policy_name
        ),
    ))
}

fn of_another_namespace(origin: &Origin<'_>, problem: Problem) -> Problem {
    let why = format!(
        "server of {origin} is kept of a namespace that was deleted, and this is another one of the same name; "
    );
    Problem { text: why + &problem.text, ..problem }
}

fn judge_spec(
    spec: &DatabaseSpec,
    from: &RestoreFrom,
    origin: &Origin<'_>,
    source: &Source,
    around: &Surroundings<'_>,
) -> Result<(), Blocked> {
    let problems = restoring::against_source(spec, from, &origin.to_string(), source, around.now);
    if problems.is_empty() { Ok(()) } else { Err(impossible(problems, around)) }
}

fn denial(problems: Vec<Problem>, around: &Surroundings<'_>) -> String {
    Denial { problems, policy: around.policy_name.to_owned(), profile: None }.message()
}

fn impossible(problems: Vec<Problem>, around: &Surroundings<'_>) -> Blocked {
    Blocked::by(Reason::RestoreImpossible, denial(problems, around))
}

fn not_allowed(problem: Problem, around: &Surroundings<'_>) -> Blocked {
    Blocked::by(Reason::RestoreNotAllowed, denial(vec![problem], around))
}

fn unknown(namespace: &str, name: &str) -> Blocked {
    Blocked::by(
        Reason::RestoreSourceUnknown,
        format!(
            "Database {namespace}/{name} has no server that Azure has made, and none is retained of it, so nothing is restored, and \
             no server is made. When there is one, this goes on by itself; else write another spec.restoreFrom.database"
        ),
    )
}

/// The first backup of a server takes Azure some minutes.
fn too_early(origin: &Origin<'_>, earliest: Timestamp) -> Blocked {
    Blocked::by(
        Reason::RestoreSourceUnknown,
        format!(
            "Azure has no backup of {origin} yet, and can restore it from {earliest} on; then this goes on by itself"
        ),
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::engine::cache::Health;

    const LIVE: &str = "prod-1-orders-live-384bab2c";

    /// What the policy of the example comes to, with an administrator, and these data given away.
    fn policy(copies: &str) -> Policy {
        let example = include_str!("../../../examples/policy.yaml");
        Policy::parse(&example.replace("copies:\n", &format!("copies:\n{copies}"))).unwrap()
    }

    /// The server of orders/live, which bears the uid of its namespace in Azure.
    fn source() -> Value {
        json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
            "metadata": {
                "name": LIVE, "namespace": "ns", "generation": 1,
                "labels": crate::labels::owner_labels(DatabaseRef::new("orders", "live")),
                "annotations": {"serviceoperator.azure.com/reconcile-policy": "skip"},
            },
            "spec": {"azureName": LIVE, "owner": {}, "location": "norwayeast", "tags": {"managed-by": "database-operator"}},
            "status": {
                "id": format!("/s/{LIVE}"), "version": "16", "tags": {"database-operator-namespace-uid": "then"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}],
            },
        })
    }

    fn asked(namespace: &str, uid: &str, copies: &str) -> Result<Option<Restore>, Blocked> {
        asked_of(&source(), namespace, uid, copies)
    }

    fn asked_of(
        source: &Value,
        namespace: &str,
        uid: &str,
        copies: &str,
    ) -> Result<Option<Restore>, Blocked> {
        let database: Database = serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
            "metadata": {"name": "copy", "namespace": namespace},
            "spec": {"restoreFrom": {"database": "orders/live"}},
        }))
        .unwrap();
        let caches = Caches::holding(std::slice::from_ref(source), &Health::Synced);
        let (records, _writer) = kube::runtime::reflector::store();
        let policy = policy(copies);
        let around = Surroundings {
            caches: &caches,
            records: &records,
            operator_namespace: "ns",
            policy: &policy,
            policy_name: "database-policy",
            cluster_uid: "c1",
            namespace_uid: Some(uid),
            now: "2026-11-24T12:05:00.7Z".parse().unwrap(),
            today: date(2026, 11, 24),
        };
        let under = super::super::ownership::NameHolder {
            name: "prod-1-copy",
            operator_namespace: "ns",
            record: None,
            server: None,
            identity: None,
        };
        wanted(&database, &There { database: DatabaseRef::of(&database), under, around })
    }

    /// In the middle of a change, the backup is of the server as it is.
    #[test]
    fn a_restored_server_is_like_the_source_that_runs_and_not_like_the_one_that_is_asked_for() {
        let mut source = source();
        source["spec"]["version"] = json!("17");
        source["spec"]["sku"] = json!({"name": "Standard_D8ds_v5", "tier": "GeneralPurpose"});
        source["spec"]["storage"] = json!({"storageSizeGB": 256});
        source["status"]["sku"] = json!({"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"});
        source["status"]["storage"] = json!({"storageSizeGB": 128});
        let known = asked_of(&source, "orders", "then", "").unwrap().unwrap().known.unwrap();
        let running = serde_json::to_value(known.comes_along.running).unwrap();
        assert_eq!(running, json!({"version": 16, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128}}));
    }

    const NOW: &str = "2026-11-24T12:05:00Z";
    const REFUSED: &str = "QuotaExceeded";
    const TRIED: &str = "ServiceUnavailable";

    #[rstest]
    #[case::refused_a_moment_ago(REFUSED, "/s/live", "2026-11-24T12:00:00Z", None, "2026-11-24T12:00:00Z")]
    #[case::in_another_case(REFUSED, "/S/Live", "2026-11-24T12:00:00Z", None, "2026-11-24T12:00:00Z")]
    #[case::of_another_server(REFUSED, "/s/other", "2026-11-24T12:00:00Z", None, NOW)]
    #[case::refused_an_hour_ago(REFUSED, "/s/live", "2026-11-24T11:05:00Z", None, NOW)]
    #[case::refused_by_a_clock_that_is_ahead(REFUSED, "/s/live", "2026-11-24T13:00:00Z", None, NOW)]
    #[case::tried_for_long(TRIED, "/s/live", "2026-11-24T09:00:00Z", None, "2026-11-24T09:00:00Z")]
    #[case::tried_in_vain_for_there_is_no_backup(
        TRIED,
        "/s/live",
        "2026-11-24T09:00:00Z",
        Some("2026-11-24T09:02:00Z"),
        NOW
    )]
    #[case::tried_and_there_is_a_backup(
        TRIED,
        "/s/live",
        "2026-11-24T09:00:00Z",
        Some("2026-11-24T09:00:00Z"),
        "2026-11-24T09:00:00Z"
    )]
    fn a_moment_that_nobody_wrote_stays_for_a_while(
        #[case] reason: &str,
        #[case] id: &str,
        #[case] time: &str,
        #[case] earliest: Option<&str>,
        #[case] expected: &str,
    ) {
        let mut server = source();
        server["status"] = json!({"conditions": [{
            "type": "Ready", "status": "False", "severity": "Warning", "reason": reason, "observedGeneration": 1,
        }]});
        let server: FlexibleServer = serde_json::from_value(server).unwrap();
        let asked = RestoreSource { id: id.to_owned(), time: time.parse().unwrap(), location: None };
        let (earliest, now) = (earliest.map(|earliest| earliest.parse().unwrap()), NOW.parse().unwrap());
        assert_eq!(latest(Some(&(&server, asked)), "/s/live", earliest, now).to_string(), expected);
        assert_eq!(latest(None, "/s/live", earliest, now).to_string(), NOW, "Azure was never asked");
    }

    #[rstest]
    #[case::as_asked(json!({"database": "live", "time": "2026-11-24T10:00:00+01:00"}), Some("/s/live"), false)]
    #[case::without_a_moment(json!({"database": "live"}), Some("/S/LIVE"), false)]
    #[case::another_moment(json!({"database": "live", "time": "2026-11-24T10:00:00Z"}), Some("/s/live"), true)]
    #[case::another_server(json!({"database": "live", "time": "2026-11-24T09:00:00Z"}), Some("/s/other"), true)]
    #[case::a_source_that_is_gone(json!({"database": "live", "time": "2026-11-24T09:00:00Z"}), None, false)]
    fn what_is_written_while_azure_restores_is_compared_with_what_it_was_asked_for(
        #[case] from: Value,
        #[case] found: Option<&str>,
        #[case] expected: bool,
    ) {
        let from: RestoreFrom = serde_json::from_value(from).unwrap();
        let origin = restoring::origin(&from, DatabaseRef::new("orders", "copy")).unwrap();
        let asked = RestoreSource {
            id: "/s/live".to_owned(),
            time: "2026-11-24T09:00:00Z".parse().unwrap(),
            location: None,
        };
        assert_eq!(
            is_other(&from, &origin, found, &asked, "2026-11-24T12:05:00Z".parse().unwrap()),
            expected
        );
    }

    const OWN: &str = "  - {from: orders/live, to: orders/copy, until: 2027-01-31, reason: it is ours}\n";

    #[rstest]
    #[case::of_the_same_namespace("orders", "then", "", true)]
    #[case::of_one_that_was_made_again("orders", "now", "", false)]
    #[case::that_the_policy_knows_for_the_same("orders", "now", OWN, true)]
    #[case::of_another("ledger", "then", "", false)]
    fn what_is_kept_of_a_namespace_of_old_is_not_restored_into_the_new_one(
        #[case] namespace: &str,
        #[case] uid: &str,
        #[case] copies: &str,
        #[case] is_allowed: bool,
    ) {
        match asked(namespace, uid, copies) {
            Ok(restore) => {
                let source = restore.unwrap().source;
                assert!(is_allowed, "{source:?}");
                // To the second, for people to read.
                assert_eq!(source.time.to_string(), "2026-11-24T12:05:00Z");
                assert_eq!(source.name(), LIVE);
            }
            Err(why) => {
                assert!(why.is_by(Reason::RestoreNotAllowed) && !is_allowed, "{why:?}");
                let is_of_old = why.message.contains("a namespace that was deleted");
                assert_eq!(is_of_old, namespace == "orders", "{}", why.message);
            }
        }
    }
}
