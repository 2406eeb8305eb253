//! How much a policy may hold. Judging one takes time and memory by its size in bytes alone, whoever
//! has written it; what these allow is several times what large platforms write.

/// The largest policy, in bytes. It is parsed and judged within a review's few seconds, beside other reviews.
pub const LARGEST: usize = 256 * 1024;

/// Keys, values and lists of all of it together, with those that aliases repeat.
pub const NODES: usize = 20_000;

/// How deep lists and keys may stand in each other. The policy itself needs seven levels.
pub(super) const DEPTH: usize = 24;

/// Each namespace is looked up in one after the other.
pub(super) const PROFILES: usize = 200;

/// Names of namespaces in all profiles together, each to the letter.
pub(super) const NAMES: usize = 2_000;

/// Names of namespaces with `*` or `?` in all profiles together: each is compared with every other name.
pub(super) const PATTERNS: usize = 100;

/// Labels of namespaces in a profile.
pub(super) const LABELS: usize = 32;

/// Items of a list under `allow`, or `rules` of an exception.
pub(super) const ITEMS: usize = 256;

/// Exceptions, and recoveries.
pub(super) const GRANTS: usize = 500;

/// Rules of the firewall: each of them is an object for each server.
pub(super) const FIREWALL: usize = 100;

/// As many mistakes are shown; the rest is counted.
pub(super) const FINDINGS: usize = 20;
