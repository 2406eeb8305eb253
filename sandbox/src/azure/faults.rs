//! Faults that tests inject: an answer for the next matching requests, or an operation that fails half-way.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::arm::errors::ArmError;

/// What goes wrong, and for which requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// `PUT`, `GET` …; absent for every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Part of the path, or all of it with `*` and `?` as wildcards; without regard to case.
    pub path: String,
    /// The status of the answer. Not used by a fault of an operation, which is reported with 200.
    pub status: u16,
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// How many requests it still hits.
    #[serde(default = "once")]
    pub times: u32,
    #[serde(default)]
    pub phase: Phase,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The request itself is answered with the fault.
    #[default]
    Request,
    /// The request is accepted, and its long-running operation then fails with the fault.
    Operation,
    /// As an operation, but of no other request than one that asks for a later major version: what Azure checks before
    /// an upgrade was not to its liking.
    Upgrade,
}

const fn once() -> u32 {
    1
}

impl Fault {
    fn hits(&self, phase: Phase, method: &str, path: &str) -> bool {
        let pattern = self.path.to_lowercase();
        let path = path.to_lowercase();
        self.phase == phase
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && (path.contains(&pattern) || WildMatch::new(&pattern).matches(&path))
    }

    /// Why no long-running operation can ever be hit by it, if so.
    pub(super) fn misses_every_operation(&self) -> Option<&'static str> {
        let pattern = self.path.to_lowercase();
        let method = self.method.as_deref().map(str::to_uppercase);
        let starts_operations = matches!(method.as_deref(), None | Some("PUT" | "PATCH" | "DELETE" | "POST"));
        if !starts_operations {
            return Some("only PUT, PATCH, DELETE and POST start operations: use the phase `request`");
        }
        if self.phase == Phase::Upgrade && matches!(method.as_deref(), Some("DELETE" | "POST")) {
            return Some("only PUT and PATCH ask for an upgrade");
        }
        let identities = ["managedidentity", "userassignedidentit", "federatedidentitycredential"];
        if identities.iter().any(|word| pattern.contains(word)) {
            return Some("identities and their credentials are written at once: use the phase `request`");
        }
        // A plain text is part of the path of what lies in the group, too; a pattern is all of a path.
        let is_pattern = pattern.contains(['*', '?']);
        let name = pattern.rsplit_once("resourcegroups/").map(|(_, name)| name);
        let is_group = is_pattern && name.is_some_and(|name| !name.contains(['*', '/']));
        if is_group && matches!(method.as_deref(), Some("PUT" | "PATCH" | "POST")) {
            return Some(
                "resource groups are written at once, and only deleting one takes long: use the phase `request`",
            );
        }
        None
    }

    fn as_error(&self) -> ArmError {
        let error = ArmError::new(self.status, self.code.clone(), self.message.clone());
        match self.retry_after_seconds {
            Some(seconds) => error.retry_after(seconds),
            None => error,
        }
    }
}

#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn all(&self) -> &[Fault] {
        &self.0
    }

    /// Forgets all faults, or those for this very path.
    pub(super) fn clear(&mut self, path: Option<&str>) {
        self.0.retain(|fault| path.is_some_and(|path| fault.path != path));
    }

    /// The error that this request must get, if a fault hits it. Uses the fault up.
    pub(super) fn strike(&mut self, phase: Phase, method: &str, path: &str) -> Option<ArmError> {
        let index = self.0.iter().position(|fault| fault.hits(phase, method, path))?;
        let fault = self.0.get_mut(index)?;
        fault.times = fault.times.saturating_sub(1);
        let error = fault.as_error();
        if fault.times == 0 {
            self.0.remove(index);
        }
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn fault(method: Option<&str>, path: &str, times: u32) -> Fault {
        Fault {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            status: 429,
            code: "TooManyRequests".to_owned(),
            message: "slow down".to_owned(),
            retry_after_seconds: Some(1),
            times,
            phase: Phase::Request,
        }
    }

    #[rstest]
    #[case::part_of_the_path(None, "flexibleservers", true)]
    #[case::glob(None, "*/flexibleServers/orders-*", true)]
    #[case::glob_for_another(None, "*/flexibleServers/billing-*", false)]
    #[case::same_method(Some("put"), "orders", true)]
    #[case::other_method(Some("DELETE"), "orders", false)]
    fn a_fault_hits_by_method_and_path(#[case] method: Option<&str>, #[case] path: &str, #[case] hit: bool) {
        let mut faults = Faults::default();
        faults.inject(fault(method, path, 1));
        let struck = faults.strike(Phase::Request, "PUT", "/subscriptions/s/flexibleServers/orders-1");
        assert_eq!(struck.is_some(), hit);
    }

    #[rstest]
    #[case::server(Some("PUT"), "*/flexibleServers/orders", true)]
    #[case::any_method(None, "orders", true)]
    #[case::reading(Some("get"), "orders", false)]
    #[case::identity(None, "userAssignedIdentities/orders", false)]
    #[case::identities(None, "*/Microsoft.ManagedIdentity/*", false)]
    #[case::credential(Some("PUT"), "federatedIdentityCredentials", false)]
    #[case::group(Some("PUT"), "*/resourceGroups/rg-databases", false)]
    #[case::group_of_any_method(None, "*/resourceGroups/rg-databases", true)]
    #[case::group_and_what_is_in_it(Some("PUT"), "resourceGroups/rg-databases", true)]
    #[case::what_is_in_a_group(Some("PUT"), "*/resourceGroups/rg-databases/*", true)]
    fn a_fault_of_an_operation_must_be_able_to_strike(
        #[case] method: Option<&str>,
        #[case] path: &str,
        #[case] can: bool,
    ) {
        let fault = Fault { phase: Phase::Operation, ..fault(method, path, 1) };
        assert_eq!(fault.misses_every_operation().is_none(), can);
    }

    #[test]
    fn a_fault_is_used_up() {
        let mut faults = Faults::default();
        faults.inject(fault(None, "x", 2));
        let mut strikes = || faults.strike(Phase::Request, "GET", "/x").is_some();
        assert_eq!([strikes(), strikes(), strikes()], [true, true, false]);
    }

    #[test]
    fn faults_are_cleared_by_the_path_that_they_were_injected_for() {
        let mut faults = Faults::default();
        faults.inject(fault(None, "one", 1));
        faults.inject(fault(None, "two", 1));
        faults.clear(Some("one"));
        assert_eq!(faults.all(), [fault(None, "two", 1)]);
        faults.clear(None);
        assert_eq!(faults.all(), []);
    }

    #[test]
    fn a_fault_of_an_operation_leaves_requests_alone() {
        let mut faults = Faults::default();
        faults.inject(Fault { phase: Phase::Operation, ..fault(None, "x", 1) });
        assert!(faults.strike(Phase::Request, "PUT", "/x").is_none());
        assert!(faults.strike(Phase::Operation, "PUT", "/x").is_some());
    }
}
