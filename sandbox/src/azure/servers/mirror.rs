//! What was done by SQL shows in the API: databases and administrators are read from PostgreSQL.

use serde_json::json;
use tracing::debug;

use crate::{
    azure::{
        arm::resource_id::{Key, Kind, ResourceId},
        circumstances::Ownership,
        cloud::{Cloud, Shared},
        endpoints::Endpoint,
        rules::database,
    },
    postgres::{self, Cluster, SUPERUSER},
};

/// How often a server is read that changes meanwhile.
const TRIES: usize = 3;

/// What a server has beside what every server has.
struct Found {
    databases: Vec<Database>,
    administrators: Vec<Administrator>,
}

struct Database {
    name: String,
    charset: String,
    owner: String,
}

struct Administrator {
    name: String,
    object_id: String,
    kind: &'static str,
}

/// Brings what the API shows of a server up to date with what is in it, if it runs.
pub(in crate::azure) async fn refresh(shared: &Shared, server: &Key) {
    for _ in 0..TRIES {
        // What an operation changes, it changes itself; and what was read before one is old after it.
        let Some(before) = shared.lock().operations.so_far(server) else { return };
        let Some(endpoint) = shared.endpoints.get(server) else { return };
        match find(&endpoint).await {
            Ok(found) => {
                let mut cloud = shared.lock();
                if cloud.operations.so_far(server) == Some(before) {
                    show(&mut cloud, server, &found);
                    return;
                }
            }
            // It may have been stopped since; what is known of it then stays.
            Err(error) => debug!(server, %error, "a server can't be read"),
        }
    }
}

async fn find(endpoint: &Endpoint) -> Result<Found, postgres::Error> {
    let session = endpoint.superuser().await?;
    let databases = "SELECT datname::text, pg_encoding_to_char(encoding)::text, pg_get_userbyid(datdba)::text
                     FROM pg_database WHERE NOT datistemplate";
    let administrators = "SELECT rolname::text, object_id, type FROM azure.labelled WHERE is_admin";
    let (databases, administrators) =
        tokio::try_join!(session.query(databases, &[]), session.query(administrators, &[]))?;
    let databases =
        databases.iter().map(|row| Database { name: row.get(0), charset: row.get(1), owner: row.get(2) });
    let administrators = administrators.iter().map(|row| Administrator {
        name: row.get(0),
        object_id: row.get(1),
        kind: match row.get(2) {
            "group" => "Group",
            "service" => "ServicePrincipal",
            _ => "User",
        },
    });
    Ok(Found {
        databases: databases
            .filter(|database| !database::BUILT_IN.contains(&database.name.as_str()))
            .collect(),
        administrators: administrators.collect(),
    })
}

fn show(cloud: &mut Cloud, server: &Key, found: &Found) {
    let Some(id) = cloud.resources.get(server).map(|server| server.id.clone()) else { return };
    let names: Vec<&str> = found.databases.iter().map(|database| database.name.as_str()).collect();
    forget_others(cloud, server, Kind::Database, &names);
    let ids: Vec<&str> = found.administrators.iter().map(|one| one.object_id.as_str()).collect();
    forget_others(cloud, server, Kind::Administrator, &ids);
    if let Some(left_out) = cloud.left_out.get_mut(server) {
        // Who comes back later is listed.
        left_out.retain(|id| ids.contains(&id.as_str()));
    }
    for administrator in &found.administrators {
        let id = id.child(Kind::Administrator, &administrator.object_id);
        let left_out = cloud.left_out.get(server);
        let is_left_out = left_out.is_some_and(|left_out| left_out.contains(&administrator.object_id));
        if cloud.get(&id).is_none() && !is_left_out {
            let tenant = cloud.tenant();
            let properties = json!({
                "principalType": administrator.kind,
                "principalName": administrator.name,
                "objectId": administrator.object_id,
                "tenantId": tenant,
            });
            cloud.put(&id, id.body(&properties));
        }
    }
    let now = cloud.now();
    for database in &found.databases {
        let id = id.child(Kind::Database, &database.name);
        if cloud.get(&id).is_none() {
            let properties = json!({"charset": database.charset, "collation": "en_US.utf8"});
            cloud.put(&id, id.body(&properties));
            let administrators = found.administrators.iter().map(|one| one.name.clone()).collect();
            let ownership = Ownership { owner: database.owner.clone(), administrators, made_at: now };
            cloud.owners.insert(id.key(), ownership);
        } else if let Some(ownership) = cloud.owners.get_mut(&id.key()) {
            ownership.owner.clone_from(&database.owner);
        }
    }
}

/// What isn't in the server any more.
fn forget_others(cloud: &mut Cloud, server: &Key, kind: Kind, there: &[&str]) {
    // Names of databases differ by their case, and keys don't; ids of administrators never have capitals here.
    let is_there = |id: &ResourceId| there.iter().any(|name| name.eq_ignore_ascii_case(id.name()));
    let gone: Vec<ResourceId> =
        cloud.below(server, kind).map(|resource| resource.id.clone()).filter(|id| !is_there(id)).collect();
    for id in gone {
        cloud.remove(&id);
    }
}

/// Administrators who came with the data of another server. Whether Azure's list has them is not documented: by default it
/// doesn't, though they are in PostgreSQL and can log in.
pub(super) async fn leave_out_administrators(
    shared: &Shared,
    server: &Key,
    cluster: &Cluster,
) -> Result<(), postgres::Error> {
    let session = cluster.connect(SUPERUSER, "postgres").await?;
    let rows = session.query("SELECT object_id FROM azure.labelled WHERE is_admin", &[]).await?;
    let mut cloud = shared.lock();
    if !cloud.restores_administrators {
        cloud.left_out.insert(server.clone(), rows.iter().map(|row| row.get(0)).collect());
    }
    Ok(())
}
