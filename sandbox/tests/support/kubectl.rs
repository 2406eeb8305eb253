//! kubectl, in the namespace `default`.

use std::io::Write;
use std::process::{Output, Stdio};

use sandbox::Sandbox;

/// Runs it to its end, with this as its input.
pub fn run(sandbox: &Sandbox, arguments: &[&str], input: &str) -> Output {
    let mut kubectl = sandbox.kubectl(&[&["--namespace", "default"], arguments].concat());
    kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut kubectl = kubectl.spawn().unwrap();
    kubectl.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    kubectl.wait_with_output().unwrap()
}

/// What it prints when all goes well.
pub fn kubectl(sandbox: &Sandbox, arguments: &[&str], input: &str) -> String {
    let output = run(sandbox, arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {}: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
