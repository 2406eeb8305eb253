//! TLS before a server that has none, under a name as Azure's.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use postgres::{Server, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use sandbox::postgres::Cluster;
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub const HOST: &str = "orders.postgres.database.azure.com";

/// A listener and its authority; it ends when it is dropped.
pub struct Front {
    task: JoinHandle<()>,
    pub port: u16,
    pub root: CertificateDer<'static>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn issue(name: &str) -> (CertificateDer<'static>, TlsAcceptor) {
    let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::new([]).unwrap();
    // Authorities are told by their names.
    authority.distinguished_name.push(DnType::CommonName, format!("the authority of {name}"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap().der().clone();
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (root, TlsAcceptor::from(Arc::new(config)))
}

impl Front {
    /// Hands each connection on to the server, which trusts whoever comes.
    pub async fn before(cluster: &Cluster) -> Self {
        let socket = cluster.socket().unwrap();
        Self::that(HOST, move |mut stream| {
            let socket = socket.clone();
            async move {
                let mut server = UnixStream::connect(socket).await?;
                io::copy_bidirectional(&mut stream, &mut server).await.map(|_| ())
            }
        })
        .await
    }

    /// Does this with each connection, once TLS is there. The certificate is for this name.
    pub async fn that<F>(
        name: &str,
        serve: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (root, acceptor) = issue(name);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = Arc::new(serve);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
                tokio::spawn(async move {
                    let mut request = [0; 8];
                    stream.read_exact(&mut request).await?;
                    stream.write_all(b"S").await?;
                    serve(acceptor.accept(stream).await?).await
                });
            }
        });
        Self { task, port, root }
    }

    pub fn tls(&self) -> Tls {
        Tls::new([self.root.clone()]).unwrap()
    }

    pub fn server(&self, user: &str) -> Server {
        server(HOST, self.port, user, self.tls())
    }
}

/// At the loopback address.
pub fn server(host: &str, port: u16, user: &str, tls: Tls) -> Server {
    Server::new(host, port, user, "a token", tls).at(Some(Ipv4Addr::LOCALHOST.into()))
}

/// What PostgreSQL sends instead of letting somebody in.
/// <https://www.postgresql.org/docs/current/protocol-error-fields.html>
pub async fn refuse(mut stream: TlsStream<TcpStream>, code: &str, message: &str) -> io::Result<()> {
    // The first message has no type, and its length first.
    let length = stream.read_u32().await?;
    let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut rest).await?;
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    stream.write_u8(b'E').await?;
    stream.write_u32(u32::try_from(fields.len()).unwrap() + 4).await?;
    stream.write_all(fields.as_bytes()).await?;
    stream.shutdown().await
}

pub const SHORT: Duration = Duration::from_millis(300);
