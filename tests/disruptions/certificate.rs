//! The webhook's certificate is replaced while the API server goes on calling.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command},
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};
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
        Self::without("webhook", &Options { without_aso: true, ..Options::default() })
    }

    pub(crate) fn without(process: &str, options: &Options) -> Self {
        let sandbox = Sandbox::start(options).unwrap_or_else(|error| panic!("{error}"));
        let pid = sandbox.state().unwrap().processes[process].pid.unwrap();
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
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
        let log = self.sandbox.directory().join(format!("{name}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_database-operator"));
        command.args(&self.arguments[1..]).args(flags).envs(self.environment.iter().cloned());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Replica { child, log }
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
        std::fs::read_to_string(&self.log).unwrap()
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
    let _called = cluster.replica("called", &flags);
    let elsewhere = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let _other = cluster.replica("other", &[&flags[..], &elsewhere].concat());
    let story = Story::new(&cluster.sandbox, "rotated");
    eventually("the webhook answers", || review(&story).ok.then_some(()));

    let ask = ["annotate", "secret", SECRET, "altinn.app/rotate=ca"];
    assert_eq!(review_until_replaced(&cluster, &story, &ask), [1, 2, 1]);

    // The same when everything is lost but what the replicas have in memory.
    let delete = ["delete", "secret", SECRET];
    assert_eq!(review_until_replaced(&cluster, &story, &delete), [1, 2, 1]);
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
        std::fs::write(directory.path().join(file), cluster.secret(file)).unwrap();
    }
    eventually("the webhook answers", || review(&story).ok.then_some(()));
    std::fs::write(directory.path().join("tls.crt"), "half").unwrap();
    eventually("it says what is wrong", || replica.log().contains("tls.crt can't be read").then_some(()));
    review(&story).succeeded();
}
