//! What the parts of a plan ask of what was seen.

use std::collections::BTreeSet;

use super::Plan;
use crate::{
    desired::{Credential, Desired, Login},
    finding::Finding,
    name::{Ladder, RoleName},
    note::Note,
    observe::{MANY_DATABASES, Observed, Place, Role, Use},
    statement::{self, Membership, Statement, To},
};

/// The database `postgres`, where Azure's functions are.
pub(crate) const POSTGRES: &str = "postgres";
/// The version from which on memberships say how they are meant, and who granted them.
const OPTIONS_FROM: u32 = 16;

pub(super) struct View<'a> {
    pub observed: &'a Observed,
    pub desired: &'a Desired,
    pub ladder: Ladder,
    /// Logins of ours that nobody wants, or that have to be made anew because somebody else logs in by them.
    pub unwanted: BTreeSet<&'a str>,
    /// Those of them that this plan drops.
    dropped: BTreeSet<&'a str>,
}

impl<'a> View<'a> {
    pub fn new(observed: &'a Observed, desired: &'a Desired) -> Self {
        let ladder = desired.ladder();
        let mut view =
            Self { observed, desired, ladder, unwanted: BTreeSet::new(), dropped: BTreeSet::new() };
        let is_wanted = |role: &str| desired.login(role).is_some_and(|login| view.is_same_identity(login));
        view.unwanted = view.our_logins().filter(|role| !is_wanted(role)).collect();
        view.dropped = view.unwanted.iter().copied().filter(|role| view.can_be_dropped(role)).collect();
        view
    }

    pub fn role(&self, name: &str) -> Option<&'a Role> {
        self.observed.roles.get(name)
    }

    /// What is noted on a role of ours; `None` if it isn't ours.
    pub fn note(&self, name: &str) -> Option<Note> {
        let comment = self.role(name)?.comment.as_deref()?;
        Note::read(&self.desired.mark, comment)
    }

    pub fn is_ours(&self, name: &str) -> bool {
        self.note(name).is_some()
    }

    /// Roles of ours beside the three that can't log in.
    pub fn our_logins(&self) -> impl Iterator<Item = &'a str> {
        let names = self.observed.roles.keys().map(String::as_str);
        names.filter(|name| self.is_ours(name) && !self.ladder.has(name))
    }

    pub fn is_unwanted(&self, role: &str) -> bool {
        self.unwanted.contains(role)
    }

    pub fn is_dropped(&self, role: &str) -> bool {
        self.dropped.contains(role)
    }

    /// Whether whoever logs in by this role is who is wanted.
    fn is_same_identity(&self, login: &Login) -> bool {
        let principals = self.observed.principals.iter().flatten();
        let mut of_role = principals.filter(|principal| principal.role == login.role.as_str());
        match &login.credential {
            Credential::Password { .. } => of_role.next().is_none(),
            // Where the server takes no tokens at present, nothing is known.
            Credential::Entra { .. } if self.observed.principals.is_none() => true,
            Credential::Entra { object_id, .. } => {
                of_role.any(|principal| principal.object_id.eq_ignore_ascii_case(object_id))
            }
        }
    }

    pub fn uses(&self, role: &str) -> impl Iterator<Item = &'a Use> {
        self.observed.uses.iter().filter(move |one| one.role == role)
    }

    /// Where what a role owns can be handed on: in the database, and in `postgres`.
    pub fn is_in_reach(&self, place: &Place) -> bool {
        match place {
            Place::Server => true,
            Place::Database(name) => name == POSTGRES || name == self.desired.database.as_str(),
        }
    }

    fn can_be_dropped(&self, role: &str) -> bool {
        self.uses(role).all(|one| !one.is_named && (!one.owns || self.is_in_reach(&one.place)))
    }

    /// Roles that are taken over from and exist, without ourselves.
    pub fn former_owners(&self) -> impl Iterator<Item = &'a str> {
        let names = self.desired.take_over_from.iter().map(RoleName::as_str);
        names.filter(|name| {
            self.role(name).is_some()
                && *name != self.observed.me
                && !self.is_ours(name)
                && !self.ladder.has(name)
        })
    }

    /// Whether more databases would change hands with what a role owns than are known, so that none is handed on.
    pub fn has_too_many_databases(&self) -> bool {
        self.observed.too_many.iter().any(|(what, _)| *what == MANY_DATABASES)
    }

    pub fn knows_options(&self) -> bool {
        self.observed.version >= OPTIONS_FROM
    }

    pub fn inherit(&self) -> Membership {
        if self.knows_options() { Membership::Inherit } else { Membership::Plain }
    }

    pub fn set_only(&self) -> Membership {
        if self.knows_options() { Membership::SetOnly } else { Membership::Plain }
    }

    /// Whether a member has the role's rights and may become it, by whoever's grant.
    pub fn is_member(&self, role: &str, member: &str) -> bool {
        self.observed
            .memberships
            .iter()
            .any(|one| one.role == role && one.member == member && one.inherits && one.may_set)
    }

    /// What lets us act with a role's rights for a while, and what ends that.
    pub fn borrowed(&self, role: &str) -> (Vec<Statement>, Vec<Statement>) {
        let (mut begin, mut end) = (Vec::new(), Vec::new());
        for one in self.lenders(role) {
            let (its_begin, its_end) = self.borrowed_alone(one);
            begin.splice(..0, its_begin);
            end.extend(its_end);
        }
        (begin, end)
    }

    /// A role, and behind it each former owner that may grant the one before. From PostgreSQL 16 on, who has made a role may grant
    /// it, and no other administrator.
    fn lenders<'b>(&'b self, role: &'b str) -> Vec<&'b str> {
        let mut lenders = vec![role];
        while let Some(next) = lenders.last().and_then(|last| self.lender(last, &lenders)) {
            lenders.push(next);
        }
        lenders
    }

    /// A former owner that may grant the role, and is none of these.
    fn lender(&self, role: &str, known: &[&str]) -> Option<&'a str> {
        let may_grant = |member: &str| {
            let mut grants = self.observed.memberships.iter();
            grants.any(|one| one.role == role && one.member == member && one.is_admin)
        };
        let mut others = self.former_owners().filter(|owner| !known.contains(owner));
        others.find(|owner| self.knows_options() && may_grant(owner))
    }

    fn borrowed_alone(&self, role: &str) -> (Vec<Statement>, Vec<Statement>) {
        let me = &self.observed.me;
        let mut mine = self.observed.memberships.iter().filter(|one| one.role == role && one.member == *me);
        // Whoever else has given it to us, as Azure may do for each role: it stays.
        if role == me || mine.any(|one| one.grantor != *me && one.inherits && one.may_set) {
            return (Vec::new(), Vec::new());
        }
        let begin = statement::grant_role(role, To::Myself, self.inherit());
        let end = if self.ladder.has(role) {
            statement::grant_role(role, To::Myself, self.set_only())
        } else {
            statement::revoke_role(role, To::Myself, None)
        };
        (vec![begin], vec![end])
    }
}

pub(super) fn report_limits(view: &View<'_>, plan: &mut Plan) {
    let too_many = view.observed.too_many.iter();
    plan.findings.extend(too_many.map(|(what, limit)| Finding::TooMany { what, limit: *limit }));
}
