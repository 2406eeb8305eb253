//! A sandbox comes up, can be disturbed, and leaves nothing behind.
// The helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::{Options, Sandbox, State, Status};

fn control_plane() -> Sandbox {
    let options = Options { without_aso: true, without_operator: true, ..Options::without_postgres() };
    Sandbox::start(&options).unwrap()
}

fn pids(state: &State) -> Vec<u32> {
    state.processes.values().filter_map(|process| process.pid).collect()
}

/// A process that ended, but that nobody has asked about yet, counts as gone.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn all_end(pids: &[u32]) -> bool {
    let started = Instant::now();
    while pids.iter().copied().any(runs) {
        if started.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

fn can_write(sandbox: &Sandbox, namespace: &str) -> bool {
    let create = ["create", "namespace", namespace, "--request-timeout=2s"];
    sandbox.kubectl(&create).output().unwrap().status.success()
}

#[test]
fn programs_can_be_killed_paused_and_started_again() {
    let sandbox = control_plane();
    assert!(can_write(&sandbox, "before"));
    let kubectl = sandbox.kubectl(&["version"]);
    let kuberc = kubectl.get_envs().find(|(name, _)| *name == "KUBERC");
    assert_eq!(kuberc.and_then(|(_, value)| value), Some("off".as_ref()), "the user's own settings stay out");

    let etcd = sandbox.process("etcd");
    etcd.pause().unwrap();
    assert!(!can_write(&sandbox, "meanwhile"), "the API server writes without its store");
    etcd.resume().unwrap();
    sandbox.process("kube-apiserver").wait_ready().unwrap();
    assert!(can_write(&sandbox, "after"));

    let manager = sandbox.process("kube-controller-manager");
    manager.kill().unwrap();
    assert_eq!(sandbox.state().unwrap().processes["kube-controller-manager"].status, Status::Stopped);
    manager.start().unwrap();
    assert_eq!(sandbox.state().unwrap().processes["kube-controller-manager"].status, Status::Running);

    let unknown = sandbox.process("kube-scheduler").restart().unwrap_err().to_string();
    assert!(unknown.contains("there is no process \"kube-scheduler\""), "{unknown}");

    let audit = std::fs::read_to_string(sandbox.audit_log()).unwrap();
    assert!(audit.contains(r#""verb":"create""#), "writes are recorded");

    let pids = pids(&sandbox.state().unwrap());
    assert_eq!(pids.len(), 3);
    drop(sandbox);
    assert!(all_end(&pids), "a program outlived its sandbox");
}

#[test]
fn a_sandbox_whose_directory_is_gone_ends() {
    let sandbox = control_plane();
    let state = sandbox.state().unwrap();
    let gone = sandbox.directory().with_extension("gone");
    std::fs::rename(sandbox.directory(), &gone).unwrap();
    assert!(all_end(&pids(&state)), "a program outlived its directory");
    assert!(all_end(&[state.supervisor]), "the supervisor outlived its directory");
    assert!(gone.join("logs").is_dir());
    std::fs::remove_dir_all(&gone).unwrap();
}

#[test]
fn a_program_that_ends_by_itself_is_started_again() {
    let sandbox = control_plane();
    let before = sandbox.state().unwrap().processes["kube-controller-manager"].pid.unwrap();
    kill(before);
    let started = Instant::now();
    loop {
        let process = sandbox.state().unwrap().processes["kube-controller-manager"].clone();
        if process.restarts == 1 && process.pid.is_some_and(|pid| pid != before) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{process:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    sandbox.process("kube-controller-manager").wait_ready().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_outlives_a_supervisor_that_is_killed() {
    let sandbox = control_plane();
    let state = sandbox.state().unwrap();
    let pids = pids(&state);
    assert!(Path::new(&state.kubeconfig).exists());
    kill(state.supervisor);
    assert!(all_end(&pids), "a program outlived its supervisor");
}

/// SIGKILL, from outside: as the system does when memory runs out.
fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
