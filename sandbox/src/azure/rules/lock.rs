//! Management locks, by which people keep others, and themselves, from deleting or changing things.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources>

use crate::azure::{
    arm::{
        errors::ArmError,
        resource_id::{Kind, ResourceId},
    },
    circumstances::Lock,
};

/// A lock holds for what it lies on and for all below. A group goes with everything in it, so a lock anywhere in it
/// holds it, too. `verb` is what the request does: `read`, `write` or `delete`.
pub(in crate::azure) fn allows<'a>(
    locks: impl Iterator<Item = (&'a ResourceId, Lock)>,
    id: &ResourceId,
    verb: &str,
) -> Result<(), ArmError> {
    let stops = |lock: Lock| verb == "delete" || (verb == "write" && lock == Lock::ReadOnly);
    let is_within = |inner: &ResourceId, outer: &ResourceId| {
        let (inner, outer) = (inner.key(), outer.key());
        inner == outer || inner.starts_with(&format!("{outer}/"))
    };
    let holds = |scope: &ResourceId| {
        is_within(id, scope) || (id.kind == Kind::ResourceGroup && verb == "delete" && is_within(scope, id))
    };
    let holding: Vec<String> = locks
        .filter(|(scope, lock)| stops(*lock) && holds(scope))
        .map(|(scope, _)| scope.to_string())
        .collect();
    if holding.is_empty() {
        return Ok(());
    }
    // Code and words as in <https://github.com/Azure/apiops/issues/606>.
    Err(ArmError::conflict(
        "ScopeLocked",
        format!(
            "The scope '{id}' cannot perform {verb} operation because following scope(s) are locked: '{}'. Please \
             remove the lock and try again.",
            holding.join(",")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/rg";

    fn at(below_the_group: &str) -> ResourceId {
        ResourceId::parse(&format!("{GROUP}{below_the_group}")).expect("an id")
    }

    const SERVER: &str = "/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1";
    const SERVER_IN_UPPER_CASE: &str = "/providers/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/DB1";
    const DATABASE: &str = "/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1/databases/app";
    const OTHER: &str = "/providers/Microsoft.DBforPostgreSQL/flexibleServers/db10";

    #[rstest]
    #[case::itself(SERVER, Lock::CanNotDelete, SERVER, "delete", false)]
    #[case::in_any_case(SERVER_IN_UPPER_CASE, Lock::CanNotDelete, SERVER, "delete", false)]
    #[case::what_lies_below(SERVER, Lock::CanNotDelete, DATABASE, "delete", false)]
    #[case::what_lies_above(DATABASE, Lock::CanNotDelete, SERVER, "delete", true)]
    #[case::its_group(SERVER, Lock::CanNotDelete, "", "delete", false)]
    #[case::by_its_group("", Lock::CanNotDelete, SERVER, "delete", false)]
    #[case::another(SERVER, Lock::CanNotDelete, OTHER, "delete", true)]
    #[case::change(SERVER, Lock::CanNotDelete, SERVER, "write", true)]
    #[case::change_of_the_group(SERVER, Lock::ReadOnly, "", "write", true)]
    #[case::read_only(SERVER, Lock::ReadOnly, DATABASE, "write", false)]
    #[case::read_only_deletes(SERVER, Lock::ReadOnly, SERVER, "delete", false)]
    #[case::read(SERVER, Lock::ReadOnly, SERVER, "read", true)]
    fn a_lock_holds(
        #[case] locked: &str,
        #[case] lock: Lock,
        #[case] asked: &str,
        #[case] verb: &str,
        #[case] allowed: bool,
    ) {
        let locked = at(locked);
        let answer = allows([(&locked, lock)].into_iter(), &at(asked), verb);
        assert_eq!(
            answer.as_ref().err().map(|error| error.code.as_str()),
            (!allowed).then_some("ScopeLocked")
        );
    }

    #[test]
    fn a_refusal_names_both_scopes_in_azures_words() {
        let (locked, asked) = (at(""), at(SERVER));
        let refused =
            allows([(&locked, Lock::CanNotDelete)].into_iter(), &asked, "delete").expect_err("locked");
        assert_eq!(
            refused.message,
            format!(
                "The scope '{asked}' cannot perform delete operation because following scope(s) are locked: \
                 '{GROUP}'. Please remove the lock and try again."
            )
        );
    }
}
