//! What is amiss on a server and can't be mended, or wasn't.

use crate::{
    failure::{Failure, Reason},
    text::{clean, list, quote},
};

/// Each says what is so, and what somebody can do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Finding {
    #[error("the role {} is on the server already and is not the operator's: drop it, or ask for another name", quote(.role))]
    RoleTaken { role: String },
    /// Entra knows a principal by its object id, which can have one role on a server.
    #[error(
        "the identity {object_id} has the role {} on the server already: drop that role, since one identity can have one \
         role only",
        quote(.role)
    )]
    PrincipalTaken { object_id: String, role: String },
    #[error(
        "the identity {object_id} is an administrator of the server, and can't be a login of a database too"
    )]
    PrincipalIsAdministrator { object_id: String },
    #[error("the server takes no tokens of Microsoft Entra: {} can't log in. Turn Entra authentication on", quote(.role))]
    NoEntra { role: String },
    #[error(
        "the role {} is a member of {}, by a grant of {}: who granted it must revoke it",
        quote(.member),
        quote(.role),
        quote(.grantor)
    )]
    ForeignMember { role: String, member: String, grantor: String },
    #[error("the role {} has attributes that a login must not have: {attributes}. An administrator must take them away", quote(.role))]
    ForeignAttributes { role: String, attributes: &'static str },
    #[error("{} of the database belong to the role {}: {}. The app can't change them", .kind.plural(), quote(.owner), list(.names.iter()))]
    ForeignOwner { owner: String, kind: ObjectKind, names: Vec<String> },
    #[error(
        "the role {} isn't wanted any more, and can't be dropped: it {what} in {}. It can't log in, and has no rights of \
         its levels",
        quote(.role),
        list(.places.iter())
    )]
    RoleInUse { role: String, what: InUse, places: Vec<String> },
    #[error("{count} sessions of {} go on", quote(.role))]
    SessionsLeft { role: String, count: u64 },
    /// Of a login that is wanted and isn't marked as ours, or of one that is only taken over from.
    #[error("the role {} can still log in, and is not the operator's to close", quote(.role))]
    StillOpen { role: String },
    #[error("the database is in the encoding {}: a new one would be in UTF8", quote(.encoding))]
    OtherEncoding { encoding: String },
    #[error(
        "the extension {} is not created: PostgreSQL says {} ({state})",
        quote(.name),
        quote(.message)
    )]
    ExtensionNotCreated { name: String, state: String, message: String },
    #[error("the extension {} is not updated: PostgreSQL says {} ({state})", quote(.name), quote(.message))]
    ExtensionNotUpdated { name: String, state: String, message: String },
    #[error(
        "the extension {} is not dropped, because something uses it: {}. Drop that, or write the extension into the list \
         again",
        quote(.name),
        clean(.message)
    )]
    ExtensionInUse { name: String, message: String },
    #[error("the extension {} is not dropped: PostgreSQL says {} ({state})", quote(.name), quote(.message))]
    ExtensionNotDropped { name: String, state: String, message: String },
    #[error(
        "the extension {} is not dropped, because it keeps data in tables of its own, which would end with it: drop it \
         yourself, or write it into the list again",
        quote(.name)
    )]
    ExtensionHoldsData { name: String },
    #[error("the extension {} is not updated: it belongs to the role {}", quote(.name), quote(.owner))]
    ExtensionNotOurs { name: String, owner: String },
    /// A part of the pass failed. The others were done.
    #[error("{0}")]
    Failed(Failure),
    /// Statements went through and had no effect, or another one has undone them.
    #[error("{count} statements had no effect, such as {}", quote(.example))]
    NoEffect { count: usize, example: String },
    #[error("there are more than {limit} {what}: the rest isn't looked at")]
    TooMany { what: &'static str, limit: usize },
}

/// What keeps a role from being dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InUse {
    #[error("owns something")]
    Owns,
    #[error("has privileges by name, or default privileges,")]
    IsNamed,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ObjectKind {
    Schema,
    /// Tables, views and sequences.
    Relation,
}

impl ObjectKind {
    const fn plural(self) -> &'static str {
        match self {
            Self::Schema => "schemas",
            Self::Relation => "tables, views or sequences",
        }
    }
}

impl Finding {
    pub const fn reason(&self) -> Reason {
        match self {
            Self::RoleTaken { .. } | Self::PrincipalTaken { .. } | Self::PrincipalIsAdministrator { .. } => {
                Reason::RoleTaken
            }
            Self::ExtensionNotCreated { .. }
            | Self::ExtensionNotUpdated { .. }
            | Self::ExtensionInUse { .. }
            | Self::ExtensionNotDropped { .. }
            | Self::ExtensionHoldsData { .. }
            | Self::ExtensionNotOurs { .. } => Reason::ExtensionRefused,
            Self::Failed(failure) => failure.reason(),
            Self::NoEntra { .. } => Reason::LoginRefused,
            _ => Reason::Drifted,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Those that no story on a real server shows, too.
    #[test]
    fn each_says_what_to_do_on_one_line() {
        let long = "because\n".repeat(100);
        let (name, state, owner) = ("hstore".to_owned(), "42501".to_owned(), "ola".to_owned());
        let message = "permission denied".to_owned();
        let findings = [
            Finding::RoleTaken { role: owner.clone() },
            Finding::ExtensionNotUpdated {
                name: name.clone(),
                state: state.clone(),
                message: message.clone(),
            },
            Finding::ExtensionNotDropped {
                name: name.clone(),
                state: state.clone(),
                message: message.clone(),
            },
            Finding::ExtensionHoldsData { name: name.clone() },
            Finding::ExtensionNotOurs { name: name.clone(), owner: owner.clone() },
            Finding::ExtensionInUse { name, message: long },
            Finding::SessionsLeft { role: owner.clone(), count: 2 },
            Finding::NoEffect { count: 2, example: "REVOKE \"a\" FROM \"b\"".into() },
            Finding::ForeignOwner {
                owner,
                kind: ObjectKind::Relation,
                names: (1..=7).map(|number| format!("public.t{number}")).collect(),
            },
            Finding::Failed(Failure::SqlFailed { doing: "making the roles".into(), state, message }),
        ];
        let lines: Vec<String> =
            findings.iter().map(|finding| format!("{}: {finding}", finding.reason().as_str())).collect();
        assert!(lines.iter().all(|line| !line.contains('\n') && line.chars().count() < 600));
        assert_snapshot!(lines.join("\n"));
    }
}
