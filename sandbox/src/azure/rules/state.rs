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

/// A stopped server doesn't show its parameters (turbot/steampipe-plugin-azure pull request 1015). The code is Azure's;
/// the words are not known.
pub(in crate::azure) fn shows_parameters(name: &str, server: &Server) -> Result<(), ArmError> {
    match server.properties.state.as_deref() {
        Some("Stopped" | "Stopping") => Err(ArmError::bad_request(
            "ServerStoppedError",
            format!("The operation can't be performed because server '{name}' is stopped."),
        )),
        _ => Ok(()),
    }
}

/// Only a started server can be restarted or stopped. Azure accepts the request, and its operation then fails
/// (hashicorp/terraform-provider-azurerm issue 29219; the slip in its words is Azure's). That it is so with a start,
/// too, is a guess.
pub(in crate::azure) fn allows(name: &str, action: &str, state: &str) -> Result<(), ArmError> {
    let (needed, what) = match action {
        "start" => ("Stopped", "Start Server can only be performed on Stopped servers"),
        _ => ("Ready", "Restart or Stop Server can only be performed on Started servers"),
    };
    if state == needed {
        return Ok(());
    }
    Err(ArmError::conflict(
        "ServerIsNotReady",
        format!("{what}. Sever Name = {name}, Current Server State = {state}"),
    ))
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

    #[rstest]
    #[case("Ready", true)]
    #[case("Updating", true)]
    #[case("Stopping", false)]
    #[case("Stopped", false)]
    fn a_stopped_server_hides_its_parameters(#[case] state: &str, #[case] shown: bool) {
        assert_eq!(shows_parameters("db", &asking(json!({"state": state}))).is_ok(), shown);
    }

    #[rstest]
    #[case("restart", "Ready", true)]
    #[case("restart", "Updating", false)]
    #[case("stop", "Stopped", false)]
    #[case("start", "Stopped", true)]
    #[case("start", "Ready", false)]
    fn an_action_needs_a_state(#[case] action: &str, #[case] state: &str, #[case] allowed: bool) {
        assert_eq!(allows("db", action, state).is_ok(), allowed);
    }
}
