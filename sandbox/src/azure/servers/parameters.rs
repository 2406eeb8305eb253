//! Server parameters: what the API sets holds in PostgreSQL, as far as it has the parameter and the machine the memory.

use std::time::Duration;

use tokio_postgres::Client;

use crate::postgres::{Cluster, Error, SUPERUSER};

/// What a server has less of than Azure gives it: a hundred of them run on a laptop. What is written into them stays
/// on the API's pages.
const KEPT_SMALL: [&str; 16] = [
    "huge_pages",
    "max_locks_per_transaction",
    "max_parallel_workers",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_wal_size",
    "max_worker_processes",
    "min_wal_size",
    "pg_stat_statements.max",
    "shared_buffers",
    "track_activity_query_size",
    "wal_buffers",
    "wal_keep_size",
    "wal_level",
];

/// Lists whose members PostgreSQL wants one by one.
const LISTS: [&str; 4] =
    ["local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries"];

/// Long enough for a process to read a file again.
const RELOADED: Duration = Duration::from_secs(5);

/// Sets a parameter, or gives it its default back. Returns once every new session has it, if it doesn't need a restart.
pub(super) async fn set(cluster: &Cluster, name: &str, value: Option<&str>) -> Result<(), Error> {
    let session = cluster.connect(SUPERUSER, "postgres").await?;
    if KEPT_SMALL.contains(&name) || !is_known(&session, name).await? {
        return Ok(());
    }
    let members = match value {
        None => Vec::new(),
        Some(value) if name.ends_with("_preload_libraries") => there(&session, split(value)).await?,
        Some(value) if LISTS.contains(&name) => split(value),
        Some(value) => vec![value.to_owned()],
    };
    // An empty list would be a list with an empty member.
    let is_reset = value.is_none() || (LISTS.contains(&name) && members.is_empty());
    let query = "SELECT format('ALTER SYSTEM SET %I = ', $1::text) || string_agg(quote_literal(member), ', ' ORDER BY place)
                 FROM unnest($2::text[]) WITH ORDINALITY AS members (member, place)";
    let statement: String = if is_reset {
        session.query_one("SELECT format('ALTER SYSTEM RESET %I', $1::text)", &[&name]).await?.get(0)
    } else {
        session.query_one(query, &[&name, &members]).await?.get(0)
    };
    // A name of two parts, as azure.extensions, is quoted by its parts.
    session.batch_execute(&statement.replacen(&format!("\"{name}\""), &quoted(name), 1)).await?;
    reload(&session).await
}

/// `a."b"`: no part of a parameter's name has a quote in it.
fn quoted(name: &str) -> String {
    let parts: Vec<String> = name.split('.').map(|part| format!("\"{part}\"")).collect();
    parts.join(".")
}

async fn is_known(session: &Client, name: &str) -> Result<bool, Error> {
    // Those with a prefix, as azure.extensions, are in no view.
    Ok(session.query_one("SELECT current_setting($1::text, true) IS NOT NULL", &[&name]).await?.get(0))
}

fn split(list: &str) -> Vec<String> {
    let members = list.split(',').map(|member| member.trim().trim_matches('"').to_owned());
    members.filter(|member| !member.is_empty()).collect()
}

/// Those libraries that PostgreSQL could load: one that isn't there keeps it from starting.
async fn there(session: &Client, libraries: Vec<String>) -> Result<Vec<String>, Error> {
    let query = "SELECT library FROM unnest($1::text[]) WITH ORDINALITY AS wanted (library, place), pg_config
                 WHERE name = 'PKGLIBDIR' AND library ~ '^\\w+$'
                   AND (pg_stat_file(setting || '/' || library || '.so', true)).size IS NOT NULL
                 ORDER BY place";
    let rows = session.query(query, &[&libraries]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Has the files read again. Who read them last is this session: its parent, who starts all others, was before it.
async fn reload(session: &Client) -> Result<(), Error> {
    let loaded = async || -> Result<String, Error> {
        Ok(session.query_one("SELECT pg_conf_load_time()::text", &[]).await?.get(0))
    };
    let before = loaded().await?;
    session.batch_execute("SELECT pg_reload_conf()").await?;
    let read_again = async {
        while loaded().await? == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, Error>(())
    };
    // Two at once are told of one time.
    tokio::time::timeout(RELOADED, read_again).await.unwrap_or(Ok(()))
}
