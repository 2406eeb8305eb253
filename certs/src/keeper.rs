//! Keeps the certificate in a Secret that all replicas share, and its CAs published.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::PostParams};

use crate::{
    PublishError, Resolver, Served, Timing,
    publish::Configurations,
    rotation::{Input, step},
    state::State,
};

/// Why not all is well; a certificate that is served goes on being so.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("the certificate can't be issued: {0}")]
    Issue(#[from] rcgen::Error),
    #[error(
        "Secret {namespace}/{name} doesn't exist: the chart makes it, and here is no right to; install the chart once more, \
         or write: kubectl -n {namespace} create secret generic {name}"
    )]
    Absent { namespace: String, name: String },
    #[error("Secret {namespace}/{name} can't be {action}: {source}")]
    Api { namespace: String, name: String, action: &'static str, source: Box<kube::Error> },
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the certificate in Secret {namespace}/{name} can't be served: {source}")]
    Serve { namespace: String, name: String, source: rustls::Error },
    #[error(
        "Secret {namespace}/{name} holds no certificate yet: another replica may serve one that only it has, \
         and a new CA takes over when the API servers had time to hear of it"
    )]
    Waiting { namespace: String, name: String },
}

impl KeepError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Api { source, .. } => matches!(&**source, kube::Error::Api(status) if status.code == 409),
            Self::Publish(error) => error.is_conflict(),
            Self::Issue(_) | Self::Absent { .. } | Self::Serve { .. } | Self::Waiting { .. } => false,
        }
    }
}

/// Where the certificate is kept and published, and for which names it is.
#[derive(Clone, Debug)]
pub struct Config {
    pub namespace: String,
    pub secret: String,
    /// The validating and the mutating webhook configuration of this name.
    pub configuration: String,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
}

/// One replica's part in it.
pub struct Keeper {
    client: Client,
    config: Config,
    timing: Timing,
    resolver: Arc<Resolver>,
    served: Option<Served>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("config", &self.config)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// As often as replicas may come between each other before one gives up.
const TRIES: usize = 5;

impl Keeper {
    /// Serves nothing yet.
    pub fn new(client: Client, config: Config, timing: Timing, resolver: Arc<Resolver>) -> Self {
        Self { client, config, timing, resolver, served: None }
    }

    /// What is served at present.
    pub fn served(&self) -> Option<&Served> {
        self.served.as_ref()
    }

    /// Renews what is due, publishes what has to be trusted, and serves what the Secret holds.
    /// The clock is asked after each look at the webhook configurations.
    pub async fn pass(&mut self, clock: impl Fn() -> Timestamp) -> Result<(), KeepError> {
        for _ in 1..TRIES {
            match self.try_pass(&clock).await {
                Err(error) if error.is_conflict() => {}
                result => return result,
            }
        }
        self.try_pass(&clock).await
    }

    async fn try_pass(&mut self, clock: &impl Fn() -> Timestamp) -> Result<(), KeepError> {
        // In this order: what is published below comes from a Secret that is newer than the configurations,
        // and it is written only to these. So a replica that was held up never undoes what others did since.
        let configurations = Configurations::read(&self.client, &self.config.configuration).await;
        // What was seen there had been published by then, however long the answer was on its way.
        let now = clock();
        let state = self.state(configurations.as_ref().ok(), now).await?;
        let published = match configurations {
            Ok(configurations) => self.publish(&configurations, &state, now).await,
            Err(error) => Err(error),
        };
        // What this replica went by is outdated: its CA may be one that was dropped meanwhile.
        if published.as_ref().is_err_and(PublishError::is_conflict) {
            return Ok(published?);
        }
        self.serve(state)?;
        Ok(published?)
    }

    async fn publish(
        &self,
        configurations: &Configurations,
        state: &State,
        now: Timestamp,
    ) -> Result<(), PublishError> {
        let name = &self.config.configuration;
        // Where nothing has to be written, no write would fail for what others have changed.
        if self.served.as_ref().is_none_or(|served| served.leaf != state.leaf) {
            configurations.are_unchanged(&self.client, name).await?;
        }
        configurations.publish(&self.client, name, &state.trusted(), now).await
    }

    /// What the Secret holds, after what is to be changed in it was.
    async fn state(
        &self,
        configurations: Option<&Configurations>,
        now: Timestamp,
    ) -> Result<State, KeepError> {
        let Config { namespace, secret: name, names, .. } = &self.config;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let failed = |action| {
            move |source| KeepError::Api {
                namespace: namespace.clone(),
                name: name.clone(),
                action,
                source: Box::new(source),
            }
        };
        let Some(mut secret) = api.get_opt(name).await.map_err(failed("read"))? else {
            return Err(KeepError::Absent { namespace: namespace.clone(), name: name.clone() });
        };
        let state = State::of(&secret);
        let (next, notes) = step(Input {
            state: &state,
            seen: configurations.map(Configurations::seen).as_ref(),
            served: self.served.as_ref(),
            names,
            now,
            timing: self.timing,
        })?;
        if next == state {
            return Ok(state);
        }
        // Or what others have dropped since would be trusted again, as if it had been all the time.
        if let Some(configurations) = configurations {
            configurations.are_unchanged(&self.client, &self.config.configuration).await?;
        }
        // The version that was read goes along, and makes the slower of two replicas fail.
        secret.metadata.managed_fields = None;
        next.write_to(&mut secret);
        api.replace(name, &PostParams::default(), &secret).await.map_err(failed("written"))?;
        for note in notes {
            tracing::info!(secret = name, "{note}");
        }
        Ok(next)
    }

    fn serve(&mut self, state: State) -> Result<(), KeepError> {
        let Config { namespace, secret: name, .. } = &self.config;
        let (namespace, name) = (namespace.clone(), name.clone());
        if state.leaf.certificate.is_empty() {
            // Whoever serves something goes on; it can be put back into the Secret at the next pass.
            return if self.served.is_some() { Ok(()) } else { Err(KeepError::Waiting { namespace, name }) };
        }
        let cas = state.trusted();
        let served = Served::of(state.leaf, &cas);
        if self.served.as_ref() != Some(&served) {
            self.resolver.set(&served.leaf).map_err(|source| KeepError::Serve { namespace, name, source })?;
            self.served = Some(served);
        }
        Ok(())
    }
}
