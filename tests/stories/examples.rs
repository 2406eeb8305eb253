//! The files under `examples/` do what they say.

//!
//! Those that connect are run: their code or their variables as they stand, with the real Secret and ServiceAccount, against a
//! PostgreSQL that checks the login as it is. What stands for Azure is the server's certificate, which is of a CA of the
//! test's own, and the token.

mod authority;
mod postgres;
pub(crate) mod tls;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use self::{
    authority::Authority,
    postgres::{Server, is_root},
};
use crate::{
    common::{
        Story,
        programs::{Python, cache, go, node_modules, output},
        run,
    },
    story,
    texts::page_quotes,
};

/// The documents of an example.
fn documents(example: &str) -> (String, Vec<Value>) {
    let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    (path, serde_saphyr::from_multiple(&text).unwrap())
}

/// The keys of the Secret of this name, when it is there.
fn keys(story: &Story<'_>, secret: &Value) -> BTreeSet<String> {
    let name = secret.as_str().unwrap();
    let secret = story.get("secret", name).unwrap_or_else(|| panic!("there is no Secret {name}"));
    secret["data"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_example_that_is_to_be_refused_is_refused() {
    let path = format!("{}/examples/refused.yaml", env!("CARGO_MANIFEST_DIR"));
    assert!(story().kubectl(&["apply", "-f", &path]).refused().contains("[DB101]"));
}

#[rstest]
#[case::python("app-python.yaml", "orders", 1)]
#[case::java("app-java.yaml", "payments", 1)]
#[case::node("app-node.yaml", "shipments", 1)]
#[case::go("app-go.yaml", "stock", 1)]
#[case::dotnet("app-dotnet.yaml", "ledger", 4)]
#[case::password("app-password.yaml", "bookings", 1)]
fn an_app_finds_what_its_deployment_names(
    #[case] example: &str,
    #[case] database: &str,
    #[case] keys_named: usize,
) {
    let story = story();
    let (path, documents) = documents(example);
    story.kubectl(&["apply", "-f", &path]).succeeded();
    story.wait_ready(database);
    let deployment = documents.iter().find(|document| document["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"];
    // Who has a password needs no identity.
    if documents[0]["spec"]["authentication"] != "Password" {
        assert_eq!(pod["metadata"]["labels"]["azure.workload.identity/use"], "true");
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        let account = story.get("serviceaccount", account).unwrap();
        assert!(account["metadata"]["annotations"]["azure.workload.identity/client-id"].is_string());
    }

    let container = &pod["spec"]["containers"][0];
    let mut found = 0;
    for source in container["envFrom"].as_array().into_iter().flatten() {
        assert!(keys(&story, &source["secretRef"]["name"]).contains("uri"));
        found += 1;
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        if !reference.is_null() {
            assert!(keys(&story, &reference["name"]).contains(reference["key"].as_str().unwrap()));
            found += 1;
        }
    }
    assert_eq!(found, keys_named, "{container}");
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        for item in volume["secret"]["items"].as_array().into_iter().flatten() {
            assert!(keys(&story, &volume["secret"]["secretName"]).contains(item["key"].as_str().unwrap()));
        }
    }
}

#[test]
fn a_service_binding_finds_the_secret_by_the_status() {
    let story = story();
    let (_, documents) = documents("service-binding.yaml");
    // The kind ServiceBinding is somebody else's, and not installed here.
    story.apply(&documents[0].to_string()).succeeded();
    let service = &documents[1]["spec"]["service"];
    let name = service["name"].as_str().unwrap();
    assert_eq!(
        (&service["kind"], &service["apiVersion"]),
        (&documents[0]["kind"], &documents[0]["apiVersion"])
    );
    story.wait_ready(name);
    let database = story.get("database", name).unwrap();
    let keys = keys(&story, &database["status"]["binding"]["name"]);
    for key in ["type", "provider", "host", "port", "uri", "username", "password"] {
        assert!(keys.contains(key), "{key}");
    }
    // Implementations look for this label, and for a ClusterRole that lets them read.
    let crd = story.get("customresourcedefinition", "databases.altinn.app").unwrap();
    assert_eq!(crd["metadata"]["labels"]["servicebinding.io/provisioned-service"], "true");
    let role = story.get("clusterrole", "database-operator-service-binding").unwrap();
    assert_eq!(role["metadata"]["labels"]["servicebinding.io/controller"], "true");
    assert_eq!(role["rules"][0]["resources"][0], "databases");
}

/// What an example's pod would find.
struct Pod {
    documents: Vec<Value>,
    ca: tls::Authority,
    server: Server,
    entra: Authority,
    /// What is mounted, and HOME.
    directory: TempDir,
    binding: BTreeMap<String, String>,
    /// Of the identity that the ServiceAccount names.
    client: String,
}

/// Any text will do: it is the server's to judge.
const TOKEN: &str = "eyJ0eXAi.a-token-of-microsoft-entra.c2ln";

impl Pod {
    /// Applies the example, and puts a server where its Secret says that there is one.
    fn of(example: &str, database: &str) -> Self {
        let story = story();
        let (_, documents) = documents(example);
        // Kinds of others are not installed here.
        for document in documents.iter().filter(|document| document["kind"] != "ServiceBinding") {
            story.apply(&document.to_string()).succeeded();
        }
        story.wait_ready(database);
        let secret = story.get("secret", &format!("{database}-db-credentials")).unwrap();
        let account = story.get("serviceaccount", database).unwrap();
        let client =
            account["metadata"]["annotations"]["azure.workload.identity/client-id"].as_str().unwrap();
        let decode = |value: &Value| BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap();
        let text = |value| String::from_utf8(decode(value)).unwrap();
        let data = secret["data"].as_object().unwrap();
        let binding = data.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        Self::with(documents, binding, client)
    }

    fn with(documents: Vec<Value>, mut binding: BTreeMap<String, String>, client: &str) -> Self {
        let ca = tls::Authority::new();
        let password = binding.get("password").map_or(TOKEN, String::as_str);
        let host = ca.issue(&binding["host"]);
        let server = Server::start(&host, &binding["username"], password, &binding["database"]);
        let entra = Authority::start(&ca.issue(authority::HOST), TOKEN);
        // The one thing that is Azure's alone.
        binding.insert("ca.crt".to_owned(), ca.certificate.clone());
        let directory = tempfile::tempdir().unwrap();
        Self { documents, ca, server, entra, directory, binding, client: client.to_owned() }
    }

    fn container(&self) -> (&Value, &Value) {
        let is_workload = |kind: &Value| ["Deployment", "Job"].iter().any(|workload| kind == workload);
        let workload = self.documents.iter().find(|document| is_workload(&document["kind"])).unwrap();
        let pod = &workload["spec"]["template"]["spec"];
        (pod, &pod["containers"][0])
    }

    /// The container's variables, as the kubelet makes them of the example; files are below a folder of the test's.
    fn variables(&self) -> BTreeMap<String, String> {
        let (pod, container) = self.container();
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for variable in container["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            let key = variable["valueFrom"]["secretKeyRef"]["key"].as_str();
            let mut value = match key {
                Some(key) => self.binding[key].clone(),
                None => variable["value"].as_str().unwrap().to_owned(),
            };
            for (earlier, text) in &all {
                value = value.replace(&format!("$({earlier})"), text);
            }
            all.insert(name.to_owned(), value);
        }
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let path = mount["mountPath"].as_str().unwrap();
            let volumes = pod["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            let here = self.directory.path().join(path.trim_start_matches('/'));
            for item in volume["secret"]["items"].as_array().into_iter().flatten() {
                fs::create_dir_all(&here).unwrap();
                let (file, key) = (item["path"].as_str().unwrap(), item["key"].as_str().unwrap());
                fs::write(here.join(file), &self.binding[key]).unwrap();
            }
            for value in all.values_mut().filter(|value| value.starts_with(path)) {
                *value = value.replacen(path, &here.display().to_string(), 1);
            }
        }
        all
    }

    /// What the webhook of workload identity adds to a pod of this ServiceAccount.
    fn identity(&self) -> BTreeMap<String, String> {
        let token = self.file("azure-identity-token", "a token of the ServiceAccount");
        [
            ("AZURE_CLIENT_ID", self.client.clone()),
            ("AZURE_TENANT_ID", "00000000-0000-4000-8000-0000000000f1".to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", token.display().to_string()),
            ("AZURE_AUTHORITY_HOST", format!("https://{}/", authority::HOST)),
            // This is the test's.
            ("HTTPS_PROXY", self.entra.proxy()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A program that sees nothing of whoever runs the tests, least of all roots in their home.
    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            // Instead of a name server.
            .env("PGHOSTADDR", self.server.address.to_string());
        command
    }

    /// The file of hosts that has the server, for programs that know nothing of `PGHOSTADDR`.
    fn hosts(&self) -> PathBuf {
        let hosts = format!("127.0.0.1 localhost\n{} {}\n", self.server.address, self.binding["host"]);
        self.file("hosts", &hosts)
    }

    /// A program that finds the file of hosts in the place of the machine's: nobody else sees the mount, and it ends with the
    /// program.
    fn program_with_hosts(&self, program: &Path) -> Command {
        let mut command = self.program(Path::new("unshare"));
        if !is_root() {
            command.arg("--map-root-user");
        }
        let mount = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["--mount", "sh", "-c", mount]).arg(self.hosts()).arg(program);
        command
    }

    /// The one file of code that the example has.
    fn code(&self) -> PathBuf {
        let code = self.documents.iter().find(|document| document["kind"] == "ConfigMap").unwrap();
        let (name, text) = code["data"].as_object().unwrap().iter().next().unwrap();
        self.file(&format!("app/{name}"), text.as_str().unwrap())
    }

    /// Entra was asked for a token for the database, on behalf of the app's identity.
    fn entra_was_asked(&self) {
        let asked: BTreeMap<_, _> = self.entra.asked().into_iter().collect();
        assert_eq!(asked["client_id"], self.client);
        assert!(asked["scope"].starts_with("https://ossrdbms-aad.database.windows.net"), "{asked:?}");
        assert!(asked["client_assertion"].contains("ServiceAccount"), "{asked:?}");
    }
}

/// A server of another CA is none to the app, even where the language itself trusts this one's.
#[track_caller]
fn refuses_another_ca(pod: &Pod, mut app: Command, words: &str) {
    let other = pod.file("other.crt", &tls::Authority::new().certificate);
    app.env("PGSSLROOTCERT", other);
    let said = run(app, "").refused();
    assert!(said.contains(words), "{said}");
}

fn python_in(pod: &Pod) -> Command {
    let python = Python::find();
    let mut command = pod.program(&python.program);
    command.env("PYTHONPATH", &python.packages);
    command
}

#[test]
fn the_example_in_python_logs_in_with_a_token_over_tls_that_it_has_checked() {
    python_logs_in(&Pod::of("app-python.yaml", "orders"));
}

fn python_logs_in(pod: &Pod) {
    let code = pod.code();
    let bundle = pod.file("entra.crt", &pod.ca.certificate);
    let app = || {
        let mut command = python_in(pod);
        command.arg(&code).env("REQUESTS_CA_BUNDLE", &bundle);
        command.envs(pod.variables()).envs(pod.identity());
        command
    };
    let said = output(app());
    assert!(said.starts_with(&format!("('{}', 'PostgreSQL ", pod.binding["username"])), "{said}");
    pod.entra_was_asked();
    refuses_another_ca(pod, app(), "SSL error: certificate verify failed");
}

/// Its Job fetches the packages that the tests have.
#[test]
fn the_job_of_the_quickstart_logs_in_with_a_token_and_writes_a_row() {
    let pod = &Pod::of("quickstart.yaml", "my-app-db");
    let (of_pod, container) = pod.container();
    let command = container["command"][2].as_str().unwrap();
    assert!(command.contains("pip install") && command.ends_with("exec python /app/login.py"), "{command}");
    assert_eq!(of_pod["serviceAccountName"], "my-app-db");
    let (code, bundle) = (pod.code(), pod.file("entra.crt", &pod.ca.certificate));
    let app = || {
        let mut command = python_in(pod);
        let packages = Python::find().packages;
        command.arg(&code).env("REQUESTS_CA_BUNDLE", &bundle).envs(pod.variables()).envs(pod.identity());
        command.env("PYTHONPATH", packages);
        command
    };
    for visits in 1..=2 {
        let expected = format!("('{}', 'my_app_db', {visits})", pod.binding["username"]);
        assert_eq!(output(app()).trim(), expected);
    }
    pod.entra_was_asked();
    refuses_another_ca(pod, app(), "SSL error: certificate verify failed");
}

/// What an app's log has when something is amiss is what the page on troubleshooting quotes.
#[test]
fn an_app_in_python_says_what_the_page_quotes() {
    let pod = &Pod::of("app-password.yaml", "bookings");
    let code = pod.code();
    let app = |uri: &str| {
        let mut command = python_in(pod);
        command.arg(&code).envs(pod.variables()).env("DATABASE_URI", uri);
        command
    };
    let (uri, host, password) = (&pod.binding["uri"], &pod.binding["host"], &pod.binding["password"]);
    assert!(run(app(uri), "").ok);
    let says = |command: Command, text: &str| page_quotes(text, &run(command, "").refused());

    says(app(&uri.replace(password.as_str(), "another")), "password authentication failed for user \"…\"");
    let plain = uri.replace("sslmode=verify-full", "sslmode=disable");
    says(app(&plain), "no pg_hba.conf entry for host \"…\", user \"…\", database \"…\", no encryption");
    let mut without_roots = app(uri);
    without_roots.env_remove("PGSSLROOTCERT");
    says(without_roots, "root certificate file \"…/.postgresql/root.crt\" does not exist");
    let mut with_others = app(uri);
    with_others.env("PGSSLROOTCERT", pod.file("other.crt", &tls::Authority::new().certificate));
    says(with_others, "SSL error: certificate verify failed");
    let alias = uri.replace(host.as_str(), "alias.example");
    says(app(&alias), "server certificate for \"…\" does not match host name \"…\"");
    let nobody = uri.replace(":5432/", ":1/");
    says(app(&nobody), "connection to server at \"…\", port … failed: Connection refused");
    let mut without_a_name_server = app(&uri.replace(host.as_str(), "nobody.invalid"));
    without_a_name_server.env_remove("PGHOSTADDR");
    says(without_a_name_server, "failed to resolve host");
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!(":{}/", silent.local_addr().unwrap().port());
    let mut impatient = app(&uri.replace(":5432/", &port));
    impatient.env("PGHOSTADDR", "127.0.0.1").env("PGCONNECT_TIMEOUT", "2");
    says(impatient, "timeout expired");
}

#[test]
fn the_example_with_a_password_logs_in_over_tls_that_it_has_checked() {
    password_logs_in(&Pod::of("app-password.yaml", "bookings"));
}

fn password_logs_in(pod: &Pod) {
    let code = pod.code();
    let app = || {
        let mut command = python_in(pod);
        command.arg(&code).envs(pod.variables());
        command
    };
    let said = output(app());
    assert!(said.starts_with(&format!("('{}', 'PostgreSQL ", pod.binding["username"])), "{said}");
    refuses_another_ca(pod, app(), "SSL error: certificate verify failed");
}

/// A person, or a script, with what is in the Secret and a token or a password.
#[rstest]
#[case::a_password("app-password.yaml", "bookings")]
#[case::a_token("app-python.yaml", "orders")]
fn psql_takes_the_uri_and_the_variables_of_the_secret_as_they_stand(
    #[case] example: &str,
    #[case] database: &str,
) {
    let pod = Pod::of(example, database);
    let roots = pod.file("ca.crt", &pod.binding["ca.crt"]);
    let token = [("PGPASSWORD".to_owned(), TOKEN.to_owned())].into();
    let of_secret = |wanted: fn(&str) -> bool| {
        pod.binding
            .iter()
            .filter(move |(key, _)| wanted(key))
            .map(|(key, value)| (key.clone(), value.clone()))
    };
    let password: BTreeMap<_, _> = if pod.binding.contains_key("password") { BTreeMap::new() } else { token };
    let by_variables: BTreeMap<_, _> = of_secret(|key| key.starts_with("PG")).collect();
    for (uri, variables) in [(Some(&pod.binding["uri"]), BTreeMap::new()), (None, by_variables)] {
        let app = || {
            let mut psql = pod.program(Path::new("psql"));
            psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", "select current_user"]);
            psql.args(uri).envs(&variables).envs(&password).env("PGSSLROOTCERT", &roots);
            psql
        };
        assert_eq!(output(app()).trim(), pod.binding["username"]);
        refuses_another_ca(&pod, app(), "SSL error: ");
    }
}

#[test]
fn node_takes_the_uri_with_the_password_and_checks_the_server_by_the_file_that_it_names() {
    node_logs_in_with_a_password(&Pod::of("app-password.yaml", "bookings"));
}

/// As the page on connecting has it.
fn node_logs_in_with_a_password(pod: &Pod) {
    symlink(node_modules(), pod.directory.path().join("node_modules")).unwrap();
    let code = [
        "const pool = new (require('pg').Pool)({ connectionString: process.env.DATABASE_URI + process.argv[1] })",
        "pool.query('select current_user').then(({ rows }) => { console.log(rows[0].current_user); pool.end() })",
    ];
    let app = |roots: &str| {
        let mut command = pod.program_with_hosts(Path::new("node"));
        command.args(["-e", &code.join("\n"), roots]).envs(pod.variables());
        command
    };
    let roots = pod.file("ca.crt", &pod.ca.certificate);
    assert_eq!(output(app(&format!("&sslrootcert={}", roots.display()))).trim(), pod.binding["username"]);

    // By itself, it has Node's own roots, and not those of PGSSLROOTCERT.
    assert!(pod.variables().contains_key("PGSSLROOTCERT"));
    let said = run(app(""), "").refused();
    assert!(said.contains("unable to verify the first certificate"), "{said}");
    let mut trusting = app("");
    trusting.env("NODE_EXTRA_CA_CERTS", roots);
    assert_eq!(output(trusting).trim(), pod.binding["username"]);
}

#[test]
fn the_example_in_node_logs_in_with_a_token_over_tls_that_it_has_checked() {
    node_logs_in(&Pod::of("app-node.yaml", "shipments"));
}

fn node_logs_in(pod: &Pod) {
    let code = pod.code();
    // Node looks for packages beside the code, and above.
    symlink(node_modules(), pod.directory.path().join("node_modules")).unwrap();
    let bundle = pod.file("entra.crt", &pod.ca.certificate);
    let app = || {
        let mut command = pod.program_with_hosts(Path::new("node"));
        command.arg(&code).env("NODE_EXTRA_CA_CERTS", &bundle);
        command.envs(pod.variables()).envs(pod.identity());
        command
    };
    let said = output(app());
    assert!(said.contains(&format!("current_user: '{}'", pod.binding["username"])), "{said}");
    pod.entra_was_asked();
    refuses_another_ca(pod, app(), "unable to verify the first certificate");
}

#[test]
fn the_example_in_go_logs_in_with_a_token_over_tls_that_it_has_checked() {
    go_logs_in(&Pod::of("app-go.yaml", "stock"));
}

fn go_logs_in(pod: &Pod) {
    let program = pod.directory.path().join("stock");
    let mut build = go("build");
    build.arg("-o").arg(&program).arg(pod.code());
    output(build);
    let bundle = pod.file("entra.crt", &pod.ca.certificate);
    let app = || {
        let mut command = pod.program_with_hosts(&program);
        command.env("SSL_CERT_FILE", &bundle);
        command.envs(pod.variables()).envs(pod.identity());
        command
    };
    let said = output(app());
    assert!(said.starts_with(&format!("{} PostgreSQL ", pod.binding["username"])), "{said}");
    pod.entra_was_asked();
    refuses_another_ca(pod, app(), "x509: certificate signed by unknown authority");
}

/// What is bound is mounted as files, and named by nothing.
#[test]
fn an_app_that_is_bound_logs_in_with_the_uri_and_the_roots_of_its_binding() {
    bound_logs_in(&Pod::of("service-binding.yaml", "invoices"));
}

fn bound_logs_in(pod: &Pod) {
    let folder = bind(pod);
    let code = [
        "import os, pathlib, psycopg",
        "b = pathlib.Path(os.environ['SERVICE_BINDING_ROOT']) / 'database'",
        "uri, roots = (b / 'uri').read_text(), b / (b / 'sslrootcert').read_text()",
        "print(psycopg.connect(uri, sslrootcert=str(roots)).execute('select current_user').fetchone()[0])",
    ];
    let mut command = python_in(pod);
    command.args(["-c", &code.join("\n")]).env("SERVICE_BINDING_ROOT", folder);
    assert_eq!(output(command).trim(), "dbadmin");
}

/// The folder of bindings, as an implementation of servicebinding.io mounts it.
fn bind(pod: &Pod) -> PathBuf {
    let binding = pod.documents.iter().find(|document| document["kind"] == "ServiceBinding").unwrap();
    let name = binding["spec"]["name"].as_str().unwrap();
    for (key, value) in &pod.binding {
        pod.file(&format!("bindings/{name}/{key}"), value);
    }
    pod.directory.path().join("bindings")
}

/// An app of Spring Boot, of which nothing but the dependencies is ours to choose; gives its class path.
fn spring(pod: &Pod) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/java");
    let classes = pod.directory.path().join("classes");
    let list = pod.directory.path().join("classpath");
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(source.join("pom.xml"));
    maven.arg("dependency:build-classpath").arg(format!("-Dmdep.outputFile={}", list.display()));
    output(maven);
    let path = format!("{}:{}", classes.display(), fs::read_to_string(list).unwrap());
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(classes).args(["-cp", &path]).arg(source.join("app/App.java"));
    output(javac);
    path
}

/// The app's Java, which knows the test's CA in the place of its own list, and the server by a file.
fn java(pod: &Pod, class_path: &str) -> Command {
    let (ca, store) = (pod.file("ca.pem", &pod.ca.certificate), pod.directory.path().join("cacerts"));
    let mut keytool = Command::new("keytool");
    keytool.args(["-importcert", "-noprompt", "-alias", "ca", "-storepass", "changeit", "-file"]).arg(ca);
    output({
        keytool.arg("-keystore").arg(&store);
        keytool
    });
    let mut java = pod.program(Path::new("java"));
    java.arg(format!("-Djavax.net.ssl.trustStore={}", store.display()));
    java.args(["-Djavax.net.ssl.trustStorePassword=changeit", "-Djava.net.useSystemProxies=true"]);
    java.arg(format!("-Djdk.net.hosts.file={}", pod.hosts().display()));
    java.args(["-cp", class_path]);
    java
}

#[test]
#[ignore = "needs a JDK and Maven, which fetches 60 packages: make examples"]
fn the_example_in_java_logs_in_with_a_token_over_tls_that_it_has_checked() {
    java_logs_in(&Pod::of("app-java.yaml", "payments"));
}

fn java_logs_in(pod: &Pod) {
    let mut java = java(pod, &spring(pod));
    java.arg("app.App").envs(pod.variables()).envs(pod.identity());
    let said = output(java);
    assert!(said.contains(&format!("logged in as {}", pod.binding["username"])), "{said}");
    pod.entra_was_asked();
}

#[test]
#[ignore = "needs a JDK and Maven, which fetches 60 packages: make examples"]
fn spring_finds_the_binding_by_itself_and_logs_in() {
    spring_logs_in(&Pod::of("service-binding.yaml", "invoices"));
}

fn spring_logs_in(pod: &Pod) {
    let folder = bind(pod);
    let mut java = java(pod, &spring(pod));
    java.args(["-Dorg.springframework.cloud.bindings.boot.enable=true", "app.App"]);
    java.env("SERVICE_BINDING_ROOT", folder);
    let said = output(java);
    assert!(said.contains("logged in as dbadmin"), "{said}");
}
