//! Programs that apps are made of.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::run;

/// A folder of the user's cache, made once for each version.
pub fn cache(name: &str, version: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap();
    let parent = cache.join("database-operator").join(name);
    let folder = parent.join(version);
    if !folder.is_dir() {
        fs::create_dir_all(&parent).unwrap();
        let new = tempfile::tempdir_in(&parent).unwrap();
        make(new.path());
        // It fails where another test was quicker.
        drop(fs::rename(new.path(), &folder));
    }
    folder
}

/// What a program prints; fails the test if it fails or isn't there.
#[track_caller]
pub fn output(command: Command) -> String {
    let name = command.get_program().display().to_string();
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", &name]).output().unwrap();
    let hint = match name.as_str() {
        "npm" => "install it, and Node (Debian: apt install npm)",
        "psql" => "install it (Debian: apt install postgresql-client)",
        "python3" => "install Python 3 with pip (Debian: apt install python3-pip)",
        _ => "install it",
    };
    assert!(found.status.success(), "the examples are run by {name}, which is not on the PATH: {hint}");
    run(command, "").succeeded()
}

/// What the example in Python asks its image to have.
const PACKAGES: [&str; 2] = ["psycopg[binary]==3.3.9", "azure-identity==1.27.0"];

/// A Python with the example's packages.
pub struct Python {
    /// Not what stands on the PATH: that can be a script that looks into the home of whoever calls it.
    pub program: PathBuf,
    pub packages: PathBuf,
}

impl Python {
    pub fn find() -> Self {
        let mut ask = Command::new("python3");
        ask.args(["-c", "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])"]);
        let said = output(ask);
        let (program, version) = said.trim().rsplit_once(' ').unwrap();
        let version = format!("{version}-{}", PACKAGES.join("-").replace(['[', ']', '='], ""));
        let packages = cache("python-examples", &version, |folder| {
            let mut pip = pip_into(program, folder);
            pip.args(PACKAGES);
            output(pip);
        });
        Self { program: program.into(), packages }
    }
}

/// Installs packages into a folder.
fn pip_into(python: &str, folder: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(folder);
    pip
}

/// What the example in Node asks its image to have. Newer ones of the last run in no Node before 22.
const NODE: [&str; 3] = ["pg@8.23.1", "pg-connection-string@2.14.1", "@azure/identity@4.13.1"];

/// The folder `node_modules` with the example's packages.
pub fn node_modules() -> PathBuf {
    let version = NODE.join("-").replace(['@', '/'], "");
    let packages = cache("node-examples", &version, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        npm.arg(folder).args(NODE).current_dir(folder);
        output(npm);
    });
    packages.join("node_modules")
}

/// What the example in Go asks its image to have.
const GO: [&str; 2] =
    ["github.com/jackc/pgx/v5/pgxpool@v5.13.0", "github.com/Azure/azure-sdk-for-go/sdk/azidentity@v1.15.0"];

/// Go's compiler, in the folder of a module with the example's packages.
pub fn go(subcommand: &str) -> Command {
    let version = GO.map(|package| package.rsplit('/').next().unwrap()).join("-").replace('@', "");
    let module = cache("go-examples", &version, |folder| {
        for arguments in [&["mod", "init", "app"][..], &[&["get"], &GO[..]].concat()] {
            let mut go = Command::new("go");
            go.args(arguments).current_dir(folder);
            output(go);
        }
    });
    let mut go = Command::new("go");
    go.arg(subcommand).current_dir(module);
    go
}

/// PostgreSQL's own programs for files with data. Those of Python's index know nothing of TLS.
const ARCHIVES: &str = "pgserver==0.1.4";

/// The folder with `pg_dump` and `pg_restore` of PostgreSQL 16.
pub fn archive_programs() -> PathBuf {
    let packages = cache("archive-programs", &ARCHIVES.replace('=', ""), |folder| {
        let mut pip = pip_into("python3", folder);
        // Of the Python that it is for, nothing is used.
        pip.args(["--no-deps", "--only-binary=:all:", "--python-version=3.12", ARCHIVES]);
        output(pip);
    });
    packages.join("pgserver/pginstall/bin")
}
