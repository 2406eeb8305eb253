use std::{fs, os::unix::fs::symlink};

use jiff::SignedDuration;
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::issue;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn names() -> Vec<String> {
    vec!["webhook.database-operator.svc".into()]
}

fn issued() -> (Pair, Pair) {
    let authority = issue::authority(now()).unwrap();
    let leaf = issue::leaf(&authority, &names(), now()).unwrap();
    (authority, leaf)
}

/// A folder as the kubelet makes it: the files are links by way of `..data`, which alone is swapped.
struct Mount(TempDir);

impl Mount {
    fn new() -> Self {
        let mount = Self(tempfile::tempdir().unwrap());
        for file in [CERTIFICATE, KEY, CA] {
            symlink(format!("..data/{file}"), mount.0.path().join(file)).unwrap();
        }
        mount
    }

    fn swap(&self, certificate: &str, key: &str, ca: Option<&str>) {
        let generation = tempfile::Builder::new().prefix("..").tempdir_in(self.0.path()).unwrap().keep();
        for (file, text) in [(CERTIFICATE, Some(certificate)), (KEY, Some(key)), (CA, ca)] {
            if let Some(text) = text {
                fs::write(generation.join(file), text).unwrap();
            }
        }
        let data = self.0.path().join("..data_tmp");
        symlink(generation, &data).unwrap();
        fs::rename(data, self.0.path().join("..data")).unwrap();
    }

    fn holds(&self, (authority, leaf): &(Pair, Pair)) {
        self.swap(&leaf.certificate, &leaf.key, Some(&authority.certificate));
    }

    fn files(&self) -> Files {
        Files::new(self.0.path().to_owned(), names(), Arc::default())
    }
}

fn served(files: &Files) -> &str {
    files.served().map_or("nothing", |served| &served.leaf.certificate)
}

#[test]
fn what_is_mounted_is_served_and_a_swap_is_taken_up() {
    let (mount, one, two) = (Mount::new(), issued(), issued());
    mount.holds(&one);
    let mut files = mount.files();
    files.pass(now()).unwrap();
    assert_eq!(served(&files), one.1.certificate);
    mount.holds(&two);
    files.pass(now()).unwrap();
    assert_eq!(served(&files), two.1.certificate);
}

#[test]
fn without_files_there_is_nothing_and_it_says_what_to_do() {
    let mount = Mount::new();
    let mut files = mount.files();
    let error = files.pass(now()).unwrap_err().to_string();
    assert!(error.contains("tls.crt can't be read"), "{error}");
    assert!(error.ends_with("mount a Secret of type kubernetes.io/tls there"), "{error}");
    assert_eq!(served(&files), "nothing");
    mount.holds(&issued());
    files.pass(now()).unwrap();
}

#[rstest]
#[case::half_written(|pair: &Pair| Pair { certificate: pair.certificate[..200].into(), ..pair.clone() }, "can't be read")]
#[case::empty(|_: &Pair| Pair::default(), "is missing")]
#[case::no_key(|pair: &Pair| Pair { key: String::new(), ..pair.clone() }, "has no key")]
#[case::another_key(|pair: &Pair| Pair { key: issued().1.key, ..pair.clone() }, "does not belong to the key")]
#[case::another_name(|_: &Pair| other_name(), "is not for webhook.database-operator.svc")]
fn what_can_not_be_served_leaves_the_one_that_is(#[case] spoil: impl Fn(&Pair) -> Pair, #[case] why: &str) {
    let (mount, one, two) = (Mount::new(), issued(), issued());
    mount.holds(&one);
    let mut files = mount.files();
    files.pass(now()).unwrap();
    let spoilt = spoil(&two.1);
    mount.swap(&spoilt.certificate, &spoilt.key, None);
    let error = files.pass(now()).unwrap_err().to_string();
    assert!(error.contains(&format!("tls.crt {why}")), "{error}");
    assert!(error.contains("expected is a valid one for webhook.database-operator.svc"), "{error}");
    assert!(!error.contains("PRIVATE KEY"), "{error}");
    assert_eq!(served(&files), one.1.certificate);
    mount.holds(&two);
    files.pass(now()).unwrap();
    assert_eq!(served(&files), two.1.certificate);
}

fn other_name() -> Pair {
    issue::leaf(&issued().0, &["elsewhere.svc".into()], now()).unwrap()
}

#[test]
fn a_certificate_that_is_due_is_served_and_one_that_has_expired_is_told() {
    let day = SignedDuration::from_hours(24);
    let mount = Mount::new();
    mount.holds(&issued());
    let mut files = mount.files();
    files.pass(now() + day * 80).unwrap();
    let error = files.pass(now() + day * 91).unwrap_err().to_string();
    assert!(error.contains("tls.crt has expired"), "{error}");
}

#[test]
fn the_dates_of_expiry_are_known_and_the_ca_may_be_left_out() {
    let (mount, (authority, leaf)) = (Mount::new(), issued());
    mount.swap(&leaf.certificate, &leaf.key, None);
    let mut files = mount.files();
    files.pass(now()).unwrap();
    let day = 24 * 60 * 60;
    let dates = |files: &Files| {
        let served = files.served().unwrap();
        (served.not_after(), served.authority_not_after())
    };
    assert_eq!(dates(&files), (Some(now().as_second() + 90 * day), None));
    mount.holds(&(authority, leaf));
    files.pass(now()).unwrap();
    assert_eq!(dates(&files).1, Some(now().as_second() + 3650 * day));
}
