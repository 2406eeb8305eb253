//! Time by size: whatever stands in it, a text takes no more than so many times what as many bytes of a good one take. Both
//! are measured in the same process, so that a slow machine is no finding.

use std::{
    fmt::Write,
    hint::black_box,
    sync::LazyLock,
    time::{Duration, Instant},
};

use policy::{
    Policy, PolicyState,
    document::{KEY, LARGEST},
};
use serde_json::{Map, Value, json};
use webhook::{
    cluster::Facts,
    review::{Basis, Hook, Question, answer},
};

use super::{POLICY, menu::Menu};

/// 22 November 2026, at noon in UTC.
const NOON: jiff::Timestamp = jiff::Timestamp::constant(1_795_348_800, 0);
/// So many times what a good text of that size takes.
const TIMES: u32 = 25;
/// What any text may take: a measurement below it says nothing.
const ANY: Duration = Duration::from_millis(30);
/// What else the machine does makes one measurement slow, and not all of them.
const TRIES: usize = 4;
/// A review of that size is among the largest that people cause.
const REVIEW: usize = 1024 * 1024;

/// A text of about so many bytes.
pub type Family = (&'static str, fn(usize) -> String);

/// Policies, each of which took more time the longer it was, by the square or worse.
pub const POLICIES: &[Family] = &[
    ("good", good),
    ("comments", |size| filled(size, "", "# #\n", "")),
    ("names in two profiles", |size| {
        let names = filled(size / 2, "  - {name: p, namespaces: {names: [", "n#, ", "last]}}\n");
        profiles(&[&names, &names.replace("last", "other")])
    }),
    ("names in many profiles", |size| {
        profiles(&[&filled(size, "", "  - {name: p#, namespaces: {names: [a, b, c, d, e, n#]}}\n", "")])
    }),
    ("names with stars", |size| {
        let name = format!("\"*{}#*\", ", "a".repeat(50));
        let first = filled(size / 2, "  - {name: p, namespaces: {names: [", &name, "last]}}\n");
        let name = format!("{}#, ", "a".repeat(55));
        profiles(&[&first, &filled(size / 2, "  - {name: q, namespaces: {names: [", &name, "other]}}\n")])
    }),
    ("profiles", |size| profiles(&[&filled(size, "", "  - {name: p#, namespaces: {names: [n#]}}\n", "")])),
    ("labels", |size| {
        profiles(&[&filled(size, "", "  - {name: p#, namespaces: {labels: {a: b, c: d, e: f#}}}\n", "")])
    }),
    ("unknown parameters", |size| allowed(size, "parameters: {allow: [", "work_men#, ", "work_mem]}")),
    ("denied parameters", |size| allowed(size, "parameters: {deny: [", "\"*z#\", ", "work_mem]}")),
    ("unknown sizes", |size| allowed(size, "skus: [", "Standard_D2ds_v#, ", "Standard_B1ms]")),
    ("patterns of sizes", |size| allowed(size, "skus: [", "\"*E*64*s*v3*#\", ", "Standard_B1ms]")),
    ("defaults beside patterns of sizes", |size| {
        let patterns = filled(5000, "skus: [", "\"*E*64*s*v3*#\", ", "Standard_B2s]");
        let defaults = "defaults: {sku: Standard_D2ds_v5, storage: {sizeGiB: 33}}";
        let start =
            format!("  - {{name: p#, namespaces: {{names: [n#]}}, {defaults}, allow: {{{patterns}}}}}\n");
        profiles(&[&filled(size.saturating_sub(POLICY.len()), "", &start, "")])
    }),
    ("a default beside patterns of sizes", |size| {
        allowed(size, "skus: [", "\"*E*64*s*v3*#\", ", "Standard_B1ms]").replacen(
            "allow:",
            "defaults: {sku: Standard_D2ds_v5}, allow:",
            1,
        )
    }),
    ("unknown extensions", |size| allowed(size, "extensions: [", "pgcripto#, ", "vector]")),
    ("versions", |size| allowed(size, "versions: [", "1#, ", "17]")),
    ("rules of the firewall", |size| {
        let rules = filled(size, "", "      - {name: r#, start: 10.0.0.1, end: 10.0.0.1}\n", "");
        POLICY.replacen("    firewall:\n", &format!("    firewall:\n{rules}"), 1)
    }),
    ("tags", |size| POLICY.replacen("  tags:\n", &filled(size, "  tags:\n", "    t#: x\n", ""), 1)),
    ("exceptions", |size| {
        let text = "  - {database: a/b, rules: [skas, skos#], until: 2027-01-31, reason: x}\n";
        POLICY.replacen("exceptions:\n", &filled(size, "exceptions:\n", text, ""), 1)
    }),
    ("recoveries", |size| {
        let text = "  - {from: a/b#, to: a/c, until: 2027-01-31, reason: x}\n";
        POLICY.replacen("recoveries:\n", &filled(size, "recoveries:\n", text, ""), 1)
    }),
    ("unknown keys", |size| filled(size, POLICY, "key#: value\n", "")),
    ("a long key", |size| format!("{POLICY}{}: value\n", "k".repeat(size))),
    ("a long value", |size| POLICY.replacen("sku: Standard_B1ms", &format!("sku: {}", "k".repeat(size)), 1)),
    ("a long value of escapes", |size| {
        POLICY.replacen("sku: Standard_B1ms", &format!("sku: \"{}\"", "\\u00e9".repeat(size / 6)), 1)
    }),
    ("aliases", |size| {
        profiles(&[&filled(
            size,
            "  - &p {name: p, namespaces: {names: [a, b, c, d, e, f]}}\n",
            "  - *p\n",
            "",
        )])
    }),
    ("aliases of aliases", |size| {
        let mut text = "  - &a0 [a, a, a, a, a, a, a, a]\n".to_owned();
        for level in 1..size / 40 {
            let before = level - 1;
            let _ = writeln!(text, "  - &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]");
        }
        profiles(&[&text])
    }),
    ("merge keys", |size| {
        profiles(&[&filled(size, "  - &p {name: p}\n", "  - {<<: *p, namespaces: {names: [n#]}}\n", "")])
    }),
    ("lists in lists", |size| format!("{POLICY}x: {}", "[".repeat(size))),
    ("keys in keys", |size| format!("{POLICY}x: {}", "{a: ".repeat(size / 4))),
    ("documents", |size| filled(size, POLICY, "---\na: #\n", "")),
    ("tags of YAML", |size| filled(size, POLICY, "!t# x: !!binary y\n", "")),
    ("spaces", |size| filled(size, POLICY, "                \n", "")),
    ("a block of text", |size| filled(size, &format!("{POLICY}x: |\n"), "  # text\n", "")),
    ("question marks", |size| filled(size, POLICY, "? a#\n", "")),
];

/// Reviews of a `Database`.
pub const REVIEWS: &[Family] = &[
    ("good", |size| review(&json!({"sku": "Standard_B1ms"}), &json!({"a": "x".repeat(size)}))),
    ("unknown parameters", |size| {
        let name = "x".repeat(size / 300);
        let parameters: Map<_, _> = (0..256).map(|at| (format!("{name}{at}"), json!("1"))).collect();
        review(&json!({"parameters": parameters}), &json!({}))
    }),
    ("parameters of one prefix", |size| {
        let value = "x".repeat(size / 300);
        let parameters: Map<_, _> = (0..256).map(|at| (format!("pgaudit.p{at}"), json!(value))).collect();
        review(&json!({"parameters": parameters}), &json!({}))
    }),
    ("too many parameters", |size| {
        let parameters: Map<_, _> = (0..size / 16).map(|at| (format!("p{at}"), json!("1"))).collect();
        review(&json!({"parameters": parameters}), &json!({}))
    }),
    ("extensions", |size| {
        let extensions: Vec<_> = (0..64).map(|at| format!("{}{at}", "x".repeat(size / 64))).collect();
        review(&json!({"extensions": extensions}), &json!({}))
    }),
    ("misspelt extensions", |_| {
        let extensions: Vec<_> = (0..64).map(|at| format!("pgcripto{at}")).collect();
        review(&json!({"extensions": extensions}), &json!({}))
    }),
    ("unknown keys", |size| {
        let keys: Map<_, _> = (0..size / 16).map(|at| (format!("key{at}"), json!({}))).collect();
        review(&Value::Object(keys), &json!({}))
    }),
    ("values that can't be read", |size| {
        let value = json!([["x".repeat(size / 800)]]);
        let parameters: Map<_, _> = (0..256).map(|at| (format!("p{at}"), value.clone())).collect();
        let many = vec![value; 256];
        review(&json!({"parameters": parameters, "sku": many, "storage": {"tier": many}}), &json!({}))
    }),
    ("a long size", |size| review(&json!({"sku": "Standard_".repeat(size / 9)}), &json!({}))),
    ("notes of defaults", |size| {
        review(&json!({}), &json!({"altinn.app/defaulted": "sku=Standard_B1ms@default,".repeat(size / 26)}))
    }),
    ("a long retention", |size| review(&json!({}), &json!({"altinn.app/retention": "9".repeat(size)}))),
    ("a long name of what comes back", |size| {
        review(&json!({}), &json!({"altinn.app/recover-from": "a/".repeat(size / 2)}))
    }),
    ("a long uid", |size| review(&json!({}), &json!({})).replace("705ab4f5", &"7".repeat(size))),
    ("lists in lists", |size| "[".repeat(size)),
];

/// The example, with as many comments as make it so long, and as many profiles as there may be at every size.
fn good(size: usize) -> String {
    let profile = "  - {name: p#, namespaces: {names: [n#]}, defaults: {sku: Standard_B1ms}, allow: {skus: [\"Standard_B*\"]}}\n";
    let profiles = filled(size.min(190 * profile.len()), "profiles:\n", profile, "");
    let text = POLICY.replacen("profiles:\n", &profiles, 1);
    filled(size.saturating_sub(text.len()), &text, "# A comment, as people write them.\n", "")
}

/// Between a beginning and an end as many pieces as fit, each with its number for `#`.
fn filled(size: usize, start: &str, piece: &str, end: &str) -> String {
    let mut text = start.to_owned();
    let mut at = 0;
    while !piece.is_empty() && text.len() + piece.len() + end.len() < size {
        text += &piece.replace('#', &at.to_string());
        at += 1;
    }
    text + end
}

fn profiles(own: &[&str]) -> String {
    POLICY.replacen("profiles:\n", &format!("profiles:\n{}", own.concat()), 1)
}

fn allowed(size: usize, start: &str, piece: &str, end: &str) -> String {
    let start = format!("  - {{name: p, namespaces: {{names: [n]}}, allow: {{{start}");
    profiles(&[&filled(size, &start, piece, &format!("{end}}}}}\n"))])
}

fn review(spec: &Value, annotations: &Value) -> String {
    let object = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {"name": "main", "namespace": "orders", "annotations": annotations}, "spec": spec,
    });
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "kind": {"group": "altinn.app", "version": "v1alpha1", "kind": "Database"},
            "name": "main", "namespace": "orders", "operation": "UPDATE", "userInfo": {"username": "flux"},
            "object": object, "oldObject": object,
        },
    });
    review.to_string()
}

/// What reading and judging a policy takes.
pub fn policy(text: &str) -> Duration {
    let started = Instant::now();
    let _ = black_box(Policy::parse(black_box(text)));
    started.elapsed()
}

/// What a review takes, from its bytes to those of the answer.
pub fn asked(body: &[u8]) -> Duration {
    static STATE: LazyLock<PolicyState> =
        LazyLock::new(|| PolicyState::default().applied(Some(&[(KEY.to_owned(), POLICY.to_owned())].into())));
    let facts = Facts::default();
    let basis = Basis { state: &STATE, policy_name: "database-policy", now: NOON, facts: &facts };
    let started = Instant::now();
    let answer = answer(&Question::read(Hook::Validate, black_box(body)), &basis);
    let json = serde_json::to_vec(&answer.review).expect("an answer is JSON");
    let took = started.elapsed();
    assert!(json.len() <= 64 * 1024, "an answer of {} bytes", json.len());
    took
}

/// What as many bytes may take, by what good ones take at this moment.
fn most(of: impl Fn() -> Duration, bytes: usize, whole: usize) -> Duration {
    let good = (0..TRIES).map(|_| of()).min().unwrap_or_default();
    let share = u32::try_from((bytes * 1000).div_ceil(whole)).unwrap_or(u32::MAX);
    ANY + good * share / 1000 * TIMES
}

/// A text that is slow each time is a finding.
fn is_in_time(what: &str, bytes: usize, took: impl Fn() -> Duration, most: impl Fn() -> Duration) {
    let mut all = Vec::new();
    for _ in 0..TRIES {
        let (took, most) = (took(), most());
        if took <= most {
            return;
        }
        all.push((took, most));
    }
    panic!("{what}: {bytes} bytes took longer than they may: {all:?}");
}

/// Fails when the policy takes longer than its size accounts for.
pub fn policy_in_time(what: &str, text: &str) {
    static GOOD: LazyLock<String> = LazyLock::new(|| good(LARGEST - 1000));
    is_in_time(what, text.len(), || policy(text), || most(|| policy(&GOOD), text.len(), GOOD.len()));
}

/// The same for a review.
pub fn review_in_time(what: &str, body: &str) {
    static GOOD: LazyLock<String> = LazyLock::new(|| REVIEWS[0].1(REVIEW));
    let good = || most(|| asked(GOOD.as_bytes()), body.len(), GOOD.len());
    is_in_time(what, body.len(), || asked(body.as_bytes()), good);
}

/// Every family, as large as it can be.
pub fn all_in_time() {
    for (name, text) in POLICIES {
        policy_in_time(name, &text(LARGEST - 4000));
    }
    for (name, text) in REVIEWS {
        review_in_time(name, &text(REVIEW));
    }
}

/// What a line of the policy is made of.
const PIECES: &[&str] = &[
    "a#, ",
    "\"*a#*\", ",
    "{",
    "}",
    "[",
    "]",
    "&a# ",
    "*a# ",
    "- ",
    "\n",
    "\n  - ",
    "name: p#",
    "allow: ",
    "skus: ",
    "namespaces: {names: [",
    "labels: {",
    ": ",
    "parameters: {allow: [",
    "Standard_B1ms",
    "<<: ",
    "? ",
    "\"",
    "'",
    "\\",
    "!t# ",
    "|\n",
    "#",
    "---\n",
    "    ",
];

/// Bytes choose a line, what is repeated there, and how often.
pub fn hold(data: &[u8]) {
    let mut menu = Menu::new(data);
    let lines: Vec<&str> = POLICY.lines().collect();
    let at = menu.number(lines.len());
    let mut piece = String::new();
    for _ in 0..=menu.number(8) {
        piece += &menu.text(PIECES);
    }
    let (start, end) = (menu.text(PIECES), menu.text(PIECES));
    let size = LARGEST / (1 << menu.number(4)) - POLICY.len() - 2000;
    let whole = filled(size, &start, &piece, &end);
    let text = format!("{}\n{whole}\n{}", lines[..at].join("\n"), lines[at..].join("\n"));
    policy_in_time("by chance", &text);
}
