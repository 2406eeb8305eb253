//! Whatever was there and whatever is wanted: after one pass there is nothing left to send.

use postgres::{Access, Credential, Desired, ExtensionWish, Finding, Generation, Level, Login, Verifier};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{World, wish};

/// What a superuser does by hand. `{db}` is the database's name; each is undone by nobody.
const ON_SERVER: [&str; 14] = [
    "GRANT CONNECT ON DATABASE {db} TO PUBLIC",
    "REVOKE ALL ON DATABASE {db} FROM {db}_writer, {db}_owner",
    "ALTER ROLE {db}_owner LOGIN CREATEROLE",
    "ALTER ROLE \"{db}-a\" NOLOGIN",
    "ALTER ROLE \"{db}-a\" IN DATABASE {db} RESET ALL",
    "ALTER ROLE \"{db}-a\" IN DATABASE {db} SET statement_timeout = '5min'",
    "ALTER ROLE \"{db}-b\" CREATEDB CONNECTION LIMIT 7",
    "GRANT {db}_owner TO \"{db}-b\" WITH ADMIN OPTION GRANTED BY \"db-operators\"",
    "GRANT {db}_owner TO \"{db}-b\" GRANTED BY azuresu",
    "GRANT \"{db}-a\" TO \"{db}-b\" GRANTED BY \"db-operators\"",
    "REVOKE {db}_reader FROM {db}_writer GRANTED BY \"db-operators\"",
    "ALTER DATABASE {db} OWNER TO \"{db}-a\"",
    "ALTER DATABASE {db} OWNER TO {db}_owner",
    "COMMENT ON ROLE \"{db}-b\" IS NULL",
];
const INSIDE: [&str; 12] = [
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    "REVOKE ALL ON SCHEMA public FROM {db}_owner, {db}_reader",
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA s; CREATE TABLE s.t (id serial)",
    "CREATE SCHEMA o AUTHORIZATION {db}_owner",
    "CREATE TABLE public.a (id serial); ALTER TABLE public.a OWNER TO \"{db}-a\"",
    "CREATE TABLE public.b (id serial); ALTER TABLE public.b OWNER TO \"{db}-b\"",
    "CREATE TABLE public.c (id serial); ALTER TABLE public.c OWNER TO {db}_owner",
    "CREATE TABLE public.d (id int); GRANT SELECT ON public.d TO \"{db}-b\"",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {db}_owner REVOKE ALL ON TABLES FROM {db}_writer",
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"{db}-a\" GRANT SELECT ON TABLES TO PUBLIC",
    "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA pg_catalog",
];

#[derive(Debug)]
struct Wanted {
    logins: Vec<(&'static str, usize, Level, bool)>,
    extensions: Vec<&'static str>,
    is_closed: bool,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let levels = select(&[Level::Owner, Level::Writer, Level::Reader, Level::Debug][..]);
    let login = |name: &'static str| (Just(name), 0usize..4, levels.clone(), prop::bool::weighted(0.8));
    let logins = (prop::option::weighted(0.8, login("a")), prop::option::weighted(0.6, login("b")));
    (logins, subsequence(vec!["hstore", "cube"], 0..=2), prop::bool::weighted(0.1)).prop_map(
        |((a, b), extensions, is_closed)| Wanted {
            logins: a.into_iter().chain(b).collect(),
            extensions,
            is_closed,
        },
    )
}

fn desired(world: &World, wanted: &Wanted) -> Desired {
    let login = |&(name, credential, level, may_log_in): &(&str, usize, Level, bool)| {
        let generation = credential.to_string();
        let password = || Credential::Password {
            verifier: Verifier::new("pencil").unwrap(),
            generation: Generation::new(&generation).unwrap(),
        };
        let login = world.login(name, level);
        let credential = match (credential, &login.credential) {
            (0, _) => login.credential.clone(),
            (1, Credential::Entra { kind, .. }) => Credential::Entra {
                object_id: world.object_id(u32::from(name.as_bytes()[0]) + 1000),
                kind: *kind,
            },
            _ => password(),
        };
        Login { credential, may_log_in, ..login }
    };
    let extension = |(index, name): (usize, &&str)| ExtensionWish { update: index == 0, ..wish(name) };
    Desired {
        logins: wanted.logins.iter().map(login).collect(),
        extensions: wanted.extensions.iter().enumerate().map(extension).collect(),
        access: if wanted.is_closed { Access::Closed } else { Access::Open },
        ..world.desired()
    }
}

#[rstest]
#[tokio::test]
async fn one_pass_is_enough(#[values(Version::V16, Version::V17, Version::V18)] version: Version) {
    let changes = (subsequence(ON_SERVER.to_vec(), 0..6), subsequence(INSIDE.to_vec(), 0..6));
    let stories = (wanted(), changes, wanted());
    let mut runner = TestRunner::deterministic();
    let cases = std::env::var("RANDOM_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    for _ in 0..cases {
        let (before, (on_server, inside), after) = stories.new_tree(&mut runner).unwrap().current();
        let world = World::new(version).await;
        world.pass(&Desired { access: Access::Open, ..desired(&world, &before) }).await;
        for (database, changes) in [("postgres", &on_server), (world.database.as_str(), &inside)] {
            for change in changes {
                // Some fail, since they change what isn't there.
                world.sql("azuresu", database, &change.replace("{db}", &world.database)).await.ok();
            }
        }
        let after_all = desired(&world, &after);
        let story = format!("{before:?}, then {on_server:?} and {inside:?}, then {after:?}");
        match world.try_pass(&after_all, &|| true).await {
            // The superuser's own is nobody's to take.
            Err(failure) => panic!("{story}: {failure}"),
            Ok(first) => {
                let again = world.pass(&after_all).await;
                let is_ours = |finding: &Finding| matches!(finding, Finding::ForeignMember { grantor, .. } if grantor != "azuresu");
                assert!(!again.findings.iter().any(is_ours), "{story}: {again:?}");
                let refused =
                    again.findings.iter().filter(|finding| finding.reason() != postgres::Reason::Drifted);
                let tried = refused.filter(|finding| finding.reason() != postgres::Reason::RoleTaken).count();
                assert!(again.statements == 0 || tried > 0, "{story}: {first:?}, and again: {again:?}");
            }
        }
    }
}

/// For each version. `RANDOM_CASES` takes more of them.
const CASES: usize = 8;
