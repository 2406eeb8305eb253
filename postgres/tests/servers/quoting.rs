//! What is quoted is read by a server as what it was.

use postgres::quote::{identifier, literal};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use sandbox::postgres::Version;

use crate::support::World;

#[tokio::test]
async fn a_server_reads_what_was_meant() {
    let world = World::new(Version::V17).await;
    let texts = r#"[a-z'"\\%$\n\r\t; EU&{}\PC]{1,40}"#;
    let mut runner = TestRunner::deterministic();
    let client = world.cluster().connect("azuresu", "postgres").await.unwrap();
    for conforming in ["on", "off"] {
        let set = format!("SET standard_conforming_strings = {conforming}; SET backslash_quote = off");
        client.batch_execute(&set).await.unwrap();
        client.batch_execute("SET escape_string_warning = off").await.unwrap();
        for _ in 0..200 {
            let text = texts.new_tree(&mut runner).unwrap().current();
            let end = text
                .char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .take_while(|end| *end <= 63)
                .last()
                .unwrap();
            let name = &text[..end];
            let query =
                format!("SELECT{} AS{}, length({})", literal(&text), identifier(name), literal(&text));
            let query = query.replacen("SELECT'", "SELECT '", 1);
            let row =
                &client.query(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"))[0];
            assert_eq!((row.get::<_, &str>(0), row.columns()[0].name()), (text.as_str(), name));
            assert_eq!(usize::try_from(row.get::<_, i32>(1)).unwrap(), text.chars().count());
        }
    }
}
