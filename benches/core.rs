//! The parts of a review one by one, without a network: what takes how long.
#![allow(clippy::unwrap_used, reason = "a bench that can't start should say so and end")]

#[path = "document.rs"]
mod document;
#[path = "reviews.rs"]
#[allow(dead_code, reason = "nothing is posted here")]
mod reviews;

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use api::{DatabaseRef, DatabaseSpec};
use divan::{Bencher, Divan, black_box, counter::BytesCount};
use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};
use policy::{Policy, PolicyState, Request, defaults, document::Namespace};
use reviews::{POLICY, Review};
use serde_json::{Value, from_slice, from_value};
use webhook::{
    cluster::{Facts, Servers},
    review::{Basis, Question, answer},
};

const TODAY: Date = date(2026, 11, 22);
/// Set for the process that measures; the other one writes down what it prints.
const MEASURE: &str = "BENCH_MEASURE";

fn main() {
    if env::var_os(MEASURE).is_some() || env::var_os(document::PLACE).is_none() {
        return Divan::from_args().max_time(Duration::from_millis(500)).main();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(env::args().skip(1))
        .env(MEASURE, "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let table = String::from_utf8(output.stdout).unwrap();
    println!("{table}");
    let about = "Measured without a network: one call after the other on one core. `review` is everything between the \
                 bytes of a request and the bytes of its answer.";
    document::write(
        "core",
        &format!("## The parts of a review\n\n{about}\n\n```text\n{}\n```", table.trim()),
    );
}

#[divan::bench]
fn policy_parse() -> Policy {
    Policy::parse(black_box(POLICY)).unwrap()
}

#[divan::bench]
fn fill_defaults(bencher: Bencher<'_, '_>) {
    let policy = Policy::parse(POLICY).unwrap();
    let profile = policy.profile(Namespace::named("orders")).unwrap();
    let spec = DatabaseSpec::default();
    bencher.bench_local(|| defaults::fill(black_box(&spec), None, None, profile, &[]));
}

#[divan::bench(args = ["create", "create, denied", "update"])]
fn judge(bencher: Bencher<'_, '_>, name: &str) {
    let policy = Policy::parse(POLICY).unwrap();
    let review = reviews::all().into_iter().find(|review| review.name == name).unwrap();
    let request = from_slice::<Value>(&review.body).unwrap()["request"].take();
    let spec = |part: &str| from_value::<DatabaseSpec>(request[part]["spec"].clone()).ok();
    let (new, old) = (spec("object").unwrap(), spec("oldObject"));
    let database = DatabaseRef::new("orders", "main");
    let request = Request {
        databases: Some(0.into()),
        old: old.as_ref(),
        ..Request::new("database-policy", database, &new, TODAY)
    };
    bencher.bench_local(|| policy.judge(black_box(&request), None));
}

#[divan::bench(args = reviews::all())]
fn review(bencher: Bencher<'_, '_>, review: &Review) {
    let data = [("policy.yaml".to_owned(), POLICY.to_owned())].into();
    let state = PolicyState::default().applied(Some(&data));
    let facts = Facts { servers: Some(Servers::default()), ..Facts::default() };
    let basis = Basis {
        state: &state,
        policy_name: "database-policy",
        now: TODAY.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp(),
        facts: &facts,
    };
    bencher.counter(BytesCount::of_slice(&review.body)).bench_local(|| {
        let answer = answer(&Question::read(review.hook, black_box(&review.body)), &basis);
        assert_eq!(answer.denial.as_ref().map_or(0, |denial| denial.problems.len()), review.problems);
        serde_json::to_vec(&answer.review).unwrap()
    });
}

/// What reading JSON costs when nothing is kept of it: less is not to be had.
#[divan::bench(args = reviews::all())]
fn skip_json(bencher: Bencher<'_, '_>, review: &Review) {
    bencher
        .counter(BytesCount::of_slice(&review.body))
        .bench_local(|| from_slice::<serde::de::IgnoredAny>(black_box(&review.body)).unwrap());
}
