//! How many databases a namespace may have.

use super::{Context, Request};
use crate::{
    Code, Policy, Problem,
    document::{Level, Rule},
    quota,
};

/// A new database is not one too many. What is kept counts: otherwise creating and deleting made servers without end.
pub(super) fn within(context: &Context<'_>) -> Option<Problem> {
    let most = context.profile.allow.databases_per_namespace?;
    let used = context.request.databases?;
    if context.old.is_some() || used.total() < most {
        return None;
    }
    let text = quota::text(context.request.namespace, used, most);
    Some(Problem::new(Code::DatabasesPerNamespace, "metadata.namespace", &text))
}

impl Policy {
    /// How many servers the namespace may have where that is enforced for this database.
    pub fn quota(&self, request: &Request<'_>) -> Option<u32> {
        let rule = Rule::DatabasesPerNamespace;
        let profile = self.profile(request.in_namespace()).ok()?;
        let is_enforced = profile.enforcement.level(rule) == Level::Enforce
            && self.exception(request.namespace, request.name, rule, request.today).is_none();
        profile.allow.databases_per_namespace.filter(|_| is_enforced)
    }
}

#[cfg(test)]
mod tests {
    use api::{DatabaseRef, DatabaseSpec};
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;
    use crate::document::Labels;

    #[rstest]
    #[case::enforced("", Some(5))]
    #[case::warned_of("    enforcement: {databasesPerNamespace: warn}\n", None)]
    fn it_holds_where_it_is_enforced(#[case] enforcement: &str, #[case] most: Option<u32>) {
        let yaml = include_str!("../../../examples/policy.yaml");
        let profile =
            "  - name: first\n    allow: {databasesPerNamespace: 5}\n    namespaces: {names: [orders]}\n";
        let yaml = yaml.replacen("profiles:", &format!("profiles:\n{profile}{enforcement}"), 1);
        let excepted = "\nexceptions:\n  - {database: orders/free, rules: [databasesPerNamespace], until: 2027-01-31, reason: x}";
        let yaml = yaml.replacen("\nexceptions:", excepted, 1);
        let policy = Policy::parse(&yaml).unwrap();
        let quota = |namespace: &str, name: &str| {
            let (database, spec) = (DatabaseRef::new(namespace, name), DatabaseSpec::default());
            let request = Request::new("database-policy", database, &spec, date(2026, 11, 28));
            policy.quota(&Request { labels: Some(&Labels::new()), ..request })
        };
        assert_eq!(quota("orders", "main"), most);
        assert_eq!(quota("orders", "free"), None, "by an exception");
        assert_eq!(quota("payments", "main"), None);
    }
}
