//! What a server's state allows.

use crate::azure::arm::{errors::ArmError, server::Server};

/// A server does one thing at a time.
/// <https://github.com/Azure/azure-postgresql/issues/134>, and recorded so with API version 2025-08-01.
pub(in crate::azure) fn busy(server: &str) -> ArmError {
    ArmError::conflict(
        "ServerIsBusy",
        format!(
            "Cannot complete operation while server '{server}' is busy processing another operation. Try again later."
        ),
    )
}

/// A stopped server takes no change but to be started.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/how-to-stop-server>
pub(in crate::azure) fn is_running(name: &str, server: &Server) -> Result<(), ArmError> {
    match server.properties.state.as_deref() {
        Some(state @ ("Stopped" | "Stopping" | "Starting" | "Disabled" | "Dropping" | "Inaccessible")) => {
            Err(ArmError::conflict(
                "ServerIsNotReady",
                format!(
                    "The operation can only be performed on started servers. Server Name = {name}, Current Server \
                     State = {state}"
                ),
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::testing::asking, *};

    #[rstest]
    #[case("Ready", true)]
    #[case("Updating", true)]
    #[case("Stopped", false)]
    #[case("Dropping", false)]
    fn a_stopped_server_refuses_changes(#[case] state: &str, #[case] allowed: bool) {
        assert_eq!(is_running("db", &asking(json!({"state": state}))).is_ok(), allowed);
    }
}
