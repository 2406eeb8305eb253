use std::sync::LazyLock;

use proptest::prelude::*;
use regex_lite::Regex;
use rstest::rstest;

use super::*;

/// What the API server says by its own expressions:
/// <https://github.com/kubernetes/apimachinery/blob/v0.36.2/pkg/api/validate/content/kube.go>
struct Model {
    word: Regex,
    subdomain: Regex,
}

static MODEL: LazyLock<Model> = LazyLock::new(Model::new);

impl Model {
    fn new() -> Self {
        let label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
        Self {
            word: Regex::new("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$").unwrap(),
            subdomain: Regex::new(&format!("^{label}(\\.{label})*$")).unwrap(),
        }
    }

    fn is_word(&self, text: &str) -> bool {
        text.len() <= 63 && self.word.is_match(text)
    }

    fn is_subdomain(&self, text: &str) -> bool {
        text.len() <= 253 && self.subdomain.is_match(text)
    }

    fn is_qualified_name(&self, key: &str) -> bool {
        match key.split('/').collect::<Vec<_>>().as_slice() {
            [name] => self.is_word(name),
            [domain, name] => self.is_subdomain(domain) && self.is_word(name),
            _ => false,
        }
    }

    /// `NameIsDNSSubdomain(name, true)`, and then the name that is made of it, which has no dots here.
    fn is_prefix(&self, prefix: &str) -> bool {
        let masked = match prefix.as_bytes() {
            // It cuts bytes, and what is left of a letter is none.
            [.., last, b'-'] if last.is_ascii() => format!("{}a", &prefix[..prefix.len() - 2]),
            _ => prefix.to_owned(),
        };
        let generated = format!("{}x7r2k", prefix.get(..58).unwrap_or(prefix));
        self.is_subdomain(&masked) && self.is_subdomain(&generated) && !generated.contains('.')
    }
}

/// Texts that are nearly right.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z0-9]{1,3}",
        2 => "[A-Z]",
        3 => "[-._/]",
        1 => prop::sample::select(vec![" ", "é", "K", "İ", "\n", "ı", "%", "\u{200b}"]).prop_map(str::to_owned),
        1 => (60..66_usize).prop_map(|length| "x".repeat(length)),
        1 => (248..256_usize).prop_map(|length| "y".repeat(length)),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn metadata_are_judged_as_the_api_server_does(key in text(), value in text()) {
        let model = &*MODEL;
        let mistakes = usize::from(!model.is_qualified_name(&key))
            + usize::from(!value.is_empty() && !model.is_word(&value));
        prop_assert_eq!(label(&key, &value).count(), mistakes);
        prop_assert_eq!(finalizer(&key).is_none(), model.is_qualified_name(&key));
        prop_assert_eq!(is_subdomain(&key), model.is_subdomain(&key));
        // An empty one is none, and not asked about.
        if !key.is_empty() {
            prop_assert_eq!(generate_name(&key).is_none(), model.is_prefix(&key), "{}", key);
        }
        // A name has no dots here, and no more than a label has.
        prop_assert!(name(&key).is_some() || model.is_subdomain(&key));
    }

    /// What is said of a mistake stands on one line, and what it says to write can be written.
    #[test]
    fn what_a_message_suggests_is_right(value in text()) {
        for problem in label("team", &value) {
            prop_assert!(problem.text.starts_with("metadata.labels[\"team\"] "), "{}", problem.text);
            prop_assert!(problem.text.chars().count() < 400 && !problem.text.contains('\n'), "{}", problem.text);
            if let Some((_, meant)) = problem.text.split_once("such as ") {
                prop_assert_eq!(label("team", meant.trim_matches('"')).count(), 0, "{}", problem.text);
            }
        }
    }
}

#[rstest]
#[case::lower("example.com/team", true)]
#[case::upper("Example.COM/Team", true)]
#[case::kelvin("\u{212a}ey", true)]
#[case::dotted_capital("\u{130}d", true)]
#[case::other_letter("Équipe", false)]
#[case::two_slashes("a/b/c", false)]
#[case::no_domain("/team", false)]
#[case::no_name("example.com/", false)]
#[case::empty("", false)]
fn the_case_of_an_annotation_counts_for_nothing(#[case] key: &str, #[case] is_right: bool) {
    assert_eq!(annotation(key).is_none(), is_right);
}

#[rstest]
#[case(LARGEST_ANNOTATIONS, None)]
#[case(
    LARGEST_ANNOTATIONS + 1,
    Some("metadata.annotations have 262145 bytes in all, and 262144 are the most; leave some out, or write less into them")
)]
fn annotations_have_room_for_so_much(#[case] size: usize, #[case] expected: Option<&str>) {
    assert_eq!(annotations(size).map(|problem| problem.text).as_deref(), expected);
}

const OWNER: Owner<'_> = Owner { api_version: "apps/v1", kind: "Deployment", name: "api", uid: "7" };

#[rstest]
#[case::whole(OWNER, None)]
#[case::core(Owner { api_version: "v1", ..OWNER }, None)]
#[case::no_version(Owner { api_version: "", ..OWNER }, Some("apiVersion"))]
#[case::group_alone(Owner { api_version: "apps/", ..OWNER }, Some("apiVersion"))]
#[case::slash(Owner { api_version: "/", ..OWNER }, Some("apiVersion"))]
#[case::two_slashes(Owner { api_version: "a/b/c", ..OWNER }, Some("apiVersion"))]
#[case::empty_group(Owner { api_version: "/v1", ..OWNER }, None)]
#[case::no_kind(Owner { kind: "", ..OWNER }, Some("kind"))]
#[case::no_name(Owner { name: "", ..OWNER }, Some("name"))]
#[case::no_uid(Owner { uid: "", ..OWNER }, Some("uid"))]
#[case::nothing(Owner::default(), Some("apiVersion, kind, name, uid"))]
#[case::event(Owner { api_version: "v1", kind: "Event", ..OWNER }, Some("can own nothing"))]
#[case::newer_event(Owner { api_version: "events.k8s.io/v1", kind: "Event", ..OWNER }, None)]
fn an_owner_is_named_in_full(#[case] sent: Owner<'_>, #[case] expected: Option<&str>) {
    let text = owner(&sent).map(|problem| problem.text);
    match (&text, expected) {
        (Some(text), Some(expected)) => assert!(text.contains(expected), "{text}"),
        (text, expected) => assert_eq!(text.as_deref(), expected),
    }
}
