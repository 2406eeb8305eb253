//! Microsoft Entra, as far as an example asks it for a token. It is reached under its own name, as a proxy: no port below 1024
//! and no name server is needed.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::tls::Pair;

/// The host that Azure's libraries ask.
pub(super) const HOST: &str = "login.microsoftonline.com";

/// Answers on a port of this machine until the process ends.
pub(super) struct Authority {
    port: u16,
    /// The bodies of the requests for a token.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Authority {
    /// Gives this token to whoever asks.
    pub(super) fn start(pair: &Pair, token: &str) -> Self {
        let (config, listener) = (pair.server_config(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, token) = (asked.clone(), token.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, heard, token) = (config.clone(), heard.clone(), token.clone());
                // A client that goes in the middle is the test's to notice.
                thread::spawn(move || drop(answer(stream, config, &heard, &token)));
            }
        });
        Self { port, asked }
    }

    /// What `HTTPS_PROXY` is to say.
    pub(super) fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The fields of the first request for a token.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        let asked = self.asked.lock().unwrap();
        let first = asked.first().unwrap_or_else(|| panic!("nobody asked for a token"));
        first
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/")))
            .collect()
    }
}

/// The lines of a request, up to the empty one.
fn head(stream: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(lines);
        }
        lines.push(line.trim().to_owned());
    }
}

/// One request, one answer.
fn answer(
    mut tcp: TcpStream,
    config: Arc<ServerConfig>,
    asked: &Mutex<Vec<String>>,
    token: &str,
) -> io::Result<()> {
    // Nothing follows before it is answered.
    head(&mut BufReader::new(&tcp))?;
    tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, tcp));
    let lines = head(&mut stream)?;
    let length = lines.iter().filter_map(|line| line.split_once(':'));
    let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length =
        length.next_back().map_or(Ok(0), |(_, text)| text.trim().parse()).map_err(io::Error::other)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let tenant = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let here = format!("https://{HOST}/{tenant}");
    let reply = if path.contains("/token") {
        asked.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token})
    } else {
        // Whether this is Entra at all, and where it gives tokens, which some libraries look up first.
        json!({
            "tenant_discovery_endpoint": format!("{here}/v2.0/.well-known/openid-configuration"),
            "metadata": [],
            "issuer": format!("{here}/v2.0"),
            "authorization_endpoint": format!("{here}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{here}/oauth2/v2.0/token"),
        })
    };
    let reply = reply.to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream.get_mut(), "{head}\r\nContent-Length: {}\r\n\r\n{reply}", reply.len())?;
    stream.get_mut().flush()
}
