//! What an update may change, and what a server that runs makes of it.

use super::*;

/// The controller asks the same once more, of what was stored in whatever way, and with what runs.
#[rstest]
#[case::password(json!({"authentication": "Password"}), &[])]
#[case::runs(json!({"extensions": ["PLV8"], "parameters": {"SSL_min_protocol_version": "TLSv1.3"}}), &[])]
#[case::one_more(json!({"extensions": ["plv8", "hstore"]}), &[Code::Extension])]
#[case::another_value(json!({"parameters": {"ssl_min_protocol_version": "TLSv1.2"}}), &[Code::Parameter])]
#[case::less(json!({}), &[])]
fn what_gets_past_admission_is_judged_against_what_runs(#[case] new: Value, #[case] expected: &[Code]) {
    let new = spec(new);
    let runs = json!({
        "version": 17, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128}, "extensions": ["plv8"],
        "parameters": {"ssl_min_protocol_version": "TLSv1.3"},
    });
    let recorded = Recorded::from(spec(runs));
    let resolved = policy().resolve(&request("orders-prod", "main", &new, None), Some(&recorded));
    assert_eq!(codes(resolved.err()), expected);
}

/// Azure grows disks, and people upgrade servers in Azure: nobody asks to undo that.
#[rstest]
#[case::grown(json!({"storage": {"sizeGiB": 64, "tier": "P6", "autoGrow": true}}), (17, 128, Some(StorageTier::P10)))]
#[case::grown_with_a_faster_tier(json!({"storage": {"sizeGiB": 64, "tier": "P20"}}), (17, 128, Some(StorageTier::P20)))]
#[case::grown_without_a_tier(json!({"storage": {"sizeGiB": 64}}), (17, 128, None))]
#[case::upgraded(json!({"version": 16}), (17, 128, None))]
#[case::another_change_besides(json!({"version": 16, "sku": "Standard_B2s"}), (17, 128, None))]
fn what_azure_has_more_of_is_a_floor_and_so_is_what_hangs_on_it(
    #[case] new: Value,
    #[case] expected: (u16, i32, Option<StorageTier>),
) {
    let mut new = spec(new);
    new.version = new.version.or(Some(IntOrString::Int(17)));
    new.sku = new.sku.or_else(|| Some("Standard_B1ms".into()));
    let storage = new.storage.get_or_insert_default();
    storage.size_gib = storage.size_gib.or(Some(64));
    let storage = storage.clone();
    // As the object of the server asks for it from then on, too.
    for tier in [storage.tier, expected.2] {
        let mut runs = spec(json!({"version": 17, "sku": "Standard_B1ms"}));
        runs.storage = Some(Storage { size_gib: Some(128), tier, auto_grow: storage.auto_grow });
        let recorded = Recorded { is_whole: true, ..runs.into() };
        let policy = policy();
        let request = request("orders", "main", &new, None);
        let effective = policy.resolve(&request, Some(&recorded)).unwrap();
        assert_eq!((effective.version, effective.size_gib, spec::tier(&effective.settings)), expected);
    }
}

#[rstest]
#[case::both_stay(json!({"extensions": ["pgaudit"], "parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}}), &[])]
#[case::both_go(json!({"extensions": []}), &[])]
#[case::extension_goes(json!({"parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}}), &[Code::Parameter])]
#[case::parameter_goes(json!({"extensions": ["PgAudit"], "parameters": {"work_mem": "8192"}}), &[])]
fn an_extension_does_not_go_while_its_parameters_stay(#[case] new: Value, #[case] expected: &[Code]) {
    let old = json!({"extensions": ["pgaudit"], "parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}});
    assert_eq!(codes(judge("orders", "main", new, Some(old))), expected);
}

#[rstest]
#[case::nothing_changed(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": "14", "sku": "standard_e64ds_v5"}), &[])]
#[case::only_the_change(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": 14, "sku": "Standard_E32ds_v5"}), &[Code::SkuNotAllowed])]
#[case::upgrade(json!({"version": 16}), json!({"version": 17}), &[])]
#[case::downgrade(json!({"version": 17}), json!({"version": 16}), &[Code::VersionDowngrade])]
#[case::growth(json!({"storage": {"sizeGiB": 32}}), json!({"storage": {"sizeGiB": 64}}), &[])]
#[case::shrink(json!({"storage": {"sizeGiB": 64}}), json!({"storage": {"sizeGiB": 32}}), &[Code::StorageShrink])]
#[case::left_out_again(json!({"version": 18, "storage": {"sizeGiB": 64}}), json!({}), &[])]
#[case::renamed(json!({}), json!({"databaseName": "other"}), &[Code::CreateOnly])]
#[case::named_as_it_is(json!({}), json!({"databaseName": "main"}), &[])]
#[case::name_left_out(json!({"databaseName": "other"}), json!({}), &[])]
#[case::copies_later(json!({}), json!({"backup": {"geoRedundant": true}}), &[Code::CreateOnly])]
#[case::copies_no_more(json!({"backup": {"geoRedundant": true}}), json!({"backup": {"geoRedundant": false}}), &[Code::CreateOnly])]
#[case::copies_left_out(json!({"backup": {"geoRedundant": true}}), json!({}), &[])]
#[case::standby_of_what_became_burstable(json!({"sku": "Standard_D2ds_v5", "highAvailability": "SameZone"}), json!({"sku": "Standard_B2s", "highAvailability": "SameZone"}), &[Code::HighAvailability])]
#[case::outgrown_tier(json!({"storage": {"sizeGiB": 32, "tier": "P6"}}), json!({"storage": {"sizeGiB": 128, "tier": "P6"}}), &[Code::StorageTier])]
#[case::outgrown_tier_left_out(json!({"storage": {"sizeGiB": 32, "tier": "P6"}}), json!({"storage": {"sizeGiB": 128}}), &[])]
fn an_update_is_judged_by_what_it_changes(#[case] old: Value, #[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", "main", new, Some(old))), expected);
}

#[rstest]
#[case::not_made_yet(None, &[])]
#[case::refused_by_azure(Some((16, 32)), &[])]
#[case::fulfilled(Some((17, 64)), &[Code::VersionDowngrade, Code::StorageShrink])]
#[case::grown_by_itself(Some((16, 128)), &[Code::StorageShrink])]
fn a_wish_that_azure_has_not_fulfilled_can_be_taken_back(
    #[case] running: Option<(u16, i32)>,
    #[case] expected: &[Code],
) {
    let old = spec(json!({"version": 17, "storage": {"sizeGiB": 64}}));
    let new = spec(json!({"version": 16, "storage": {"sizeGiB": 32}}));
    let recorded = running.map(|(version, size)| {
        Recorded::from(spec(json!({"version": version, "storage": {"sizeGiB": size}})))
    });
    let request = request("orders", "main", &new, Some(&old));
    assert_eq!(codes(policy().judge(&request, recorded.as_ref()).denial), expected);
}

#[test]
fn a_kept_database_keeps_its_name_when_the_manifest_leaves_it_out() {
    let new = spec(json!({}));
    let request = request("orders", "main", &new, None);
    let recorded = Recorded::from(spec(json!({"databaseName": "orders_v1"})));
    let effective = policy().resolve(&request, Some(&recorded)).unwrap();
    assert_eq!(effective.database_name, "orders_v1");
}

/// What runs outranks what is stored: a kept server that was found again, or one that others changed.
#[rstest]
#[case::name_not_made_yet(None, json!({"databaseName": "typo"}), json!({"databaseName": "orders"}), &[])]
#[case::name_of_a_kept_one(Some(json!({"databaseName": "orders"})), json!({"databaseName": "other"}), json!({"databaseName": "orders"}), &[])]
#[case::lost_and_left_out(Some(json!({"databaseName": "orders"})), json!({}), json!({"sku": "Standard_B2s"}), &[])]
#[case::another_name(Some(json!({"databaseName": "orders"})), json!({"databaseName": "orders"}), json!({"databaseName": "other"}), &[Code::CreateOnly])]
#[case::newer_than_stored(Some(json!({"version": 18})), json!({"version": 17}), json!({"version": 17, "sku": "Standard_B2s"}), &[])]
#[case::back_from_newer(Some(json!({"version": 18})), json!({"version": 18}), json!({"version": 17}), &[Code::VersionDowngrade])]
fn an_update_is_judged_by_what_runs(
    #[case] running: Option<Value>,
    #[case] old: Value,
    #[case] new: Value,
    #[case] expected: &[Code],
) {
    let (old, new) = (spec(old), spec(new));
    let recorded = running.map(spec).map(Recorded::from);
    let request = request("orders", "main", &new, Some(&old));
    assert_eq!(codes(policy().judge(&request, recorded.as_ref()).denial), expected);
}

#[test]
fn a_server_is_judged_where_it_is_and_its_size_in_any_case() {
    let moved = Policy::parse(&strict("").replace("norwayeast", "norwaywest")).unwrap();
    let wanted = spec(json!({"sku": "standard_d2ds_V5", "highAvailability": "ZoneRedundant"}));
    let request = request("orders", "main", &wanted, None);
    let runs = spec(json!({"version": 17, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 32}}));
    let mut recorded = Recorded { location: Some("norwayeast".into()), ..runs.into() };
    assert!(moved.resolve(&request, Some(&recorded)).is_ok());
    // And what was accepted once isn't looked at again because of a letter's case.
    recorded.location = None;
    recorded.is_whole = true;
    recorded.running.high_availability = wanted.high_availability;
    assert!(moved.resolve(&request, Some(&recorded)).is_ok());
}

/// A kept server that is found again: the default that the new object records changes nothing of it, for any judge.
#[rstest]
#[case::standby_of_what_runs(json!({"sku": "Standard_B1ms", "highAvailability": "SameZone"}), &[])]
#[case::as_it_runs(json!({"sku": "Standard_D4ds_v5"}), &[])]
#[case::another(json!({"sku": "Standard_D8ds_v5"}), &[Code::SkuNotAllowed])]
fn a_default_that_gave_way_is_judged_as_what_runs(#[case] change: Value, #[case] expected: &[Code]) {
    let policy = policy();
    let stored = spec(json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}}));
    let mut new = json!({"version": 17, "storage": {"sizeGiB": 32}});
    new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let new = spec(new);
    let mut recorded = made(&stored);
    recorded.running.sku = Some("Standard_D4ds_v5".into());
    let defaulted = defaults::from_annotation("sku=Standard_B1ms@default");
    let request = Request { defaulted: &defaulted, ..request("orders", "main", &new, Some(&stored)) };
    assert_eq!(codes(policy.judge(&request, Some(&recorded)).denial), expected);
    let built = policy.resolve(&Request { old: None, ..request }, Some(&recorded));
    assert_eq!(codes(built.err()), expected);
    let unchanged = Request { new: &stored, ..request };
    let breaches = policy.breaches(&unchanged, Some(&recorded));
    assert_eq!(breaches.first().map(|(_, problem)| problem.code), Some(Code::SkuNotAllowed));
}

#[test]
fn a_stricter_policy_leaves_old_databases_alone() {
    let old = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 32}, "version": 17});
    let new = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 64}, "version": 17});
    assert_eq!(codes(judge("orders-prod", "main", new, Some(old))), &[]);
}
