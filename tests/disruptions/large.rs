//! What a tenant writes in a namespace of his own, as large as the API server lets it be, takes nothing from the others.

use serde_json::{Value, json};

use crate::{
    common::{Story, eventually, run},
    sandbox,
};

/// As many Secrets of a megabyte, which fit on one page of a list by their number. Read whole, they took three times that.
const SECRETS: usize = 60;
/// What the controller may take for all that, in MB.
const ROOM: u64 = 40;

/// Memory of a process that belongs to no file, in MB.
fn memory(sandbox: &sandbox::Sandbox, process: &str) -> u64 {
    let pid = sandbox.state().unwrap().processes[process].pid.unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Labels as ours, which anybody can write.
fn labels(story: &Story<'_>, name: &str) -> Value {
    json!({
        "app.kubernetes.io/managed-by": "database-operator", "altinn.app/database-namespace": story.namespace,
        "altinn.app/database-name": name,
    })
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

#[test]
fn large_objects_of_a_tenant_take_no_memory_from_the_others() {
    let sandbox = sandbox();
    let (tenant, other) = (Story::new(&sandbox, "large"), Story::new(&sandbox, "beside"));
    other.database("first", "{}").succeeded();
    other.wait_ready("first");
    let before = memory(&sandbox, "controller");

    let mut highest = before;
    let megabyte = "x".repeat(1_000_000);
    for number in 0..SECRETS {
        let name = format!("tenant-{number}");
        let metadata = json!({"name": format!("{name}-db-credentials"), "labels": labels(&tenant, &name)});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": megabyte}});
        tenant.create(&secret.to_string()).succeeded();
        highest = highest.max(memory(&sandbox, "controller"));
    }
    // What stands beside the data is larger in memory than it is written.
    let notes = json!({"example.com/a": "y".repeat(250_000)});
    let accounts: Vec<Value> = (0..40)
        .map(|number| {
            let metadata = json!({"name": format!("tenant-{number}"), "labels": labels(&tenant, "x"), "annotations": notes});
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        })
        .collect();
    for accounts in accounts.chunks(10) {
        tenant.create(&list(accounts)).succeeded();
    }
    highest = highest.max(memory(&sandbox, "controller"));
    other.database("second", "{}").succeeded();
    other.wait_ready("second");
    highest = highest.max(memory(&sandbox, "controller"));
    assert!(highest < before + ROOM, "from {before} to {highest} MB while they were written");

    // All of it is listed anew.
    sandbox.process("controller").restart().unwrap();
    other.database("third", "{}").succeeded();
    let mut highest = 0;
    eventually("the others are served", || {
        highest = highest.max(memory(&sandbox, "controller"));
        let third = other.get("database", "third")?;
        (crate::common::ready(&third)["status"] == "True").then_some(())
    });
    assert!(highest < before + ROOM, "{highest} MB after a restart, {before} before");
    run(sandbox.kubectl(&["delete", "namespace", "large", "--wait=false"]), "").succeeded();
}
