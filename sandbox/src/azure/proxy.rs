//! A CONNECT proxy that leads the hosts of Azure to the stand-in, and refuses every other host.
//!
//! Nothing under test can reach the internet through it, so a call that the stand-in does not know fails loudly.

use std::{net::SocketAddr, sync::Arc};

use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Bytes, body::Incoming, server::conn::http1, service::service_fn, upgrade};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::serve;

const AZURE_HOSTS: [&str; 2] = ["login.microsoftonline.com", "management.azure.com"];
const HTTPS: u16 = 443;

pub(super) async fn serve(listener: Arc<TcpListener>, azure: SocketAddr, stopping: CancellationToken) {
    serve::accept(&listener, &stopping, |stream| {
        let stopping = stopping.clone();
        async move {
            let service = service_fn(|request| {
                let answer = answer(request, azure, &stopping);
                async move { Ok::<_, std::convert::Infallible>(answer) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.with_upgrades().await {
                debug!(%error, "a connection to the proxy ended early");
            }
        }
    })
    .await;
}

fn answer(
    request: Request<Incoming>,
    azure: SocketAddr,
    stopping: &CancellationToken,
) -> Response<Full<Bytes>> {
    if request.method() != Method::CONNECT {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "this proxy answers CONNECT only".to_owned());
    }
    let known = request.uri().authority().is_some_and(|authority| {
        authority.port_u16() == Some(HTTPS) && AZURE_HOSTS.contains(&authority.host())
    });
    if !known {
        let asked = request.uri().to_string();
        return refused(
            StatusCode::FORBIDDEN,
            format!("{asked} is not a host of Azure; this proxy knows no other"),
        );
    }
    let stopping = stopping.clone();
    tokio::spawn(async move { stopping.run_until_cancelled(tunnel(request, azure)).await });
    Response::new(Full::default())
}

async fn tunnel(request: Request<Incoming>, azure: SocketAddr) {
    let upgraded = match upgrade::on(request).await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "the client of the proxy went away"),
    };
    let spliced = async {
        let mut upstream = TcpStream::connect(azure).await?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut upstream).await
    };
    if let Err(error) = spliced.await {
        debug!(%error, "a tunnel ended early");
    }
}

fn refused(status: StatusCode, why: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(why));
    *response.status_mut() = status;
    response
}
