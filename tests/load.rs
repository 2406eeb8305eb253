//! The memory of the webhook's process, as it is shipped, while many send it much. The chart limits it to 64 MiB.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};
use serde_json::json;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);
/// The chart gives it 64 MiB, and the program itself takes its share of that.
const PEAK: u64 = 24 * 1024 * 1024;
/// What it may hold on to when the attack is over.
const AFTER: u64 = 12 * 1024 * 1024;

struct Webhook {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    tls: Arc<ClientConfig>,
    _folder: tempfile::TempDir,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Webhook {
    /// Without an API server: it answers all the same, and that there is no policy.
    fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("tls.crt", &issued.cert.pem());
        write("tls.key", &issued.signing_key.serialize_pem());
        write("kubeconfig", KUBECONFIG);
        let mut trust = RootCertStore::empty();
        trust.add(issued.cert.der().clone()).unwrap();
        let tls = ClientConfig::builder().with_root_certificates(trust).with_no_client_auth();
        let (address, admin) = (free(), free());
        let child = Command::new(env!("CARGO_BIN_EXE_database-operator"))
            .args(["webhook", "--listen", &address.to_string(), "--admin-listen", &admin.to_string()])
            .arg("--certificate-dir")
            .arg(folder.path())
            .env("KUBECONFIG", folder.path().join("kubeconfig"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let webhook = Self { child, address, admin, tls: Arc::new(tls), _folder: folder };
        let started = Instant::now();
        while webhook.post("/validate", b"{}").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200 ")) {
            assert!(started.elapsed() < PATIENCE, "it doesn't answer");
            thread::sleep(Duration::from_millis(50));
        }
        webhook
    }

    /// Sends a body, and gives what comes back; `None` when the connection fails.
    fn post(&self, path: &str, body: &[u8]) -> Option<String> {
        let tcp = TcpStream::connect(self.address).ok()?;
        tcp.set_read_timeout(Some(PATIENCE)).ok()?;
        let name = ServerName::from(self.address.ip());
        let mut tls = StreamOwned::new(ClientConnection::new(self.tls.clone(), name).ok()?, tcp);
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        tls.write_all(head.as_bytes()).ok()?;
        // It may have been refused by its length.
        drop(tls.write_all(body));
        drop(tls.flush());
        let mut answer = Vec::new();
        drop(tls.read_to_end(&mut answer));
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The part of its memory that belongs to no file, in bytes.
    fn memory(&self) -> u64 {
        self.status("RssAnon:") * 1024
    }

    /// A number that the kernel tells of its process.
    fn status(&self, key: &str) -> u64 {
        let status =
            fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn is_alive(&self) {
        let mut tcp = TcpStream::connect(self.admin).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        tcp.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// As many senders at once send each of these bodies; gives the most memory meanwhile.
    fn under(&self, senders: usize, bodies: &[(&str, Vec<u8>)]) -> u64 {
        let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    most.fetch_max(self.memory(), Ordering::AcqRel);
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let sending: Vec<_> = (0..senders)
                .map(|_| scope.spawn(|| bodies.iter().for_each(|(path, body)| drop(self.post(path, body)))))
                .collect();
            while sending.iter().any(|sender| !sender.is_finished()) {
                self.is_alive();
                thread::sleep(Duration::from_millis(50));
            }
            done.store(true, Ordering::Release);
        });
        most.into_inner()
    }
}

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: none\n\
    clusters: [{name: none, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
    contexts: [{name: none, context: {cluster: none, user: none}}]\nusers: [{name: none, user: {}}]\n";

fn review(kind: (&str, &str), object: &serde_json::Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "kind": {"group": kind.0, "version": "v1", "kind": kind.1}, "name": "database-policy",
            "namespace": "orders", "operation": "CREATE", "userInfo": {}, "object": object,
        },
    });
    review.to_string().into_bytes()
}

#[test]
fn the_webhook_stays_within_its_memory_whatever_is_sent() {
    let webhook = Webhook::start();
    let rest = webhook.memory();
    // Else the figures would hold only where the kernel gives none unasked, as perhaps here.
    assert_eq!(webhook.status("THP_enabled:"), 0, "huge pages");
    let config_map =
        |text: String| json!({"metadata": {"name": "database-policy"}, "data": {"policy.yaml": text}});
    let database = |annotation: String| json!({"metadata": {"annotations": {"altinn.app/defaulted": annotation}}, "spec": {}});
    let names = format!("profiles: [{{name: p, namespaces: {{names: [{}a]}}}}]", "a, ".repeat(80_000));
    let attacks = [
        (
            "bodies of 6 MB",
            30,
            vec![("/validate", vec![b' '; 6_000_000]), ("/validate/policy", vec![b'"'; 6_000_000])],
        ),
        (
            "policies of 6 MB",
            30,
            vec![("/validate/policy", review(("", "ConfigMap"), &config_map("a".repeat(6_000_000))))],
        ),
        ("policies of 240 kB", 30, vec![("/validate/policy", review(("", "ConfigMap"), &config_map(names)))]),
        (
            "databases of 3 MB",
            30,
            vec![("/validate", review(("altinn.app", "Database"), &database("sku=a@b,".repeat(375_000))))],
        ),
        (
            "200 clients",
            200,
            vec![("/validate", review(("altinn.app", "Database"), &database("a".repeat(20_000)))); 3],
        ),
    ];
    println!("at rest: {:.1} MB", megabytes(rest));
    for (name, senders, bodies) in attacks {
        let most = webhook.under(senders, &bodies);
        thread::sleep(Duration::from_secs(2));
        let after = webhook.memory();
        println!("{name}: {:.1} MB at the most, {:.1} MB after it", megabytes(most), megabytes(after));
        assert!(most < PEAK, "{name}: {most} bytes at the most");
        assert!(after < AFTER, "{name}: {after} bytes after it");
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap()) * 1024.0 / 1_000_000.0
}
