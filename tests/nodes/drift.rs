//! What GitOps tools would see as a difference between the chart and the cluster.

use std::time::Instant;

use base64::{Engine, prelude::BASE64_STANDARD};
use sandbox::Sandbox;

use crate::cluster::{helm, kubectl};
use crate::common::{OPERATOR_NAMESPACE, eventually, run};

/// As Flux and Argo CD ask the API server what an apply would change, and as Argo CD compares by itself.
const TOOLS: [(&str, &[&str]); 4] = [
    (
        "Flux's kustomize-controller",
        &["--server-side", "--force-conflicts", "--field-manager=kustomize-controller"],
    ),
    ("Flux's helm-controller", &["--server-side", "--force-conflicts", "--field-manager=helm-controller"]),
    ("Argo CD, server-side", &["--server-side", "--force-conflicts", "--field-manager=argocd-controller"]),
    ("Argo CD, client-side", &[]),
];

#[track_caller]
pub(crate) fn none(sandbox: &Sandbox, when: &str) {
    let manifest = helm(sandbox, &["get", "manifest", "database-operator"]);
    assert!(manifest.contains("kind: ValidatingWebhookConfiguration"), "{manifest}");
    for (tool, flags) in TOOLS {
        let diff = [&["--namespace", OPERATOR_NAMESPACE, "diff", "-f", "-"], flags].concat();
        let output = run(sandbox.kubectl(&diff), &manifest);
        // kubectl fails where there is a difference.
        assert!(output.ok, "{tool} sees a difference {when}:\n{}{}", output.stdout, output.stderr);
        assert_eq!(output.stdout, "", "{tool} {when}");
    }
    // Or nothing would ever be a difference.
    let changed = manifest.replacen("replicas: 2", "replicas: 3", 1);
    let output = run(sandbox.kubectl(&["--namespace", OPERATOR_NAMESPACE, "diff", "-f", "-"]), &changed);
    assert!(!output.ok && output.stdout.contains("+  replicas: 3"), "{}{}", output.stdout, output.stderr);
}

/// Another certificate, and another CA beside the one before: both are published at once.
pub(crate) fn none_after_a_rotation(sandbox: &Sandbox) {
    let secret = "database-operator-webhook-certificate";
    let leaf = || kubectl(sandbox, &["get", "secret", secret, r"--output=jsonpath={.data.tls\.crt}"]);
    let authorities = || {
        let path = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
        let bundle = kubectl(sandbox, &["get", "validatingwebhookconfiguration", OPERATOR_NAMESPACE, path]);
        let pem = String::from_utf8(BASE64_STANDARD.decode(bundle).unwrap()).unwrap();
        pem.matches("BEGIN CERTIFICATE").count()
    };
    let before = leaf();
    kubectl(sandbox, &["annotate", "secret", secret, "altinn.app/rotate=leaf"]);
    eventually("another certificate is issued", || (leaf() != before).then_some(()));
    none(sandbox, "after a rotation of the certificate");
    assert_eq!(authorities(), 1);
    let asked = Instant::now();
    kubectl(sandbox, &["annotate", "secret", secret, "altinn.app/rotate=ca"]);
    eventually("two CAs are published", || (authorities() == 2).then_some(()));
    none(sandbox, "while the CA rotates");
    println!("two CAs were published after {} s", asked.elapsed().as_secs());
}
