//! Names that try to break out: of databases, roles and what an app makes.

use postgres::{DatabaseName, Desired, Level, Login, RoleName};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::World;

#[rstest]
#[case::quotes(r#"it's "quoted""#)]
#[case::injection(r#""; DROP ROLE "db-operators"; --"#)]
#[case::injection_of_a_text("'; DROP DATABASE postgres; --")]
#[case::dollars("$$; $body$")]
#[case::percent("100%s %I %L")]
#[case::newline("two\nlines\ttab")]
#[case::backslash(r"back\slash\'")]
#[case::utf8("blåbær-数-🦀-ÆØÅ-ÆØÅ-ÆØÅ-ÆØÅ-ÆØÅ-ÆØÅ")]
#[case::keyword("user")]
#[case::comment("/* x */ --")]
#[tokio::test]
async fn any_name_is_only_a_name(#[case] name: &str) {
    let world = World::new(Version::V17).await;
    let named = |kind: &str| {
        let mut named = format!("{name}{kind}{}", world.database);
        while named.len() > 63 {
            named.remove(0);
        }
        named
    };
    let app = Login { role: RoleName::new(&named("a")).unwrap(), ..world.login("app", Level::Owner) };
    let desired = Desired {
        database: DatabaseName::new(&named("d")).unwrap(),
        logins: vec![app, world.login("reports", Level::Reader)],
        ..world.desired()
    };
    world.settle(&desired).await;
    let (app, database) = (named("a"), named("d"));
    let [schema, table] = ["s", "t"].map(named).map(|name| postgres::quote::identifier(&name));
    let make = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table} (n int)");
    world.sql(&app, &database, &make).await.unwrap();
    // What the app makes is named in statements, too.
    let owner = postgres::quote::identifier(desired.ladder().owner.as_str());
    let reader = postgres::quote::identifier(desired.ladder().reader.as_str());
    let app_role = postgres::quote::identifier(&app);
    for change in [
        format!("REVOKE ALL ON {schema}.{table} FROM {reader}; REVOKE ALL ON SCHEMA {schema} FROM {reader}"),
        format!("ALTER TABLE {schema}.{table} OWNER TO {app_role}"),
    ] {
        world.sql("azuresu", &database, &change).await.unwrap();
        assert!(world.settle(&desired).await.statements > 0, "{change}");
    }
    world.sql(&world.name("reports"), &database, &format!("SELECT * FROM {schema}.{table}")).await.unwrap();
    assert_eq!(
        world.sql(&app, &database, "SELECT current_user::text").await.unwrap(),
        [desired.ladder().owner.to_string()]
    );
    assert!(owner.len() > 2);
    // And it goes.
    world.settle(&Desired { logins: Vec::new(), ..desired }).await;
    assert!(world.sql(&app, &database, "SELECT 1").await.is_err());
}
