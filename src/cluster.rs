//! The way to the API server.

use kube::{Client, Config, config::KubeConfigOptions};

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(
        "no cluster to talk to: there is no usable kubeconfig ({kubeconfig}) and this is no pod ({in_cluster}); \
         set KUBECONFIG to a kubeconfig"
    )]
    NoConfig { kubeconfig: String, in_cluster: String },
    #[error("the kubeconfig can't be used: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client by KUBECONFIG, the default kubeconfig, or the pod's ServiceAccount.
pub(crate) async fn client() -> Result<Client, ClusterError> {
    // rustls is built with one provider; installing it twice, in tests, is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
        Ok(config) => config,
        Err(kubeconfig) => Config::incluster().map_err(|in_cluster| ClusterError::NoConfig {
            kubeconfig: chain(&kubeconfig),
            in_cluster: chain(&in_cluster),
        })?,
    };
    Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))
}

/// The error and its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
