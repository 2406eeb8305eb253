//! What goes wrong between a client and its server, when a test wants it.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

/// What a connection meets instead of its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayFault {
    /// Names of servers, with `*` and `?` as wildcards.
    pub server: String,
    /// How many connections it still hits.
    #[serde(default = "once")]
    pub times: u32,
    pub kind: GatewayFaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GatewayFaultKind {
    /// No answer at all, as from a server whose firewall is closed.
    Silence,
    /// The connection is closed before TLS.
    Refusal,
    /// The connection is reset in the middle of the login.
    Reset,
    /// Whatever the server sends comes this much later.
    #[serde(rename_all = "camelCase")]
    Slow { milliseconds: u64 },
    /// The login ends with this answer of PostgreSQL's, as with 53300 for too many connections.
    Error { code: String, message: String },
}

const fn once() -> u32 {
    1
}

impl GatewayFaultKind {
    /// As the log of logins calls it.
    pub(super) fn outcome(&self) -> String {
        match self {
            Self::Silence => "fault: silence".to_owned(),
            Self::Refusal => "fault: refusal".to_owned(),
            Self::Reset => "fault: reset".to_owned(),
            Self::Slow { .. } => "fault: slow".to_owned(),
            Self::Error { code, message } => format!("{code}: {message}"),
        }
    }
}

#[derive(Default)]
pub(super) struct GatewayFaults(Vec<GatewayFault>);

impl GatewayFaults {
    pub(super) fn inject(&mut self, fault: GatewayFault) {
        self.0.push(fault);
    }

    pub(super) fn all(&self) -> &[GatewayFault] {
        &self.0
    }

    /// Forgets all faults, or those for these servers.
    pub(super) fn clear(&mut self, server: Option<&str>) {
        self.0.retain(|fault| server.is_some_and(|server| fault.server != server));
    }

    /// What a connection to this server meets. Uses the fault up.
    pub(super) fn strike(&mut self, server: &str) -> Option<GatewayFaultKind> {
        let hits = |fault: &GatewayFault| {
            WildMatch::new(&fault.server.to_lowercase()).matches(&server.to_lowercase())
        };
        let index = self.0.iter().position(hits)?;
        let fault = self.0.get_mut(index)?;
        fault.times = fault.times.saturating_sub(1);
        let kind = fault.kind.clone();
        if fault.times == 0 {
            self.0.remove(index);
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_the_servers_that_it_names_as_often_as_it_says() {
        let mut faults = GatewayFaults::default();
        faults.inject(GatewayFault {
            server: "orders-*".to_owned(),
            times: 2,
            kind: GatewayFaultKind::Silence,
        });
        faults.inject(GatewayFault { server: "billing".to_owned(), times: 1, kind: GatewayFaultKind::Reset });
        assert_eq!(faults.strike("billing-2"), None);
        assert_eq!(faults.strike("ORDERS-1"), Some(GatewayFaultKind::Silence));
        assert_eq!(faults.strike("orders-2"), Some(GatewayFaultKind::Silence));
        assert_eq!(faults.strike("orders-1"), None);
        faults.clear(Some("orders-*"));
        assert_eq!(faults.strike("billing"), Some(GatewayFaultKind::Reset));
    }

    #[test]
    fn a_fault_is_written_in_words() {
        let text = r#"{"server": "*", "kind": {"error": {"code": "53300", "message": "sorry, too many clients already"}}}"#;
        let fault: GatewayFault = serde_json::from_str(text).unwrap();
        assert_eq!(
            (fault.times, fault.kind.outcome().as_str()),
            (1, "53300: sorry, too many clients already")
        );
        let slow: GatewayFaultKind = serde_json::from_str(r#"{"slow": {"milliseconds": 20}}"#).unwrap();
        assert_eq!(slow, GatewayFaultKind::Slow { milliseconds: 20 });
        assert_eq!(
            serde_json::from_str::<GatewayFaultKind>(r#""silence""#).unwrap(),
            GatewayFaultKind::Silence
        );
    }
}
