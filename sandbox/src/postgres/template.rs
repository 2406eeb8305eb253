//! A data directory as a new server of Azure's has it, made once for each version and kept in the cache.
//!
//! `initdb` takes seconds, a copy of what it made takes a fraction of one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::binaries::{Binaries, cache_directory, lock, unfinished};
use super::{Error, SUPERUSER, Version, spawn};
use crate::origin::short;

/// In the order in which they are run, each with its database.
const STATEMENTS: [(&str, &str); 5] = [
    ("postgres", include_str!("sql/roles.sql")),
    // Every database that is made later is a copy of this one.
    ("template1", include_str!("sql/database.sql")),
    ("postgres", include_str!("sql/database.sql")),
    ("postgres", include_str!("sql/principals.sql")),
    ("postgres", include_str!("sql/databases.sql")),
];

/// One superuser; small files; nothing is forced onto the disk, as nothing here has to survive the machine.
const INITDB: [&str; 6] =
    ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"];

/// As little memory and disk as will do: a hundred servers run on a laptop. What Azure's API sets comes above this.
const SETTINGS: &str = "
# By the sandbox.
# As on Azure: it counts from the start.
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 200
shared_buffers = 4MB
max_connections = 25
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
huge_pages = off
# In the data directory, so that nothing is left elsewhere after SIGKILL.
dynamic_shared_memory_type = mmap
# So that a server can be restored.
wal_level = replica
max_wal_senders = 0
min_wal_size = 2MB
max_wal_size = 16MB
max_worker_processes = 1
max_parallel_workers = 0
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] %q%u@%d '
azure.extensions = ''
azure.tenant_id = '00000000-0000-4000-8000-0000000000f1'
";

/// The superuser, the sandbox and the gateway, which has checked a token, come over the Unix socket, into whose folder
/// nobody else can look. Whoever has a password brings it over TCP.
const HBA: &str = "\
# TYPE  DATABASE  USER  ADDRESS        METHOD
local   all       all                  trust
host    all       all   127.0.0.1/32   scram-sha-256
";

fn settings(version: Version) -> String {
    // Version 18 reads with helpers of its own, three processes a server.
    let io = if version >= Version::V18 { "io_method = sync\n" } else { "" };
    format!("{SETTINGS}{io}")
}

/// The template of these programs. Makes it if there is none.
pub(super) fn ensure(binaries: &Binaries) -> Result<PathBuf, Error> {
    let cache = cache_directory()?;
    let target = cache.join(format!("template-{}-{}", binaries.release(), digest(binaries.version())));
    if target.is_dir() {
        return Ok(target);
    }
    let _lock = lock(&cache)?;
    if target.is_dir() {
        return Ok(target);
    }
    let unfinished = unfinished(&cache)?;
    let data = unfinished.path().join("data");
    let failed = |source| Error::File { path: data.clone(), source };
    fs::create_dir(&data).map_err(failed)?;
    if let Some(user) = spawn::other_user() {
        chown(&data, Some(user), Some(user)).map_err(failed)?;
    }
    make(binaries, &data)?;
    fs::rename(&data, &target).map_err(failed)?;
    Ok(target)
}

/// Of all that a template is made of, but for the programs.
fn digest(version: Version) -> String {
    let mut digest = Sha256::new();
    let user = spawn::other_user().unwrap_or_default().to_string();
    let statements = STATEMENTS.iter().flat_map(|(database, text)| [*database, *text]);
    for part in statements.chain(INITDB).chain([settings(version).as_str(), HBA, &user]) {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    short(digest)
}

fn make(binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let mut initdb = spawn::command(&binaries.program("initdb"));
    initdb.args(INITDB).arg(format!("--username={SUPERUSER}")).arg("--pgdata").arg(data);
    run("initdb", initdb, "")?;
    let write = |file: &str, text: &str, append: bool| {
        let path = data.join(file);
        let opened = fs::File::options().append(append).write(true).truncate(!append).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| Error::File { path, source })
    };
    write("postgresql.conf", &settings(binaries.version()), true)?;
    write("pg_hba.conf", HBA, false)?;
    for (database, statements) in STATEMENTS {
        let mut single = spawn::command(&binaries.program("postgres"));
        // A statement ends with an empty line; the first that fails ends it all.
        single.args(["--single", "-j", "-c", "exit_on_error=on"]);
        single.arg("-D").arg(data).arg(database);
        run("postgres --single", single, statements)?;
    }
    Ok(())
}

/// Runs a program to its end, with this standard input.
fn run(name: &str, mut command: Command, input: &str) -> Result<(), Error> {
    let failed = |source| Error::Run { program: name.to_owned(), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn::start(command).map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may have ended before it read everything; its status says why.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Failed {
        program: name.to_owned(),
        status: output.status,
        output: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}

/// Copies a data directory, all but `left_out`, names right below it. The copy belongs to whom PostgreSQL runs as.
pub(super) fn copy(from: &Path, to: &Path, left_out: &[&str]) -> Result<(), Error> {
    copy_folder(from, to, &|name| left_out.contains(&name))
}

fn copy_folder(from: &Path, to: &Path, is_left_out: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let failed = |source| Error::File { path: from.to_owned(), source };
    let created =
        fs::create_dir(to).and_then(|()| fs::set_permissions(to, fs::metadata(from)?.permissions()));
    created.and_then(|()| hand_over(to)).map_err(|source| Error::File { path: to.to_owned(), source })?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(is_left_out) {
            continue;
        }
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(failed)?.is_dir() {
            copy_folder(&path, &target, &|_| false)?;
            continue;
        }
        match fs::copy(&path, &target).and_then(|_| hand_over(&target)) {
            Ok(()) => {}
            Err(source) => return Err(Error::File { path, source }),
        }
    }
    Ok(())
}

/// To whom PostgreSQL runs as.
pub(super) fn hand_over(path: &Path) -> std::io::Result<()> {
    match spawn::other_user() {
        Some(user) if fs::metadata(path)?.uid() != user => chown(path, Some(user), Some(user)),
        _ => Ok(()),
    }
}
