//! The webhook's certificate is replaced while the API server goes on calling.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use sandbox::{Options, Sandbox};

use crate::common::{PATIENCE, Story, database, eventually, run};

pub(crate) const NAMESPACE: &str = "database-operator";
pub(crate) const SECRET: &str = "database-operator-webhook-certificate";

/// A sandbox of which one process is ours to run.
pub(crate) struct Cluster {
    pub(crate) sandbox: Sandbox,
    pub(crate) arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Cluster {
    /// The webhook.
    pub(crate) fn start() -> Self {
        Self::without("webhook", &Options { without_aso: true, ..Options::without_postgres() })
    }

    pub(crate) fn without(process: &str, options: &Options) -> Self {
        let sandbox = Sandbox::start(options).unwrap_or_else(|error| panic!("{error}"));
        let pid = sandbox.state().unwrap().processes[process].pid.unwrap();
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let words = |text: String| {
            text.split('\0').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let arguments = words(read("cmdline"));
        let environment = words(read("environ"))
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        sandbox.process(process).stop().unwrap();
        Self { sandbox, arguments, environment }
    }

    /// A replica in place of the sandbox's own, with more flags.
    pub(crate) fn replica(&self, name: &str, flags: &[&str]) -> Replica {
        self.spawn(name, |command| command.args(flags))
    }

    /// A replica that reaches the API server by this kubeconfig.
    pub(crate) fn replica_with(&self, name: &str, kubeconfig: &Path) -> Replica {
        self.spawn(name, |command| command.env("KUBECONFIG", kubeconfig))
    }

    fn spawn(&self, name: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Replica {
        let log = self.sandbox.directory().join(format!("{name}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_database-operator"));
        command.args(&self.arguments[1..]).envs(self.environment.iter().cloned());
        let child = with(&mut command).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Replica { child, log }
    }

    /// By which the process of ours reaches the API server.
    pub(crate) fn kubeconfig(&self) -> &str {
        let found = self.environment.iter().find(|(name, _)| name == "KUBECONFIG");
        &found.unwrap().1
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        run(self.sandbox.kubectl(&[&["--namespace", NAMESPACE], arguments].concat()), "").succeeded()
    }

    /// The CAs that the API server trusts.
    pub(crate) fn published(&self) -> Vec<String> {
        let path = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
        let text = self.kubectl(&["get", "validatingwebhookconfiguration", NAMESPACE, path]);
        let pem = String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap();
        pem.split("-----BEGIN CERTIFICATE-----").skip(1).map(|ca| ca.trim().to_owned()).collect()
    }

    /// The certificate in the Secret.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(&self.secret("tls.crt")).unwrap().to_vec()
    }

    /// The certificate that is shown at this address, to a client that trusts what the API server trusts; empty when
    /// there is no handshake.
    pub(crate) fn served(&self, address: SocketAddr) -> Vec<u8> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut trust = RootCertStore::empty();
        for authority in self.published() {
            let pem = format!("-----BEGIN CERTIFICATE-----\n{authority}\n");
            trust.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        }
        let config = ClientConfig::builder().with_root_certificates(trust).with_no_client_auth();
        let mut tls = ClientConnection::new(Arc::new(config), ServerName::from(address.ip())).unwrap();
        let shaken = TcpStream::connect(address).and_then(|mut tcp| {
            while tls.is_handshaking() {
                tls.complete_io(&mut tcp)?;
            }
            Ok(())
        });
        match (shaken, tls.peer_certificates()) {
            (Ok(()), Some([leaf, ..])) => leaf.to_vec(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn secret(&self, key: &str) -> Vec<u8> {
        let path = format!("--output=jsonpath={{.data['{}']}}", key.replace('.', "\\."));
        BASE64_STANDARD.decode(self.kubectl(&["get", "secret", SECRET, &path])).unwrap()
    }
}

/// Ends with the test.
pub(crate) struct Replica {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Replica {
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn review(story: &Story<'_>) -> crate::common::Output {
    story.apply_with(&["--dry-run=server"], &database("main", "{}"))
}

/// Begins, and has things reviewed all the time until another CA alone is published; says how many were
/// published meanwhile.
fn review_until_replaced(cluster: &Cluster, story: &Story<'_>, begin: &[&str]) -> Vec<usize> {
    let before = cluster.published();
    cluster.kubectl(begin);
    let mut counts = vec![before.len()];
    let started = Instant::now();
    loop {
        review(story).succeeded();
        let published = cluster.published();
        if counts.last() != Some(&published.len()) {
            counts.push(published.len());
        }
        if published.len() == 1 && published != before {
            review(story).succeeded();
            return counts;
        }
        assert!(started.elapsed() < PATIENCE, "the CA is not replaced: {counts:?}");
    }
}

#[test]
fn a_ca_is_replaced_and_no_review_fails() {
    let cluster = Cluster::start();
    let flags = ["--certificate-check=500ms", "--ca-settle=3s", "--ca-overlap=8s"];
    let called = cluster.replica("called", &flags);
    let elsewhere = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let _other = cluster.replica("other", &[&flags[..], &elsewhere].concat());
    let story = Story::new(&cluster.sandbox, "rotated");
    eventually("the webhook answers", || review(&story).ok.then_some(()));

    let ask = ["annotate", "secret", SECRET, "altinn.app/rotate=ca"];
    assert_eq!(review_until_replaced(&cluster, &story, &ask), [1, 2, 1]);

    // The same when everything is lost but what the replicas have in memory. The Secret is made by who installs the chart.
    cluster.kubectl(&["delete", "secret", SECRET]);
    eventually("it says who makes it", || called.log().contains("the chart makes it").then_some(()));
    review(&story).succeeded();
    let make = ["create", "secret", "generic", SECRET];
    assert_eq!(review_until_replaced(&cluster, &story, &make), [1, 2, 1]);
}

#[test]
fn mounted_files_are_served_and_broken_ones_leave_them_served() {
    let cluster = Cluster::start();
    let directory = tempfile::tempdir().unwrap();
    let flag = format!("--certificate-dir={}", directory.path().display());
    let replica = cluster.replica("mounted", &[&flag]);
    let story = Story::new(&cluster.sandbox, "mounted");
    eventually("it says what is missing", || {
        replica.log().contains("mount a Secret of type kubernetes.io/tls there").then_some(())
    });
    review(&story).refused();

    for file in ["tls.crt", "tls.key"] {
        fs::write(directory.path().join(file), cluster.secret(file)).unwrap();
    }
    eventually("the webhook answers", || review(&story).ok.then_some(()));
    fs::write(directory.path().join("tls.crt"), "half").unwrap();
    eventually("it says what is wrong", || replica.log().contains("tls.crt can't be read").then_some(()));
    review(&story).succeeded();
}

/// Ends the reviews also when the story fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As the kubelet mounts a Secret: the files are links through `..data`, which is put on the next folder in one step.
fn mount(cluster: &Cluster, directory: &Path, version: &str) {
    let folder = directory.join(version);
    fs::create_dir(&folder).unwrap();
    for file in ["tls.crt", "tls.key"] {
        fs::write(folder.join(file), cluster.secret(file)).unwrap();
        if fs::symlink_metadata(directory.join(file)).is_err() {
            symlink(format!("..data/{file}"), directory.join(file)).unwrap();
        }
    }
    symlink(version, directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
}

#[test]
fn a_mounted_certificate_is_replaced_and_no_review_fails() {
    let cluster = Cluster::start();
    let listen = cluster.arguments.iter().rposition(|argument| argument == "--listen").unwrap();
    let address: SocketAddr = cluster.arguments[listen + 1].parse().unwrap();
    // In place of cert-manager: it issues, publishes its CA, and answers nothing.
    let elsewhere = ["--certificate-check=500ms", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let _issuer = cluster.replica("issuer", &elsewhere);
    let directory = tempfile::tempdir().unwrap();
    mount(&cluster, directory.path(), "..2026_1");
    let flag = format!("--certificate-dir={}", directory.path().display());
    let _replica = cluster.replica("mounted", &[&flag]);
    let story = Story::new(&cluster.sandbox, "remounted");
    eventually("the webhook answers", || review(&story).ok.then_some(()));
    let before = cluster.leaf();
    assert_eq!(cluster.served(address), before);

    let (count, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let _ends = Ends(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                review(&story).succeeded();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        cluster.kubectl(&["annotate", "secret", SECRET, "altinn.app/rotate=leaf"]);
        eventually("another leaf is issued", || (cluster.leaf() != before).then_some(()));
        mount(&cluster, directory.path(), "..2026_2");
        eventually("it is served", || (cluster.served(address) == cluster.leaf()).then_some(()));
        let served = count.load(Ordering::Relaxed);
        eventually("reviews go on", || (count.load(Ordering::Relaxed) > served + 1).then_some(()));
    });
}
