//! What is decided, as scripts: `snapshots/` has one for each story. What always holds is in `properties`.

mod properties;
mod world;

use insta::assert_snapshot;
use rstest::rstest;

use super::*;
use crate::{
    desired::{Create, ExtensionWish, Level},
    failure::Failure,
    name::{ExtensionName, RoleName},
    observe::{Extension, Grant, Membership, Offered, Place, Principal, Stray, StrayKind, Use},
};
use world::{
    APP_ID, ME, OTHER_ID, desired, entra, grant, group, login_role, mark, membership, password, settled,
    strange, with_password,
};

fn script(observed: &Observed, desired: &Desired) -> String {
    plan(observed, desired).unwrap().to_string()
}

fn role_name(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn wish(name: &str) -> ExtensionWish {
    ExtensionWish { name: ExtensionName::new(name).unwrap(), update: false }
}

fn empty(version: u32) -> Observed {
    Observed { version, me: ME.to_owned(), principals: Some(Vec::new()), ..Observed::default() }
}

/// All kinds of logins, and extensions of which one requires another.
fn everything() -> Desired {
    let mut desired = desired();
    desired.logins.extend([
        entra("reports", "22222222-2222-4222-8222-222222222223", Level::Reader),
        group("Team Orders", "22222222-2222-4222-8222-222222222224", Level::Writer),
        entra("kari.nordmann@altinn.no", "22222222-2222-4222-8222-222222222225", Level::Debug),
        with_password("orders_app_1", "1", false),
        with_password("orders_app_2", "2", true),
    ]);
    desired.extensions = vec![wish("earthdistance"), wish("cube")];
    desired
}

#[rstest]
#[case::on_17("a_new_server", 17)]
#[case::on_15("a_new_server_of_15", 15)]
fn a_new_server(#[case] name: &str, #[case] version: u32) {
    let requires = Offered { version: "1.2".into(), requires: vec!["cube".into()] };
    let offered = [("earthdistance".into(), requires), ("cube".into(), Offered::default())].into();
    assert_snapshot!(name, script(&Observed { offered, ..empty(version) }, &everything()));
}

#[test]
fn a_server_that_is_as_it_is_wanted_is_left_alone() {
    let desired = everything();
    assert_eq!(script(&settled(&desired), &desired), "");
}

#[test]
fn extensions_come_behind_those_that_they_require() {
    let desired = everything();
    let mut observed = settled(&desired);
    observed.inside.as_mut().unwrap().extensions.clear();
    let requires = Offered { version: "1.2".into(), requires: vec!["cube".into()] };
    observed.offered = [("earthdistance".into(), requires), ("cube".into(), Offered::default())].into();
    assert_snapshot!(script(&observed, &desired));
}

/// Each is one thing that somebody has changed, and what mends it, without the lines that say where.
#[rstest]
#[case::public_connect(|seen: &mut Observed| { seen.database.as_mut().unwrap().grants.insert(grant(None, "CONNECT")); },
    r#"REVOKE CONNECT ON DATABASE "orders" FROM PUBLIC;"#)]
#[case::database_grant(|seen: &mut Observed| { seen.database.as_mut().unwrap().grants.remove(&grant(Some("orders_owner"), "CREATE")); },
    r#"GRANT CREATE ON DATABASE "orders" TO "orders_owner";"#)]
#[case::owner_can_login(|seen: &mut Observed| login_role(seen, "orders_owner").can_login = true,
    r#"ALTER ROLE "orders_owner" NOLOGIN; WITH asked"#)]
#[case::reader_not_in_writer(|seen: &mut Observed| seen.memberships.retain(|one| one.member != "orders_writer"),
    r#"GRANT "orders_reader" TO "orders_writer" WITH INHERIT TRUE, SET TRUE;"#)]
#[case::we_have_the_owners_rights(|seen: &mut Observed| membership(seen, "orders_owner", ME).inherits = true,
    r#"GRANT "orders_owner" TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;"#)]
#[case::login_not_a_member(|seen: &mut Observed| seen.memberships.retain(|one| one.member != "orders-app"),
    r#"GRANT "orders_owner" TO "orders-app" WITH INHERIT TRUE, SET TRUE;"#)]
#[case::without_inheriting(|seen: &mut Observed| membership(seen, "orders_owner", "orders-app").inherits = false,
    r#"GRANT "orders_owner" TO "orders-app" WITH INHERIT TRUE, SET TRUE;"#)]
#[case::with_admin_option(|seen: &mut Observed| membership(seen, "orders_owner", "orders-app").is_admin = true,
    r#"REVOKE ADMIN OPTION FOR "orders_owner" FROM "orders-app";"#)]
#[case::a_level_too_much(|seen: &mut Observed| seen.memberships.push(world::member("pg_monitor", "orders-app", ME)),
    r#"REVOKE "pg_monitor" FROM "orders-app";"#)]
#[case::a_foreign_member_by_our_group(|seen: &mut Observed| seen.memberships.push(world::member("pg_monitor", "orders-app", "azure_pg_admin")),
    r#"REVOKE "pg_monitor" FROM "orders-app" GRANTED BY "azure_pg_admin";"#)]
#[case::a_foreign_member(|seen: &mut Observed| seen.memberships.push(world::member("orders_writer", "ola", ME)),
    r#"REVOKE "orders_writer" FROM "ola";"#)]
#[case::somebody_becomes_the_app(|seen: &mut Observed| seen.memberships.push(world::member("orders-app", "ola", ME)),
    r#"REVOKE "orders-app" FROM "ola";"#)]
#[case::a_foreign_member_by_another(|seen: &mut Observed| seen.memberships.push(world::member("orders_writer", "ola", "azuresu")),
    r#"-- found: the role "ola" is a member of "orders_writer", by a grant of "azuresu": who granted it must revoke it"#)]
#[case::sessions_of_a_role_that_was_dropped(|seen: &mut Observed| seen.sessions_of_dropped_roles = 2, "WITH asked")]
#[case::setting_gone(|seen: &mut Observed| seen.settings.clear(),
    r#"ALTER ROLE "orders-app" IN DATABASE "orders" SET role TO 'orders_owner';"#)]
#[case::setting_of_another_level(|seen: &mut Observed| world::set(seen, "orders-app", "statement_timeout", "5min"),
    r#"ALTER ROLE "orders-app" IN DATABASE "orders" RESET statement_timeout;"#)]
#[case::setting_of_the_apps_own(|seen: &mut Observed| world::set(seen, "orders-app", "statement_timeout", "9s"), "")]
#[case::login_closed(|seen: &mut Observed| login_role(seen, "orders-app").can_login = false, r#"ALTER ROLE "orders-app" LOGIN;"#)]
#[case::attributes(|seen: &mut Observed| { let role = login_role(seen, "orders-app"); role.creates_roles = true; role.creates_databases = true;
    role.connection_limit = 1; role.expires = true; },
    r#"ALTER ROLE "orders-app" NOCREATEROLE NOCREATEDB CONNECTION LIMIT -1 VALID UNTIL 'infinity';"#)]
#[case::superuser(|seen: &mut Observed| login_role(seen, "orders-app").is_privileged = true,
    r#"-- found: the role "orders-app" has attributes that a login must not have: SUPERUSER, REPLICATION or BYPASSRLS. An administrator must take them away"#)]
#[case::everybody_creates(|seen: &mut Observed| { seen.inside.as_mut().unwrap().public.as_mut().unwrap().insert(grant(None, "CREATE")); },
    r#"REVOKE CREATE ON SCHEMA "public" FROM PUBLIC;"#)]
#[case::schema_public(|seen: &mut Observed| seen.inside.as_mut().unwrap().public.as_mut().unwrap().clear(),
    r#"GRANT USAGE ON SCHEMA "public" TO "orders_reader"; GRANT USAGE, CREATE ON SCHEMA "public" TO "orders_owner";"#)]
#[case::no_schema_public(|seen: &mut Observed| seen.inside.as_mut().unwrap().public = None, "")]
#[case::defaults(|seen: &mut Observed| seen.inside.as_mut().unwrap().defaults.retain(|(_, grant)| grant.privilege != "UPDATE"),
    r#"SET LOCAL ROLE "orders_owner"; ALTER DEFAULT PRIVILEGES GRANT UPDATE ON TABLES TO "orders_writer"; ALTER DEFAULT PRIVILEGES GRANT UPDATE ON SEQUENCES TO "orders_writer";"#)]
#[case::a_table_not_granted(|seen: &mut Observed| strange(seen, StrayKind::Table, "item", "orders_owner", false),
    r#"SET LOCAL ROLE "orders_owner"; GRANT SELECT ON TABLE "public"."item" TO "orders_reader"; GRANT INSERT, UPDATE, DELETE ON TABLE "public"."item" TO "orders_writer";"#)]
#[case::a_schema_not_granted(|seen: &mut Observed| strange(seen, StrayKind::Schema, "billing", "orders_owner", false),
    r#"SET LOCAL ROLE "orders_owner"; GRANT USAGE ON SCHEMA "billing" TO "orders_reader";"#)]
#[case::a_foreign_table(|seen: &mut Observed| strange(seen, StrayKind::Table, "item", "ola", true),
    r#"-- found: tables, views or sequences of the database belong to the role "ola": public.item. The app can't change them"#)]
#[case::encoding(|seen: &mut Observed| seen.database.as_mut().unwrap().encoding = "LATIN1".into(),
    r#"-- found: the database is in the encoding "LATIN1": a new one would be in UTF8"#)]
#[case::too_many(|seen: &mut Observed| { seen.too_many.insert(("memberships", 2000)); },
    "-- found: there are more than 2000 memberships: the rest isn't looked at")]
fn drift_is_mended_or_told(#[case] change: impl Fn(&mut Observed), #[case] mends: &str) {
    let desired = desired();
    let mut observed = settled(&desired);
    change(&mut observed);
    let script = script(&observed, &desired);
    let says = |line: &&str| !line.starts_with("-- ") || line.starts_with("-- found");
    let said: Vec<&str> = script.lines().filter(says).collect();
    let said = said.join(" ");
    // What ends sessions is long, and the same everywhere.
    let said = said.split_once(" AS MATERIALIZED").map_or(said.as_str(), |(before, _)| before);
    assert_eq!(said, mends);
}

#[test]
fn before_16_a_membership_of_whoever_granted_it_is_revoked() {
    let desired = desired();
    let mut observed = Observed { version: 15, ..settled(&desired) };
    observed.memberships.push(world::member("orders_writer", "ola", "azuresu"));
    assert!(script(&observed, &desired).contains(r#"REVOKE "orders_writer" FROM "ola""#));
}

#[test]
fn an_administrator_is_no_foreign_member() {
    let desired = desired();
    let mut observed = settled(&desired);
    let member = world::member("orders_writer", "db-operators-before", "azuresu");
    observed.memberships.push(Membership { member_is_administrator: true, ..member });
    assert_eq!(script(&observed, &desired), "");
}

/// A login that nobody wants any more: rights, sessions, what it owns, and the role itself.
#[test]
fn an_unwanted_login_ends() {
    let mut desired = everything();
    let mut observed = settled(&desired);
    desired.logins.retain(|login| login.role.as_str() != "kari.nordmann@altinn.no");
    let place = Place::Database("orders".into());
    observed.uses.push(Use { role: "kari.nordmann@altinn.no".into(), place, owns: true, is_named: false });
    strange(&mut observed, StrayKind::Table, "kari's", "kari.nordmann@altinn.no", false);
    assert_snapshot!(script(&observed, &desired));
}

#[test]
fn an_unwanted_login_that_is_named_somewhere_stays_shut_out() {
    let mut desired = desired();
    let mut observed = settled(&desired);
    desired.logins.clear();
    let named = |place| Use { role: "orders-app".into(), place, owns: false, is_named: true };
    let owns = Use { owns: true, is_named: false, ..named(Place::Database("billing".into())) };
    observed.uses = vec![named(Place::Database("orders".into())), owns];
    assert_snapshot!(script(&observed, &desired));
    // Once it is shut out there is nothing left to do.
    observed.memberships.retain(|one| one.member != "orders-app");
    login_role(&mut observed, "orders-app").can_login = false;
    assert!(plan(&observed, &desired).unwrap().is_empty());
}

#[test]
fn a_login_of_another_identity_is_made_anew() {
    let desired = desired();
    let mut observed = settled(&desired);
    observed.principals.as_mut().unwrap()[0].object_id = OTHER_ID.into();
    assert_snapshot!(script(&observed, &desired));
    // Not while the old one can't be dropped.
    let place = Place::Database("billing".into());
    observed.uses.push(Use { role: "orders-app".into(), place, owns: true, is_named: false });
    assert!(!script(&observed, &desired).contains("pgaadauth_create_principal"));
}

#[test]
fn a_server_without_entra_keeps_the_logins_that_it_has() {
    let desired = desired();
    let observed = Observed { principals: None, ..settled(&desired) };
    assert_eq!(
        script(&observed, &desired),
        "-- found: the server takes no tokens of Microsoft Entra: \"orders-app\" can't log in. Turn Entra authentication on\n"
    );
}

#[rstest]
#[case::other_role(Principal { role: "old".into(), object_id: APP_ID.into(), is_administrator: false }, "has the role \"old\"")]
#[case::administrator(Principal { role: "old".into(), object_id: APP_ID.to_uppercase(), is_administrator: true }, "is an administrator")]
fn an_identity_that_has_a_role_already_gets_no_second(#[case] principal: Principal, #[case] why: &str) {
    let desired = desired();
    let observed = Observed { principals: Some(vec![principal]), ..empty(17) };
    let script = script(&observed, &desired);
    assert!(script.contains(why) && !script.contains("pgaadauth"), "{script}");
}

#[test]
fn two_logins_of_one_identity_or_of_one_name_are_one() {
    let mut desired = desired();
    desired
        .logins
        .extend([entra("second", APP_ID, Level::Reader), entra("orders-app", OTHER_ID, Level::Reader)]);
    let script = script(&empty(17), &desired);
    assert_eq!(script.matches("pgaadauth_create_principal_with_oid").count(), 1, "{script}");
    assert!(script.contains("has the role \"second\" on the server already"), "{script}");
}

#[test]
fn a_role_that_is_not_ours_is_left_alone() {
    let desired = desired();
    let mut observed = settled(&desired);
    login_role(&mut observed, "orders-app").comment = Some("database-operator: other/main".into());
    login_role(&mut observed, "orders-app").can_login = false;
    observed.memberships.retain(|one| one.member != "orders-app");
    assert_eq!(
        script(&observed, &desired),
        "-- found: the role \"orders-app\" is on the server already and is not the operator's: drop it, or ask for another name\n"
    );
}

/// As the last version of the operator left it: the app's identity is administrator, and owns all.
#[test]
fn a_database_of_an_app_that_was_administrator_is_taken_over() {
    let mut desired = desired();
    desired.take_over_from = ["orders-identity", "not-there"].map(role_name).into();
    let mut observed = empty(17);
    world::owned_by_former_app(&mut observed, "orders-identity");
    assert_snapshot!(script(&observed, &desired));
}

/// The role `seller` owns something, and these are administrators of roles, each given as role and administrator. The roles in
/// whose name things are done, in their order.
fn borrowed_for_seller(version: u32, administrators: &[(&str, &str)]) -> String {
    let mut desired = desired();
    let mut observed = Observed { version, ..settled(&desired) };
    desired.take_over_from = ["seller", "chief", "legacy_admin"].map(role_name).into();
    observed.roles.insert("stranger".into(), observe_role());
    for name in ["seller", "chief", "legacy_admin"] {
        observed.roles.insert(name.into(), observe_role());
        observed.memberships.push(world::member("orders_owner", name, ME));
    }
    for (role, administrator) in administrators {
        let member = world::member(role, administrator, "azuresu");
        observed.memberships.push(Membership { is_admin: true, ..member });
    }
    let place = Place::Database("orders".into());
    observed.uses.push(Use { role: "seller".into(), place, owns: true, is_named: false });
    script(&observed, &desired)
}

/// An administrator of old has made the role that owns the data, as on most servers that were made by hand.
#[test]
fn a_role_that_only_a_former_owner_may_grant_is_borrowed_by_way_of_that_one() {
    assert_snapshot!(borrowed_for_seller(17, &[("seller", "chief"), ("chief", "legacy_admin")]));
}

#[rstest]
#[case::of_one_that_is_not_taken_over_from(17, &[("seller", "stranger")], &["seller"])]
#[case::before_postgresql_16(15, &[("seller", "chief")], &["seller"])]
#[case::of_two_that_may_grant_each_other(17, &[("seller", "chief"), ("chief", "seller")], &["chief", "seller"])]
fn a_role_is_borrowed_by_way_of_nobody_else(
    #[case] version: u32,
    #[case] administrators: &[(&str, &str)],
    #[case] expected: &[&str],
) {
    let script = borrowed_for_seller(version, administrators);
    let borrowed =
        script.lines().filter(|line| line.contains("TO CURRENT_USER") && !line.contains("orders_owner"));
    let borrowed: Vec<&str> = borrowed.map(|line| line.split('"').nth(1).unwrap()).collect();
    assert_eq!(borrowed, expected, "{script}");
}

/// They came with the data of a server that was made by hand. Whoever has the password of one that owned the data becomes a member
/// of the owner role with it, and nothing is taken from the others.
#[test]
fn logins_that_nobody_here_has_made_stay_as_they_are() {
    let mut desired = desired();
    let mut observed = settled(&desired);
    for name in ["seller", "reports"] {
        observed.roles.insert(name.into(), observe_role());
    }
    assert_eq!(script(&observed, &desired), "");
    desired.take_over_from = vec![role_name("seller")];
    assert_eq!(
        script(&observed, &desired),
        "-- making the roles of the database\n\
         -- in postgres, as one transaction\n\
         GRANT \"orders_owner\" TO \"seller\" WITH INHERIT TRUE, SET TRUE;\n"
    );
}

/// The databases beyond what is looked at would go to the app.
#[test]
fn nothing_changes_hands_where_too_many_databases_would() {
    let mut desired = desired();
    desired.take_over_from = vec![role_name("orders-identity")];
    let mut observed = empty(17);
    world::owned_by_former_app(&mut observed, "orders-identity");
    assert!(script(&observed, &desired).contains("REASSIGN"));
    observed.too_many.insert((crate::observe::MANY_DATABASES, 1000));
    assert!(!script(&observed, &desired).contains("REASSIGN"));
}

#[test]
fn what_the_administrator_made_for_the_app_is_handed_on() {
    let mut desired = desired();
    desired.take_over_from = vec![role_name(ME)];
    let mut observed = settled(&desired);
    observed.roles.insert(ME.into(), observe_role());
    observed
        .owned_databases
        .push(crate::observe::OwnedDatabase { database: "orders".into(), owner: ME.into() });
    observed.inside.as_mut().unwrap().own_something = true;
    assert_snapshot!(script(&observed, &desired));
}

fn observe_role() -> crate::observe::Role {
    crate::observe::Role { can_login: true, inherits: true, connection_limit: -1, ..Default::default() }
}

#[test]
fn a_closed_database_lets_nobody_in() {
    let mut desired = everything();
    let mut observed = settled(&desired);
    desired.access = Access::Closed;
    desired.take_over_from = vec![role_name("orders-identity")];
    observed.roles.insert("orders-identity".into(), observe_role());
    assert_snapshot!(script(&observed, &desired));
    for role in observed.roles.values_mut() {
        role.can_login = false;
    }
    assert_eq!(script(&observed, &desired), "");
}

#[test]
fn a_password_is_written_once() {
    let mut desired = desired();
    desired.logins = vec![with_password("orders_app_1", "2", true)];
    let mut observed = settled(&desired);
    login_role(&mut observed, "orders_app_1").comment = Some(format!("{}; password 1", mark()));
    assert_eq!(
        script(&observed, &desired),
        "-- setting up the login orders_app_1\n\
         -- in postgres, as one transaction\n\
         ALTER ROLE \"orders_app_1\" PASSWORD '…';\n\
         COMMENT ON ROLE \"orders_app_1\" IS 'database-operator: orders-prod/main; password 2';\n"
    );
    // It is sent all the same.
    let plan = plan(&observed, &desired).unwrap();
    assert!(plan.statements().any(|statement| statement.sql().contains("SCRAM-SHA-256$4096:")));
    assert!(!format!("{plan:?} {:?} {desired:?}", password()).contains("SCRAM-SHA-256$"));
}

#[rstest]
#[case::dropped(|_: &mut Observed| (), r#"DROP EXTENSION "hstore";"#)]
#[case::not_by_us(|seen: &mut Observed| login_role(seen, "orders_owner").comment = Some(mark().to_string()), "")]
#[case::with_data(|seen: &mut Observed| seen.inside.as_mut().unwrap().extensions.get_mut("hstore").unwrap().holds_data = true,
    "keeps data in tables of its own")]
#[case::gone(|seen: &mut Observed| seen.inside.as_mut().unwrap().extensions.clear(), "")]
fn an_extension_that_is_taken_from_the_list(#[case] change: impl Fn(&mut Observed), #[case] says: &str) {
    let mut desired = desired();
    desired.extensions = vec![wish("hstore")];
    let mut observed = settled(&desired);
    desired.extensions.clear();
    change(&mut observed);
    let script = script(&observed, &desired);
    assert!(if says.is_empty() { script.is_empty() } else { script.contains(says) }, "{script}");
}

#[rstest]
#[case::older("1.0", "azuresu", true, r#"ALTER EXTENSION "hstore" UPDATE;"#)]
#[case::not_asked_for("1.0", "azuresu", false, "")]
#[case::same("1.8", "azuresu", true, "")]
#[case::of_the_app("1.0", "orders_owner", true, "-- found: the extension \"hstore\" is not updated")]
fn an_extension_is_updated(
    #[case] version: &str,
    #[case] owner: &str,
    #[case] update: bool,
    #[case] says: &str,
) {
    let mut desired = desired();
    desired.extensions = vec![ExtensionWish { update, ..wish("hstore") }];
    let mut observed = settled(&desired);
    let inside = observed.inside.as_mut().unwrap();
    let extension =
        Extension { version: version.into(), owner: owner.into(), holds_data: false, requires: Vec::new() };
    inside.extensions.insert("hstore".into(), extension);
    observed.offered.insert("hstore".into(), Offered { version: "1.8".into(), requires: Vec::new() });
    let script = script(&observed, &desired);
    assert!(if says.is_empty() { script.is_empty() } else { script.contains(says) }, "{script}");
}

/// The roles are made after the database, and outlive it.
#[rstest]
#[case::new_and_expected(Create::Never, false, false)]
#[case::new(Create::IfNew, false, true)]
#[case::dropped(Create::IfNew, true, false)]
#[case::dropped_and_expected(Create::Never, true, false)]
#[case::an_empty_one_will_do(Create::Anyway, true, true)]
fn an_empty_database_is_not_made_where_data_are_expected(
    #[case] create: Create,
    #[case] has_roles: bool,
    #[case] is_made: bool,
) {
    let desired = Desired { create, ..desired() };
    let mut observed = if has_roles { settled(&desired) } else { empty(17) };
    (observed.database, observed.inside) = (None, None);
    match plan(&observed, &desired) {
        Ok(plan) => assert!(is_made && plan.to_string().contains("CREATE DATABASE"), "{plan}"),
        Err(failure) => {
            assert_eq!(failure, Failure::DatabaseMissing { database: "orders".into() });
            assert!(!is_made);
        }
    }
}

#[test]
fn the_database_and_the_roles_of_others_are_left_alone() {
    let desired = desired();
    let mut observed = settled(&desired);
    let database = observed.database.as_mut().unwrap();
    (database.owner, database.is_administered) = ("azuresu".into(), false);
    assert_eq!(
        plan(&observed, &desired).unwrap_err().to_string(),
        "the database \"orders\" belongs to the role \"azuresu\", which is neither an administrator's nor the app's: give it \
         to the administrators with ALTER DATABASE … OWNER TO, or take another name"
    );
    login_role(&mut observed, "orders_writer").comment = None;
    assert_eq!(plan(&observed, &desired), Err(Failure::RoleTaken { role: "orders_writer".into() }));
}

#[test]
fn a_grant_names_a_hundred_objects_at_most() {
    let desired = desired();
    let mut observed = settled(&desired);
    let inside = observed.inside.as_mut().unwrap();
    inside.strays = (0..250)
        .map(|i| Stray {
            kind: StrayKind::Sequence,
            schema: "s".into(),
            name: format!("q{i}"),
            owner: "orders_owner".into(),
            is_granted: false,
        })
        .collect();
    let plan = plan(&observed, &desired).unwrap();
    let named: Vec<usize> =
        plan.statements().map(|statement| statement.sql().matches("\"s\".").count()).collect();
    assert_eq!(named, [0, 100, 100, 100, 100, 50, 50]);
}

#[test]
fn a_grant_is_told_from_one_to_everybody() {
    assert!(Grant { grantee: None, privilege: "USAGE".into() } < grant(Some("PUBLIC"), "USAGE"));
}
