//! A rule that panics.

use serde_json::{Value, json};
use webhook::review::{Answer, Basis, Question};

use super::support::{json_of, quick, review_of, server_with};

fn broken(_: &Question, _: &Basis<'_>) -> Answer {
    panic!("a rule divides by zero")
}

async fn ask(path: &str) -> (Value, String) {
    let server = server_with(quick(), broken).await;
    let tls = server.connect(b"http/1.1").await;
    let (_, body) = server.ask_on(b"http/1.1", tls, path, review_of("Standard_B1ms")).await.unwrap();
    (json_of(&body), server.metrics())
}

#[tokio::test]
async fn a_panic_is_a_denial_of_the_validating_webhook() {
    let (answer, metrics) = ask("/validate").await;
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("1"), &json!(false)), "{answer}");
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["details"]["causes"][0]["reason"], "DB502");
    assert!(response["status"]["message"].as_str().unwrap().contains("DB502"), "{answer}");
    assert!(metrics.contains("admission_panics_total 1\n"), "{metrics}");
    let counted = "operation=\"CREATE\",verdict=\"denied\",code=\"DB502\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_panic_is_no_patch_of_the_mutating_webhook() {
    let (answer, metrics) = ask("/mutate").await;
    let response = &answer["response"];
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("1"), &json!(true)), "{answer}");
    assert_eq!(response.get("patch"), None);
    assert!(metrics.contains("admission_panics_total 1\n"), "{metrics}");
}
