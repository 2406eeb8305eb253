//! How much memory the operator takes in its pods, as the kubelet sees it.

use jiff::Timestamp;
use sandbox::Sandbox;
use serde_json::Value;

use crate::{
    cluster::{name, pods},
    common::{eventually, run},
};

/// The larger one of a component's two pods.
pub(crate) struct Memory {
    pub(crate) component: &'static str,
    pub(crate) when: &'static str,
    /// What the limit is about: the part below, and pages of files that are in use.
    pub(crate) working_set: u64,
    /// Anonymous pages.
    pub(crate) rss: u64,
    /// Of the chart.
    pub(crate) limit: u64,
}

impl Memory {
    /// How the page calls it.
    pub(crate) fn called(&self) -> String {
        format!("{}, {}", self.component, self.when)
    }
}

/// Measures each component, and fails where one takes more than half of its limit, which the chart promises to be twice of what
/// is needed.
#[track_caller]
pub(crate) fn measure(sandbox: &Sandbox, when: &'static str) -> Vec<Memory> {
    ["webhook", "controller"].map(|component| measure_one(sandbox, component, when)).into()
}

#[track_caller]
fn measure_one(sandbox: &Sandbox, component: &'static str, when: &'static str) -> Memory {
    let pods = pods(sandbox, component);
    let limit = bytes(&pods[0]["spec"]["containers"][0]["resources"]["limits"]["memory"]);
    let measured: Vec<(u64, u64)> = pods.iter().map(|pod| of_pod(sandbox, pod)).collect();
    let most = |of: fn(&(u64, u64)) -> u64| measured.iter().map(of).max().unwrap();
    let memory = Memory { component, when, working_set: most(|one| one.0), rss: most(|one| one.1), limit };
    let (working_set, rss) = (memory.working_set, memory.rss);
    println!("{}: working set {working_set}, rss {rss}, limit {limit}", memory.called());
    assert!(0 < rss && rss <= limit / 2, "the {component} has {rss} bytes of {limit}, {when}");
    assert!(
        rss <= working_set && working_set < limit,
        "the {component} has {working_set} bytes of {limit}, {when}"
    );
    memory
}

/// Working set and anonymous pages, measured from now on: the kubelet looks every few seconds.
#[track_caller]
fn of_pod(sandbox: &Sandbox, pod: &Value) -> (u64, u64) {
    let asked = Timestamp::now();
    let node = pod["spec"]["nodeName"].as_str().unwrap();
    let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
    eventually(&format!("the kubelet has measured {}", name(pod)), || {
        let stats = run(sandbox.kubectl(&["get", "--raw", &path]), "").succeeded();
        let stats: Value = serde_json::from_str(&stats).unwrap();
        let all = stats["pods"].as_array()?;
        let found = all.iter().find(|one| one["podRef"]["uid"] == pod["metadata"]["uid"])?;
        let memory = &found["containers"][0]["memory"];
        let at: Timestamp = memory["time"].as_str()?.parse().ok()?;
        let measured = (memory["workingSetBytes"].as_u64()?, memory["rssBytes"].as_u64()?);
        (at > asked).then_some(measured)
    })
}

/// A quantity as the chart writes it.
fn bytes(quantity: &Value) -> u64 {
    let number = quantity.as_str().and_then(|text| text.strip_suffix("Mi")).expect("a limit in Mi");
    number.parse::<u64>().unwrap() * 1024 * 1024
}
