use rstest::{Context, rstest};

use super::*;

const GOOD: &str = include_str!("../../../examples/policy.yaml");

/// The good policy with one text put in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "the example has no {old:?}");
    GOOD.replacen(old, new, 1)
}

fn errors(yaml: &str) -> String {
    Policy::parse(yaml).unwrap_err().to_string()
}

#[test]
fn the_example_holds() {
    let policy = Policy::parse(GOOD).unwrap();
    assert_eq!(policy.profile("orders-prod").unwrap().name, "production");
    assert_eq!(policy.profile("orders").unwrap().name, "default");
    assert_eq!(policy.revision.len(), 12);
}

#[rstest]
#[case::typo("clusterName:", "clustername:")]
#[case::unknown_in_profile("    allow:", "    allowed:")]
#[case::not_yaml("azure:", "azure: [")]
#[case::wrong_type("version: 17", "version: seventeen")]
#[case::guid("00000000-0000-4000-8000-000000000001", "my-subscription")]
#[case::no_such_size("sku: Standard_B1ms", "sku: Standard_B1m")]
#[case::no_such_pattern("Standard_D*ds_v5", "Standart_D*")]
#[case::default_not_allowed("sku: Standard_B1ms", "sku: Standard_D2ds_v5")]
#[case::no_such_version("versions: [16, 17, 18]", "versions: [9, 17]")]
#[case::no_such_disk("sizeGiB: 32", "sizeGiB: 33")]
#[case::address("start: 20.100.0.4", "start: 20.100.0.400")]
#[case::swapped("end: 20.100.0.4", "end: 20.100.0.3")]
#[case::duration_not_yet("whenMissing: deny", "whenMissing: 7d")]
#[case::no_issuer("issuer: \"https://", "issuer: \"http://")]
fn each_mistake_names_the_line_and_what_to_write(
    #[context] context: Context,
    #[case] old: &str,
    #[case] new: &str,
) {
    insta::assert_snapshot!(context.description.unwrap(), errors(&with(old, new)));
}

#[test]
fn a_profile_behind_one_that_takes_everything_can_never_match() {
    let yaml = format!("{GOOD}  - name: never\n    namespaces: {{names: [orders]}}\n");
    insta::assert_snapshot!(errors(&yaml), @"line 43: profiles[2] (never) can never match: default stands before it and takes every namespace of it; put the narrower one first [DB406]");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let yaml =
        with("location: norwayeast", "location: Norway East").replacen("sizeGiB: 32", "sizeGiB: 33", 1);
    assert_eq!(Policy::parse(&yaml).unwrap_err().0.len(), 2);
}

#[test]
fn an_error_is_one_line() {
    for yaml in ["", "a: b", "- 1", "azure: {", "azure:\n  tags: {a: [\n", "\u{0}", "profiles: 5", "{}"] {
        let text = errors(yaml);
        assert!(!text.contains('\n'), "{yaml:?}: {text}");
    }
}

#[test]
fn a_config_map_without_the_key_names_the_key() {
    let data = BTreeMap::from([("policy.yml".to_owned(), String::new())]);
    let error = Policy::from_config_map(Some(&data)).unwrap_err().to_string();
    assert_eq!(
        error,
        "the ConfigMap has no key policy.yaml (it has policy.yml); put the policy there [DB401]"
    );
}
