//! The ConfigMap of the policy.

use super::*;
use crate::cluster::Issuer;

#[test]
fn a_policy_is_warned_of_what_runs_and_not_of_a_default_that_gave_way() {
    let wide = POLICY.replace("[\"Standard_B*\"]", "[\"Standard_B*\", Standard_D4ds_v5]");
    let response = apply_policy(config_map(POLICY), &with_policy(&wide), &facts(&[found_again(json!({}))]));
    let shown = response["warnings"][1].as_str().unwrap();
    assert!(shown.starts_with("orders/main: spec.sku \"Standard_D4ds_v5\" is not allowed here"), "{shown}");
}

#[test]
fn a_broken_policy_is_refused_with_line_path_and_suggestion() {
    let yaml =
        POLICY.replace("sku: Standard_B1ms", "sku: Standard_B1m").replace("sizeGiB: 32}", "sizeGiB: 33}");
    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    insta::assert_snapshot!(response["status"]["message"].as_str().unwrap(), @r#"2 problems: (1) policy.yaml, line 45: profiles[1].defaults.sku "Standard_B1m" is not a size that this version of the operator knows; use Standard_B1ms, Standard_B2s, Standard_B2ms, Standard_B4ms or Standard_B8ms (+3 more); if Azure has it, the platform team can add it under catalogue.sizes [DB404]; (2) policy.yaml, line 46: profiles[1].defaults.storage.sizeGiB 33 is not a disk size that Azure offers; use 32, 64, 128 or 256 [DB404]. Policy database-policy."#);
    assert_eq!(response["status"]["code"], 403);
    let response = apply_policy(config_map(POLICY), &good(), &facts(&[]));
    assert_eq!(response["allowed"], true);
    let mut empty = config_map("");
    empty["data"] = Value::Null;
    assert_eq!(apply_policy(empty, &good(), &facts(&[]))["auditAnnotations"]["codes"], "DB401");
    // Another ConfigMap is none of ours.
    let mut other = config_map("azure: [");
    other["metadata"]["name"] = json!("other");
    assert_eq!(apply_policy(other, &good(), &facts(&[]))["allowed"], true);
}

#[test]
fn a_policy_that_is_no_utf_8_is_told_what_it_is() {
    let mut bytes = config_map("");
    bytes["data"] = Value::Null;
    bytes["binaryData"] = json!({"policy.yaml": "//5hAA=="});
    let response = apply_policy(bytes, &good(), &facts(&[]));
    insta::assert_snapshot!(response["status"]["message"].as_str().unwrap());
}

#[rstest]
#[case::the_same(Some("https://oidc.example/prod-1"), None)]
#[case::another(
    Some("https://oidc.example/prod-1/"),
    Some(
        "azure.workloadIdentity.issuer: write \"https://oidc.example/prod-1/\", as the API server says; with \"https://oidc.example/prod-1\" no app can log in"
    )
)]
#[case::unreadable(
    None,
    Some("azure.workloadIdentity.issuer isn't compared: /.well-known/openid-configuration can't be read")
)]
fn an_issuer_that_is_not_the_api_servers_is_warned_of(
    #[case] actual: Option<&str>,
    #[case] warning: Option<&str>,
) {
    let issuer = actual.map_or(Issuer::Unknown, |actual| Issuer::Known(actual.to_owned()));
    let facts = Facts { issuer, ..facts(&[]) };
    let response = apply_policy(config_map(POLICY), &good(), &facts);
    assert_eq!(response["allowed"], true);
    assert_eq!(response["warnings"], warning.map_or(Value::Null, |warning| json!([warning])));
}

#[rstest]
#[case::guarded(Some(true), json!([
    "profile default: whenMissing does nothing before the chart's deleteGuard.whenMissing is set to webhook"
]))]
#[case::left_to_the_webhook(Some(false), Value::Null)]
#[case::unknown(None, Value::Null)]
fn what_the_charts_guard_overrides_is_warned_of(#[case] guard: Option<bool>, #[case] warnings: Value) {
    let (before, last) = POLICY.rsplit_once("whenMissing: deny").unwrap();
    let yaml = format!("{before}whenMissing: Retain{last}");
    let facts = Facts { guard, ..facts(&[]) };
    assert_eq!(apply_policy(config_map(&yaml), &good(), &facts)["warnings"], warnings);
    assert_eq!(apply_policy(config_map(POLICY), &good(), &facts)["warnings"], Value::Null);
}

#[rstest]
#[case::apps_administer_their_servers(false, &[json!({"host": "a"}), json!({"host": "b"})], Some("2 databases"))]
#[case::one_is_set_up_by_the_operator(
    false,
    &[json!({"host": "a"}), json!({"host": "b", "conditions": [{
        "type": "AccessReady", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2026-11-22T12:00:00Z",
    }]})],
    Some("1 database")
)]
#[case::none_is_up(false, &[json!({})], None)]
#[case::the_policy_in_force_names_one(true, &[json!({"host": "a"})], None)]
fn who_names_the_first_administrator_is_told_whose_pods_to_restart(
    #[case] had_one: bool,
    #[case] statuses: &[Value],
    #[case] expected: Option<&str>,
) {
    let databases = statuses.iter().map(|status| {
        let mut database = database(json!({}), Value::Null);
        database["status"] = status.clone();
        database
    });
    let before =
        if had_one { POLICY.to_owned() } else { POLICY.replace("  administrator:", "  # administrator:") };
    let facts = facts(&databases.collect::<Vec<_>>());
    let response = apply_policy(config_map(POLICY), &with_policy(&before), &facts);
    let expected = expected.map_or(Value::Null, |databases| {
        json!([format!(
            "azure.administrator: {databases} will have another login; restart their pods within passwords.overlapHours"
        )])
    });
    assert_eq!(response["warnings"], expected);
}

#[test]
fn the_issuer_is_asked_for_when_a_policy_comes() {
    for (operation, asks) in [("CREATE", true), ("UPDATE", true), ("DELETE", false)] {
        let map = config_map(POLICY);
        let review = about(("", "ConfigMap"), operation, "database-policy", map.clone(), map);
        let question = Question::read(Hook::Policy, review.to_string().as_bytes());
        assert_eq!(question.needs(&good()).issuer, asks);
    }
}

#[test]
fn a_policy_that_puts_databases_out_of_policy_says_which() {
    let named = |namespace: &str, name: &str, sku: &str| {
        let mut database =
            database(json!({"sku": sku, "version": 17, "storage": {"sizeGiB": 32}}), Value::Null);
        database["metadata"]["namespace"] = json!(namespace);
        database["metadata"]["name"] = json!(name);
        database
    };
    let mut out_further = named("payments", "out-further", "Standard_D2ds_v5");
    out_further["spec"]["extensions"] = json!(["hstore"]);
    let databases = facts(&[
        named("orders", "main", "Standard_B2s"),
        named("orders", "reports", "Standard_B2s"),
        named("payments", "main", "Standard_B2s"),
        named("payments", "small", "Standard_B1ms"),
        named("payments", "out-already", "Standard_D2ds_v5"),
        out_further,
    ]);
    let stricter = POLICY.replace("[\"Standard_B*\"]", "[Standard_B1ms]\n      extensions: [vector]");
    let response = apply_policy(config_map(&stricter), &good(), &databases);
    assert_eq!(response["allowed"], true);
    insta::assert_snapshot!(serde_json::to_string_pretty(&response["warnings"]).unwrap(), @r#"
    [
      "4 databases in 2 namespaces would no longer comply; none of them is changed",
      "orders/main: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "orders/reports: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "payments/main: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "payments/out-further: spec.extensions[0] \"hstore\" is not allowed here; use vector [DB112]"
    ]
    "#);
    assert_eq!(apply_policy(config_map(POLICY), &good(), &databases)["warnings"], Value::Null);
}

#[test]
fn an_exception_that_has_ended_is_told() {
    let yaml = POLICY.replace("2027-01-31", "2026-11-21");
    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    assert_eq!(response["warnings"], json!(["the exception of reports/main ended on 2026-11-21"]));
    let yaml = POLICY.replace("2027-02-28", "2026-11-21");
    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    let shown = [
        "the recovery of reports/old as reports/main ended on 2026-11-21",
        "the copy of ledger/main to ledger-test/* ended on 2026-11-21",
    ];
    assert_eq!(response["warnings"], json!(shown));
}

#[test]
fn the_databases_that_a_policy_puts_out_come_before_exceptions_however_many_have_ended() {
    let ended = |n: i32| format!("  - {{database: a/b-{n}, rules: [skus], until: 2026-11-21, reason: x}}\n");
    let ended: Vec<String> = (0..90).map(ended).collect();
    let stricter = POLICY.replace("[\"Standard_B*\"]", "[Standard_B1ms]") + &ended.concat();
    let one =
        database(json!({"sku": "Standard_B2s", "version": 17, "storage": {"sizeGiB": 32}}), Value::Null);
    let response = apply_policy(config_map(&stricter), &good(), &facts(&[one]));
    let warnings = response["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().starts_with("1 database in 1 namespace would no longer comply"));
    assert_eq!(warnings.last().unwrap(), "and 82 more exceptions, recoveries or copies have ended");
    // The API server shows no more in all.
    assert!(warnings.iter().map(|warning| warning.as_str().unwrap().len()).sum::<usize>() < 4096);
}

#[test]
fn a_default_version_whose_support_has_ended_is_told() {
    let old = POLICY.replace("version: 17", "version: 13").replace("[16, 17, 18]", "[13, 17]");
    let response = apply_policy(config_map(&old), &good(), &facts(&[]));
    assert_eq!(
        response["warnings"],
        json!([
            "profile production: standard support of the default version 13 ended on 2026-07-31; write a newer one",
            "profile default: standard support of the default version 13 ended on 2026-07-31; write a newer one",
        ])
    );
}

#[test]
fn deleting_the_policy_is_warned_of() {
    let review = about(("", "ConfigMap"), "DELETE", "", Value::Null, config_map(POLICY));
    let response = ask(Hook::Policy, &review, &good());
    assert_eq!(response["allowed"], true);
    assert!(response["warnings"][0].as_str().unwrap().contains("after a restart admits no change"));
}
