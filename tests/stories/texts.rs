//! What other programs say when something is wrong is what docs/troubleshooting.md quotes, word for word.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rstest::rstest;
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::{common::Story, examples::tls::Pair, story};

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// Fails unless the page quotes this text, and the program has said it: its parts, one after the other.
#[track_caller]
pub(crate) fn page_quotes(text: &str, said: &str) {
    assert!(PAGE.contains(&format!("| `{text}`")), "the page has no row for {text}");
    let mut rest = said;
    for part in text.split('…').map(str::trim) {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("it didn't say {part:?}: {said}"));
        rest = after;
    }
}

/// A webhook of this name and these properties, asked about `ConfigMap`s of the story alone.
fn refused_by_webhook(story: &Story<'_>, client_config: &Value) -> String {
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": story.namespace},
        "webhooks": [{
            // As the page has it.
            "name": "databases.altinn.app",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": story.namespace}},
            "clientConfig": client_config, "timeoutSeconds": 1, "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    });
    story.apply(&configuration.to_string()).succeeded();
    // The API server hears of it a moment later.
    let said = crate::common::eventually("the webhook is asked", || {
        let created = story.kubectl(&["create", "configmap", "try", "--dry-run=server"]);
        (!created.ok).then(|| created.refused())
    });
    story.kubectl(&["delete", "validatingwebhookconfiguration", &story.namespace]).succeeded();
    let begins = "failed calling webhook \"databases.altinn.app\": failed to call webhook: Post ";
    assert!(said.contains(begins) && PAGE.contains(&format!("{begins}…")), "{said}");
    said
}

/// A server of TLS with this certificate; gives its port.
fn serve(pair: &Pair) -> u16 {
    let (config, listener) = (pair.server_config(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            // The client goes when it has seen the certificate.
            drop(stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(b"HTTP/1.1 500 no\r\n\r\n")));
        }
    });
    port
}

fn base64(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(text)
}

#[test]
fn the_api_server_says_of_a_webhook_that_is_not_there_what_the_page_quotes() {
    let story = story();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It takes connections, and never answers.
    let silent = refused_by_webhook(&story, &json!({"url": format!("https://127.0.0.1:{port}")}));
    page_quotes("…: context deadline exceeded", &silent);
    drop(listener);
    let closed = refused_by_webhook(&story, &json!({"url": format!("https://127.0.0.1:{port}")}));
    page_quotes("…: connect: connection refused", &closed);
    let service = json!({"namespace": story.namespace, "name": "database-operator-webhook"});
    let absent = refused_by_webhook(&story, &json!({"service": service}));
    page_quotes("…: service \"database-operator-webhook\" not found", &absent);
}

#[rstest]
#[case::of_another_ca(
    "127.0.0.1",
    2100,
    false,
    "…: tls: failed to verify certificate: x509: certificate signed by unknown authority"
)]
#[case::expired(
    "127.0.0.1",
    2020,
    true,
    "…: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: …"
)]
#[case::for_another_name(
    "database-operator-webhook.other.svc",
    2100,
    true,
    "…: tls: failed to verify certificate: x509: certificate is valid for …, not database-operator-webhook.…"
)]
fn the_api_server_says_of_a_webhooks_certificate_what_the_page_quotes(
    #[case] name: &str,
    #[case] until: i32,
    #[case] is_trusted: bool,
    #[case] text: &str,
) {
    let story = story();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2010, 1, 1), date_time_ymd(until, 1, 1));
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = params.self_signed(&key).unwrap().pem();
    let pair = Pair { certificate, key: key.serialize_pem() };
    let other = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&other).unwrap().pem();
    let bundle = base64(if is_trusted { &pair.certificate } else { &other });
    let port = serve(&pair);
    let client_config = if name == "127.0.0.1" {
        json!({"url": format!("https://127.0.0.1:{port}"), "caBundle": bundle})
    } else {
        // By a Service of this name, which leads here.
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "database-operator-webhook"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        });
        story.apply(&service.to_string()).succeeded();
        let service =
            json!({"namespace": story.namespace, "name": "database-operator-webhook", "port": port});
        json!({"service": service, "caBundle": bundle})
    };
    page_quotes(text, &refused_by_webhook(&story, &client_config));
}

#[test]
fn kubectl_says_of_what_is_not_there_or_not_allowed_what_the_page_quotes() {
    let story = story();
    // Of a version that nobody serves, it says the same.
    let unknown = "apiVersion: altinn.app/v1alpha2\nkind: Database\nmetadata: {name: main}\n";
    let said = story.apply(unknown).refused();
    page_quotes(
        "no matches for kind \"Database\" in version \"altinn.app/v1alpha1\"",
        &said.replace("alpha2", "alpha1"),
    );
    let manifest = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(manifest.path(), unknown.replace("alpha2", "alpha1")).unwrap();
    let path = manifest.path().display().to_string();
    for command in ["create", "apply"] {
        let said = story.kubectl(&[command, "--as=kari", "-f", &path]).refused();
        page_quotes(
            "… is forbidden: User \"…\" cannot … resource \"databases\" in API group \"altinn.app\" in the namespace \"…\"",
            &said,
        );
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"},
        "spec": {"serviceAccountName": "orders", "containers": [{"name": "app", "image": "app"}]},
    });
    page_quotes(
        "error looking up service account …: serviceaccount \"…\" not found",
        &story.apply(&pod.to_string()).refused(),
    );
}
