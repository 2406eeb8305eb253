//! A typed client of the control endpoint, for tests.

use std::time::Duration;

use axum::http::{Method, Request as HttpRequest, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::control::{Advance, NewVault};
pub use super::{
    Closed, DirectoryEntry, Existing, Fault, GatewayFault, GatewayFaultKind, Lock, Login, LoginAttempt,
    Ownership, Phase, RealServer, Region, Request, Settings, TokenRequest,
};

/// Why the control endpoint did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0} is not the address of a control endpoint")]
    Address(String, #[source] axum::http::Error),
    #[error("the stand-in for Azure did not answer")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the stand-in for Azure stopped in the middle of an answer")]
    Interrupted(#[source] hyper::Error),
    #[error("the stand-in for Azure refused: {0}")]
    Refused(String),
    #[error("the stand-in for Azure gave an answer that can't be read")]
    Unreadable(#[source] serde_json::Error),
}

/// Asks a stand-in's control endpoint. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    control: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// `control` is [`super::Azure::control`].
    pub fn new(control: impl Into<String>) -> Self {
        Self { control: control.into(), http: HttpClient::builder(TokioExecutor::new()).build_http() }
    }

    /// Everything that exists.
    pub async fn resources(&self) -> Result<Vec<Existing>, Error> {
        self.get("/resources").await
    }

    /// One resource by its id, in any case; `None` if it does not exist.
    pub async fn resource(&self, id: &str) -> Result<Option<Existing>, Error> {
        let found: Vec<Existing> = self.get(&format!("/resources?id={}", in_query(id))).await?;
        Ok(found.into_iter().next())
    }

    /// What ARM was asked, oldest first.
    pub async fn requests(&self) -> Result<Vec<Request>, Error> {
        self.get("/requests").await
    }

    pub async fn clear_requests(&self) -> Result<(), Error> {
        self.send(Method::DELETE, "/requests", None::<&()>).await.map(drop)
    }

    pub async fn inject(&self, fault: &Fault) -> Result<(), Error> {
        self.send(Method::POST, "/faults", Some(fault)).await.map(drop)
    }

    /// Faults that have not struck as often as they will.
    pub async fn faults(&self) -> Result<Vec<Fault>, Error> {
        self.get("/faults").await
    }

    pub async fn clear_faults(&self) -> Result<(), Error> {
        self.send(Method::DELETE, "/faults", None::<&()>).await.map(drop)
    }

    /// Only those that were injected for this path.
    pub async fn clear_faults_of(&self, path: &str) -> Result<(), Error> {
        self.send(Method::DELETE, &format!("/faults?path={}", in_query(path)), None::<&()>).await.map(drop)
    }

    /// How long each long-running operation takes from now on.
    pub async fn set_delay(&self, delay: Duration) -> Result<(), Error> {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.change(&Settings { delay_milliseconds: Some(milliseconds), ..Settings::default() }).await
    }

    pub async fn change(&self, settings: &Settings) -> Result<(), Error> {
        self.send(Method::PUT, "/settings", Some(settings)).await.map(drop)
    }

    /// Plays Azure's own doing: merges `change` into a resource, past every rule, and returns what it became.
    pub async fn patch_resource(&self, id: &str, change: &Value) -> Result<Value, Error> {
        let answer =
            self.send(Method::PATCH, &format!("/resources?id={}", in_query(id)), Some(change)).await?;
        serde_json::from_slice(&answer).map_err(Error::Unreadable)
    }

    /// Plays somebody who deletes a resource in the portal, with all that lies under it.
    pub async fn delete_resource(&self, id: &str) -> Result<(), Error> {
        self.send(Method::DELETE, &format!("/resources?id={}", in_query(id)), None::<&()>).await.map(drop)
    }

    /// Whether a server lets an administrator with this password in.
    pub async fn login(&self, login: &Login) -> Result<bool, Error> {
        let answer = self.send(Method::POST, "/login", Some(login)).await?;
        serde_json::from_slice(&answer).map_err(Error::Unreadable)
    }

    /// Names of dropped servers, which stay taken.
    pub async fn dropped_servers(&self) -> Result<Vec<String>, Error> {
        self.get("/dropped-servers").await
    }

    /// As if the five days had passed for which Azure keeps dropped servers and their names.
    pub async fn forget_dropped_servers(&self) -> Result<(), Error> {
        self.send(Method::DELETE, "/dropped-servers", None::<&()>).await.map(drop)
    }

    /// As if the twelve hours had passed in which Azure takes no other change of a disk's performance tier.
    pub async fn forget_tier_changes(&self) -> Result<(), Error> {
        self.send(Method::DELETE, "/tier-changes", None::<&()>).await.map(drop)
    }

    /// Whom a database belongs to in PostgreSQL; `None` if it came with its server, or doesn't exist.
    pub async fn owner(&self, database: &str) -> Result<Option<Ownership>, Error> {
        self.get(&format!("/owners?id={}", in_query(database))).await
    }

    /// What a region gives to this subscription from now on. For every server there, so a test that does it has a region
    /// of its own, or puts the default back.
    pub async fn restrict_region(&self, name: &str, region: &Region) -> Result<(), Error> {
        self.send(Method::PUT, &format!("/regions?name={}", in_query(name)), Some(region)).await.map(drop)
    }

    /// Plays somebody who puts a management lock on a resource or a group.
    pub async fn lock(&self, id: &str, lock: Lock) -> Result<(), Error> {
        self.send(Method::PUT, &format!("/locks?id={}", in_query(id)), Some(&lock)).await.map(drop)
    }

    pub async fn unlock(&self, id: &str) -> Result<(), Error> {
        self.send(Method::DELETE, &format!("/locks?id={}", in_query(id)), None::<&()>).await.map(drop)
    }

    /// Plays somebody who makes a Backup vault with backup policies, and its group.
    pub async fn create_vault(&self, id: &str, location: &str, policies: &[&str]) -> Result<(), Error> {
        let policies = policies.iter().map(ToString::to_string).collect();
        let vault = NewVault { location: location.to_owned(), policies };
        self.send(Method::PUT, &format!("/backup-vaults?id={}", in_query(id)), Some(&vault)).await.map(drop)
    }

    /// Backup instances that ARM was asked to delete, by their ids: what each had copied is lost.
    pub async fn lost_recovery_points(&self) -> Result<Vec<String>, Error> {
        self.get("/lost-recovery-points").await
    }

    /// Plays a Backup vault whose backup instance comes to be in another state, with Azure's error.
    pub async fn set_protection(
        &self,
        instance: &str,
        state: &str,
        error: Option<&Value>,
    ) -> Result<(), Error> {
        let properties = json!({
            "currentProtectionState": state, "protectionStatus": {"status": state}, "protectionErrorDetails": error,
        });
        self.patch_resource(instance, &json!({"properties": properties})).await.map(drop)
    }

    /// Plays somebody who stops a server in the portal.
    pub async fn stop_server(&self, id: &str) -> Result<(), Error> {
        self.send(Method::POST, &format!("/servers/stop?id={}", in_query(id)), None::<&()>).await.map(drop)
    }

    /// Plays somebody who starts a server in the portal.
    pub async fn start_server(&self, id: &str) -> Result<(), Error> {
        self.send(Method::POST, &format!("/servers/start?id={}", in_query(id)), None::<&()>).await.map(drop)
    }

    /// The PostgreSQL behind each server that has one, or should have.
    pub async fn real_servers(&self) -> Result<Vec<RealServer>, Error> {
        self.get("/postgres").await
    }

    /// Who logged in to which server as what, and who was refused, oldest first.
    pub async fn logins(&self) -> Result<Vec<LoginAttempt>, Error> {
        self.get("/logins").await
    }

    pub async fn clear_logins(&self) -> Result<(), Error> {
        self.send(Method::DELETE, "/logins", None::<&()>).await.map(drop)
    }

    /// What the next connections to a server meet.
    pub async fn inject_at_gateway(&self, fault: &GatewayFault) -> Result<(), Error> {
        self.send(Method::POST, "/gateway-faults", Some(fault)).await.map(drop)
    }

    /// Faults that have not struck as often as they will.
    pub async fn gateway_faults(&self) -> Result<Vec<GatewayFault>, Error> {
        self.get("/gateway-faults").await
    }

    /// Only those that were injected for these servers.
    pub async fn clear_gateway_faults_of(&self, server: &str) -> Result<(), Error> {
        let page = format!("/gateway-faults?server={}", in_query(server));
        self.send(Method::DELETE, &page, None::<&()>).await.map(drop)
    }

    /// Plays somebody who changes who is in a group, by object ids.
    pub async fn set_members(&self, group: &str, members: &[&str]) -> Result<(), Error> {
        self.send(Method::PUT, &format!("/groups?id={}", in_query(group)), Some(&members)).await.map(drop)
    }

    /// Plays somebody who comes to be known in the directory by name.
    pub async fn register(&self, entry: &DirectoryEntry) -> Result<(), Error> {
        self.send(Method::PUT, "/directory", Some(entry)).await.map(drop)
    }

    /// A token of Microsoft Entra ID, as somebody gets it who logs in there.
    pub async fn token(&self, asked: &TokenRequest) -> Result<String, Error> {
        let answer = self.send(Method::POST, "/tokens", Some(asked)).await?;
        serde_json::from_slice(&answer).map_err(Error::Unreadable)
    }

    /// Plays somebody who replaces a resource's tags in the portal, past every rule: those that were there are gone.
    pub async fn replace_tags(&self, id: &str, tags: &Value) -> Result<(), Error> {
        self.patch_resource(id, &json!({"tags": null})).await?;
        self.patch_resource(id, &json!({"tags": tags})).await.map(drop)
    }

    /// What time it is in Azure, which is what a restore is asked for by.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        self.get("/clock").await
    }

    /// Days pass in Azure: names of dropped servers get free after five, stopped servers start after seven, backups
    /// grow old. For everything in this Azure, so a test that does it has one of its own.
    pub async fn advance_clock(&self, by: Duration) -> Result<(), Error> {
        let seconds = u32::try_from(by.as_secs()).unwrap_or(u32::MAX);
        self.send(Method::POST, "/clock", Some(&Advance { seconds })).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, page: &str) -> Result<T, Error> {
        let answer = self.send(Method::GET, page, None::<&()>).await?;
        serde_json::from_slice(&answer).map_err(Error::Unreadable)
    }

    async fn send(&self, method: Method, page: &str, body: Option<&impl Serialize>) -> Result<Bytes, Error> {
        let address = format!("{}{page}", self.control);
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(Error::Unreadable)?,
            None => Vec::new(),
        };
        let uri: Uri = address
            .parse()
            .map_err(|error| Error::Address(address.clone(), axum::http::Error::from(error)))?;
        let request = HttpRequest::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| Error::Address(address, error))?;
        let response = self.http.request(request).await.map_err(Error::Unreachable)?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(Error::Interrupted)?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        let why = String::from_utf8_lossy(&bytes);
        Err(Error::Refused(refusal(status, why.trim())))
    }
}

fn refusal(status: StatusCode, why: &str) -> String {
    if why.is_empty() { status.to_string() } else { why.to_owned() }
}

/// Resource ids hold no character that a query can't, except a few that names could be given by mistake.
fn in_query(id: &str) -> String {
    id.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace('+', "%2B").replace(' ', "%20")
}
