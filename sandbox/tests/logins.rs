//! An app logs in as it does in Azure: a ServiceAccount's token, traded for one of its identity, and a real client.
// The helpers of tests fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "support/kubectl.rs"]
mod kubectl;
#[path = "support/tls.rs"]
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use kubectl::kubectl;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use sandbox::{Options, Sandbox, postgres::folders_of};
use serde_json::Value;
use tls::trusting;

const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";
const SERVER: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases/providers/Microsoft.\
                      DBforPostgreSQL/flexibleServers/sandbox-orders";
const OPERATORS: &str = "11111111-1111-4111-8111-111111111111";
const OPERATOR: &str = "11111111-1111-4111-8111-1111111111aa";
const HOST: &str = "sandbox-orders.postgres.database.azure.com";

/// A server that the cluster reaches, with a group as its administrator; and an identity that the ServiceAccount `app` may
/// act as.
const OBJECTS: &str = r#"
apiVersion: dbforpostgresql.azure.com/v20250801
kind: FlexibleServer
metadata:
  name: orders
spec:
  azureName: sandbox-orders
  owner: {armId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases}
  location: norwayeast
  version: "17"
  sku: {name: Standard_B1ms, tier: Burstable}
  storage: {storageSizeGB: 32}
  authConfig: {activeDirectoryAuth: Enabled, passwordAuth: Disabled, tenantId: TENANT}
---
apiVersion: dbforpostgresql.azure.com/v20250801
kind: FlexibleServersFirewallRule
metadata: {name: cluster}
spec: {owner: {name: orders}, startIpAddress: 20.100.0.4, endIpAddress: 20.100.0.4}
---
apiVersion: dbforpostgresql.azure.com/v20250801
kind: FlexibleServersAdministrator
metadata: {name: operators}
spec:
  azureName: OPERATORS
  owner: {name: orders}
  principalName: db-operators
  principalType: Group
  tenantId: TENANT
---
apiVersion: managedidentity.azure.com/v1api20230131
kind: UserAssignedIdentity
metadata: {name: app}
spec:
  owner: {armId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases}
  location: norwayeast
---
apiVersion: managedidentity.azure.com/v1api20230131
kind: FederatedIdentityCredential
metadata: {name: app}
spec:
  owner: {name: app}
  issuer: https://oidc.example/prod-1
  subject: system:serviceaccount:default:app
  audiences: ["api://AzureADTokenExchange"]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: app}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger}
"#;

/// Asks Azure's API, or Microsoft Entra ID.
async fn ask(sandbox: &Sandbox, request: hyper::http::request::Builder, body: String) -> Value {
    let address = sandbox.authority().strip_prefix("https://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let root = CertificateDer::from_pem_file(sandbox.root_certificate()).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = trusting(root).connect(name, stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = request.header("host", address).body(Full::<Bytes>::from(body)).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    serde_json::from_slice(&answer.to_bytes()).unwrap()
}

fn token_request() -> hyper::http::request::Builder {
    hyper::Request::post(format!("/{TENANT}/oauth2/v2.0/token"))
        .header("content-type", "application/x-www-form-urlencoded")
}

/// Trades a ServiceAccount's token at the sandbox's own Microsoft Entra ID.
async fn trade(sandbox: &Sandbox, client: &str, account: &str, audience: &str) -> Value {
    let assertion = kubectl(sandbox, &["create", "token", account, "--audience", audience], "");
    let form = format!(
        "grant_type=client_credentials&client_id={client}&client_assertion={assertion}&scope=https%3A%2F%2Fossrdbms-aad.\
         database.windows.net%2F.default"
    );
    ask(sandbox, token_request(), form).await
}

/// A client that people and apps use: psql, or else psycopg, which both log in with libpq.
enum Client {
    Psql,
    Psycopg(PathBuf),
}

impl Client {
    fn find(sandbox: &Sandbox) -> Self {
        if Command::new("psql").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Self::Psql;
        }
        let folder = sandbox.directory().join("python");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&folder).arg("psycopg[binary]");
        let installed = pip.output().expect("psql, or Python with pip");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        Self::Psycopg(folder)
    }

    /// Runs a statement, and says what it returned.
    fn run(
        &self,
        sandbox: &Sandbox,
        user: &str,
        database: &str,
        token: &str,
        statement: &str,
    ) -> Result<String, String> {
        let mut command = match self {
            Self::Psql => {
                let mut psql = Command::new("psql");
                psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--command", statement]);
                psql
            }
            Self::Psycopg(folder) => {
                let script = "import psycopg, sys\n\
                              with psycopg.connect('', autocommit=True) as session:\n\
                              \x20   answer = session.execute(sys.argv[1])\n\
                              \x20   for row in answer.fetchall() if answer.description else []: print(*row, sep='|')\n";
                let mut python = Command::new("python3");
                python.args(["-c", script, statement]).env("PYTHONPATH", folder);
                python
            }
        };
        command
            .env("PGHOST", HOST)
            .env("PGHOSTADDR", sandbox.gateway().unwrap().ip().to_string())
            .env("PGUSER", user)
            .env("PGDATABASE", database)
            .env("PGPASSWORD", token)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", sandbox.root_certificate());
        said(&command.output().unwrap())
    }
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn an_app_logs_in_with_its_service_account_and_nobody_else_does() {
    let sandbox = Sandbox::start(&Options { without_operator: true, ..Options::default() }).unwrap();
    let objects = OBJECTS.replace("TENANT", TENANT).replace("OPERATORS", OPERATORS);
    kubectl(&sandbox, &["apply", "-f", "-"], &objects);
    for kind in ["flexibleserversadministrators/operators", "flexibleserversfirewallrules/cluster"] {
        kubectl(&sandbox, &["wait", kind, "--for=condition=Ready", "--timeout=120s"], "");
    }
    kubectl(
        &sandbox,
        &["wait", "federatedidentitycredentials/app", "--for=condition=Ready", "--timeout=120s"],
        "",
    );
    let id = |field: &str| {
        let query = format!("jsonpath={{.status.{field}}}");
        kubectl(&sandbox, &["get", "userassignedidentity", "app", "-o", &query], "")
    };
    let (client_id, object_id) = (id("clientId"), id("principalId"));

    let azure = sandbox.azure();
    azure.set_members(OPERATORS, &[OPERATOR]).await.unwrap();
    let operator = azure.token(&sandbox::azure::TokenRequest::of(OPERATOR)).await.unwrap();
    let libpq = Client::find(&sandbox);
    let as_operator =
        |statement: &str| libpq.run(&sandbox, "db-operators", "postgres", &operator, statement).unwrap();
    as_operator("CREATE DATABASE orders");
    as_operator(&format!(
        "SELECT pgaadauth_create_principal_with_oid('app', '{object_id}', 'service', false, false)"
    ));
    as_operator("GRANT CREATE ON DATABASE orders TO app");

    let audience = "api://AzureADTokenExchange";
    let traded = trade(&sandbox, &client_id, "app", audience).await;
    let token = traded["access_token"].as_str().unwrap_or_else(|| panic!("{traded}"));
    let as_app = |database: &str, statement: &str| libpq.run(&sandbox, "app", database, token, statement);
    as_app("orders", "CREATE SCHEMA app CREATE TABLE item (name text)").unwrap();
    as_app("orders", "INSERT INTO app.item VALUES ('coffee')").unwrap();
    assert_eq!(as_app("orders", "SELECT * FROM app.item").unwrap(), "coffee");
    let refused = as_app("postgres", "DROP DATABASE orders").unwrap_err();
    assert!(refused.contains("must be owner of database orders"), "{refused}");

    let stranger = trade(&sandbox, &client_id, "stranger", audience).await;
    assert_eq!(stranger["error_codes"], serde_json::json!([700_213]), "{stranger}");
    let elsewhere = trade(&sandbox, &client_id, "app", "https://kubernetes.default.svc").await;
    assert_eq!(elsewhere["error_codes"], serde_json::json!([700_212]), "{elsewhere}");

    // The token is still good, and the role is not.
    as_operator("ALTER ROLE app NOLOGIN");
    let refused = as_app("orders", "SELECT 1").unwrap_err();
    assert!(refused.contains("role \"app\" is not permitted to log in"), "{refused}");
    let attempts = azure.logins().await.unwrap();
    assert!(
        attempts
            .iter()
            .any(|attempt| attempt.was_accepted() && attempt.object_id.as_ref() == Some(&object_id))
    );

    let left = folders_of(sandbox.state().unwrap().supervisor);
    // Beside each, there is one for what a restore needs.
    assert_eq!(left.iter().filter(|folder| ready(folder).is_some()).count(), 1, "{left:?}");
    drop(sandbox);
    assert!(left.iter().all(|folder| !folder.exists()), "{left:?}");
}

/// The process of a server that takes connections.
fn ready(folder: &Path) -> Option<i32> {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    text.lines().nth(7).filter(|state| state.trim() == "ready")?;
    text.lines().next()?.parse().ok()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_server_outlives_a_sandbox_that_is_killed() {
    let options = Options { without_aso: true, without_operator: true, ..Options::default() };
    let sandbox = Sandbox::start(&options).unwrap();
    let form =
        "grant_type=client_credentials&client_id=platform&client_secret=s&scope=https%3A%2F%2Farm%2F.default";
    let token = ask(&sandbox, token_request(), form.to_owned()).await;
    let server = format!("{SERVER}?api-version=2025-08-01");
    let create = hyper::Request::put(server)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", token["access_token"].as_str().unwrap()));
    let body = serde_json::json!({
        "location": "norwayeast",
        "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
        "properties": {
            "version": "17",
            "storage": {"storageSizeGB": 32},
            "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled", "tenantId": TENANT},
        },
    });
    ask(&sandbox, create, body.to_string()).await;
    let within = Duration::from_mins(1);
    let supervisor = sandbox.state().unwrap().supervisor;
    let started = Instant::now();
    let (folder, process) = loop {
        let found = folders_of(supervisor).into_iter().find_map(|folder| Some((ready(&folder)?, folder)));
        if let Some((process, folder)) = found {
            break (folder, Pid::from_raw(process).unwrap());
        }
        assert!(started.elapsed() < within, "PostgreSQL doesn't start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    kill_process(Pid::from_raw(i32::try_from(supervisor).unwrap()).unwrap(), Signal::KILL).unwrap();
    let killed = Instant::now();
    while test_kill_process(process).is_ok() {
        assert!(killed.elapsed() < within, "PostgreSQL outlived its sandbox");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The next sandbox would delete them.
    fs::remove_dir_all(folder).unwrap();
}
