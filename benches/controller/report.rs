//! The tables, as Markdown.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::{
    Creation, Life, Measured, PACE, REST, ROUNDS, SINGLE, SMALL,
    databases::TOGETHER,
    table::{head, mb, met, row},
};

/// The picture beside it.
pub const PLOT: &str = "performance-controller.svg";

/// Bytes, by how many databases there are.
const MEMORY: [(usize, u64); 2] = [(1000, 40_000_000), (10_000, 150_000_000)];
/// At most so many times what a client of as many requests takes, for so many databases.
const TO_READY: (usize, f64) = (1000, 1.1);
/// At most this long from an apply to the first object, beside so many databases.
const FIRST_CHILD: (usize, Duration) = (10_000, Duration::from_millis(300));
const STATUSES: usize = 3;
/// Of all sorts, for each database that is created.
const REQUESTS: usize = 15;
/// How often the controller writes each resource for each database. Azure Service Operator first looks whether Azure has a server
/// of that name; and what holds data is written once more when it is ready, so that it rests.
const CHILDREN: [(&str, usize); 8] = [
    ("flexibleservers", 3),
    ("flexibleserversdatabases", 2),
    ("flexibleserversfirewallrules", 1),
    ("flexibleserversadministrators", 1),
    ("userassignedidentities", 1),
    ("federatedidentitycredentials", 1),
    ("serviceaccounts", 1),
    ("secrets", 1),
];
/// The rounds of one side.
type Rounds = fn(&Measured) -> &[Creation];

const STATUS: &str = "databases/status";

pub fn text(all: &[Measured]) -> String {
    let mut text = how();
    budgets(&mut text, all);
    writeln!(text, "![Time to Ready, and memory, by the number of databases]({PLOT})\n").unwrap();
    creation(&mut text, all);
    single(&mut text, all);
    requests(&mut text, all);
    memory(&mut text, all);
    restart(&mut text, all);
    scrape(&mut text, all);
    text
}

fn how() -> String {
    format!(
        "\
## Controller

This measures the operator's release build, controller and webhook, with a real API server and etcd. All `Database` \
objects are applied at once, {TOGETHER} requests at a time, with an empty spec. Azure Service Operator's CRDs are \
installed in their newest version. The bench plays the part of Azure Service Operator: it answers each object through \
its status as soon as it sees the object, {TOGETHER} at a time. So this measures the operator and the API server only. \
The real Azure takes minutes, and the real ASO converts each object and writes it a few more times.

For comparison there is a bare client of kube-rs. It writes each object of a database once, as the controller left it, \
and one status, by server-side apply with the controller's own rights. It starts on a database when its watch shows \
it, and works on {TOGETHER} at a time, as the controller does. It has no caches, compares nothing, and doesn't wait \
for ASO's answers. The answers are sent all the same, and count: a run ends when all databases are ready and all \
objects are answered. The controller writes more than that: a finalizer, which passes the webhook again; the server once \
more at first, because ASO looks whether Azure has a server of that name; the server and its database once more at the \
end, so that ASO leaves them as they are; two statuses while it works; an event. It also reads what may conflict with \
the Secret. A second bare client makes as many requests of each sort, also without waiting. The difference to it is \
what the controller itself costs. Each run gets a new control plane. Below {SMALL} databases they take turns in \
{ROUNDS} rounds, and the middle round counts. Beyond {SMALL} databases, only the controller is measured.

The API server, etcd, the operator and the bench share the machine's cores. The times are those of the bench's \
watches. Requests are counted in the API server's audit log, without the Lease.

"
    )
}

fn budgets(text: &mut String, all: &[Measured]) {
    write!(text, "### Budgets\n\n").unwrap();
    head(text, &["what", "budget", "measured", ""]);
    for (count, budget) in MEMORY {
        let Some(measured) = all.iter().find(|measured| measured.count == count) else { continue };
        let rest = measured.life.as_ref().map(|life| life.rest.resident.max(life.restarted.resident));
        let peak = measured.creations.iter().map(|creation| creation.memory.peak);
        let peak = peak.chain(measured.life.as_ref().map(|life| life.restarted.peak)).max();
        for (when, bytes) in [("at rest", rest), ("at its peak", peak)] {
            let Some(bytes) = bytes else { continue };
            let what = format!("memory {when}, {count} databases");
            let (budget, bytes, is_met) = (budget / 1_000_000, mb(bytes), met(bytes <= budget));
            row(text, &[what, format!("{budget} MB"), format!("{bytes} MB"), is_met]);
        }
    }
    if let Some(measured) = all.iter().find(|measured| measured.count == TO_READY.0)
        && let Some(ratio) = measured.ratio(&measured.alike)
    {
        let what = format!("{} databases to Ready, of the time of a client of as many requests", TO_READY.0);
        row(
            text,
            &[what, format!("at most {}", TO_READY.1), format!("{ratio:.2}"), met(ratio <= TO_READY.1)],
        );
    }
    if let Some(measured) = all.iter().find(|measured| measured.count == FIRST_CHILD.0)
        && let Some(life) = &measured.life
    {
        let p99 = life.single[1].percentile(99);
        let what = format!("apply to first child, p99, one by one beside {} databases", measured.count);
        let budget = format!("under {} s", FIRST_CHILD.1.as_secs_f64());
        row(text, &[what, budget, seconds(p99), met(p99 < FIRST_CHILD.1)]);
    }
    counted(text, all);
    text.push('\n');
}

/// What is counted and not timed.
fn counted(text: &mut String, all: &[Measured]) {
    for measured in all {
        let (count, Some(creation)) = (measured.count, measured.creations.first()) else { continue };
        let excess: usize = CHILDREN
            .iter()
            .map(|(resource, times)| creation.requests.writes_of(resource).abs_diff(times * count))
            .sum();
        let what = format!("writes of children, {count} databases, more or fewer than each needs");
        row(text, &[what, "0".into(), excess.to_string(), met(excess == 0)]);
        let statuses = creation.requests.writes_of(STATUS);
        let what = format!("writes of status, {count} databases");
        let most = STATUSES * count;
        row(text, &[what, format!("at most {most}"), statuses.to_string(), met(statuses <= most)]);
        let requests = creation.requests.0.values().sum::<usize>();
        let what = format!("requests for each of {count} databases that are created");
        let each = real(requests) / real(count);
        row(
            text,
            &[what, format!("at most {REQUESTS}"), format!("{each:.1}"), met(requests <= REQUESTS * count)],
        );
        let Some(life) = &measured.life else { continue };
        let what = format!("reconciles at a start, {count} databases");
        let reconciles = life.restart.reconciles;
        let is_met = usize::try_from(reconciles).is_ok_and(|reconciles| reconciles <= count);
        row(text, &[what, format!("at most {count}"), reconciles.to_string(), met(is_met)]);
        let idle = [
            (format!("in {} s at rest", REST.as_secs()), life.writes_at_rest),
            ("after a change of the policy that changes nothing".into(), life.policy.writes()),
            ("on a restart".into(), life.restart_requests.writes()),
        ];
        for (when, writes) in idle {
            let what = format!("writes {when}, {count} databases");
            row(text, &[what, "0".into(), writes.to_string(), met(writes == 0)]);
        }
    }
}

fn creation(text: &mut String, all: &[Measured]) {
    let about = "### All at once\n\n\
                 The time from the first apply to the last database that is ready, and for each database from its own \
                 apply. Databases that are applied together wait for each other. Work is the processor time of the \
                 controller.\n\n";
    text.push_str(about);
    let heads = [
        "databases",
        "to Ready s",
        "bare",
        "ratio",
        "as many requests",
        "ratio",
        "first child p50 s",
        "p99 s",
        "Ready p50 s",
        "p99 s",
        "work ms for each",
    ];
    head(text, &heads);
    for measured in all {
        let Some(creation) = measured.middle() else { continue };
        let mut count = measured.count.to_string();
        if creation.ready < measured.count {
            write!(count, ", {} of them ready in time", creation.ready).unwrap();
        }
        let [child, ready] = [&creation.first_child, &creation.to_ready];
        let work = creation.processor.as_secs_f64() * 1000.0 / real(creation.ready.max(1));
        let times = [child.percentile(50), child.percentile(99), ready.percentile(50), ready.percentile(99)];
        let mut cells = vec![count, seconds(creation.took)];
        for bare in [&measured.bare, &measured.alike] {
            cells.push(middle(bare).map_or_else(String::new, |bare| seconds(bare.took)));
            cells.push(measured.ratio(bare).map_or_else(String::new, |ratio| format!("{ratio:.2}")));
        }
        cells.extend(times.map(seconds));
        cells.push(format!("{work:.1}"));
        row(text, &cells);
    }
    text.push('\n');
}

fn single(text: &mut String, all: &[Measured]) {
    let (single, pace) = (SINGLE, PACE.as_millis());
    write!(
        text,
        "### One by one\n\n\
         What an app team sees: {single} databases, one every {pace} ms, beside databases that are already \
         ready. The first two columns are for comparison: when the bench's own watch tells of the `Database`, before the operator does \
         anything. Beside many, the API server takes all cores of this machine for some seconds now and then, for its own garbage. \
         What is applied meanwhile is late, and makes the p99 of a run.\n\n"
    )
    .unwrap();
    let columns = ["watch p50 s", "p99 s", "first child p50 s", "p99 s", "Ready p50 s", "p99 s", "ready"];
    head(text, &[&["databases before"], &columns[..]].concat());
    for (count, life) in lives(all) {
        let times = life.single.iter().flat_map(|all| [all.percentile(50), all.percentile(99)]);
        let mut cells = vec![count.to_string()];
        cells.extend(times.map(seconds));
        cells.push(format!("{} of {single}", life.single[2].0.len()));
        row(text, &cells);
    }
    text.push('\n');
}

/// What the controller asked of the API server while it created, for each database.
fn requests(text: &mut String, all: &[Measured]) {
    let about = "### Requests\n\n\
                 Requests that the controller makes while it creates, for each database. A `Database` itself is \
                 patched for its finalizer.\n\n";
    text.push_str(about);
    let mut heads = vec!["request".to_owned()];
    let mut columns: Vec<(&Creation, usize)> = Vec::new();
    let sides: [(&str, Rounds); 3] = [
        ("", |measured| &measured.creations),
        ("bare, ", |measured| &measured.bare),
        ("as many, ", |measured| &measured.alike),
    ];
    for (side, rounds) in sides {
        let mut those = all.iter().filter_map(|measured| Some((rounds(measured).first()?, measured.count)));
        // The bare ones are the same for any count.
        let those: Vec<_> =
            if side.is_empty() { those.collect() } else { those.next().into_iter().collect() };
        heads.extend(those.iter().map(|(_, count)| format!("{side}{count}")));
        columns.extend(those);
    }
    head(text, &heads.iter().map(String::as_str).collect::<Vec<_>>());
    let all: BTreeSet<_> = columns.iter().flat_map(|(creation, _)| creation.requests.0.keys()).collect();
    for key in all {
        let mut cells = vec![format!("{} {}", key.0, key.1)];
        for (creation, count) in &columns {
            let requests = creation.requests.0.get(key).copied().unwrap_or_default();
            cells.push(format!("{:.2}", real(requests) / real(*count)));
        }
        row(text, &cells);
    }
    let verbs: BTreeSet<&str> = columns
        .iter()
        .flat_map(|(creation, _)| creation.requests.0.keys())
        .map(|(verb, _)| &**verb)
        .collect();
    for verb in verbs {
        let mut cells = vec![format!("**all {verb}**")];
        for (creation, count) in &columns {
            cells.push(format!("{:.2}", real(creation.requests.of_verb(verb)) / real(*count)));
        }
        row(text, &cells);
    }
    text.push('\n');
}

fn memory(text: &mut String, all: &[Measured]) {
    let about = "### Memory\n\n\
                 Resident MB of the controller; in brackets, the anonymous part of it. Measured right after the \
                 creation, at rest, and after a restart, which lists everything again.\n\n";
    text.push_str(about);
    head(text, &["databases", "created", "peak", "at rest", "restarted", "peak"]);
    for measured in all {
        let Some(creation) = measured.creations.first() else { continue };
        let bytes = |memory: crate::Memory| format!("{} ({})", mb(memory.resident), mb(memory.anonymous));
        let mut cells = vec![measured.count.to_string(), bytes(creation.memory), mb(creation.memory.peak)];
        match &measured.life {
            Some(life) => cells.extend([bytes(life.rest), bytes(life.restarted), mb(life.restarted.peak)]),
            None => cells.extend(["", "", ""].map(str::to_owned)),
        }
        row(text, &cells);
    }
    text.push('\n');
}

fn restart(text: &mut String, all: &[Measured]) {
    let about = "### Restart and policy\n\n\
                 The time from the start of the process to the end of its first reconcile, and to the end of the last \
                 one. After a change of the policy, the controller looks at all databases again.\n\n";
    text.push_str(about);
    head(text, &["databases", "first reconcile s", "last s", "reconciles", "policy: last s"]);
    for (count, life) in lives(all) {
        let cells = [
            count.to_string(),
            seconds(life.restart.first),
            seconds(life.restart.quiet),
            life.restart.reconciles.to_string(),
            seconds(life.policy_took),
        ];
        row(text, &cells);
    }
    text.push('\n');
}

fn scrape(text: &mut String, all: &[Measured]) {
    let about = "### Metrics\n\n\
                 How many series the controller exposes while all databases are ready, and how long it takes to read \
                 them: the middle one of 51 requests.\n\n";
    text.push_str(about);
    head(text, &["databases", "series", "ms"]);
    for (count, life) in lives(all) {
        let (series, took) = life.scrape;
        row(text, &[count.to_string(), series.to_string(), format!("{:.1}", took.as_secs_f64() * 1000.0)]);
    }
    text.push('\n');
}

fn lives(all: &[Measured]) -> impl Iterator<Item = (usize, &Life)> {
    all.iter().filter_map(|measured| Some((measured.count, measured.life.as_ref()?)))
}

impl Measured {
    pub fn middle(&self) -> Option<&Creation> {
        middle(&self.creations)
    }

    /// How many times longer than a bare client the controller takes.
    fn ratio(&self, bare: &[Creation]) -> Option<f64> {
        let (ours, bare) = (self.middle()?, middle(bare)?);
        let is_complete = ours.ready == self.count && bare.ready == self.count;
        is_complete.then(|| ours.took.as_secs_f64() / bare.took.as_secs_f64())
    }
}

/// The round that took the middle time.
pub fn middle(rounds: &[Creation]) -> Option<&Creation> {
    let mut rounds: Vec<&Creation> = rounds.iter().collect();
    rounds.sort_unstable_by_key(|round| round.took);
    rounds.get(rounds.len().saturating_sub(1) / 2).copied()
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.3}") } else { format!("{seconds:.1}") }
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
