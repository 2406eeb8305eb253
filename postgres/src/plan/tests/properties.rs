//! What no plan does, whatever is seen and wanted.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{world::*, *};
use crate::{
    desired::{Create, Credential, Login},
    note::Note,
    observe::{Database, Inside, OwnedDatabase, Role, Setting},
};

/// Ours, the three, somebody else's, and one that tries to break out of its quotes.
const NAMES: [&str; 9] = [
    "orders-app",
    "orders_owner",
    "orders_writer",
    "orders_reader",
    "ola",
    ME,
    "azuresu",
    "pg_monitor",
    r#""; DROP TABLE item; DROP OWNED BY x CASCADE; --"#,
];
const IDS: [&str; 2] = [APP_ID, OTHER_ID];

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(ToOwned::to_owned)
}

prop_compose! {
    fn any_role()(bits in any::<[bool; 6]>(), connection_limit in select(&[-1, 3][..]), comment in option::of(select(vec![
        mark().to_string(),
        format!("{}; password 1", mark()),
        format!("{}; extensions hstore,cube", mark()),
        "database-operator: other/main".to_owned(),
    ]))) -> Role {
        let [can_login, inherits, creates_roles, creates_databases, is_privileged, expires] = bits;
        Role { can_login, inherits, creates_roles, creates_databases, is_privileged, connection_limit, expires, comment }
    }
}

prop_compose! {
    fn any_membership()(role in name(), member in name(), grantor in name(), bits in any::<[bool; 5]>()) -> Membership {
        let [is_admin, inherits, may_set, member_is_administrator, grantor_is_ours] = bits;
        Membership { role, member, grantor, grantor_is_ours, is_admin, inherits, may_set, member_is_administrator }
    }
}

fn any_place() -> impl Strategy<Value = Place> {
    let database = |name: &str| Place::Database(name.to_owned());
    select(vec![Place::Server, database("orders"), database("postgres"), database("billing")])
}

prop_compose! {
    fn any_inside()(
        public in option::of(vec((option::of(name()), select(&["USAGE", "CREATE"][..])), 0..4)),
        extensions in vec((select(&["hstore", "cube", "plpgsql"][..]), name(), any::<bool>()), 0..3),
        strays in vec((select(&[StrayKind::Schema, StrayKind::Table, StrayKind::Sequence][..]), name(), name(), any::<bool>()), 0..5),
        own_something in any::<bool>(),
    ) -> Inside {
        let extension = |(name, owner, holds_data): (&str, String, bool)| {
            (name.to_owned(), Extension { version: "1".into(), owner, holds_data, requires: Vec::new() })
        };
        let stray = |(kind, name, owner, is_granted)| Stray { kind, schema: "public".into(), name, owner, is_granted };
        Inside {
            public: public.map(|grants| grants.iter().map(|(to, what)| grant(to.as_deref(), what)).collect()),
            extensions: extensions.into_iter().map(extension).collect(),
            strays: strays.into_iter().map(stray).collect(),
            own_something,
            ..Inside::default()
        }
    }
}

prop_compose! {
    fn any_observed()(
        version in 15u32..=18,
        roles in proptest::collection::btree_map(name(), any_role(), 0..7),
        principals in option::of(vec((name(), select(&IDS[..]), any::<bool>()), 0..4)),
        memberships in vec(any_membership(), 0..8),
        settings in vec((name(), select(&["role", "statement_timeout"][..]), select(&["orders_owner", "5min"][..])), 0..4),
        sessions in proptest::collection::btree_map(name(), 1u64..3, 0..3),
        sessions_of_dropped_roles in 0u64..2,
        uses in vec((name(), any_place(), any::<bool>(), any::<bool>()), 0..4),
        owned in vec((select(&["orders", "billing"][..]), name()), 0..2),
        database in option::of((name(), any::<bool>())),
        inside in option::of(any_inside()),
    ) -> Observed {
        let principal = |(role, id, is_administrator): (String, &str, bool)| {
            Principal { role, object_id: id.to_owned(), is_administrator }
        };
        let setting = |(role, name, value): (String, &str, &str)| Setting { role, name: name.into(), value: value.into() };
        let found = |(owner, is_administered)| Database { owner, is_administered, encoding: "UTF8".into(), ..Database::default() };
        Observed {
            version,
            me: ME.into(),
            roles,
            principals: principals.map(|all| all.into_iter().map(principal).collect()),
            memberships,
            settings: settings.into_iter().map(setting).collect(),
            sessions,
            sessions_of_dropped_roles,
            uses: uses.into_iter().map(|(role, place, owns, is_named)| Use { role, place, owns, is_named }).collect(),
            owned_databases: owned.into_iter().map(|(name, owner)| OwnedDatabase { database: name.into(), owner }).collect(),
            database: database.map(found),
            inside,
            ..Observed::default()
        }
    }
}

prop_compose! {
    fn any_desired()(
        logins in vec((select(&["orders-app", "ola", "orders_owner", NAMES[8]][..]), 0usize..4, select(&[Level::Owner, Level::Writer, Level::Reader, Level::Debug][..]), any::<bool>()), 0..4),
        extensions in vec((select(&["hstore", "cube"][..]), any::<bool>()), 0..3),
        is_closed in any::<bool>(),
        create in select(&[Create::Never, Create::IfNew, Create::Anyway][..]),
        take_over_from in vec(select(&["ola", "orders-app", ME, NAMES[8]][..]), 0..2),
    ) -> Desired {
        let login = |(role, credential, level, may_log_in): (&str, usize, Level, bool)| {
            let login = match credential {
                0 | 1 => entra(role, IDS[credential], level),
                _ => with_password(role, &credential.to_string(), true),
            };
            Login { level, may_log_in, ..login }
        };
        let extension = |(name, update): (&str, bool)| ExtensionWish { update, ..wish(name) };
        Desired {
            logins: logins.into_iter().map(login).collect(),
            extensions: extensions.into_iter().map(extension).collect(),
            access: if is_closed { Access::Closed } else { Access::Open },
            create,
            take_over_from: take_over_from.into_iter().map(role_name).collect(),
            ..desired()
        }
    }
}

/// The words of a statement, without what is quoted.
fn words(sql: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in sql.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_alphanumeric() || c == '_' => words.last_mut().unwrap().push(c),
            (None, _) => words.push(String::new()),
        }
    }
    assert!(quote.is_none(), "a quote is open: {sql}");
    words.retain(|word| !word.is_empty());
    words.iter().map(|word| word.to_uppercase()).collect()
}

/// The name in quotes behind these words; `None` of another statement.
fn subject(sql: &str, words: &str) -> Option<String> {
    let rest = sql.strip_prefix(words)?;
    let end = rest.char_indices().scan(false, |is_open, (at, c)| {
        *is_open ^= c == '"';
        Some((at, c, *is_open))
    });
    let end =
        end.filter(|(_, c, is_open)| *c == ' ' && !is_open).map(|(at, ..)| at).next().unwrap_or(rest.len());
    crate::quoting::identifier_of(&rest[..end])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_plan_ends_data(observed in any_observed(), desired in any_desired()) {
        for statement in plan(&observed, &desired).iter().flat_map(Plan::statements) {
            let words = words(statement.sql());
            let is_drop = words[0] == "DROP";
            prop_assert!(!is_drop || words[1] == "ROLE" || words[1] == "EXTENSION", "{}", statement);
            for word in ["CASCADE", "TRUNCATE", "DROP"] {
                prop_assert!(!words[1..].iter().any(|one| one == word), "{}", statement);
            }
            // Rows are deleted by those to whom it is granted.
            prop_assert!(words[0] != "DELETE" && words[0] != "TRUNCATE", "{}", statement);
        }
    }

    #[test]
    fn what_is_not_ours_is_neither_altered_nor_dropped(observed in any_observed(), desired in any_desired()) {
        let is_ours = |role: &str| {
            let comment = observed.roles.get(role).and_then(|role| role.comment.as_deref());
            comment.is_some_and(|comment| Note::read(&desired.mark, comment).is_some())
        };
        let Ok(plan) = plan(&observed, &desired) else { return Ok(()) };
        let mut made: Vec<String> = Vec::new();
        for statement in plan.statements() {
            let sql = statement.sql();
            for words in ["ALTER ROLE ", "DROP ROLE ", "COMMENT ON ROLE ", "REASSIGN OWNED BY "] {
                let Some(role) = subject(sql, words) else { continue };
                let is_former = words.starts_with("REASSIGN") && desired.is_taken_over(&role);
                prop_assert!(is_ours(&role) || made.contains(&role) || is_former, "{}", statement);
            }
            made.extend(subject(sql, "CREATE ROLE "));
            if let Some(rest) = sql.strip_prefix("SELECT pg_catalog.pgaadauth_create_principal_with_oid(") {
                made.push(crate::quoting::literal_of(rest.split_once(", '").unwrap().0).unwrap());
            }
        }
    }

    #[test]
    fn a_closed_database_only_closes(observed in any_observed(), desired in any_desired()) {
        let desired = Desired { access: Access::Closed, ..desired };
        let plan = plan(&observed, &desired).unwrap();
        for statement in plan.statements() {
            prop_assert!(statement.counts_sessions || statement.sql().ends_with(" NOLOGIN"), "{}", statement);
        }
        for (name, role) in &observed.roles {
            let comment = role.comment.as_deref().unwrap_or_default();
            if role.can_login && Note::read(&desired.mark, comment).is_some() {
                let closes = crate::statement::alter_role(name, &[crate::statement::Attribute::NoLogin]);
                prop_assert!(plan.statements().any(|statement| *statement == closes), "{}", name);
            }
        }
    }

    #[test]
    fn an_unwanted_login_is_shut_out_before_anything_of_it_changes(observed in any_observed(), desired in any_desired()) {
        let Ok(plan) = plan(&observed, &desired) else { return Ok(()) };
        let statements: Vec<_> = plan.statements().collect();
        for (at, statement) in statements.iter().enumerate() {
            let Some(role) = subject(statement.sql(), "DROP ROLE ") else { continue };
            let closes = crate::statement::alter_role(&role, &[crate::statement::Attribute::NoLogin]);
            let ends = crate::statement::end_sessions(&role);
            let before = &statements[..at];
            prop_assert!(!observed.roles[&role].can_login || before.iter().any(|one| **one == closes), "{}", role);
            prop_assert!(!observed.sessions.contains_key(&role) || before.iter().any(|one| **one == ends), "{}", role);
        }
    }

    #[test]
    fn a_secret_is_never_shown(desired in any_desired()) {
        let observed = Observed { principals: Some(Vec::new()), ..empty(17) };
        if let Ok(plan) = plan(&observed, &desired) {
            let shown = format!("{plan} {plan:?} {desired:?}");
            prop_assert!(!shown.contains("SCRAM-SHA-256$"));
            let passwords = plan.statements().filter(|one| one.sql().contains("SCRAM-SHA-256$")).count();
            let mut roles: Vec<_> = desired.logins.iter().map(|login| (login.role.as_str(), matches!(login.credential, Credential::Password { .. }))).collect();
            roles.reverse();
            let first: std::collections::BTreeMap<_, _> = roles.into_iter().filter(|(role, _)| *role != "orders_owner").collect();
            let is_open = desired.access == Access::Open;
            prop_assert_eq!(passwords, if is_open { first.values().filter(|has| **has).count() } else { 0 });
        }
    }
}
