//! What is done about the object, and what is told.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::controller::golden::EXAMPLE;

const ORDERS: DatabaseRef<'_> = DatabaseRef::new("orders", "main");
const VAULT: &str =
    "/subscriptions/s/resourceGroups/rg-backup/providers/Microsoft.DataProtection/backupVaults/bv";

/// An instance for orders/main, of the server whose object has the uid `server`.
fn instance(policy: &str, status: &Value) -> BackupVaultsBackupInstance {
    let owner = json!({"apiVersion": "a", "kind": "FlexibleServer", "name": "srv", "uid": "server"});
    let instance = json!({
        "apiVersion": "dataprotection.azure.com/v1api20231101", "kind": "BackupVaultsBackupInstance",
        "metadata": {
            "name": "srv", "namespace": "ns", "generation": 1, "labels": owner_labels(ORDERS),
            "annotations": azure::annotations(DETACH_ON_DELETE), "ownerReferences": [owner],
        },
        "spec": {
            "azureName": "srv", "owner": {"armId": VAULT},
            "properties": {"policyInfo": {"policyReference": {"armId": format!("{VAULT}/backupPolicies/{policy}")}}},
        },
        "status": status,
    });
    serde_json::from_value(instance).unwrap()
}

fn ready() -> Value {
    json!([{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}])
}

fn failing(severity: &str, reason: &str) -> Value {
    json!([{
        "type": "Ready", "status": "False", "severity": severity, "reason": reason, "message": "Azure's own words",
        "observedGeneration": 1,
    }])
}

/// Made by Azure, and in this state, while Azure Service Operator is content.
fn in_state(state: &str) -> BackupVaultsBackupInstance {
    let properties = json!({"currentProtectionState": state});
    instance("pg-weekly", &json!({"conditions": ready(), "id": "id", "properties": properties}))
}

fn with(
    mut instance: BackupVaultsBackupInstance,
    annotations: &[(&str, &str)],
) -> BackupVaultsBackupInstance {
    let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    instance.annotations_mut().extend(annotations);
    instance
}

fn of_another(mut instance: BackupVaultsBackupInstance, server: &str) -> BackupVaultsBackupInstance {
    instance.metadata.labels = Some(owner_labels(DatabaseRef::new("orders", "other")));
    instance.owner_references_mut()[0].uid = server.to_owned();
    instance
}

fn elsewhere(mut instance: BackupVaultsBackupInstance) -> BackupVaultsBackupInstance {
    instance.spec.owner.arm_id = Some("/another".to_owned());
    instance
}

/// Weekly copies, of a server that is made.
fn wish(found: Option<BackupVaultsBackupInstance>) -> Wish {
    Wish {
        name: Some("weekly".to_owned()),
        policy_id: Some(format!("{VAULT}/backupPolicies/pg-weekly")),
        server_name: "srv".to_owned(),
        size_gib: 32,
        desired: Some(Box::new(instance("pg-weekly", &Value::Null))),
        existing: Existing { instance: found.map(Box::new), unreadable: None },
    }
}

fn decided(wish: &Wish, is_paused: bool, server_is_ready: bool) -> Act {
    act(&Seen { database: ORDERS, wish, is_paused, server_is_ready })
}

const CONFIGURED: &str = "ProtectionConfigured";

#[rstest]
#[case::nothing_is_there(None, false, true, Act::Write)]
#[case::azure_makes_the_server(None, false, false, Act::Nothing)]
#[case::nothing_is_made_in_a_pause(None, true, true, Act::Nothing)]
#[case::as_wanted(Some(in_state(CONFIGURED)), false, true, Act::Nothing)]
#[case::as_wanted_while_azure_changes_the_server(Some(in_state(CONFIGURED)), false, false, Act::Nothing)]
#[case::of_another_policy(Some(instance("pg-archive", &Value::Null)), false, false, Act::Write)]
#[case::to_be_deleted_with_the_object(
    Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, "manage")])), false, true, Act::Detach
)]
#[case::a_pause(Some(in_state(CONFIGURED)), true, true, Act::Pause)]
#[case::a_pause_goes_on(
    Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, SKIP), (PAUSED, "true")])), true, true, Act::Nothing
)]
#[case::a_pause_is_over(
    Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, SKIP), (PAUSED, "true")])), false, true, Act::Detach
)]
#[case::left_alone_by_hand(
    Some(with(instance("pg-archive", &Value::Null), &[(RECONCILE_POLICY, SKIP)])), false, true, Act::Nothing
)]
#[case::recovered_with_the_server(Some(of_another(in_state(CONFIGURED), "server")), false, true, Act::Take)]
#[case::of_another_server(Some(of_another(in_state(CONFIGURED), "other")), false, true, Act::Nothing)]
#[case::never_made_and_elsewhere(
    Some(elsewhere(instance("pg-weekly", &json!({"conditions": failing("Error", "ResourceNotFound")})))), false, true,
    Act::Release
)]
#[case::azure_is_at_work(Some(in_state("ConfiguringProtection")), false, true, Act::LookAgain)]
#[case::azure_is_in_trouble(Some(in_state("ProtectionError")), false, true, Act::LookAgain)]
#[case::azure_refuses(
    Some(instance("pg-weekly", &json!({"conditions": failing("Error", "AuthorizationFailed")}))), false, true, Act::LookAgain
)]
#[case::somebody_stopped_it(Some(in_state("ProtectionStopped")), false, true, Act::Nothing)]
#[case::somebody_deleted_it(Some(in_state("SoftDeleted")), false, true, Act::Nothing)]
fn the_object_is_brought_to_what_is_wanted(
    #[case] found: Option<BackupVaultsBackupInstance>,
    #[case] is_paused: bool,
    #[case] server_is_ready: bool,
    #[case] expected: Act,
) {
    assert_eq!(decided(&wish(found), is_paused, server_is_ready), expected);
}

/// Its resource in Azure must stay when the object goes.
#[rstest]
#[case::nothing_is_there(None, Act::Nothing)]
#[case::detached(Some(in_state(CONFIGURED)), Act::Release)]
#[case::left_alone(Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, SKIP)])), Act::Release)]
#[case::to_be_deleted_with_the_object(Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, "manage")])), Act::Detach)]
#[case::without_a_word(Some(with(in_state(CONFIGURED), &[(RECONCILE_POLICY, "")])), Act::Detach)]
#[case::of_another(Some(of_another(in_state(CONFIGURED), "other")), Act::Nothing)]
fn where_no_copy_is_wanted_the_object_is_released(
    #[case] found: Option<BackupVaultsBackupInstance>,
    #[case] expected: Act,
) {
    let wish = Wish { name: None, policy_id: None, desired: None, ..wish(found) };
    assert_eq!(decided(&wish, false, true), expected);
    assert_eq!(
        told(&Seen { database: ORDERS, wish: &wish, is_paused: false, server_is_ready: true }),
        Vault::Unwanted
    );
}

/// A slip in the policy ends no protection.
#[test]
fn what_the_policy_names_no_longer_stays_as_it_is() {
    let wish = Wish { policy_id: None, desired: None, ..wish(Some(in_state(CONFIGURED))) };
    assert_eq!(decided(&wish, false, true), Act::Nothing);
    let (reason, message) = said(&wish);
    assert_eq!(reason, Reason::Protected);
    assert!(message.contains("The policy has no backup policy weekly"), "{message}");
}

/// The policy names another vault since, and another backup policy is wanted: Azure protects a server in one vault at a time.
#[test]
fn what_stays_in_another_vault_is_told_by_the_backup_policy_that_is_in_force() {
    let found = elsewhere(in_state(CONFIGURED));
    let desired = Some(Box::new(found.clone()));
    let archive = Some("/new/backupPolicies/pg-archive".to_owned());
    let wish = Wish { name: Some("archive".to_owned()), policy_id: archive, desired, ..wish(Some(found)) };
    assert_eq!(decided(&wish, false, true), Act::Nothing);
    let Vault::Told(told) =
        told(&Seen { database: ORDERS, wish: &wish, is_paused: false, server_is_ready: true })
    else {
        panic!("{wish:?}");
    };
    assert_eq!((told.reason, &*told.status.policy), (Reason::Protected, "pg-weekly"));
    insta::assert_snapshot!(
        told.message,
        @"Vault another makes copies of server srv. It stays in that vault, by backup policy pg-weekly and not by archive, until the platform team moves it"
    );
    // One that becomes what is wanted.
    let wish = self::wish(Some(instance("pg-archive", &Value::Null)));
    assert_eq!(wish.stays_by(wish.existing.instance.as_deref().unwrap()), None);
}

#[test]
fn nothing_is_written_while_it_is_not_known_what_there_is() {
    for unreadable in [Unreadable::NotSynced, Unreadable::UnknownKind("k".to_owned())] {
        let wish = Wish { existing: Existing { instance: None, unreadable: Some(unreadable) }, ..wish(None) };
        assert_eq!(decided(&wish, false, true), Act::Nothing);
    }
}

fn said(wish: &Wish) -> (Reason, String) {
    match told(&Seen { database: ORDERS, wish, is_paused: false, server_is_ready: true }) {
        Vault::Told(told) => (told.reason, told.message),
        other => panic!("{other:?}"),
    }
}

/// Azure Service Operator is content with each of them.
#[test]
fn each_state_of_azures_is_told_in_words_though_azure_service_operator_is_content() {
    let states = azure::PROTECTION_STATES.iter().chain(&[("SomethingNew", Reason::ProtectionInvalid)]);
    let all = states.map(|(state, _)| {
        let found = in_state(state);
        assert_eq!(condition::progress(&found), Progress::Ready);
        let wish = wish(Some(found));
        match told(&Seen { database: ORDERS, wish: &wish, is_paused: false, server_is_ready: true }) {
            Vault::Told(told) => {
                assert_eq!(told.status.state.as_deref(), Some(*state));
                format!("{state}: {} {}: {}", told.condition_status(), told.reason, told.message)
            }
            other => panic!("{other:?}"),
        }
    });
    let all = all.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(all);
}

#[rstest]
#[case::not_yet(wish(None), Reason::ConfiguringProtection)]
#[case::sent(wish(Some(instance("pg-weekly", &Value::Null))), Reason::ConfiguringProtection)]
#[case::policy_lacks_it(Wish { policy_id: None, desired: None, ..wish(None) }, Reason::VaultMissing)]
#[case::no_vault(
    wish(Some(instance("pg-weekly", &json!({"conditions": failing("Error", "ParentResourceNotFound")})))),
    Reason::VaultMissing
)]
#[case::no_right(
    wish(Some(instance("pg-weekly", &json!({"conditions": failing("Warning", "AuthorizationFailed")})))),
    Reason::ProtectionError
)]
#[case::refused_though_it_was_protected(
    wish(Some(instance("pg-weekly", &json!({
        "conditions": failing("Error", "AuthorizationFailed"), "id": "id",
        "properties": {"currentProtectionState": CONFIGURED},
    })))),
    Reason::ProtectionError
)]
#[case::a_hiccup_though_it_is_protected(
    wish(Some(instance("pg-weekly", &json!({
        "conditions": failing("Warning", "TooManyRequests"), "id": "id",
        "properties": {"currentProtectionState": CONFIGURED},
    })))),
    Reason::Protected
)]
#[case::of_another(wish(Some(of_another(in_state(CONFIGURED), "other"))), Reason::NameTaken)]
#[case::no_crd(
    Wish { existing: Existing { instance: None, unreadable: Some(Unreadable::UnknownKind("k".to_owned())) }, ..wish(None) },
    Reason::AzureServiceOperatorMissing
)]
#[case::no_list(
    Wish {
        existing: Existing { instance: None, unreadable: Some(Unreadable::Failing("k".to_owned(), "no".to_owned())) },
        ..wish(None)
    },
    Reason::CacheNotSynced
)]
fn what_stands_in_the_way_is_told(#[case] wish: Wish, #[case] expected: Reason) {
    assert_eq!(said(&wish).0, expected, "{}", said(&wish).1);
}

/// Azure says of some that all is well.
#[rstest]
#[case::as_large_as_may_be(1024, in_state(CONFIGURED), Reason::Protected)]
#[case::larger(1025, in_state(CONFIGURED), Reason::TooLarge)]
#[case::larger_and_set_up(2048, in_state("ConfiguringProtection"), Reason::TooLarge)]
#[case::larger_and_changed(2048, in_state("UpdatingProtection"), Reason::TooLarge)]
#[case::larger_and_sent(2048, instance("pg-weekly", &Value::Null), Reason::TooLarge)]
#[case::larger_and_in_trouble(2048, in_state("ProtectionError"), Reason::ProtectionError)]
#[case::larger_and_stopped(2048, in_state("ProtectionStopped"), Reason::ProtectionStopped)]
#[case::larger_and_of_another(2048, of_another(in_state(CONFIGURED), "other"), Reason::NameTaken)]
fn a_disk_of_which_azure_promises_no_copies_is_told(
    #[case] size_gib: i32,
    #[case] found: BackupVaultsBackupInstance,
    #[case] expected: Reason,
) {
    let wish = Wish { size_gib, ..wish(Some(found)) };
    assert_eq!(said(&wish).0, expected, "{}", said(&wish).1);
    // The vault is asked for copies all the same: some are better than none.
    let small = Wish { size_gib: 32, ..wish.clone() };
    assert_eq!(decided(&wish, false, true), decided(&small, false, true));
}

/// A disk grows by itself, and one that is asked for is there only when Azure has made it so.
#[rstest]
#[case::azure_has_not_told(None, 32)]
#[case::azure_has_another_one(Some(2048), 2048)]
fn the_disk_counts_that_azure_has(#[case] has_gib: Option<i32>, #[case] expected: i32) {
    let (policy, spec) = (policy::Policy::parse(&EXAMPLE).unwrap(), api::DatabaseSpec::default());
    let request = policy::Request::new("database-policy", ORDERS, &spec, jiff::civil::date(2026, 11, 22));
    let effective = policy.resolve(&request, None).unwrap();
    let existing = Existing { instance: None, unreadable: None };
    assert_eq!(Wish::of(&effective, &policy.azure, "srv", has_gib, None, existing).size_gib, expected);
}

#[test]
fn a_disk_that_is_too_large_is_told_with_what_to_do() {
    let wish = Wish { size_gib: 2048, ..wish(Some(in_state(CONFIGURED))) };
    let Vault::Told(told) =
        told(&Seen { database: ORDERS, wish: &wish, is_paused: false, server_is_ready: true })
    else {
        panic!("nothing is told");
    };
    insta::assert_snapshot!(format!("{} {}: {}", told.condition_status(), told.reason, told.message));
    assert_eq!(told.status.state.as_deref(), Some(CONFIGURED), "Azure's word stays beside it");
}

#[test]
fn an_object_tells_by_which_name_of_the_policy_it_was_asked_for() {
    let other = VAULT.replace("/bv", "/other");
    let azure = |vault: Option<(&str, &str)>| {
        let vault =
            vault.map(|(id, policies)| format!("  backupVault: {{id: {id}, policies: {policies}}}\n"));
        let vault = vault.unwrap_or_default().replace("/s/", "/00000000-0000-4000-8000-000000000001/");
        let text = EXAMPLE.replacen("azure:\n", &format!("azure:\n{vault}"), 1);
        policy::Policy::parse(&text).unwrap().azure
    };
    let mut found = instance("pg-weekly", &Value::Null);
    let asked = &mut found.spec.properties.policy_info.policy_reference.arm_id;
    *asked = asked.replace("/s/", "/00000000-0000-4000-8000-000000000001/");
    let existing = Existing { instance: Some(Box::new(found)), unreadable: None };
    assert_eq!(existing.policy_name(&azure(None)), None);
    let both = azure(Some((VAULT, "{archive: pg-monthly, weekly: PG-weekly}")));
    assert_eq!(existing.policy_name(&both).as_deref(), Some("weekly"));
    assert_eq!(existing.policy_name(&azure(Some((&other, "{weekly: pg-weekly}")))), None);
}
