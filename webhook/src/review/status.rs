//! What a status records of the server, as far as rules look at it. One that is partly unreadable, as after a change of
//! the CRD, must not make its object one that can't be changed any more.

use api::{DatabaseSpec, DatabaseStatus, ServerStatus};
use policy::Recorded;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::sent::Raw;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow)]
    database_name: Raw<'a>,
    #[serde(borrow)]
    server: Raw<'a>,
    #[serde(borrow)]
    recovered: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Server<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    version: Raw<'a>,
    #[serde(borrow)]
    sku: Raw<'a>,
    #[serde(borrow, rename = "sizeGiB")]
    size_gib: Raw<'a>,
    #[serde(borrow)]
    location: Raw<'a>,
}

/// `None` only where it is sure that Azure has made no server: a server of which nothing is known is taken to be what the
/// stored spec says, and what it says is then fixed.
pub(super) fn recorded(status: Raw<'_>) -> Option<Recorded> {
    let Ok(status) = serde_json::from_str::<Status<'_>>(status?.get()) else {
        return Some(Recorded::default());
    };
    let Ok(server) = serde_json::from_str::<Server<'_>>(status.server?.get()) else {
        let running =
            DatabaseSpec { database_name: lenient(status.database_name), ..DatabaseSpec::default() };
        return Some(running.into());
    };
    let server = ServerStatus {
        id: server.id.map(|id| serde_json::from_str(id.get()).unwrap_or_default()),
        version: lenient(server.version),
        sku: lenient(server.sku),
        size_gib: lenient(server.size_gib),
        location: lenient(server.location),
        ..ServerStatus::default()
    };
    let database_name = lenient(status.database_name);
    Recorded::from_status(Some(&DatabaseStatus {
        server: Some(server),
        database_name,
        ..DatabaseStatus::default()
    }))
}

/// The database whose data it has brought back.
pub(super) fn recovered_from(status: Raw<'_>) -> Option<String> {
    let status: Status<'_> = serde_json::from_str(status?.get()).ok()?;
    lenient::<api::Recovered>(status.recovered)?.from
}

fn lenient<T: DeserializeOwned>(sent: Raw<'_>) -> Option<T> {
    sent.map(RawValue::get).and_then(|text| serde_json::from_str(text).ok())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    fn server() -> Value {
        json!({"name": "n", "id": "/subscriptions/s", "version": "17", "sku": "Standard_B1ms", "sizeGiB": 64, "location": "norwaywest"})
    }

    #[rstest]
    #[case::made(json!({"databaseName": "orders", "server": server(), "provisioningState": "Ready"}))]
    #[case::not_made_yet(json!({"server": {"name": "n"}}))]
    #[case::no_server(json!({"provisioningState": "Pending"}))]
    #[case::nulls(json!({"server": {"name": "n", "id": null}}))]
    fn it_says_what_the_type_of_the_api_says(#[case] status: Value) {
        let expected: DatabaseStatus = serde_json::from_value(status.clone()).unwrap();
        let read = recorded(Some(&to_raw_value(&status).unwrap()));
        assert_eq!(read, Recorded::from_status(Some(&expected)));
    }

    #[rstest]
    #[case::state(json!({"databaseName": "orders", "server": server(), "provisioningState": "Asleep"}), Some(64))]
    #[case::conditions(json!({"server": server(), "conditions": "none"}), Some(64))]
    #[case::size(json!({"server": {"id": "/subscriptions/s", "sizeGiB": "64Gi"}}), None)]
    #[case::id(json!({"server": {"id": 5, "sizeGiB": 64}}), Some(64))]
    #[case::server(json!({"server": "there"}), None)]
    #[case::all_of_it(json!("Ready"), None)]
    fn a_server_counts_also_where_not_all_can_be_read(#[case] status: Value, #[case] size_gib: Option<i32>) {
        let recorded = recorded(Some(&to_raw_value(&status).unwrap())).unwrap();
        assert_eq!(recorded.size_gib(), size_gib);
    }

    #[test]
    fn without_a_status_there_is_no_server() {
        assert_eq!(recorded(None), None);
    }
}
