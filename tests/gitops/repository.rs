//! A Git repository that Flux and Argo CD fetch from, over HTTP on the loopback address, as from any server.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};
use tempfile::TempDir;

use crate::common::run;

/// A repository that somebody works in, and pushes from.
pub(crate) struct Repository {
    name: String,
    work: TempDir,
}

impl Repository {
    /// An empty one, at an address of its own.
    pub(crate) fn new(name: &str) -> Self {
        let shared = server().root.path().join(name);
        fs::create_dir(&shared).unwrap();
        git(&shared, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        let work = tempfile::tempdir().unwrap();
        git(work.path(), &["init", "--quiet", "--initial-branch=main"]);
        git(work.path(), &["remote", "add", "origin", &shared.display().to_string()]);
        Self { name: name.to_owned(), work }
    }

    /// Where Flux fetches from.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", server().port, self.name)
    }

    /// Commits what these files say from now on, and returns the commit. `None` removes the file.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        for (file, content) in files {
            let path = self.work.path().join(file);
            match content {
                Some(content) => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, content).unwrap();
                }
                None => fs::remove_file(path).unwrap(),
            }
        }
        git(self.work.path(), &["add", "--all"]);
        git(self.work.path(), &["commit", "--quiet", "--message", message]);
        self.head()
    }

    /// The newest commit.
    pub(crate) fn head(&self) -> String {
        git(self.work.path(), &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// What the newest commit has.
    pub(crate) fn files(&self) -> &Path {
        self.work.path()
    }

    pub(crate) fn push(&self) {
        git(self.work.path(), &["push", "--quiet", "origin", "main"]);
    }
}

/// git, without anybody's settings.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        command.env(format!("{name}_NAME"), "app team").env(format!("{name}_EMAIL"), "team@example.com");
        // The same commits in each run, so that docs/deleting.md can show them.
        command.env(format!("{name}_DATE"), "2026-12-01T12:00:00Z");
    }
    run(command, "").succeeded()
}

struct Server {
    root: TempDir,
    port: u16,
}

/// The server of all repositories; it ends with this process.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = axum::Router::new().fallback(answer).with_state(root.path().to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Server { root, port }
    })
}

/// git's own program for servers answers; this one hands it the request as CGI has it.
async fn answer(State(root): State<PathBuf>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string());
    for (name, variable) in [
        (header::CONTENT_TYPE.as_str(), "CONTENT_TYPE"),
        (header::CONTENT_ENCODING.as_str(), "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = head.headers.get(name).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    let said = tokio::task::spawn_blocking(move || cgi(command, &body)).await.unwrap();
    response(&said)
}

fn cgi(mut command: Command, body: &Bytes) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git is installed");
    // It may end before it has read all.
    drop(child.stdin.take().unwrap().write_all(body));
    child.wait_with_output().unwrap().stdout
}

/// What CGI's answer says, as HTTP.
fn response(said: &[u8]) -> Response {
    let end = said.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head of an answer");
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&said[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(StatusCode::from_bytes(&value.as_bytes()[..3]).unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(said[end + 4..].to_vec())).unwrap()
}
