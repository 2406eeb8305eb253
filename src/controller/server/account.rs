//! The ServiceAccount with which an app logs in. It may be the app team's own, with annotations of its own, and several
//! databases may name one: what somebody else has written into it is never written over.

use api::{Database, reason::Reason};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt;
use policy::{quote::quote, warning::cut};

use super::{
    binding::{self, CLIENT_ID, secret_name},
    context::Context,
    notes::Note,
    write::{self, Error},
};
use crate::{azure::names, controller::engine::in_flight::Written};

/// What is to be done with it.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    /// It is as it should be.
    Settled,
    /// It is made, or made right, as an object of ours.
    Make,
    /// It is somebody else's, and gets the annotation alone.
    Annotate,
    /// It has the client id of another identity, and is left alone.
    Leave(Conflict),
}

/// Whose client id it has.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Conflict {
    Others,
    /// That of another `Database` in the namespace, by its name.
    Database(String),
}

/// That the ServiceAccount logs in as somebody else: for a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// What became of it.
pub(crate) struct Done {
    pub(crate) written: Written,
    pub(crate) trouble: Option<Trouble>,
}

/// By what is known of it. `of_another` tells which other `Database` has this client id, if one has.
fn decide(
    found: Option<&Note>,
    database: &Database,
    client_id: &str,
    of_another: impl Fn(&str) -> Option<String>,
) -> Step {
    let Some(found) = found else { return Step::Make };
    // What is going is made anew when it is gone.
    if found.is_going {
        return Step::Settled;
    }
    match found.client_id.as_deref() {
        Some(has) if has == client_id => return Step::Settled,
        None | Some("") => {}
        Some(has) => {
            if let Some(other) = of_another(has) {
                return Step::Leave(Conflict::Database(other));
            }
            // Ours is that of an identity that was made anew since.
            if !found.is_client_id_ours {
                return Step::Leave(Conflict::Others);
            }
        }
    }
    if found.is_owned_by(database) { Step::Make } else { Step::Annotate }
}

pub(crate) async fn apply(
    context: &Context,
    database: &Database,
    desired: &ServiceAccount,
) -> Result<Done, Error> {
    let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
    let client_id = desired.annotations().get(CLIENT_ID).map(String::as_str).unwrap_or_default();
    let found = context.caches.service_accounts.get(&namespace, &name);
    let version = found.as_ref().map(|found| &*found.version);
    let step =
        decide(found.as_ref(), database, client_id, |client_id| holder(context, database, &name, client_id));
    let written = match &step {
        Step::Settled | Step::Leave(_) => Written::Settled,
        Step::Make => {
            // Labels that somebody has changed in what is ours are no reason to keep the client id from it.
            let way = if version.is_some() { write::Way::ForceThis } else { write::Way::Yield };
            write::write(context, &namespace, desired, version, way).await?
        }
        Step::Annotate => {
            let mut annotated = ServiceAccount::default();
            annotated.metadata.name = Some(name.clone());
            annotated.metadata.namespace = Some(namespace.clone());
            annotated.metadata.annotations.clone_from(&desired.metadata.annotations);
            write::write(context, &namespace, &annotated, version, write::Way::Yield).await?
        }
    };
    let Step::Leave(conflict) = step else { return Ok(Done { written, trouble: None }) };
    let has = found.and_then(|found| found.client_id).unwrap_or_default();
    Ok(Done { written, trouble: Some(trouble(database, &name, &has, &conflict)) })
}

/// The other `Database` that uses this ServiceAccount and has this client id.
fn holder(context: &Context, database: &Database, account: &str, client_id: &str) -> Option<String> {
    let others = context.databases.state();
    others
        .iter()
        .filter(|other| other.metadata.namespace == database.metadata.namespace)
        .filter(|other| other.metadata.name != database.metadata.name && binding::account(other) == account)
        .find(|other| {
            let server = other.status.as_ref().and_then(|status| status.server.as_ref());
            server.is_some_and(|server| {
                let identities = &context.caches.identities;
                let names = [&server.name, &names::app_identity(&server.name)];
                let mut identities =
                    names.into_iter().filter_map(|name| identities.get(&context.operator_namespace, name));
                identities
                    .any(|it| it.status.and_then(|status| status.client_id).as_deref() == Some(client_id))
            })
        })
        .map(|other| other.name_any())
}

fn trouble(database: &Database, account: &str, has: &str, conflict: &Conflict) -> Trouble {
    let (namespace, secret) = (database.namespace().unwrap_or_default(), secret_name(&database.name_any()));
    let to_do = format!(
        "Give the app's pods the variable AZURE_CLIENT_ID from the key client-id of Secret {secret}, or name another \
         ServiceAccount in spec.serviceAccountName"
    );
    let has = quote(&cut(has, 64));
    match conflict {
        Conflict::Others => Trouble {
            reason: Reason::SetByOthers,
            message: format!(
                "{to_do}, or take the annotation {CLIENT_ID} off ServiceAccount {namespace}/{account}: it is {has}, which \
                 the operator didn't write, and it is left as it is"
            ),
        },
        Conflict::Database(other) => Trouble {
            reason: Reason::SetForAnotherDatabase,
            message: format!(
                "{to_do}: ServiceAccount {namespace}/{account} has the client id of Database {other}, which uses it, too, \
                 and it can have one only"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::account::*;
    use super::super::notes::Seen;

    const OURS: &str = "database-operator";

    fn database() -> Database {
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {"name": "main", "namespace": "orders", "uid": "u"},
        }))
        .unwrap()
    }

    fn account(client_id: Option<&str>, writer: &str, owner: Option<&str>) -> Note {
        let owner = owner.map(|uid| {
            json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": "main", "uid": uid}])
        });
        let annotations = client_id.map(|id| json!({CLIENT_ID: id}));
        let written = json!({"f:metadata": {"f:annotations": {format!("f:{CLIENT_ID}"): {}}}});
        let account: Value = json!({"metadata": {
            "name": "main", "namespace": "orders", "annotations": annotations, "ownerReferences": owner,
            "managedFields": [{"manager": writer, "fieldsV1": written}],
        }});
        serde_json::from_value::<Seen<ServiceAccount>>(account).unwrap().note
    }

    fn leave(conflict: Conflict) -> Step {
        Step::Leave(conflict)
    }

    #[rstest]
    #[case::of_the_team(account(None, "kubectl", None), Step::Annotate)]
    #[case::of_the_team_and_empty(account(Some(""), "kubectl", None), Step::Annotate)]
    #[case::annotated(account(Some("mine"), OURS, None), Step::Settled)]
    #[case::with_our_client_id_in_git(account(Some("mine"), "kustomize-controller", None), Step::Settled)]
    #[case::another_client_id_in_git(
        account(Some("vault"), "kustomize-controller", None),
        leave(Conflict::Others)
    )]
    #[case::the_identity_was_made_anew(account(Some("dead"), OURS, None), Step::Annotate)]
    #[case::ours(account(Some("mine"), OURS, Some("u")), Step::Settled)]
    #[case::ours_without(account(None, OURS, Some("u")), Step::Make)]
    #[case::ours_of_an_identity_made_anew(account(Some("dead"), OURS, Some("u")), Step::Make)]
    #[case::ours_changed_by_others(account(Some("vault"), "kubectl", Some("u")), leave(Conflict::Others))]
    #[case::shared(account(Some("theirs"), OURS, Some("v")), leave(Conflict::Database("other".into())))]
    #[case::shared_and_the_teams_own(account(Some("theirs"), OURS, None), leave(Conflict::Database("other".into())))]
    #[case::of_a_database_that_is_gone(account(Some("gone"), OURS, Some("v")), Step::Annotate)]
    fn what_others_wrote_is_never_written_over(#[case] found: Note, #[case] expected: Step) {
        let of_another = |id: &str| (id == "theirs").then(|| "other".to_owned());
        assert_eq!(decide(Some(&found), &database(), "mine", of_another), expected);
        assert_eq!(decide(None, &database(), "mine", of_another), Step::Make);
        let mut going = found;
        going.is_going = true;
        assert_eq!(decide(Some(&going), &database(), "mine", of_another), Step::Settled);
    }

    #[test]
    fn what_is_told_says_what_to_do_first() {
        let told = trouble(&database(), "api", &"x".repeat(300), &Conflict::Others).message;
        assert!(told.starts_with(
            "Give the app's pods the variable AZURE_CLIENT_ID from the key client-id of Secret"
        ));
        assert!(told.contains("main-db-credentials") && told.contains("ServiceAccount orders/api"), "{told}");
        assert!(told.len() < 600 && !told.contains('\n'), "{told}");
    }
}
