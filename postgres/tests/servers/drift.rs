//! What somebody changes by hand is mended, or told with the name of who did it.

use postgres::{Create, Desired, Finding, Level, failure::LockedBy};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{OPERATORS, World, refused};

/// What a superuser does by hand in the database `postgres`, and what is true before and after a pass. `{db}` is the database's
/// name.
#[rstest]
#[case::public_connect(
    "GRANT CONNECT ON DATABASE {db} TO PUBLIC",
    "NOT has_database_privilege('public', '{db}', 'CONNECT')"
)]
#[case::role_setting(
    "ALTER ROLE \"{db}-app\" IN DATABASE {db} RESET role",
    "EXISTS (SELECT FROM pg_db_role_setting WHERE 'role={db}_owner' = ANY (setconfig))"
)]
#[case::membership(
    "REVOKE {db}_owner FROM \"{db}-app\" GRANTED BY \"db-operators\"",
    "pg_has_role('{db}-app', '{db}_owner', 'USAGE')"
)]
#[case::ladder(
    "REVOKE {db}_reader FROM {db}_writer GRANTED BY \"db-operators\"",
    "pg_has_role('{db}_owner', '{db}_reader', 'USAGE')"
)]
#[case::foreign_member(
    "CREATE ROLE \"{db}-x\"; GRANT {db}_writer TO \"{db}-x\" GRANTED BY \"db-operators\"",
    "NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = '{db}_writer'::regrole AND member = to_regrole('\"{db}-x\"'))"
)]
#[case::somebody_becomes_the_app(
    "CREATE ROLE \"{db}-x\"; GRANT \"{db}-app\" TO \"{db}-x\" GRANTED BY \"db-operators\"",
    "NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = '\"{db}-app\"'::regrole AND member = to_regrole('\"{db}-x\"'))"
)]
#[case::attributes(
    "ALTER ROLE \"{db}-app\" CREATEROLE CREATEDB CONNECTION LIMIT 1 VALID UNTIL '2020-01-01'",
    "NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{db}-app' AND (rolcreaterole OR rolcreatedb OR rolconnlimit >= 0 OR rolvaliduntil < 'infinity'))"
)]
#[case::no_login(
    "ALTER ROLE \"{db}-app\" NOLOGIN",
    "(SELECT rolcanlogin FROM pg_roles WHERE rolname = '{db}-app')"
)]
#[case::owner_logs_in(
    "ALTER ROLE {db}_owner LOGIN",
    "NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = '{db}_owner')"
)]
#[case::database_privilege(
    "REVOKE CREATE ON DATABASE {db} FROM {db}_owner",
    "has_database_privilege('{db}_owner', '{db}', 'CREATE')"
)]
#[case::database_of_the_owner(
    "ALTER DATABASE {db} OWNER TO {db}_owner",
    "(SELECT datdba = 'db-operators'::regrole FROM pg_database WHERE datname = '{db}')"
)]
#[case::database_of_the_app(
    "ALTER DATABASE {db} OWNER TO \"{db}-app\"",
    "(SELECT datdba = 'db-operators'::regrole FROM pg_database WHERE datname = '{db}')"
)]
#[case::login_is_gone("DROP ROLE \"{db}-app\"", "EXISTS (SELECT FROM pg_roles WHERE rolname = '{db}-app')")]
#[tokio::test]
async fn what_is_changed_by_hand_is_mended(#[case] change: &str, #[case] holds: &str) {
    let world = World::new(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    let query = format!("SELECT ({})::text", holds.replace("{db}", &world.database));
    assert_eq!(world.superuser(&query).await, ["true"], "or it would show nothing");
    world.superuser(&change.replace("{db}", &world.database)).await;
    assert_eq!(world.superuser(&query).await, ["false"], "or nothing has changed");
    world.settle(&desired).await;
    assert_eq!(world.superuser(&query).await, ["true"]);
    assert_eq!(world.app("SELECT current_user::text").await.unwrap(), [format!("{}_owner", world.database)]);
}

/// For an event: who had what from whom.
#[tokio::test]
async fn what_was_done_is_reported() {
    let world = World::new(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    let (database, member) = (&world.database, world.name("x"));
    let grant = format!("GRANT {database}_writer TO \"{member}\" GRANTED BY \"{OPERATORS}\"");
    world.superuser(&format!("CREATE ROLE \"{member}\"; {grant}")).await;
    let done = world.settle(&desired).await.done;
    assert_eq!(
        done,
        [format!("revoking membership in {database}_writer from {member}, granted by {OPERATORS}")]
    );
}

/// The same, in the database itself.
#[rstest]
#[case::create_in_public(
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    "NOT has_schema_privilege('pg_monitor', 'public', 'CREATE')"
)]
#[case::usage_of_public(
    "REVOKE ALL ON SCHEMA public FROM {db}_owner, {db}_reader",
    "has_schema_privilege('{db}_owner', 'public', 'CREATE')"
)]
#[case::defaults(
    "ALTER DEFAULT PRIVILEGES FOR ROLE {db}_owner REVOKE SELECT ON TABLES FROM {db}_reader",
    "EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl) WHERE grantee = '{db}_reader'::regrole AND defaclobjtype = 'r')"
)]
#[case::table(
    "REVOKE SELECT ON item FROM {db}_reader",
    "has_table_privilege('{db}_reader', 'item', 'SELECT')"
)]
#[case::sequence(
    "REVOKE ALL ON item_id_seq FROM {db}_writer",
    "has_sequence_privilege('{db}_writer', 'item_id_seq', 'UPDATE')"
)]
#[case::schema(
    "REVOKE USAGE ON SCHEMA billing FROM {db}_reader",
    "has_schema_privilege('{db}_reader', 'billing', 'USAGE')"
)]
#[case::table_of_the_login(
    "ALTER TABLE item OWNER TO \"{db}-app\"",
    "(SELECT relowner = '{db}_owner'::regrole FROM pg_class WHERE relname = 'item')"
)]
#[case::function_of_the_login(
    "ALTER FUNCTION f OWNER TO \"{db}-app\"",
    "(SELECT proowner = '{db}_owner'::regrole FROM pg_proc WHERE proname = 'f')"
)]
#[tokio::test]
async fn what_is_changed_inside_is_mended(#[case] change: &str, #[case] holds: &str) {
    let world = World::new(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    world.app("CREATE TABLE item (id serial); CREATE SCHEMA billing; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'").await.unwrap();
    let query = format!("SELECT ({})::text", holds.replace("{db}", &world.database));
    assert_eq!(world.superuser_inside(&query).await, ["true"], "or it would show nothing");
    world.superuser_inside(&change.replace("{db}", &world.database)).await;
    assert_eq!(world.superuser_inside(&query).await, ["false"], "or nothing has changed");
    world.settle(&desired).await;
    assert_eq!(world.superuser_inside(&query).await, ["true"]);
}

/// A membership that another administrator has granted can't be taken away from PostgreSQL 16 on: who granted it is named.
#[rstest]
#[tokio::test]
async fn a_member_by_another_is_named_and_nothing_is_tried_in_vain(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let world = World::new(version).await;
    let desired = world.desired();
    world.settle(&desired).await;
    let (database, member) = (&world.database, world.name("x"));
    world
        .superuser(&format!(
            "CREATE ROLE \"{member}\"; GRANT {database}_writer TO \"{member}\" GRANTED BY azuresu"
        ))
        .await;
    let (role, grantor) = (format!("{database}_writer"), "azuresu".to_owned());
    for _ in 0..2 {
        let report = world.pass(&desired).await;
        let found =
            Finding::ForeignMember { role: role.clone(), member: member.clone(), grantor: grantor.clone() };
        assert_eq!((report.statements, report.findings), (0, vec![found]));
    }
}

#[tokio::test]
async fn what_belongs_to_a_stranger_is_named() {
    let world = World::new(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    world.superuser_inside("CREATE TABLE item (id int); CREATE SCHEMA theirs").await;
    let report = world.pass(&desired).await;
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "schemas of the database belong to the role \"azuresu\": theirs. The app can't change them",
            "tables, views or sequences of the database belong to the role \"azuresu\": public.item. The app can't change them",
        ]
    );
    assert_eq!(report.statements, 0);
}

async fn with_a_person(world: &World) -> (Desired, Desired) {
    let without = world.desired();
    let mut with = without.clone();
    with.logins.push(world.login("kari", Level::Owner));
    world.settle(&with).await;
    (with, without)
}

/// A session with rows of its own, and a table that the person owns: the session dies, the table stays.
#[rstest]
#[tokio::test]
async fn whoever_is_not_wanted_any_more_is_out_and_what_they_made_stays(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let world = World::new(version).await;
    let (_, without) = with_a_person(&world).await;
    let kari = world.cluster().connect(&world.name("kari"), &world.database).await.unwrap();
    kari.batch_execute(
        "SET ROLE NONE; CREATE TABLE hers (n int); INSERT INTO hers VALUES (1); SET search_path = x",
    )
    .await
    .unwrap();
    let report = world.settle(&without).await;
    assert_eq!(report.sessions_ended, 1);
    assert!(kari.batch_execute("SELECT 1").await.is_err());
    refused(world.inside(&world.name("kari"), "SELECT 1").await, "does not exist");
    assert_eq!(world.app("SELECT n FROM hers; DROP TABLE hers").await.unwrap(), ["1"]);
    let listed = format!(
        "SELECT rolename::text FROM pgaadauth_list_principals(false) WHERE rolename = '{}'",
        world.name("kari")
    );
    assert!(world.superuser(&listed).await.is_empty());
}

/// Privileges that the app has given by name would end with `DROP OWNED` only, which is never said.
#[tokio::test]
async fn whoever_is_named_by_the_app_is_shut_out_and_reported() {
    let world = World::new(Version::V17).await;
    let (with, without) = with_a_person(&world).await;
    world
        .app(&format!("CREATE TABLE item (n int); GRANT SELECT ON item TO \"{}\"", world.name("kari")))
        .await
        .unwrap();
    let report = world.pass(&without).await;
    let told = format!(
        "the role \"{}\" isn't wanted any more, and can't be dropped: it has privileges by name, or default privileges, in the \
         database {}. It can't log in, and has no rights of its levels",
        world.name("kari"),
        world.database
    );
    assert_eq!(report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
    refused(world.inside(&world.name("kari"), "SELECT 1").await, "is not permitted to log in");
    assert_eq!(world.pass(&without).await.statements, 0);
    // Wanted again, she is back.
    world.settle(&with).await;
    world.inside(&world.name("kari"), "SELECT * FROM item").await.unwrap();
}

/// An identity that was made anew has another object id, and the same name.
#[tokio::test]
async fn an_identity_that_is_made_anew_logs_in_and_the_old_one_does_not() {
    let world = World::new(Version::V17).await;
    let mut desired = world.desired();
    world.settle(&desired).await;
    world.app("CREATE TABLE item (n int); SET ROLE NONE; CREATE TABLE stray (n int)").await.unwrap();
    desired.logins[0].credential =
        postgres::Credential::Entra { object_id: world.object_id(9), kind: postgres::PrincipalKind::Service };
    world.settle(&desired).await;
    let id = format!(
        "SELECT objectid FROM pgaadauth_list_principals(false) WHERE rolename = '{}'",
        world.name("app")
    );
    assert_eq!(world.superuser(&id).await, [world.object_id(9)]);
    world.app("ALTER TABLE item ADD m int; DROP TABLE stray").await.unwrap();
}

/// A migration holds a lock that handing on would need: it isn't waited for long, and all else is done.
#[tokio::test]
async fn a_migration_of_the_app_is_not_held_up() {
    let world = World::new(Version::V17).await;
    let mut desired = world.desired();
    world.settle(&desired).await;
    let app = world.cluster().connect(&world.name("app"), &world.database).await.unwrap();
    app.batch_execute("SET ROLE NONE; CREATE TABLE stray (n int)").await.unwrap();
    app.batch_execute("BEGIN; LOCK TABLE stray IN ACCESS SHARE MODE").await.unwrap();
    desired.logins.push(world.login("reports", Level::Reader));
    let report = world.pass(&desired).await;
    let [Finding::Failed(failure)] = report.findings.as_slice() else { panic!("{report:?}") };
    assert!(matches!(failure, postgres::Failure::Locked { by: LockedBy::App { .. }, .. }), "{failure}");
    assert_eq!(report.reason(), postgres::Reason::Locked);
    world.inside(&world.name("reports"), "SELECT 1").await.unwrap();
    app.batch_execute("COMMIT").await.unwrap();
    world.settle(&desired).await;
}

/// On a database of Azure's own superuser GRANT only warns: nothing is tried.
#[tokio::test]
async fn a_database_of_azures_is_left_alone() {
    let world = World::new(Version::V17).await;
    world.superuser(&format!("CREATE DATABASE {}", world.database)).await;
    let failure = world.try_pass(&world.desired(), &|| true).await.unwrap_err();
    assert_eq!(failure.reason(), postgres::Reason::DatabaseNotOurs);
    let roles = format!("SELECT rolname::text FROM pg_roles WHERE rolname LIKE '{}%'", world.database);
    assert!(world.superuser(&roles).await.is_empty());
    // Not even the operator owns the role of another.
    assert!(
        world.superuser(&format!("SELECT pg_has_role('{OPERATORS}', 'azuresu', 'MEMBER')::text")).await
            == ["false"]
    );
}

#[tokio::test]
async fn an_empty_database_is_never_made_where_data_are_expected() {
    let world = World::new(Version::V17).await;
    let desired = Desired { create: Create::Never, ..world.desired() };
    let failure = world.try_pass(&desired, &|| true).await.unwrap_err();
    assert_eq!(failure, postgres::Failure::DatabaseMissing { database: world.database.clone() });
    let there = format!("SELECT datname::text FROM pg_database WHERE datname = '{}'", world.database);
    assert!(world.superuser(&there).await.is_empty());
}

#[tokio::test]
async fn a_database_that_was_dropped_is_made_again_only_where_an_empty_one_will_do() {
    let world = World::new(Version::V17).await;
    world.settle(&world.desired()).await;
    world.superuser(&format!("DROP DATABASE {} WITH (FORCE)", world.database)).await;
    let failure = world.try_pass(&world.desired(), &|| true).await.unwrap_err();
    assert_eq!(failure, postgres::Failure::DatabaseMissing { database: world.database.clone() });
    world.settle(&Desired { create: Create::Anyway, ..world.desired() }).await;
    world.app("CREATE TABLE anew (n int)").await.unwrap();
}

/// More tables than are looked at in one go.
#[tokio::test]
async fn many_tables_are_mended_by_one_pass() {
    let world = World::new(Version::V17).await;
    let desired = world.desired();
    world.settle(&desired).await;
    world.app("DO $$ BEGIN FOR i IN 1..1200 LOOP EXECUTE format('CREATE TABLE t%s (n int)', i); END LOOP; END $$").await.unwrap();
    let database = &world.database;
    world
        .superuser_inside(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {database}_reader"))
        .await;
    // 1,000 tables by hundreds, to reader and writer, as the owner role; and then the rest.
    assert_eq!(world.settle(&desired).await.statements, 21 + 5);
}
