//! Which namespaces a profile is for.

use wildmatch::WildMatch;

/// Patterns of namespace names; none match all.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces {
    /// `None` matches every namespace.
    pub(super) names: Option<Vec<WildMatch>>,
}

impl Namespaces {
    pub(super) fn matches(&self, namespace: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|name| name.matches(namespace)))
    }

    /// Whether it surely matches everything that the other does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (&self.names, &other.names) {
            (None, _) => true,
            (Some(mine), None) => mine.iter().any(|name| name.to_string().chars().all(|c| c == '*')),
            // A pattern that matches another pattern's own text matches all that the other one does: its
            // `*` and `?` can only have been taken by a `*`, or by a `?` for a `?`.
            (Some(mine), Some(theirs)) => theirs.iter().all(|their| {
                let text = their.to_string();
                mine.iter().any(|my| covers(&my.to_string(), &text))
            }),
        }
    }
}

/// Whether one pattern surely matches all that the other does.
fn covers(mine: &str, their: &str) -> bool {
    // A `?` of ours matches the character `*` of theirs, though not what it stands for.
    let risky = mine.contains('?') && their.contains('*');
    mine == their || (!risky && WildMatch::new(mine).matches(their))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn names(patterns: &[&str]) -> Namespaces {
        Namespaces { names: Some(patterns.iter().map(|pattern| WildMatch::new(pattern)).collect()) }
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
        assert_eq!(names(patterns).matches(namespace), expected);
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
}
