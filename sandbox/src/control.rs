//! The supervisor's control endpoint: plain HTTP on the loopback address, for tests and for `make run`.
//!
//! - `GET /state`
//! - `GET /processes/{name}/ready`: 200, or 503 and what is missing
//! - `POST /processes/{name}/{start|stop|restart|kill|pause|continue}`
//! - `POST /aso/install`
//!
//! Handlers run on any thread, but programs may be started on the main thread only (see [`crate::exec_child`]).
//! So they send what is asked to the supervisor, and wait for its answer.

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
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
    /// What to ask of a program to see that it is ready.
    Probes {
        name: String,
    },
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
