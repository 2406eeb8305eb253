//! The database in the server: made once, by SQL, and never again without a word.

use serde_json::json;

use crate::{
    app::App,
    common::{DATABASE, condition, delete_in_azure, eventually, ready},
    sandbox, story,
};

#[test]
fn the_operator_makes_the_database_and_it_belongs_to_who_administers_the_server() {
    let story = story().with_database("{}");
    assert!(story.of_its_databases("flexibleserversdatabases").is_empty(), "Azure was asked for none");
    assert_eq!(story.in_azure(DATABASE).len(), 1, "and knows of it all the same");
    let owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()";
    assert_eq!(App::of(&story).runs(&[owner]), [json!([["\"db-operators\""]])]);
}

#[test]
fn a_database_that_somebody_dropped_is_told_and_made_anew_when_an_empty_one_will_do() {
    let story = story().with_database("{}");
    App::of(&story).runs(&["CREATE TABLE drinks (name text)"]);
    let server = story.get("database", "main").unwrap()["status"]["server"]["name"].clone();
    let server = server.as_str().unwrap();
    delete_in_azure(sandbox(), &story.in_azure(DATABASE)[0].id);

    // What is wanted anew has the operator look into the server at once.
    story.database("main", "{extensions: [hstore]}").succeeded();
    let missing = story.wait_reason("main", "DatabaseMissing");
    let told = ready(&missing)["message"].as_str().unwrap().to_owned();
    assert!(
        told.contains(&format!("annotate this Database with altinn.app/accept-empty: {server}@")),
        "{told}"
    );
    assert_eq!(story.in_azure(DATABASE).len(), 0);
    // Nor when the manifest is deleted and applied again.
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.database("main", "{}").succeeded();
    story.wait_reason("main", "DatabaseMissing");
    assert_eq!(story.in_azure(DATABASE).len(), 0);

    story.accept_empty(server);
    story.wait_ready("main");
    let accepted = eventually("what was said has counted", || {
        let database = story.get("database", "main")?;
        database["status"]["acceptedEmpty"].as_str().map(str::to_owned)
    });
    assert!(accepted.starts_with(server), "{accepted}");
    let gone = App::of(&story).runs(&["SELECT to_regclass('drinks')::text"]);
    assert_eq!(gone, [json!([[null]])], "it is a new one");
    let access = condition(&story.get("database", "main").unwrap(), "AccessReady").unwrap();
    assert_eq!(access["status"], "True");
}
