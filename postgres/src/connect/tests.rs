//! What needs no server. The rest is in `tests/servers/connecting.rs`.

use rstest::rstest;

use super::*;

#[rstest]
#[case("17.6", Some(17))]
#[case("18beta1", Some(18))]
#[case("15.18 (Debian 15.18-1)", Some(15))]
#[case("", None)]
#[case("Yugabyte", None)]
fn the_major_version_is_read(#[case] version: &str, #[case] expected: Option<u32>) {
    assert_eq!(major(version), expected);
}

#[test]
fn there_is_no_tls_without_roots() {
    assert!(matches!(Tls::new([]), Err(TlsError::NoRoots)));
}
