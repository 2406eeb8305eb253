//! Which namespaces a profile is for.

use std::collections::{BTreeMap, BTreeSet};

use wildmatch::WildMatch;

/// Labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// A namespace, as far as profiles look at it.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    pub name: &'a str,
    /// `None` when they aren't known.
    pub labels: Option<&'a Labels>,
}

impl<'a> Namespace<'a> {
    /// A namespace of which nothing but the name is known.
    pub fn named(name: &'a str) -> Self {
        Self { name, labels: None }
    }
}

/// Why the profile isn't known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoProfile {
    /// None matches.
    NoMatch,
    /// It depends on the namespace's labels, and they aren't known.
    LabelsUnknown,
}

/// Patterns of names, and labels; what is empty matches all.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces {
    /// `None` matches every name.
    pub(super) names: Option<Names>,
    /// All of them must be there.
    pub(super) labels: Labels,
}

/// Names of namespaces. One that stands for itself is looked up, however many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    exact: BTreeSet<String>,
    patterns: Vec<WildMatch>,
}

impl Names {
    pub(super) fn new<'a>(written: impl IntoIterator<Item = &'a str>) -> Self {
        let (patterns, exact): (BTreeSet<&str>, BTreeSet<&str>) =
            written.into_iter().partition(|name| name.contains(['*', '?']));
        Self {
            exact: exact.into_iter().map(str::to_owned).collect(),
            patterns: patterns.into_iter().map(WildMatch::new).collect(),
        }
    }

    fn matches(&self, name: &str) -> bool {
        self.exact.contains(name) || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether it surely matches everything that the other does.
    ///
    /// A pattern that matches another pattern's own text matches all that the other one does: its `*` and `?` can only
    /// have been taken by a `*`, or by a `?` for a `?`.
    fn cover(&self, other: &Self) -> bool {
        let covers = |their: &str| self.patterns.iter().any(|my| covers(my, their));
        other.patterns.iter().all(|their| covers(&their.pattern()))
            && other.exact.iter().all(|their| self.exact.contains(their) || covers(their))
    }
}

impl Namespaces {
    /// `None` when it depends on labels that aren't known.
    pub(super) fn matches(&self, namespace: Namespace<'_>) -> Option<bool> {
        if !self.names.as_ref().is_none_or(|names| names.matches(namespace.name)) {
            return Some(false);
        }
        if self.labels.is_empty() {
            return Some(true);
        }
        let labels = namespace.labels?;
        Some(self.labels.iter().all(|(key, value)| labels.get(key) == Some(value)))
    }

    /// Whether it surely matches everything that the other does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let names = match (&self.names, &other.names) {
            (None, _) => true,
            (Some(mine), None) => mine.patterns.iter().any(|name| name.pattern_chars() == ['*']),
            (Some(mine), Some(theirs)) => mine.cover(theirs),
        };
        names && self.labels.iter().all(|(key, value)| other.labels.get(key) == Some(value))
    }
}

/// Whether one pattern surely matches all that the other does.
fn covers(mine: &WildMatch, their: &str) -> bool {
    // A `?` of ours matches the character `*` of theirs, though not what it stands for.
    let risky = mine.pattern_chars().contains(&'?') && their.contains('*');
    if risky { mine.pattern_chars().iter().copied().eq(their.chars()) } else { mine.matches(their) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn names(patterns: &[&str]) -> Namespaces {
        let names = Some(Names::new(patterns.iter().copied()));
        Namespaces { names, labels: Labels::new() }
    }

    #[rstest]
    #[case(&["*-prod"], "orders-prod", true)]
    #[case(&["*-prod"], "orders-prod-2", false)]
    #[case(&["orders", "invoices"], "invoices", true)]
    #[case(&["team-?"], "team-1", true)]
    #[case(&["team-?"], "team-12", false)]
    #[case(&[], "orders", false)]
    fn a_namespace_matches_by_name(
        #[case] patterns: &[&str],
        #[case] namespace: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(names(patterns).matches(Namespace::named(namespace)), Some(expected));
    }

    #[rstest]
    #[case(&["*"], &["*-prod"], true)]
    #[case(&["*-prod"], &["orders-prod"], true)]
    #[case(&["*-prod"], &["*-prod"], true)]
    #[case(&["*-prod"], &["orders-prod", "orders-test"], false)]
    #[case(&["team-?"], &["team-*"], false)]
    #[case(&["orders-prod"], &["*-prod"], false)]
    fn an_earlier_profile_can_take_all_of_a_later_one(
        #[case] mine: &[&str],
        #[case] theirs: &[&str],
        #[case] expected: bool,
    ) {
        assert_eq!(names(mine).covers(&names(theirs)), expected);
    }

    #[test]
    fn a_profile_for_all_is_covered_by_one_for_all_only() {
        assert!(Namespaces::default().covers(&names(&["x"])));
        assert!(names(&["*"]).covers(&Namespaces::default()));
        assert!(!names(&["*-prod"]).covers(&Namespaces::default()));
        assert!(!names(&["?"]).covers(&Namespaces::default()));
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn labelled(pairs: &[(&str, &str)]) -> Namespaces {
        Namespaces { names: None, labels: labels(pairs) }
    }

    #[rstest]
    #[case::there(Some(&[("env", "prod"), ("team", "a")][..]), Some(true))]
    #[case::other_value(Some(&[("env", "test")][..]), Some(false))]
    #[case::absent(Some(&[][..]), Some(false))]
    #[case::not_known(None, None)]
    fn a_namespace_matches_by_labels(#[case] has: Option<&[(&str, &str)]>, #[case] expected: Option<bool>) {
        let has = has.map(labels);
        let namespace = Namespace { name: "orders", labels: has.as_ref() };
        assert_eq!(labelled(&[("env", "prod")]).matches(namespace), expected);
    }

    #[test]
    fn labels_are_not_asked_for_where_the_name_says_no() {
        let profile = Namespaces { labels: labels(&[("env", "prod")]), ..names(&["*-prod"]) };
        assert_eq!(profile.matches(Namespace::named("orders")), Some(false));
        assert_eq!(profile.matches(Namespace::named("orders-prod")), None);
    }

    #[test]
    fn fewer_labels_take_more_namespaces() {
        let (one, two) = (labelled(&[("env", "prod")]), labelled(&[("env", "prod"), ("team", "a")]));
        assert!(one.covers(&two) && !two.covers(&one));
        assert!(Namespaces::default().covers(&one) && !one.covers(&Namespaces::default()));
    }
}
