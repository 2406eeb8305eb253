//! The supervisor's control endpoint: plain HTTP on the loopback address, for tests and for `make run`.
//!
//! - `GET /state`
//! - `GET /processes/{name}/ready`: 200, or 503 and what is missing
//! - `POST /processes/{name}/{start|stop|restart|kill|pause|continue}`
//! - `POST /aso/install`
//! - `POST /nodes/{name}/{connect|disconnect}`
//! - `POST /images` with `{"archive": …, "name": …}`: loads an image into each node
//!
//! Handlers run on any thread, but programs may be started on the main thread only (see [`crate::exec_child`]).
//! So they send what is asked to the supervisor, and wait for its answer.

use std::path::PathBuf;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::probe::{self, Probe};
use crate::processes::Action;
use crate::state::State;

/// What only the supervisor can do.
#[derive(Debug)]
pub(crate) enum Command {
    Process {
        name: String,
        action: Action,
    },
    InstallAso,
    /// Cuts a node off, or connects it again.
    ConnectNode {
        name: String,
        connected: bool,
    },
    LoadImage(Image),
    /// What to ask of a program to see that it is ready.
    Probes {
        name: String,
    },
}

/// An archive, and what its image is called from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) archive: PathBuf,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The error is a sentence for people.
pub(crate) type Answer = Result<Vec<Probe>, (StatusCode, String)>;

#[derive(Debug, Clone)]
struct Supervisor {
    state: watch::Receiver<State>,
    requests: mpsc::Sender<Request>,
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    state: watch::Receiver<State>,
    requests: mpsc::Sender<Request>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/state", get(async |Shared(supervisor): Shared<Supervisor>| supervisor.state()))
        .route("/processes/{name}/ready", get(ready))
        .route("/processes/{name}/{action}", post(act))
        .route("/aso/install", post(install_aso))
        .route("/nodes/{name}/connect", post(connect))
        .route("/nodes/{name}/disconnect", post(disconnect))
        .route("/images", post(load_image))
        .with_state(Supervisor { state, requests });
    axum::serve(listener, router).await
}

type Response<T> = Result<T, (StatusCode, String)>;

async fn act(
    Shared(supervisor): Shared<Supervisor>,
    Path((name, action)): Path<(String, Action)>,
) -> Response<Json<State>> {
    supervisor.ask(Command::Process { name, action }).await?;
    Ok(supervisor.state())
}

async fn install_aso(Shared(supervisor): Shared<Supervisor>) -> Response<Json<State>> {
    supervisor.ask(Command::InstallAso).await?;
    Ok(supervisor.state())
}

async fn connect(Shared(supervisor): Shared<Supervisor>, Path(name): Path<String>) -> Response<Json<State>> {
    supervisor.ask(Command::ConnectNode { name, connected: true }).await?;
    Ok(supervisor.state())
}

async fn disconnect(
    Shared(supervisor): Shared<Supervisor>,
    Path(name): Path<String>,
) -> Response<Json<State>> {
    supervisor.ask(Command::ConnectNode { name, connected: false }).await?;
    Ok(supervisor.state())
}

async fn load_image(
    Shared(supervisor): Shared<Supervisor>,
    Json(image): Json<Image>,
) -> Response<Json<State>> {
    supervisor.ask(Command::LoadImage(image)).await?;
    Ok(supervisor.state())
}

/// Asked here, not by the supervisor, which must stay free to act: a program may never become ready because
/// another one is paused.
async fn ready(Shared(supervisor): Shared<Supervisor>, Path(name): Path<String>) -> Response<&'static str> {
    let probes = supervisor.ask(Command::Probes { name }).await?;
    match probe::check_all(&probes).await {
        Ok(()) => Ok("ready\n"),
        Err(missing) => Err((StatusCode::SERVICE_UNAVAILABLE, missing)),
    }
}

impl Supervisor {
    fn state(&self) -> Json<State> {
        Json(self.state.borrow().clone())
    }

    async fn ask(&self, command: Command) -> Answer {
        let stopping = || (StatusCode::SERVICE_UNAVAILABLE, "the sandbox is shutting down".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { command, answer }).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }
}
