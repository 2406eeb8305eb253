//! Whose server is this? The one answer to it, for a `Database` that is there and for one that goes. Pure.
//!
//! Whoever may write a status could name any server in it, so what a status says counts only together with something else:
//! the name that the policy gives today, labels of an object in the operator's namespace, or a record there.

use std::sync::Arc;

use api::{Database, DatabaseRef, RetainedDatabase};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::caches::Caches;
use crate::{
    azure::{Adoption, FlexibleServer, UserAssignedIdentity, adoption},
    controller::engine::cache::Unreadable,
    labels::belongs_to,
};

/// All that tells which server a `Database` has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    /// `status.server.name`.
    pub(crate) recorded: Option<String>,
    /// Whether its status says that Azure has made that one.
    pub(crate) was_made: bool,
    /// The name that the policy gives today; `None` without a policy.
    pub(crate) derived: Option<String>,
    /// Servers whose object bears its labels.
    pub(crate) servers: Vec<(String, Object)>,
    /// Of the names above, those whose identity's object bears its labels: it outlives the server's object, which may have
    /// been deleted by hand.
    pub(crate) identities: Vec<String>,
    /// Servers that a record keeps for it.
    pub(crate) kept: Vec<String>,
    /// Whether what lies under the recorded name, or else the one of today, is another `Database`'s.
    pub(crate) is_taken: bool,
    /// Whether Azure Service Operator's kinds are missing: then nobody knows how far Azure has come.
    pub(crate) is_aso_missing: bool,
}

/// What a server's object is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Object {
    /// The server.
    Manages,
    /// It only looks whether there is such a server.
    Looks,
    /// It only looks, and what it has found is somebody else's.
    FoundAnothers,
}

/// Which server it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ServerOf {
    Named(String),
    /// It has none.
    None,
    /// Its status names one, and nothing says that it is its own.
    Unclear(String),
}

impl Traces {
    /// Looks at everything, which a `Database` at rest needs not: see [`is_settled`].
    pub(crate) fn of(
        database: &Database,
        caches: &Caches,
        records: &Store<RetainedDatabase>,
        operator_namespace: &str,
        derived: Option<String>,
        here: adoption::Here<'_>,
    ) -> Self {
        let whose = DatabaseRef::of(database);
        let status = database.status.as_ref();
        let server = status.and_then(|status| status.server.as_ref());
        let recorded = recorded(database).map(str::to_owned);
        let servers = caches.servers.of(operator_namespace, whose).into_iter().map(|server| {
            let is_foreign =
                matches!(adoption::judge(Some(&server), whose, None, here), Adoption::Foreign(_));
            let object = match adoption::is_probe(&server) {
                false => Object::Manages,
                true if is_foreign => Object::FoundAnothers,
                true => Object::Looks,
            };
            (server.name_any(), object)
        });
        let is_its =
            |identity: &&String| caches.identities.own(operator_namespace, identity, whose).is_some();
        let is_taken = |recorded: &String| {
            let there = NameHolder {
                name: recorded,
                operator_namespace,
                record: records.get(&ObjectRef::new(recorded).within(operator_namespace)).as_deref(),
                server: caches.servers.cache.get(operator_namespace, recorded).as_ref(),
                identity: caches.identities.get(operator_namespace, recorded).as_ref(),
            }
            .conflict_with(whose);
            there.is_some()
        };
        let mut kept: Vec<String> = records
            .state()
            .iter()
            .filter(|record| is_kept_for(record, whose))
            .map(|record| record.spec.server.name.clone())
            .collect();
        kept.sort_unstable();
        Self {
            was_made: status.is_some_and(|status| status.host.is_some())
                || server.is_some_and(|server| server.id.is_some()),
            servers: servers.collect(),
            identities: recorded.iter().chain(&derived).filter(is_its).cloned().collect(),
            kept,
            is_taken: recorded.as_ref().or(derived.as_ref()).is_some_and(is_taken),
            is_aso_missing: matches!(caches.servers.cache.check(), Err(Unreadable::UnknownKind(_))),
            recorded,
            derived,
        }
    }

    fn object(&self, server: &str) -> Option<Object> {
        self.servers.iter().find(|(name, _)| name == server).map(|(_, object)| *object)
    }

    /// Whether an object in the operator's namespace says that the server is its own.
    fn has_labels(&self, server: &str) -> bool {
        self.object(server).is_some() || self.identities.iter().any(|identity| identity == server)
    }
}

/// `status.server.name`.
fn recorded(database: &Database) -> Option<&str> {
    let server = database.status.as_ref()?.server.as_ref()?;
    Some(server.name.as_str()).filter(|name| !name.is_empty())
}

/// Whether its status has the name that the policy gives today. Then a `Database` that is there has that server whatever else
/// there is, and nothing needs to be looked at.
pub(crate) fn is_settled(database: &Database, derived: &str) -> bool {
    recorded(database) == Some(derived)
}

/// The server of a `Database` that is there.
pub(crate) fn server_of(traces: &Traces) -> ServerOf {
    let Traces { recorded, derived, servers, kept, .. } = traces;
    match (recorded, derived) {
        // What a status says, and something else besides.
        (Some(recorded), derived) if derived.as_ref() == Some(recorded) || traces.has_labels(recorded) => {
            return ServerOf::Named(recorded.clone());
        }
        (None, Some(derived)) if traces.has_labels(derived) => return ServerOf::Named(derived.clone()),
        _ => {}
    }
    // The status was lost, and the policy names another cluster since: the server's object still tells.
    if let Some((server, _)) = servers.last() {
        return ServerOf::Named(server.clone());
    }
    match recorded {
        Some(recorded) if kept.contains(recorded) => ServerOf::Named(recorded.clone()),
        Some(recorded) => ServerOf::Unclear(recorded.clone()),
        None => kept.first().map_or(ServerOf::None, |kept| ServerOf::Named(kept.clone())),
    }
}

/// The server that a `Database` leaves behind when it goes: `None` if Azure has made none for it.
pub(crate) fn server_left_by(traces: &Traces) -> ServerOf {
    let answer = server_of(traces);
    let (ServerOf::Named(server) | ServerOf::Unclear(server)) = &answer else { return ServerOf::None };
    match traces.object(server) {
        Some(Object::Manages) => return answer,
        Some(Object::FoundAnothers) => return ServerOf::None,
        // Its object may have been deleted by hand, and look anew.
        Some(Object::Looks) | None => {}
    }
    let may_be_made = match &traces.recorded {
        Some(recorded) => recorded == server && (traces.was_made || traces.is_aso_missing),
        // The status was lost, and so was the server's object.
        None => traces.identities.contains(server),
    };
    if may_be_made && !traces.is_taken { answer } else { ServerOf::None }
}

/// Whether an object in the operator's namespace says that a `Database` has this server.
pub(crate) fn has_owner_labels(
    caches: &Caches,
    operator_namespace: &str,
    server: &str,
    database: DatabaseRef<'_>,
) -> bool {
    caches.servers.cache.own(operator_namespace, server, database).is_some()
        // It outlives the server's object, which may have been deleted by hand.
        || caches.identities.own(operator_namespace, server, database).is_some()
}

/// What there is under the name of a server.
#[derive(Clone, Copy)]
pub(crate) struct NameHolder<'a> {
    pub(crate) name: &'a str,
    pub(crate) operator_namespace: &'a str,
    pub(crate) record: Option<&'a RetainedDatabase>,
    pub(crate) server: Option<&'a FlexibleServer>,
    pub(crate) identity: Option<&'a UserAssignedIdentity>,
}

impl NameHolder<'_> {
    /// What of it says that the server is another one's than this `Database`'s.
    pub(crate) fn conflict_with(&self, database: DatabaseRef<'_>) -> Option<String> {
        let object = format!("{}/{}", self.operator_namespace, self.name);
        if let Some(record) = self.record
            && DatabaseRef::parse(&record.spec.database) != Some(database)
        {
            return Some(format!("RetainedDatabase {object} keeps it for Database {}", record.spec.database));
        }
        let exists =
            |kind: &str| Some(format!("{kind} {object} exists and does not belong to this Database"));
        if self.server.is_some_and(|server| !belongs_to(server, database)) {
            return exists("FlexibleServer");
        }
        if self.identity.is_some_and(|identity| !belongs_to(identity, database)) {
            return exists("UserAssignedIdentity");
        }
        None
    }
}

fn is_kept_for(record: &RetainedDatabase, database: DatabaseRef<'_>) -> bool {
    DatabaseRef::parse(&record.spec.database) == Some(database)
}

/// The record of what is kept for this `Database`.
pub(crate) fn kept(
    records: &Store<RetainedDatabase>,
    database: DatabaseRef<'_>,
) -> Option<Arc<RetainedDatabase>> {
    records.state().into_iter().find(|record| is_kept_for(record, database))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::ownership::*;

    /// The name that the policy gives, and one that it gave once.
    const NOW: &str = "now";
    const ONCE: &str = "once";

    fn named(server: &str) -> ServerOf {
        ServerOf::Named(server.to_owned())
    }

    fn unclear(server: &str) -> ServerOf {
        ServerOf::Unclear(server.to_owned())
    }

    fn strings(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    fn traces(
        recorded: Option<&str>,
        servers: &[(&str, Object)],
        identities: &[&str],
        kept: &[&str],
    ) -> Traces {
        Traces {
            recorded: recorded.map(str::to_owned),
            derived: Some(NOW.to_owned()),
            servers: servers.iter().map(|(name, object)| ((*name).to_owned(), *object)).collect(),
            identities: strings(identities),
            kept: strings(kept),
            ..Traces::default()
        }
    }

    // What stands in each row: the status, objects of servers, of identities, and records that bear its name; which server it has
    // while it is there; and which it leaves, if its status says that Azure has made that one.
    #[rstest]
    #[case::a_new_one(None, &[], &[], &[], ServerOf::None, ServerOf::None)]
    #[case::the_name_of_today(Some(NOW), &[], &[], &[], named(NOW), named(NOW))]
    #[case::that_looks(Some(NOW), &[(NOW, Object::Looks)], &[], &[], named(NOW), named(NOW))]
    // It is told so, and waits; and it leaves nothing, for it never had that one.
    #[case::that_found_anothers(Some(NOW), &[(NOW, Object::FoundAnothers)], &[], &[], named(NOW), ServerOf::None)]
    #[case::at_work(Some(NOW), &[(NOW, Object::Manages)], &[NOW], &[], named(NOW), named(NOW))]
    // The policy names another cluster since.
    #[case::an_older_name(Some(ONCE), &[(ONCE, Object::Manages)], &[ONCE], &[], named(ONCE), named(ONCE))]
    #[case::of_which_the_object_was_deleted(Some(ONCE), &[], &[ONCE], &[], named(ONCE), named(ONCE))]
    #[case::that_is_kept(Some(ONCE), &[], &[], &[ONCE], named(ONCE), named(ONCE))]
    #[case::beside_another_that_is_kept(Some(ONCE), &[], &[], &[NOW, ONCE], named(ONCE), named(ONCE))]
    // Whoever may write a status could have written that.
    #[case::of_which_nothing_is_left(Some(ONCE), &[], &[], &[], unclear(ONCE), unclear(ONCE))]
    #[case::while_another_is_kept(Some(ONCE), &[], &[], &[NOW], unclear(ONCE), unclear(ONCE))]
    // Its status was lost, or is another's.
    #[case::labels_under_the_name_of_today(None, &[(NOW, Object::Manages)], &[], &[], named(NOW), named(NOW))]
    #[case::labels_under_an_older_name(None, &[(ONCE, Object::Manages)], &[], &[], named(ONCE), named(ONCE))]
    #[case::labels_tell_more_than_the_status("elsewhere".into(), &[(ONCE, Object::Manages)], &[], &[], named(ONCE), named(ONCE))]
    #[case::the_identity_alone(None, &[], &[NOW], &[], named(NOW), named(NOW))]
    // It gets its server back; should it go before that, the record stays, and tells.
    #[case::kept(None, &[], &[], &[ONCE], named(ONCE), ServerOf::None)]
    #[case::kept_under_the_name_of_today(None, &[], &[], &[NOW], named(NOW), ServerOf::None)]
    // An object with its labels is nearer than a record.
    #[case::kept_beside_an_object(None, &[(NOW, Object::Manages)], &[], &[ONCE], named(NOW), named(NOW))]
    // The one of the status is its own, and the other one gets a record as soon as it is gone.
    #[case::two(Some(ONCE), &[(NOW, Object::Manages), (ONCE, Object::Manages)], &[], &[], named(ONCE), named(ONCE))]
    fn the_server_of_a_database(
        #[case] recorded: Option<&str>,
        #[case] servers: &[(&str, Object)],
        #[case] identities: &[&str],
        #[case] kept: &[&str],
        #[case] there: ServerOf,
        #[case] left: ServerOf,
    ) {
        let traces = Traces { was_made: true, ..traces(recorded, servers, identities, kept) };
        assert_eq!((server_of(&traces), server_left_by(&traces)), (there, left));
    }

    #[rstest]
    #[case::made(true, false, false, named(NOW))]
    // It came to nothing.
    #[case::not_made(false, false, false, ServerOf::None)]
    #[case::that_nobody_can_tell(false, true, false, named(NOW))]
    // A record keeps it for another, or an object with another's labels has that name.
    #[case::of_another(true, false, true, ServerOf::None)]
    #[case::of_another_without_aso(false, true, true, ServerOf::None)]
    fn a_name_without_an_object_is_left_if_there_may_be_data(
        #[case] was_made: bool,
        #[case] is_aso_missing: bool,
        #[case] is_taken: bool,
        #[case] expected: ServerOf,
    ) {
        let traces = Traces { was_made, is_taken, is_aso_missing, ..traces(Some(NOW), &[], &[], &[]) };
        assert_eq!(server_left_by(&traces), expected);
    }

    #[test]
    fn without_a_policy_no_name_is_given() {
        let traces = Traces { derived: None, was_made: true, ..traces(Some(NOW), &[], &[], &[]) };
        assert_eq!(server_left_by(&traces), unclear(NOW));
    }

    /// Every combination of what can be there.
    fn all() -> Vec<Traces> {
        const BOTH: [bool; 2] = [false, true];
        let objects = [None, Some(Object::Manages), Some(Object::Looks), Some(Object::FoundAnothers)];
        let names: [&[&str]; 4] = [&[], &[NOW], &[ONCE], &[NOW, ONCE]];
        let mut all = Vec::new();
        for (recorded, now, once) in
            each(&[None, Some(NOW), Some(ONCE), Some("elsewhere")], &objects, &objects)
        {
            for (identities, kept, was_made) in each(&names, &names, &BOTH) {
                for (is_taken, is_aso_missing, has_policy) in each(&BOTH, &BOTH, &BOTH) {
                    let servers: Vec<_> = [(NOW, now), (ONCE, once)]
                        .into_iter()
                        .filter_map(|(name, object)| Some((name, object?)))
                        .collect();
                    all.push(Traces {
                        was_made,
                        is_taken,
                        is_aso_missing,
                        derived: has_policy.then(|| NOW.to_owned()),
                        ..traces(recorded, &servers, identities, kept)
                    });
                }
            }
        }
        all
    }

    fn each<A: Copy, B: Copy, C: Copy>(a: &[A], b: &[B], c: &[C]) -> Vec<(A, B, C)> {
        a.iter().flat_map(|a| b.iter().flat_map(move |b| c.iter().map(move |c| (*a, *b, *c)))).collect()
    }

    #[test]
    fn a_status_alone_names_no_server_and_both_answers_agree() {
        let all = all();
        assert_eq!(all.len(), 4 * 4 * 4 * 4 * 4 * 2 * 8);
        for traces in all {
            let (there, left) = (server_of(&traces), server_left_by(&traces));
            if let Some(derived) = traces.derived.as_ref().filter(|_| traces.recorded == traces.derived) {
                assert_eq!(there, named(derived), "as is settled without a look: {traces:?}");
            }
            match &there {
                ServerOf::Named(server) => assert!(
                    traces.derived.as_ref() == Some(server)
                        || traces.has_labels(server)
                        || traces.kept.contains(server),
                    "{traces:?}: {there:?}"
                ),
                ServerOf::Unclear(server) => {
                    assert_eq!(traces.recorded.as_ref(), Some(server), "{traces:?}");
                }
                ServerOf::None => {
                    assert!(traces.servers.is_empty() && traces.kept.is_empty(), "{traces:?}");
                }
            }
            assert!(left == there || left == ServerOf::None, "{traces:?}: {there:?}, {left:?}");
            // Data are let go of only where they are somebody else's.
            let has_data = match &there {
                ServerOf::Named(server) | ServerOf::Unclear(server) => {
                    let is_made = match &traces.recorded {
                        Some(recorded) => recorded == server && traces.was_made,
                        None => traces.identities.contains(server),
                    };
                    let is_made = is_made && !traces.is_taken;
                    traces.object(server) == Some(Object::Manages)
                        || (is_made && traces.object(server) != Some(Object::FoundAnothers))
                }
                ServerOf::None => false,
            };
            assert!(!has_data || left == there, "{traces:?}: {there:?}, {left:?}");
        }
    }
}
