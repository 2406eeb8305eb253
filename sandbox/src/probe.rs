//! How to find out whether a program does its work.

use std::path::PathBuf;
use std::time::Duration;

use crate::http;
use crate::kubectl::Kubectl;
use crate::state::Status;

#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// `GET http://127.0.0.1:port/path` answers 200.
    Http { port: u16, path: &'static str },
    /// Something listens on this port.
    Listens { port: u16 },
    /// Something listens on this socket.
    Socket { path: PathBuf },
    /// There is nothing to ask.
    Never { status: Status },
    /// This kubectl command succeeds.
    Kubectl { kubectl: Kubectl, arguments: Vec<String> },
}

/// Checks one after the other, and stops at the first that isn't fulfilled.
pub(crate) async fn check_all(probes: &[Probe]) -> Result<(), String> {
    for probe in probes {
        probe.check().await?;
    }
    Ok(())
}

impl Probe {
    pub(crate) fn kubectl(kubectl: &Kubectl, arguments: &[&str]) -> Self {
        Self::Kubectl {
            kubectl: kubectl.clone(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        }
    }

    /// Asks once; the error says what came instead.
    async fn check(&self) -> Result<(), String> {
        match self {
            Self::Http { port, path } => {
                let (port, path) = (*port, *path);
                let limit = Duration::from_secs(2);
                let asked =
                    tokio::task::spawn_blocking(move || http::request("GET", port, path, "", limit)).await;
                match asked {
                    Ok(Ok(response)) if response.status == 200 => Ok(()),
                    Ok(Ok(response)) => {
                        Err(format!("{path} answers {}: {}", response.status, response.body.trim()))
                    }
                    Ok(Err(error)) => Err(format!("{path} doesn't answer: {error}")),
                    Err(error) => Err(error.to_string()),
                }
            }
            Self::Never { status } => Err(format!("it is {status}")),
            Self::Listens { port } => tokio::net::TcpStream::connect(("127.0.0.1", *port))
                .await
                .map(drop)
                .map_err(|error| format!("nothing listens on port {port}: {error}")),
            Self::Socket { path } => tokio::net::UnixStream::connect(path)
                .await
                .map(drop)
                .map_err(|error| format!("nothing listens on {}: {error}", path.display())),
            Self::Kubectl { kubectl, arguments } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                kubectl.run(&arguments).await.map(drop).map_err(|error| error.to_string())
            }
        }
    }
}
