//! What a policy and a review take the larger they are, whatever stands in them: the time of a byte stays what it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that can't start should say so and end"
)]

mod diagram;
mod document;
#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "the families alone are of use here")]
mod fuzz;
mod table;

use std::{env, fmt::Write, time::Duration};

use diagram::{Line, pair, real};
use fuzz::slow::{Family, POLICIES, REVIEWS, asked, policy};
use policy::document::LARGEST;

const FILE: &str = "performance-limits.svg";
/// The smallest text that is measured: the example alone has more than half of it.
const SMALLEST: usize = 8 * 1024;
const LARGEST_REVIEW: usize = 4 * 1024 * 1024;
/// As many lines can be told apart.
const DRAWN: usize = 5;
const COLOURS: [&str; DRAWN] = ["#1f6feb", "#d29922", "#cf222e", "#2da44e", "#8250df"];

/// A family, and what a text of it takes, by its size in bytes.
struct Measured {
    name: &'static str,
    points: Vec<(usize, Duration)>,
}

fn main() {
    // `cargo test --all-targets` runs it too, and asks whether it works and not how fast.
    let tries = if env::args().any(|argument| argument == "--bench") { 5 } else { 1 };
    let policies = measured(POLICIES, LARGEST - 4000, tries, policy);
    let reviews = measured(REVIEWS, LARGEST_REVIEW, tries, |text| asked(text.as_bytes()));
    let text = report(&policies, &reviews);
    println!("{text}");
    document::write("limits", &text);
    let titles = ["ms of a policy, by kB", "ms of a review, by kB"];
    let lines = [lines(&policies), lines(&reviews)];
    document::write_beside(FILE, &pair([(titles[0], &lines[0]), (titles[1], &lines[1])]));
}

fn measured(
    families: &[Family],
    largest: usize,
    tries: usize,
    took: impl Fn(&str) -> Duration,
) -> Vec<Measured> {
    let measure = |(name, text): &Family| {
        let sizes =
            std::iter::successors(Some(SMALLEST), |size| Some(size * 2)).take_while(|size| *size < largest);
        let points = sizes.chain([largest]).map(|size| {
            let text = text(size);
            (text.len(), (0..tries).map(|_| took(&text)).min().unwrap())
        });
        Measured { name, points: points.collect() }
    };
    let mut all: Vec<_> = families.iter().map(measure).collect();
    // The slowest first.
    all.sort_by_key(|measured| std::cmp::Reverse(measured.last().1));
    all
}

impl Measured {
    fn last(&self) -> (usize, Duration) {
        *self.points.last().unwrap()
    }

    fn at(&self, kilobytes: usize) -> Option<(usize, Duration)> {
        self.points.iter().copied().find(|(size, _)| *size >= kilobytes * 1000)
    }
}

fn lines(all: &[Measured]) -> Vec<Line<'static>> {
    let line = |(measured, colour): (&Measured, &'static str)| {
        let point = |(size, took): &(usize, Duration)| (real(size / 1000), took.as_secs_f64() * 1000.0);
        (measured.name, colour, measured.points.iter().map(point).collect())
    };
    all.iter().zip(COLOURS).map(line).collect()
}

fn report(policies: &[Measured], reviews: &[Measured]) -> String {
    let mut text = format!(
        "## Limits\n\n\
         Measured without a network, on one core: how long it takes to read and judge a text, by its size. Each kind \
         of text is one whose time once grew with the square of the size, or might. The picture shows the slowest \
         kinds.\n\n\
         ![time by size]({FILE})\n"
    );
    for (what, all, small) in [("policy", policies, 30), ("review", reviews, 100)] {
        write!(text, "\n### A {what}\n\n").unwrap();
        let small_head = format!("ns a byte at {small} kB");
        table::head(&mut text, &["what stands in it", "kB", "ms", "ns a byte", &small_head]);
        for measured in all {
            let per_byte = |(size, took): (usize, Duration)| took.as_secs_f64() * 1e9 / real(size.max(1));
            let (size, took) = measured.last();
            let cells = [
                measured.name.to_owned(),
                (size / 1000).to_string(),
                format!("{:.2}", took.as_secs_f64() * 1000.0),
                format!("{:.1}", per_byte((size, took))),
                measured.at(small).map(|at| format!("{:.1}", per_byte(at))).unwrap_or_default(),
            ];
            table::row(&mut text, &cells);
        }
    }
    text
}
