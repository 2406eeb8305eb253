//! The CRD that goes, and every Database with it.

use super::*;
use crate::cluster::Kind;

#[test]
fn our_crd_goes_only_without_objects() {
    let response = delete_crd(OURS, &objects(&["orders/main"], 1));
    assert_eq!(response["auditAnnotations"]["codes"], "DB302");
    let many = delete_crd(OURS, &objects(&["orders/main", "payments/main"], 1000));
    let message = many["status"]["message"].as_str().unwrap();
    assert!(message.contains("orders/main, payments/main (+998 more)"), "{message}");
    assert_eq!(delete_crd(OURS, &objects(&[], 0))["allowed"], true);
    // What a watch knows may be old, and what it can't read isn't in it.
    assert_eq!(delete_crd(OURS, &facts(&[]))["auditAnnotations"]["codes"], "DB303");
}

#[rstest]
#[case::ours(OURS, Some(Kind::Database))]
#[case::ours_too("retaineddatabases.altinn.app", Some(Kind::RetainedDatabase))]
#[case::another_of_the_group("applications.altinn.app", None)]
#[case::of_another_group("databases.other.example", None)]
fn a_crd_is_ours_by_its_name(#[case] name: &str, #[case] kind: Option<Kind>) {
    let question = Question::read(Hook::Crd, crd_review(name).to_string().as_bytes());
    assert_eq!(question.needs(&good()).objects, kind);
    assert_eq!(delete_crd(name, &Facts::default())["allowed"], kind.is_none());
}

#[test]
fn every_crd_of_ours_is_guarded_by_the_chart_and_by_the_webhook() {
    let chart = include_str!("../../../../charts/database-operator/templates/webhook-configurations.yaml");
    for crd in api::crd::all() {
        let name = crd.metadata.name.unwrap();
        assert!(chart.contains(&format!("oldObject.metadata.name == '{name}'")), "{name}");
        assert_eq!(delete_crd(&name, &Facts::default())["auditAnnotations"]["codes"], "DB303", "{name}");
    }
}
