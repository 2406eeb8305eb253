//! Where the PostgreSQL behind each server is, while it runs.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::arm::resource_id::Key;
use crate::postgres::{self, SUPERUSER};

/// The PostgreSQL behind a server, as the control endpoint shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealServer {
    /// Resource id of the server, in lower case.
    pub server: String,
    /// With the minor version, as in `17.10`; `None` if there is none.
    pub release: Option<String>,
    pub runs: bool,
    /// What isn't as the API says, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// For logins that were checked before.
    pub(super) socket: PathBuf,
    /// On 127.0.0.1, for logins with a password.
    pub(super) port: u16,
    pub(super) config: tokio_postgres::Config,
    /// Of who is next with a session of the superuser. PostgreSQL reserves three for it, however many clients there are.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A session of the superuser. As long as it lives, there is no other one.
#[derive(Debug)]
pub(super) struct Superuser {
    client: tokio_postgres::Client,
    _turn: OwnedMutexGuard<()>,
}

impl Deref for Superuser {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl Endpoint {
    /// A session as Azure's own superuser, in the database `postgres`.
    pub(super) async fn superuser(&self) -> Result<Superuser, postgres::Error> {
        let turn = self.turn.clone().lock_owned().await;
        Ok(Superuser { client: postgres::connect(&self.config).await?, _turn: turn })
    }

    pub(super) fn of(cluster: &postgres::Cluster) -> Result<Self, postgres::Error> {
        Ok(Self {
            socket: cluster.socket()?,
            port: cluster.port()?,
            config: cluster.config(SUPERUSER, "postgres")?,
            turn: Arc::default(),
        })
    }
}

/// By the server's key. Clones share what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints(Arc<Mutex<BTreeMap<Key, Endpoint>>>);

impl Endpoints {
    pub(super) fn get(&self, server: &str) -> Option<Endpoint> {
        self.lock().get(server).cloned()
    }

    pub(super) fn set(&self, server: &Key, endpoint: Option<Endpoint>) {
        match endpoint {
            Some(endpoint) => self.lock().insert(server.clone(), endpoint),
            None => self.lock().remove(server),
        };
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Endpoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
