//! Names that can be wanted, checked once where they come in.
//!
//! PostgreSQL's longest name has 63 bytes (`NAMEDATALEN` less one); it cuts longer ones without a word.
//! <https://www.postgresql.org/docs/current/limits.html>

use ring::digest;

use crate::text::quote;

/// In bytes.
const LONGEST: usize = 63;

/// Why a name can't be taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} {} {why}", quote(.name))]
pub struct NameError {
    what: &'static str,
    name: String,
    why: &'static str,
}

const EMPTY: &str = "is empty: write a name";
const LONG: &str = "is longer than 63 bytes: write a shorter one";
const NUL: &str = "has the character NUL: write it without";
const RESERVED: &str = "belongs to PostgreSQL or to Azure: write one that doesn't begin with `pg_` or `azure`, and not `public` or `none`";
const EXISTING: &str = "is one that each server has from the start: write another name";

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $type(String);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A role that we make: 1 to 63 bytes of whatever but NUL, and none of PostgreSQL's or Azure's own.
    RoleName
}
name! {
    /// A database: 1 to 63 bytes of whatever but NUL, and none that each server has from the start.
    DatabaseName
}
name! {
    /// An extension: 1 to 63 of letters of ASCII, digits, `_` and `-`.
    ExtensionName
}
name! {
    /// The comment by which we know roles that we have made for one database, such as
    /// `database-operator: orders-prod/main`: 1 to 200 characters without `;` and without control characters.
    Mark
}
name! {
    /// Which password a role has, as whoever made it counts: 1 to 40 of letters of ASCII, digits, `.` and `-`. It can be
    /// read by every role of the server, so it must not tell anything of the password.
    Generation
}

fn check(what: &'static str, name: &str, why: Option<&'static str>) -> Result<String, NameError> {
    match why {
        Some(why) => Err(NameError { what, name: name.to_owned(), why }),
        None => Ok(name.to_owned()),
    }
}

fn size(name: &str) -> Option<&'static str> {
    match name.len() {
        0 => Some(EMPTY),
        _ if name.contains('\0') => Some(NUL),
        1..=LONGEST => None,
        _ => Some(LONG),
    }
}

/// Whether PostgreSQL or Azure keep such names of roles for themselves.
/// <https://www.postgresql.org/docs/current/sql-createrole.html>: names that begin with `pg_`.
fn is_reserved(role: &str) -> bool {
    let begins = |with: &str| role.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins("pg_") || begins("azure") || ["public", "none"].contains(&role)
}

impl RoleName {
    /// # Errors
    /// If PostgreSQL would cut or refuse it, or if it is one of Azure's.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let why = size(name).or_else(|| is_reserved(name).then_some(RESERVED));
        check("the role name", name, why).map(Self)
    }
}

impl DatabaseName {
    /// # Errors
    /// If PostgreSQL would cut or refuse it, or if it is a database that each server has.
    pub fn new(name: &str) -> Result<Self, NameError> {
        const SYSTEM: [&str; 5] = ["postgres", "template0", "template1", "azure_maintenance", "azure_sys"];
        let why = size(name).or_else(|| SYSTEM.contains(&name).then_some(EXISTING));
        check("the database name", name, why).map(Self)
    }
}

impl ExtensionName {
    /// # Errors
    /// If PostgreSQL would refuse it.
    pub fn new(name: &str) -> Result<Self, NameError> {
        const LETTERS: &str = "is not the name of an extension: write letters, digits, `_` and `-`";
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let why = size(name).or_else(|| (!name.chars().all(is_letter)).then_some(LETTERS));
        check("the extension", name, why).map(Self)
    }
}

impl Mark {
    /// # Errors
    /// If it can't be told from the notes behind it.
    pub fn new(mark: &str) -> Result<Self, NameError> {
        const SHAPE: &str =
            "can't stand in a comment: write at most 200 characters without `;` and line breaks";
        let fits =
            mark.trim() == mark && mark.len() <= 200 && !mark.chars().any(|c| c == ';' || c.is_control());
        let why = if mark.is_empty() { Some(EMPTY) } else { (!fits).then_some(SHAPE) };
        check("the mark", mark, why).map(Self)
    }
}

impl Generation {
    /// # Errors
    /// If it can't stand in a comment.
    pub fn new(generation: &str) -> Result<Self, NameError> {
        const SHAPE: &str = "is not a generation: write at most 40 letters, digits, `.` and `-`";
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let fits = generation.len() <= 40 && generation.chars().all(is_letter);
        let why = if generation.is_empty() { Some(EMPTY) } else { (!fits).then_some(SHAPE) };
        check("the generation", generation, why).map(Self)
    }
}

/// The three roles of a database, none of which can log in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ladder {
    pub owner: RoleName,
    pub writer: RoleName,
    pub reader: RoleName,
}

impl Ladder {
    /// `<database>_owner`, `_writer` and `_reader`.
    ///
    /// - Where a name would be longer than 63 bytes, the database's is cut, and ends with `_` and the first eight digits
    ///   of its SHA-256, so that two databases with the same beginning have roles of their own.
    /// - Where a name would be PostgreSQL's or Azure's, as of a database `pg_stats`, it begins with `db_`, and has the
    ///   digits, too.
    pub fn of(database: &DatabaseName) -> Self {
        let stem = stem(database.as_str());
        let role = |suffix: &str| RoleName(format!("{stem}{suffix}"));
        Self { owner: role(OWNER), writer: role(WRITER), reader: role(READER) }
    }

    /// The owner first: each inherits from the next.
    pub fn roles(&self) -> [&RoleName; 3] {
        [&self.owner, &self.writer, &self.reader]
    }

    /// The names of the roles in the same order.
    pub fn names(&self) -> [&str; 3] {
        self.roles().map(RoleName::as_str)
    }

    pub fn has(&self, role: &str) -> bool {
        self.names().contains(&role)
    }
}

/// The login of an app, `<database>_app`. Long and reserved names are as those of the [`Ladder`] are.
pub fn app(database: &DatabaseName) -> RoleName {
    RoleName(format!("{}{APP}", stem(database.as_str())))
}

/// One of the two logins of an app that has passwords, `<database>_app_1` and `_2`.
pub fn app_with_password(database: &DatabaseName, which: Turn) -> RoleName {
    let turn = match which {
        Turn::First => 1,
        Turn::Second => 2,
    };
    RoleName(format!("{}{APP}_{turn}", stem(database.as_str())))
}

/// Two logins take turns, so that one works while the other one gets a new password.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Turn {
    First,
    Second,
}

impl Turn {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

const APP: &str = "_app";
const OWNER: &str = "_owner";
const WRITER: &str = "_writer";
const READER: &str = "_reader";
/// Digits of the hash.
const DIGITS: usize = 8;

fn stem(database: &str) -> String {
    let is_reserved = is_reserved(database);
    let stem = if is_reserved { format!("db_{database}") } else { database.to_owned() };
    let room = LONGEST - WRITER.len();
    if stem.len() <= room && !is_reserved {
        return stem;
    }
    let hash = digest::digest(&digest::SHA256, database.as_bytes());
    let digits = hash.as_ref().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}"));
    let mut end = stem.len().min(room - DIGITS - 1);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{}", &stem[..end], digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("orders", "orders_owner")]
    #[case("pg_stats", "db_pg_stats_a61c5ee7_owner")]
    #[case("Azure-things", "db_Azure-things_9e1e8402_owner")]
    #[case("azure", "db_azure_79f43c3b_owner")]
    #[case(&"a".repeat(56), &format!("{}_owner", "a".repeat(56)))]
    // printf %s aaa…a | sha256sum
    #[case(&"a".repeat(57), &format!("{}_f13b2d72_owner", "a".repeat(47)))]
    fn roles_are_named_after_the_database(#[case] database: &str, #[case] owner: &str) {
        assert_eq!(Ladder::of(&DatabaseName::new(database).unwrap()).owner.as_str(), owner);
    }

    #[rstest]
    #[case("", "the role name \"\" is empty: write a name")]
    #[case(&"å".repeat(32), "longer than 63 bytes")]
    #[case("pg_monitor", "belongs to PostgreSQL")]
    #[case("azure_pg_admin", "belongs to PostgreSQL")]
    #[case("AzureSU", "belongs to PostgreSQL")]
    #[case("public", "belongs to PostgreSQL")]
    #[case("a\0", "NUL")]
    fn a_role_that_cannot_be_made_is_refused(#[case] name: &str, #[case] why: &str) {
        let error = RoleName::new(name).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[rstest]
    #[case("kari.nordmann@altinn.no")]
    #[case(r#""; DROP ROLE x; --"#)]
    #[case("a\nb")]
    #[case("pgadmin")]
    #[case("PUBLIC")]
    fn whatever_else_is_a_role(#[case] name: &str) {
        assert_eq!(RoleName::new(name).unwrap().as_str(), name);
    }

    #[test]
    fn other_names_are_checked_too() {
        assert!(DatabaseName::new("postgres").is_err() && DatabaseName::new("orders").is_ok());
        assert!(ExtensionName::new("uuid-ossp").is_ok() && ExtensionName::new("a b").is_err());
        assert!(Mark::new("database-operator: a/b").is_ok());
        assert!(Mark::new("a; password 1").is_err() && Mark::new("a ").is_err() && Mark::new("").is_err());
        assert!(
            Generation::new("2").is_ok() && Generation::new("a;b").is_err() && Generation::new("").is_err()
        );
    }

    proptest! {
        #[test]
        fn each_database_has_three_roles_of_its_own(database in r"(pg_|azure|)\PC{1,63}", other in r"\PC{1,63}") {
            if let (Ok(database), Ok(other)) = (DatabaseName::new(&database), DatabaseName::new(&other)) {
                let ladder = Ladder::of(&database);
                for role in ladder.roles().into_iter().chain([&app(&database)]) {
                    prop_assert!(RoleName::new(role.as_str()).is_ok());
                }
                prop_assert!(database == other || app(&database) != app(&other));
                prop_assert!(!ladder.has(app(&database).as_str()));
                let turns = [Turn::First, Turn::Second].map(|turn| app_with_password(&database, turn));
                prop_assert!(turns.iter().all(|role| RoleName::new(role.as_str()).is_ok()) && turns[0] != turns[1]);
                prop_assert!(database == other || !ladder.roles().iter().any(|role| Ladder::of(&other).has(role.as_str())));
            }
        }
    }
}
