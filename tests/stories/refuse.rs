//! Manifests that can't work, or aren't allowed, are refused at apply, with one line.

use rstest::rstest;

use crate::{common::database, story};

#[test]
fn a_size_that_policy_does_not_allow_is_refused_with_one_line() {
    let story = story();
    let message = story.database("main", "{sku: Standard_E64ds_v5}").refused();
    assert_eq!(
        message,
        "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"databases.altinn.app\" \
         denied the request: spec.sku \"Standard_E64ds_v5\" is not allowed here; use Standard_B20ms, Standard_B16ms, \
         Standard_B12ms, Standard_B8ms or Standard_B4ms (+3 more) [DB101]. Policy database-policy, profile default."
    );
    assert!(story.get("database", "main").is_none(), "nothing is stored");
    assert!(story.in_azure(crate::common::SERVER).is_empty());
}

#[test]
fn all_problems_are_told_at_once() {
    let story = story();
    let message = story.database("main", "{version: 9, sku: banana}").refused();
    assert!(message.contains("2 problems: (1) spec.version 9"), "{message}");
    assert!(message.contains("[DB103]; (2) spec.sku \"banana\""), "{message}");
    assert!(message.contains("[DB115]"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[rstest]
#[case::version("{version: 9}", "DB103")]
#[case::size("{sku: banana}", "DB115")]
#[case::disk("{storage: {sizeGiB: 33}}", "DB107")]
#[case::not_yet("{highAvailability: ZoneRedundant}", "DB119")]
#[case::password_not_yet("{authentication: Password}", "DB119")]
fn a_dry_run_gets_the_same_answer(#[case] spec: &str, #[case] code: &str) {
    let story = story();
    let manifest = database("main", spec);
    let dry = story.apply_with(&["--dry-run=server"], &manifest).refused();
    assert!(dry.contains(code), "{dry}");
    assert_eq!(story.apply(&manifest).refused(), dry);
    let server_side = story.apply_with(&["--server-side"], &manifest).refused();
    assert!(server_side.contains(code), "{server_side}");
}

#[rstest]
#[case::enum_value(
    "{highAvailability: zone}",
    "supported values: \"Disabled\", \"SameZone\", \"ZoneRedundant\""
)]
#[case::range("{storage: {sizeGiB: 1}}", "should be greater than or equal to 32")]
#[case::unknown_field("{size: large}", "unknown field \"spec.size\"")]
fn the_schema_refuses_what_has_the_wrong_shape(#[case] spec: &str, #[case] expected: &str) {
    let message = story().database("main", spec).refused();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn force_does_not_delete_and_recreate_after_a_refusal() {
    let story = story();
    story.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let uid = story.get("database", "main").unwrap()["metadata"]["uid"].clone();
    let message = story.apply_with(&["--force"], &database("main", "{storage: {sizeGiB: 32}}")).refused();
    assert!(message.contains("[DB105]"), "{message}");
    assert_eq!(story.get("database", "main").unwrap()["metadata"]["uid"], uid);
}
