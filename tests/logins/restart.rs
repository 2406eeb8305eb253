//! A process that has just begun. It has a sandbox of its own: it counts what the whole process does.

use sandbox::{Options, Sandbox};

use crate::{
    app::App,
    common::{Story, audit_lines, eventually, metric, rests, writes_of_the_controller},
};

#[test]
fn a_process_that_has_just_begun_looks_and_changes_nothing() {
    let sandbox = Sandbox::start(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let stories = ["{extensions: [hstore]}", "{authentication: Password}"]
        .map(|spec| Story::anywhere(&sandbox).with_database(spec));
    for story in &stories {
        story.wait_settled("main");
        rests(story);
    }
    let start = audit_lines(&sandbox);
    sandbox.process("controller").restart().unwrap();
    eventually("it has looked into both servers", || {
        let looks =
            metric(&sandbox, "controller", "database_operator_access_passes_total{reason=\"Settled\"}");
        (looks? >= 2.0).then_some(())
    });
    let statements = metric(&sandbox, "controller", "database_operator_access_statements_total");
    assert_eq!(statements, Some(0.0));
    // What there is, it knows from its caches, and not from what it did.
    let shown = |name: &str| metric(&sandbox, "controller", &format!("database_operator_{name}"));
    assert_eq!(shown("databases{state=\"ready\"}"), Some(2.0));
    assert_eq!(shown("databases_access{reason=\"Settled\"}"), Some(2.0));
    assert_eq!(shown("servers{version=\"17\",sku=\"Standard_B1ms\",profile=\"default\"}"), Some(2.0));
    assert!(shown("version_support_ends_timestamp_seconds{version=\"17\"}").is_some());
    eventually("no connection stays open", || (shown("access_connections")? == 0.0).then_some(()));
    assert_eq!(writes_of_the_controller(&sandbox, start), Vec::<String>::new());
    for story in &stories {
        App::of(story).runs(&["SELECT 1"]);
    }
}
