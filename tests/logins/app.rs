//! An app as it stands in its pod: with its Secret, its ServiceAccount, and the client that people use most.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::common::{
    Output, Story,
    programs::{Python, output},
    run,
};

/// Of the policy.
const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";
/// The one audience of which Entra takes a ServiceAccount's token.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// What a pod has.
pub struct App<'a> {
    story: &'a Story<'a>,
    account: String,
    pub secret: BTreeMap<String, String>,
}

impl<'a> App<'a> {
    /// The app of the `Database` `main`, with its own ServiceAccount.
    #[track_caller]
    pub fn of(story: &'a Story<'a>) -> Self {
        Self::with(story, "main")
    }

    /// One that has the Secret of `main`, and this ServiceAccount.
    #[track_caller]
    pub fn with(story: &'a Story<'a>, account: &str) -> Self {
        Self::of_secret(story, "main-db-credentials", account)
    }

    /// The app of this `Database`, with its own ServiceAccount.
    #[track_caller]
    pub fn named(story: &'a Story<'a>, database: &str) -> Self {
        Self::of_secret(story, &format!("{database}-db-credentials"), database)
    }

    /// Somebody who has but this URI.
    pub fn at(story: &'a Story<'a>, uri: &str) -> Self {
        let secret = BTreeMap::from([("uri".to_owned(), uri.to_owned())]);
        Self { story, account: String::new(), secret }
    }

    #[track_caller]
    fn of_secret(story: &'a Story<'a>, secret: &str, account: &str) -> Self {
        let secret = story.get("secret", secret).expect("the Secret is there");
        let text = |value: &Value| {
            String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
        };
        let data = secret["data"].as_object().unwrap();
        let secret = data.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        Self { story, account: account.to_owned(), secret }
    }

    fn program(&self) -> Command {
        let python = Python::find();
        let mut command = self.in_pod(&python.program);
        command
            .args(["-c", include_str!("app.py")])
            .env("PYTHONPATH", &python.packages)
            .env("URI", &self.secret["uri"]);
        command
    }

    /// A program that reaches the server as a pod does.
    fn in_pod(&self, program: impl AsRef<OsStr>) -> Command {
        let sandbox = self.story.sandbox;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PGHOSTADDR", sandbox.gateway().expect("the sandbox has PostgreSQL").ip().to_string())
            // The root of the sandbox stands for Azure's.
            .env("PGSSLROOTCERT", sandbox.root_certificate());
        command
    }

    /// A line of a shell with the Secret's variables for libpq, and a token of Entra's as the password.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.in_pod("bash");
        let variables = self.secret.iter().filter(|(key, _)| key.starts_with("PG"));
        command.args(["-o", "pipefail", "-c", line]).envs(variables).env("PGPASSWORD", self.token());
        command
    }

    /// With the token of its ServiceAccount, for this audience.
    fn with_assertion(&self, audience: &str) -> Command {
        let sandbox = self.story.sandbox;
        let assertion = ["create", "token", &self.account, "--audience", audience];
        let assertion = self.story.kubectl(&assertion).succeeded();
        let mut command = self.program();
        command
            .env("ASSERTION", assertion.trim())
            .env("AZURE_AUTHORITY_HOST", sandbox.authority())
            .env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", &self.secret["client-id"])
            .env("REQUESTS_CA_BUNDLE", sandbox.root_certificate());
        command
    }

    /// A token of Entra's, as the app trades it.
    #[track_caller]
    pub fn token(&self) -> String {
        let mut command = self.with_assertion(AUDIENCE);
        command.env("ONLY_TOKEN", "1");
        output(command).trim().to_owned()
    }

    /// Logs in, and runs these statements.
    pub fn tries(&self, statements: &[&str]) -> Output {
        run(self.with_assertion(AUDIENCE), &statements.join("\n"))
    }

    /// The same, with a ServiceAccount's token for another audience.
    pub fn tries_for(&self, audience: &str) -> Output {
        run(self.with_assertion(audience), "")
    }

    /// The same, with a token or a password that it has.
    pub fn tries_with(&self, password: &str, statements: &[&str]) -> Output {
        let mut command = self.program();
        command.env("PGPASSWORD", password);
        run(command, &statements.join("\n"))
    }

    /// Logs in by its password so many times, one after the other. Each time must succeed.
    #[track_caller]
    pub fn logs_in(&self, times: usize) {
        let mut command = self.program();
        command.env("PGPASSWORD", &self.secret["password"]).env("LOGINS", times.to_string());
        run(command, "").succeeded();
    }

    /// What each of the statements gives, once it is logged in.
    #[track_caller]
    pub fn runs(&self, statements: &[&str]) -> Vec<Value> {
        answers(&self.tries(statements).succeeded())
    }

    /// A session that stays.
    #[track_caller]
    pub fn session(&self) -> Session {
        let mut command = self.with_assertion(AUDIENCE);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().expect("it logs in").unwrap(), "in");
        Session { child, input, lines }
    }
}

/// The lines behind the one that says that it is in.
pub fn answers(said: &str) -> Vec<Value> {
    said.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Dropped, it ends.
pub struct Session {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Session {
    #[track_caller]
    pub fn runs(&mut self, statement: &str) -> Value {
        writeln!(self.input, "{statement}").unwrap();
        serde_json::from_str(&self.lines.next().expect("the session goes on").unwrap()).unwrap()
    }

    /// Whether the server has ended it.
    pub fn is_over(&mut self) -> bool {
        let said = writeln!(self.input, "SELECT 1").ok().and_then(|()| self.lines.next());
        said.is_none_or(|line| line.is_err() || !line.unwrap().starts_with("[["))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
