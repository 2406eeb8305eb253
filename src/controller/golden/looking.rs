//! What holds data is written only once Azure was asked what there is, and only as it was when that was decided.

use std::{path::PathBuf, sync::Arc};

use policy::PolicyState;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    There,
    api_server::ApiServer,
    context, example_in_force,
    kept::{SERVER, record},
};
use crate::{
    azure::{AT_REST, DETACH_ON_DELETE, FlexibleServer, RECONCILE_POLICY, SKIP},
    controller::{
        database::reconcile::reconcile,
        retained,
        server::{
            apply, build,
            context::Context,
            handover::Handover,
            looks::Looks,
            observe::{self, Found},
            resolve,
            surroundings::Surroundings,
            write,
        },
    },
};

fn case(name: &str) -> There {
    let cases = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases"));
    There::read(&cases.join(name).join("there.yaml"))
}

/// The one object of a kind.
fn of_kind<'a>(cluster: &'a mut [Value], kind: &str) -> &'a mut Value {
    cluster.iter_mut().find(|object| object["kind"] == kind).unwrap()
}

/// Whether Azure Service Operator was asked to look at the server, and whether it was told to write it.
fn asked_and_told(server: &ApiServer) -> (bool, bool) {
    let written = server.written();
    let path = format!("flexibleservers/{SERVER}\n");
    let writes: Vec<&str> = written.split("PATCH ").filter(|write| write.contains(&path)).collect();
    let any = |text: &str| writes.iter().any(|write| write.contains(text));
    (any("operatorSpec: {}"), any(DETACH_ON_DELETE))
}

#[tokio::test]
async fn a_server_is_looked_at_again_before_a_pause_ends() {
    let there = case("pause_is_over");
    let server = ApiServer::holding(&there.cluster);
    let context = Context { looks: Looks::default(), ..context(&there, server.client()) };
    Box::pin(reconcile(Arc::new(there.database()), Arc::new(context))).await.unwrap();
    assert_eq!(asked_and_told(&server), (true, false), "{}", server.written());
}

/// The password of a kept server is changed, which Azure is told.
#[rstest]
#[case::seen_last_hour("Succeeded", false, (true, false))]
#[case::gone("AzureResourceNotFound", false, (false, false))]
#[case::gone_since_there_is_a_new_one("AzureResourceNotFound", true, (false, false))]
#[tokio::test]
async fn a_kept_server_that_was_only_looked_at_is_looked_at_again_before_it_gets_a_password(
    #[case] reason: &str,
    #[case] has_a_new_one: bool,
    #[case] expected: (bool, bool),
) {
    let mut there = case("password_is_taken");
    let object = of_kind(&mut there.cluster, "FlexibleServer");
    object["metadata"]["annotations"] = json!({RECONCILE_POLICY: SKIP, AT_REST: "true"});
    let ready = &mut object["status"]["conditions"][0];
    let status = if reason == "Succeeded" { "True" } else { "False" };
    (ready["status"], ready["severity"], ready["reason"]) = (json!(status), json!("Warning"), json!(reason));
    if has_a_new_one {
        let of_administrator = |object: &&mut Value| object["metadata"]["name"] == format!("{SERVER}-admin");
        let secret = there.cluster.iter_mut().find(of_administrator).unwrap();
        secret["data"]["password-20261124T120400Z"] = json!("bmV3ZXI=");
    }
    let record = record("Kept", &json!({}));
    there.cluster.push(record.clone());
    let server = ApiServer::holding(&there.cluster);
    let context = Context { looks: Looks::default(), ..context(&there, server.client()) };
    let record = serde_json::from_value(record).unwrap();
    Box::pin(retained::reconcile::reconcile(Arc::new(record), Arc::new(context))).await.unwrap();
    assert_eq!(asked_and_told(&server), expected, "{}", server.written());
}

/// The pause is over, and what Azure has was seen a moment ago; but the cache has moved since that was judged.
#[tokio::test]
async fn what_was_decided_by_a_server_that_has_changed_since_is_decided_anew() {
    let mut there = case("pause_is_over");
    let seen = there.cluster.clone();
    of_kind(&mut there.cluster, "FlexibleServer")["metadata"]["resourceVersion"] = json!("8");
    let server = ApiServer::holding(&there.cluster);
    let after = context(&there, server.client());
    let before = context(&There { cluster: seen, ..there.clone() }, server.client());
    let state: PolicyState = example_in_force();
    let (policy, database) = (state.policy().unwrap(), there.database());
    let Ok(Found::Known(known)) = observe::observe(&database, Surroundings::of(&before, policy, None)) else {
        panic!("it is known");
    };
    let today = jiff::civil::date(2026, 11, 24);
    let resolved = resolve::resolve(&database, &known, policy, &before.policy_name, None, today);
    let Ok(resolved) = resolved else { panic!("it is allowed") };
    let desired = build::build(
        &database,
        &known,
        &resolved.effective,
        None,
        Handover::None,
        &policy.azure,
        &before.operator_namespace,
    );

    let mode = apply::Mode::of(&database, false);
    assert!(Box::pin(apply::apply(&after, &database, &desired, mode)).await.is_ok());
    assert_eq!(asked_and_told(&server), (false, false), "{}", server.written());
}

#[rstest]
#[case::it_is_gone(None, None)]
#[case::another_stands_there(Some("another"), Some("7"))]
#[case::it_is_there(Some("seen"), Some("7"))]
#[tokio::test]
async fn what_was_decided_by_one_server_is_written_to_that_one_alone(
    #[case] stands: Option<&str>,
    #[case] version: Option<&str>,
) {
    let mut there = case("resized");
    let object = of_kind(&mut there.cluster, "FlexibleServer");
    object["metadata"]["uid"] = json!("seen");
    let mut desired: FlexibleServer = serde_json::from_value(object.clone()).unwrap();
    desired.metadata.annotations = Some([(RECONCILE_POLICY.to_owned(), DETACH_ON_DELETE.to_owned())].into());
    object["metadata"]["uid"] = json!(stands);
    object["metadata"]["resourceVersion"] = json!("9");
    there.cluster.retain(|object| object["kind"] != "FlexibleServer" || stands.is_some());
    // It takes whatever is written, and shows it.
    let server = ApiServer::default();
    let context = context(&there, server.client());
    assert!(write::aso(&context, &context.caches.servers.cache, &desired).await.is_ok());
    let written = server.written();
    assert!(written.contains("uid: seen\n"), "{written}");
    let expected = version.map(|version| format!("resourceVersion: \"{version}\""));
    assert!(expected.is_none_or(|expected| written.contains(&expected)), "{written}");
}
