//! What the tests of rules share.

#![expect(clippy::needless_pass_by_value, reason = "a test reads best with `json!` in the call")]

use serde_json::{Value, json};

use crate::azure::arm::{errors::ArmError, server::Server};

pub(in crate::azure) fn server(body: Value) -> Server {
    Server::read(&body).expect("a server")
}

/// A server with nothing special about it.
pub(in crate::azure) fn plain() -> Server {
    server(plain_body())
}

pub(in crate::azure) fn plain_body() -> Value {
    json!({
        "location": "norwayeast",
        "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        "properties": {
            "version": "17",
            "administratorLogin": "dbadmin",
            "administratorLoginPassword": "Correct-Horse-1",
            "storage": {"storageSizeGB": 128},
        },
    })
}

/// [`plain`] with these properties merged in.
pub(in crate::azure) fn plain_with(properties: Value) -> Server {
    let mut body = plain_body();
    json_patch::merge(&mut body, &json!({"properties": properties}));
    server(body)
}

/// A request that sets these properties and leaves the rest as it is.
pub(in crate::azure) fn asking(properties: Value) -> Server {
    server(json!({"properties": properties}))
}

pub(in crate::azure) fn code(result: Result<(), ArmError>) -> Option<String> {
    result.err().map(|error| error.code)
}
