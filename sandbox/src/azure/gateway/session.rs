//! From the first packet to the end of a session: who is it, may they, and then bytes go to and fro.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use super::{
    token::{self, Principal},
    wire::{self, Cancel, Message, SessionKey, Startup},
};
use crate::azure::{clock::time_of_tokens, cloud::Shared, endpoints::Endpoint, logins::LoginAttempt};

/// As much as is taken from the server at once.
const CHUNK: usize = 16 * 1024;
/// After the client is gone, until the server has noticed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Which server a session is on, by the key that a request to cancel brings.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<SessionKey, Endpoint>>>);

impl Sessions {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, Endpoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a request to cancel on to the server of its session. The client hears nothing of it, as from PostgreSQL.
    pub(super) async fn cancel(&self, request: &Cancel) -> io::Result<()> {
        let known = self.lock().get(&request.key).cloned();
        let Some(endpoint) = known else { return Ok(()) };
        let mut server = UnixStream::connect(&endpoint.socket).await?;
        server.write_all(&request.packet).await?;
        // It closes the connection once the signal is sent.
        server.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

/// A session that is known as long as this lives.
struct Registered {
    sessions: Sessions,
    key: SessionKey,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.key);
    }
}

/// What is known of the server that a client asks for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) tenant: String,
    pub(super) takes_tokens: bool,
    pub(super) takes_passwords: bool,
    /// For each piece of what the server sends.
    pub(super) delay: Duration,
}

/// Logs a client in, and then serves its session to the end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    sessions: &Sessions,
    target: &Target,
    startup: &Startup,
    mut client: S,
    mut attempt: LoginAttempt,
) -> io::Result<()> {
    let server = match principal(target, &startup.user).await {
        Ok(Some(principal)) if target.takes_tokens => {
            "token".clone_into(&mut attempt.method);
            let checked = check_token(shared, target, &principal, &mut client, &mut attempt);
            let checked = tokio::time::timeout(super::LOGIN, checked).await??;
            if !checked {
                let words = format!("password authentication failed for user \"{}\"", startup.user);
                return refuse(shared, &mut client, attempt, &wire::fatal("28P01", &words)).await;
            }
            Server::Checked(UnixStream::connect(&target.endpoint.socket).await?)
        }
        Ok(None) if target.takes_passwords => {
            "password".clone_into(&mut attempt.method);
            let stream = TcpStream::connect(("127.0.0.1", target.endpoint.port)).await?;
            stream.set_nodelay(true)?;
            Server::Asking(stream)
        }
        // As PostgreSQL says that no method is left. Azure's own words are not known.
        Ok(_) => {
            let words = format!(
                "no pg_hba.conf entry for host \"{}\", user \"{}\", database \"{}\", SSL encryption",
                attempt.client, startup.user, startup.database
            );
            return refuse(shared, &mut client, attempt, &wire::fatal("28000", &words)).await;
        }
        Err(reason) => {
            attempt.reason = Some(reason);
            let words = wire::fatal("57P03", "the database system is not accepting connections");
            return refuse(shared, &mut client, attempt, &words).await;
        }
    };
    let login = Login { shared, sessions, target, attempt };
    match server {
        Server::Checked(server) => login.pump(client, server, &startup.packet).await,
        Server::Asking(server) => login.pump(client, server, &startup.packet).await,
    }
}

enum Server {
    /// It believes who is there.
    Checked(UnixStream),
    /// It asks for the password itself.
    Asking(TcpStream),
}

/// Whom a role stands for, if it stands for somebody in the directory.
async fn principal(target: &Target, user: &str) -> Result<Option<Principal>, String> {
    let find = async {
        let session = target.endpoint.superuser().await?;
        let query = "SELECT object_id, type FROM azure.labelled WHERE rolname = $1::text";
        let row = session.query_opt(query, &[&user]).await?;
        Ok::<_, crate::postgres::Error>(
            row.map(|row| Principal { object_id: row.get(0), is_group: row.get::<_, String>(1) == "group" }),
        )
    };
    find.await.map_err(|error| error.to_string())
}

/// Asks for a token, and says whether it lets the client in.
async fn check_token<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    target: &Target,
    principal: &Principal,
    client: &mut S,
    attempt: &mut LoginAttempt,
) -> io::Result<bool> {
    wire::write(client, &wire::password_request()).await?;
    let Message { kind, body } = wire::read(client).await?;
    let sent = body.strip_suffix(&[0]).unwrap_or(&body);
    let token = std::str::from_utf8(sent).ok().filter(|_| kind == b'p').unwrap_or_default();
    let now = time_of_tokens();
    match token::check(token, &shared.signer.keys(), &target.tenant, principal, now) {
        Ok(object_id) => {
            attempt.object_id = Some(object_id);
            Ok(true)
        }
        Err(refused) => {
            attempt.object_id = refused.object_id;
            attempt.reason = Some(refused.reason);
            Ok(false)
        }
    }
}

/// Ends a connection with an error.
pub(super) async fn refuse(
    shared: &Shared,
    client: &mut (impl AsyncWrite + Unpin),
    mut attempt: LoginAttempt,
    error: &Message,
) -> io::Result<()> {
    attempt.outcome = wire::describe(error);
    shared.lock().logins.record(attempt);
    wire::write(client, error).await?;
    client.shutdown().await
}

/// A client that is past the gateway's own questions.
struct Login<'a> {
    shared: &'a Shared,
    sessions: &'a Sessions,
    target: &'a Target,
    attempt: LoginAttempt,
}

impl Login<'_> {
    /// To and fro, until one of both ends it.
    async fn pump<C, S>(self, client: C, mut server: S, startup: &[u8]) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        server.write_all(startup).await?;
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_server, mut to_server) = tokio::io::split(server);
        let delay = self.target.delay;
        let up = async {
            let copied = tokio::io::copy(&mut from_client, &mut to_server).await;
            // A server ends the session of a client that is gone, also of one that was killed.
            to_server.shutdown().await?;
            copied.map(drop)
        };
        let down = async {
            let _session = self.log_in(&mut from_server, &mut to_client).await?;
            let mut chunk = vec![0; CHUNK];
            loop {
                let length = from_server.read(&mut chunk).await?;
                let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
                tokio::time::sleep(delay).await;
                to_client.write_all(read).await?;
                to_client.flush().await?;
            }
            to_client.shutdown().await
        };
        tokio::pin!(down);
        tokio::select! {
            ended = &mut down => ended,
            gone = up => {
                // A session that ends in order ends on the server's side.
                let ended = tokio::time::timeout(LAST_WORDS, down).await;
                ended.unwrap_or(gone)
            }
        }
    }

    /// Hands on what the server says until it has let the client in or not, and records which.
    async fn log_in(
        mut self,
        from_server: &mut (impl AsyncRead + Unpin),
        to_client: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Option<Registered>> {
        let mut session = None;
        loop {
            let message = wire::read(from_server).await?;
            match message.kind {
                b'K' => session = Some(self.register(&message.body)),
                b'E' => self.record(wire::describe(&message)),
                b'Z' => self.record("accepted".to_owned()),
                _ => {}
            }
            tokio::time::sleep(self.target.delay).await;
            wire::write(to_client, &message).await?;
            if matches!(message.kind, b'E' | b'Z') {
                return Ok(session);
            }
        }
    }

    /// Before the client hears of it.
    fn record(&mut self, outcome: String) {
        self.attempt.outcome = outcome;
        self.shared.lock().logins.record(std::mem::take(&mut self.attempt));
    }

    fn register(&self, key: &[u8]) -> Registered {
        self.sessions.lock().insert(key.to_vec(), self.target.endpoint.clone());
        Registered { sessions: self.sessions.clone(), key: key.to_vec() }
    }
}
