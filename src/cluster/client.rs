//! The way to the API server.

use kube::{Client, Config, client::ClientBuilder, config::KubeConfigOptions};

use crate::{cluster::pages, leader::Fence};

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(
        "no cluster to talk to: there is no usable kubeconfig ({kubeconfig}) and this is not a pod ({in_cluster}); \
         set KUBECONFIG to a kubeconfig"
    )]
    NoConfig { kubeconfig: String, in_cluster: String },
    #[error("the kubeconfig can't be used: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client by KUBECONFIG, the default kubeconfig, or the pod's ServiceAccount.
pub(crate) async fn connect() -> Result<Client, ClusterError> {
    let client = Client::try_from(config().await?);
    client.map(pages::bounded).map_err(|error| ClusterError::Client(Box::new(error)))
}

/// The same, which writes nothing while the fence is closed.
pub(crate) async fn connect_fenced(fence: &Fence) -> Result<Client, ClusterError> {
    let builder = ClientBuilder::try_from(config().await?);
    let builder = builder.map_err(|error| ClusterError::Client(Box::new(error)))?;
    Ok(pages::bounded(builder.with_layer(fence).build()))
}

async fn config() -> Result<Config, ClusterError> {
    // rustls is built with one provider; installing it twice, in tests, is not an error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
        Ok(config) => Ok(config),
        Err(kubeconfig) => Config::incluster().map_err(|in_cluster| ClusterError::NoConfig {
            kubeconfig: chain(&kubeconfig),
            in_cluster: chain(&in_cluster),
        }),
    }
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
