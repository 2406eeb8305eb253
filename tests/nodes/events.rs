//! What happens to the webhooks in a cluster that is looked after, and in one that loses a node.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use sandbox::Sandbox;
use tempfile::TempDir;

use crate::{
    cluster::{helm, kubectl, name, nodes_of, pods, settled},
    common::{PATIENCE, run},
    drift,
    reviews::{Outcome, during},
};

/// The chart of the checkout.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator");
const IMAGE: &str = "ghcr.io/altinn/database-operator:previous";
/// Which one dies.
const VICTIM: &str = "node-2";
/// For how long a node stays dead. Its pods would leave it later: that the API server stops asking them must not depend on that.
const DEAD: Duration = Duration::from_secs(20);
/// When the last review fails after a death: after two waits of the chart's five seconds, and what a busy machine takes to tell.
const LATEST: Duration = Duration::from_millis(10_500);
/// And how many do.
const MOST: usize = 5;

/// What an event is called, and what became of the reviews during it.
pub(crate) type Row = (String, Outcome);

pub(crate) fn measure(sandbox: &Sandbox) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut record = |what: &str, event: &dyn Fn()| {
        let outcome = during(sandbox, what, event);
        assert!(outcome.failures.is_empty(), "{what}: {:#?}", outcome.failures);
        assert_eq!(outcome.without_defaults, 0, "{what}");
        rows.push((what.to_owned(), outcome));
    };
    let previous = Previous::prepare(sandbox);
    upgrade(sandbox, &previous.chart, "previous");
    record("upgrade from the previous chart and image", &|| upgrade(sandbox, Path::new(CHART), "sandbox"));
    drift::none(sandbox, "after an upgrade");
    record("rollback to them", &|| {
        helm(sandbox, &["rollback", "database-operator", "--wait", "--timeout=3m"]);
        settled(sandbox);
    });
    upgrade(sandbox, Path::new(CHART), "sandbox");
    record("a webhook's pod is deleted", &|| delete_a_webhook(sandbox, &[]));
    record("a webhook's pod is killed", &|| delete_a_webhook(sandbox, &["--grace-period=0", "--force"]));
    record("a node is drained", &|| drain(sandbox));
    kubectl(sandbox, &["uncordon", VICTIM]);
    let rollouts = std::env::var("ROLLOUTS").map_or(1, |count| count.parse().expect("ROLLOUTS is a number"));
    for rollout in 1..=rollouts {
        restart(sandbox);
        let what = format!("a node dies after rollout {rollout}");
        let outcome = during(sandbox, &what, || die(sandbox));
        revive(sandbox);
        let late = outcome.failures.iter().find(|failure| failure.at > LATEST);
        assert!(outcome.failures.len() <= MOST && late.is_none(), "{what}: {:#?}", outcome.failures);
        rows.push((what, outcome));
    }
    rows
}

/// What an upgrade begins with. There is no release yet: it is the same binary as another image, in a chart of another version.
/// `PREVIOUS_CHART` and `PREVIOUS_IMAGE`, a folder and an archive, take their place.
struct Previous {
    chart: PathBuf,
    _folder: TempDir,
}

impl Previous {
    fn prepare(sandbox: &Sandbox) -> Self {
        let given = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let folder = tempfile::tempdir().unwrap();
        let chart = given("PREVIOUS_CHART").unwrap_or_else(|| {
            let chart = folder.path().join("database-operator");
            copy(Path::new(CHART), &chart);
            let path = chart.join("Chart.yaml");
            let text = fs::read_to_string(&path).unwrap();
            let (before, after) =
                (text.matches("ersion: 0.1.0").count(), text.replace("ersion: 0.1.0", "ersion: 0.0.1"));
            assert_eq!(before, 2, "version and appVersion of {CHART}");
            fs::write(&path, after).unwrap();
            chart
        });
        let archive = given("PREVIOUS_IMAGE").unwrap_or_else(|| sandbox.image().unwrap().to_owned());
        sandbox.load_image(&archive, IMAGE).unwrap();
        Self { chart, _folder: folder }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn upgrade(sandbox: &Sandbox, chart: &Path, tag: &str) {
    let (chart, tag) = (chart.display().to_string(), format!("image.tag={tag}"));
    let upgrade = ["upgrade", "database-operator", &chart, "--reset-then-reuse-values", "--set", &tag];
    helm(sandbox, &[&upgrade[..], &["--wait", "--timeout=3m"]].concat());
    settled(sandbox);
}

fn delete_a_webhook(sandbox: &Sandbox, flags: &[&str]) {
    let pod = name(&pods(sandbox, "webhook")[0]);
    kubectl(sandbox, &[&["delete", "pod", &pod][..], flags].concat());
    settled(sandbox);
}

fn drain(sandbox: &Sandbox) {
    assert!(
        nodes_of(&pods(sandbox, "webhook")).iter().any(|node| node == VICTIM),
        "nothing is there to be drained"
    );
    run(sandbox.kubectl(&["drain", VICTIM, "--timeout=180s"]), "").succeeded();
    settled(sandbox);
    assert_eq!(nodes_of(&pods(sandbox, "")), ["node-1"; 4]);
}

/// New pods, each webhook on another node.
fn restart(sandbox: &Sandbox) {
    kubectl(sandbox, &["rollout", "restart", "deployment"]);
    settled(sandbox);
    assert_eq!(nodes_of(&pods(sandbox, "webhook")), ["node-1", "node-2"], "webhooks after a rollout");
}

fn die(sandbox: &Sandbox) {
    sandbox.disconnect_node(VICTIM).unwrap();
    let dead = Instant::now();
    // Nothing tells that it is over: it is measured for as long as this.
    while dead.elapsed() < DEAD {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Connects it again, and waits until it has told so: what was told before must not be taken for it.
fn revive(sandbox: &Sandbox) {
    let lease =
        ["get", "lease", VICTIM, "--namespace=kube-node-lease", "--output=jsonpath={.spec.renewTime}"];
    let renewed = || run(sandbox.kubectl(&lease), "").succeeded();
    let before = renewed();
    sandbox.connect_node(VICTIM).unwrap();
    let connected = Instant::now();
    while renewed() == before {
        assert!(connected.elapsed() < PATIENCE, "{VICTIM} doesn't come back");
        thread::sleep(Duration::from_millis(200));
    }
    run(sandbox.kubectl(&["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s"]), "")
        .succeeded();
    settled(sandbox);
}
