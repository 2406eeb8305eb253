//! Who the API server says that it is to others: the issuer of the tokens of ServiceAccounts, by which Microsoft Entra knows
//! apps. A policy that names another one lets no app log in, and nothing else would show it.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use exposition::{Registry, Who};
use kube::Client;
use policy::PolicyState;
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use tokio::{
    sync::watch::Receiver,
    time::{sleep, timeout},
};

/// A review waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// An issuer that is changed is noticed after so long.
const AGAIN: Duration = Duration::from_hours(1);

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
}

/// The issuer of the API server; `None` when it can't be read.
pub(crate) async fn read(client: &Client) -> Option<String> {
    let request = axum::http::Request::get("/.well-known/openid-configuration").body(Vec::new()).ok()?;
    match timeout(PATIENCE, client.request::<Configuration>(request)).await {
        Ok(Ok(configuration)) => Some(configuration.issuer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the API server's issuer can't be read");
            None
        }
        Err(_) => None,
    }
}

/// Whether the policy's issuer is the API server's.
pub(crate) fn gauge(registry: &mut Registry) -> Gauge {
    let gauge = Gauge::default();
    registry.register(
        "policy_issuer_matches",
        "Whether the policy's issuer is the API server's: 1, 0 when no app can log in, -1 when it isn't known",
        Who::OnCall,
        gauge.clone(),
    );
    gauge.set(-1);
    gauge
}

/// Compares whenever the policy changes, and from time to time, until it is dropped. Each trouble is logged once.
pub(crate) async fn compare(
    client: Client,
    state: Arc<ArcSwap<PolicyState>>,
    mut changes: Receiver<u64>,
    gauge: Gauge,
) {
    let mut logged = None;
    loop {
        changes.mark_unchanged();
        let actual = read(&client).await;
        let policy = state.load().policy().cloned();
        let trouble = if let (Some(policy), Some(actual)) = (&policy, &actual) {
            let trouble = policy.wrong_issuer(actual);
            gauge.set(i64::from(trouble.is_none()));
            trouble
        } else {
            gauge.set(-1);
            None
        };
        if trouble != logged {
            if let Some(trouble) = &trouble {
                tracing::error!("the policy: {trouble}");
            }
            logged = trouble;
        }
        tokio::select! {
            result = changes.changed() => if result.is_err() { return },
            () = sleep(AGAIN) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::{Router, http::StatusCode, routing::get};
    use tokio::sync::watch;

    use crate::cluster::issuer::*;

    const OURS: &str = "https://oidc.example/prod-1";

    type Said = Arc<Mutex<Option<&'static str>>>;

    /// An API server that says this of itself; `None` for one that answers 403.
    fn api_server(said: &Said) -> Client {
        let said = said.clone();
        let answer = async move || match *said.lock().unwrap() {
            Some(issuer) => (StatusCode::OK, format!(r#"{{"issuer": "{issuer}", "jwks_uri": "x"}}"#)),
            None => (StatusCode::FORBIDDEN, r#"{"kind": "Status", "code": 403, "message": "no"}"#.to_owned()),
        };
        Client::new(Router::new().route("/.well-known/openid-configuration", get(answer)), "default")
    }

    #[tokio::test]
    async fn a_policy_with_another_issuer_than_the_api_servers_is_counted() {
        let said = Said::default();
        let state: Arc<ArcSwap<PolicyState>> = Arc::default();
        let (sender, changes) = watch::channel(0_u64);
        let gauge = gauge(&mut Registry::default());
        let shown = gauge.clone();
        tokio::spawn(compare(api_server(&said), state.clone(), changes, gauge));
        let becomes = async |expected: i64| {
            let reached = async {
                while shown.get() != expected {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(20), reached).await.unwrap();
        };
        becomes(-1).await;
        let yaml = include_str!("../../examples/policy.yaml").to_owned();
        let data = [(policy::document::KEY.to_owned(), yaml)].into();
        state.store(Arc::new(PolicyState::default().applied(Some(&data))));
        for (issuer, expected) in
            [(Some(OURS), 1), (Some("https://oidc.example/prod-1/"), 0), (Some(OURS), 1), (None, -1)]
        {
            *said.lock().unwrap() = issuer;
            sender.send_modify(|count| *count += 1);
            becomes(expected).await;
        }
    }
}
