//! The tables, as Markdown.

use std::{fmt::Write, time::Duration};

use crate::{
    BUDGETED, LOADS, Measured, Memories, ROUNDS, Side,
    client::{Round, Version},
    table::{head, mb, met, row},
};

/// At least so much of the bare handler's throughput, for a small review and for a large one.
const THROUGHPUT: [f64; 2] = [0.8, 0.7];
/// At most so many times the bare handler's p99, for a small review. What a large one takes is said by its throughput.
const P99: f64 = 1.5;
/// Bytes, at rest and under load.
const MEMORY: u64 = 20_000_000;

pub fn text(all: &[Measured], memories: &[Memories; 2], length: Duration) -> String {
    let mut text = String::new();
    let (budgeted, others): (Vec<_>, Vec<_>) = all.iter().partition(|measured| measured.load == BUDGETED);
    how(&mut text, length);
    summary(&mut text, &budgeted, &memories[0]);
    write!(text, "### Eight connections of HTTP/2\n\n").unwrap();
    let heads = ["review", "bytes", "a second", "bare", "ratio", "p50 µs", "bare", "p99 µs", "bare", "ratio"];
    head(&mut text, &heads);
    for measured in budgeted {
        let (ours, bare) = (&measured.ours, &measured.bare);
        let cells = [
            measured.review.to_string(),
            measured.review.body.len().to_string(),
            format!("{:.0}", ours.per_second()),
            format!("{:.0}", bare.per_second()),
            verdict(measured.throughput(), measured.throughput() >= least(measured.review.is_large)),
            format!("{:.0}", ours.percentile(50)),
            format!("{:.0}", bare.percentile(50)),
            format!("{:.0}", ours.percentile(99)),
            format!("{:.0}", bare.percentile(99)),
            if measured.review.is_large {
                format!("{:.2}", measured.p99())
            } else {
                verdict(measured.p99(), measured.p99() <= P99)
            },
        ];
        row(&mut text, &cells);
    }
    work(&mut text, all);
    memory(&mut text, memories);
    loads(&mut text, &others);
    text
}

fn how(text: &mut String, length: Duration) {
    let (seconds, rounds) = (length.as_secs_f64(), ROUNDS);
    let how = format!(
        "\
## Admission

This compares two servers over TLS 1.3 on the loopback interface. One is the webhook's server with its limits. The \
other is a bare axum handler on hyper-util and tokio-rustls, which reads the body and sends a constant answer of the \
same length. Of a large review it also parses the JSON, into parts that it leaves as they stand. Each server is a process of its own. A third process sends the requests: each client waits for its answer \
before it sends the next request. No process is pinned to a core. All three share the cores, so the clients always \
keep a core busy. The two servers take turns in {rounds} rounds, {seconds} s each in total. For throughput, p50 and \
p99, the middle round counts. The operator also has a client of the API server and its caches; these are not part of \
this process.

"
    );
    text.push_str(&how);
}

/// The budgets and the worst that was measured of each.
fn summary(text: &mut String, budgeted: &[&Measured], ours: &Memories) {
    write!(text, "### Budgets\n\n").unwrap();
    head(text, &["what", "budget", "measured", ""]);
    for (is_large, size) in [(false, "1 KB"), (true, "100 KB")] {
        let those = || budgeted.iter().filter(move |measured| measured.review.is_large == is_large);
        let throughput = those().map(|measured| measured.throughput()).fold(f64::INFINITY, f64::min);
        let cells = [
            format!("throughput of bare, 8 connections, {size}"),
            format!("at least {}", least(is_large)),
            format!("{throughput:.2} at the least"),
            met(throughput >= least(is_large)),
        ];
        row(text, &cells);
        if is_large {
            continue;
        }
        let p99 = those().map(|measured| measured.p99()).fold(0.0, f64::max);
        let cells = [
            format!("p99 of bare, 8 connections, {size}"),
            format!("at most {P99}"),
            format!("{p99:.2} at the most"),
            met(p99 <= P99),
        ];
        row(text, &cells);
    }
    let peak = ours.load.peak.max(ours.after.peak);
    for (name, bytes) in [("memory at rest", ours.rest.resident), ("memory under load, at its peak", peak)] {
        let cells = [
            name.into(),
            format!("{} MB", MEMORY / 1_000_000),
            format!("{} MB", mb(bytes)),
            met(bytes <= MEMORY),
        ];
        row(text, &cells);
    }
    text.push('\n');
}

/// What the servers computed, which the asker has no part in.
fn work(text: &mut String, all: &[Measured]) {
    let about = "\n### Work\n\n\
                 Processor time of the server's process for one review, over all loads. The clients are not included, \
                 so this is the strictest measure of what a review costs.\n\n";
    text.push_str(about);
    head(text, &["review", "µs", "bare", "difference"]);
    for loads in all.chunk_by(|a, b| a.review.body == b.review.body && a.review.hook == b.review.hook) {
        let of = |side: fn(&Measured) -> &Side| {
            let total: Duration = loads.iter().map(|measured| side(measured).processor).sum();
            let answers: usize = loads.iter().map(|measured| side(measured).answers()).sum();
            micros(total) / f64::from(u32::try_from(answers).unwrap_or(u32::MAX))
        };
        let (ours, bare) = (of(|measured| &measured.ours), of(|measured| &measured.bare));
        let name = loads[0].review.to_string();
        row(text, &[name, format!("{ours:.0}"), format!("{bare:.0}"), format!("{:.0}", ours - bare)]);
    }
    text.push('\n');
}

fn memory(text: &mut String, memories: &[Memories; 2]) {
    write!(text, "### Memory\n\nResident MB; in brackets, the anonymous part of it.\n\n").unwrap();
    head(text, &["server", "at rest", "under load", "after it", "peak"]);
    for (name, memories) in ["webhook", "bare"].iter().zip(memories) {
        let Memories { rest, load, after } = memories;
        let moments =
            [rest, load, after].map(|memory| format!("{} ({})", mb(memory.resident), mb(memory.anonymous)));
        row(text, &[&[(*name).to_owned()][..], &moments[..], &[mb(after.peak)]].concat());
    }
    text.push('\n');
}

fn loads(text: &mut String, others: &[&Measured]) {
    write!(text, "### Other loads\n\n").unwrap();
    for load in LOADS.iter().filter(|load| **load != BUDGETED) {
        let connections = if load.connections == 1 { "connection" } else { "connections" };
        let version = match load.version {
            Version::Http1 => "HTTP/1.1, as an API server asks a Service",
            Version::Http2 => "HTTP/2",
        };
        write!(text, "{} {connections} of {version}:\n\n", load.connections).unwrap();
        head(text, &["review", "a second", "bare", "ratio", "p50 µs", "bare", "p99 µs", "bare", "ratio"]);
        for measured in others.iter().filter(|measured| measured.load == *load) {
            let (ours, bare) = (&measured.ours, &measured.bare);
            let cells = [
                measured.review.to_string(),
                format!("{:.0}", ours.per_second()),
                format!("{:.0}", bare.per_second()),
                format!("{:.2}", measured.throughput()),
                format!("{:.0}", ours.percentile(50)),
                format!("{:.0}", bare.percentile(50)),
                format!("{:.0}", ours.percentile(99)),
                format!("{:.0}", bare.percentile(99)),
                format!("{:.2}", measured.p99()),
            ];
            row(text, &cells);
        }
        text.push('\n');
    }
}

impl Measured {
    fn throughput(&self) -> f64 {
        self.ours.per_second() / self.bare.per_second()
    }

    fn p99(&self) -> f64 {
        self.ours.percentile(99) / self.bare.percentile(99)
    }
}

impl Side {
    fn answers(&self) -> usize {
        self.rounds.iter().map(|round| round.latencies.len()).sum()
    }

    fn per_second(&self) -> f64 {
        self.middle(Round::per_second)
    }

    /// In µs.
    fn percentile(&self, percent: usize) -> f64 {
        self.middle(|round| micros(round.percentile(percent)))
    }

    fn middle(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
    }
}

fn least(is_large: bool) -> f64 {
    THROUGHPUT[usize::from(is_large)]
}

fn verdict(ratio: f64, is_met: bool) -> String {
    format!("{ratio:.2} {}", met(is_met))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
