//! Building what is missing with Go, and saying how far it is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::gomod::GoMod;
use super::{Error, TOOLS, Tool};
use crate::process;
use crate::progress::{Progress, seconds};

/// How often a long build says that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Go's optimizer spends most of ASO's build on its generated conversions, which nobody needs fast here. The flag must
/// be the same for every tool: packages that they share are then compiled once.
const COMPILER_FLAGS: &str = "-gcflags=github.com/Azure/azure-service-operator/v2/...=-N -l";

/// What ASO's CRDs and webhooks are generated from.
const ASO_PACKAGES: [&str; 2] = [
    "github.com/Azure/azure-service-operator/v2/api/dbforpostgresql/...",
    "github.com/Azure/azure-service-operator/v2/api/managedidentity/...",
];

/// Says which Go is needed, before minutes are spent without it.
pub(super) async fn check_go(directory: &Path, tools: &str) -> Result<(), Error> {
    let needed = GoMod::read(&directory.join("go.mod"))?.go;
    let runs = go(directory).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    if runs.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    // 1.26.0 is how go.mod spells it; people look for 1.26.
    let needed = needed.strip_suffix(".0").unwrap_or(&needed).to_owned();
    Err(Error::NoGo { needed, tools: tools.to_owned() })
}

/// Builds one tool and puts it where it belongs, whole or not at all.
pub(super) async fn tool(
    progress: &Progress,
    step: &str,
    tool: &Tool,
    sandbox: &Path,
    target: &Path,
) -> Result<(), Error> {
    let what = format!("{} {}", tool.name, tool.version(sandbox)?);
    let unfinished = unfinished(target)?;
    let mut command = go(&sandbox.join(tool.module));
    command
        .args(["build", "-buildvcs=false", COMPILER_FLAGS])
        .arg(format!("-ldflags={}", linker_flags(tool, sandbox)?))
        .arg("-o")
        .arg(&unfinished)
        .arg(tool.package);
    run(progress, &format!("[{step}] {what}"), tool.name, command).await?;
    fs::rename(&unfinished, target).map_err(|source| Error::Cache { path: target.to_owned(), source })
}

/// Kubernetes reports the version that it is linked with, and clients decide by it.
fn linker_flags(tool: &Tool, sandbox: &Path) -> Result<String, Error> {
    let mut flags = "-s -w".to_owned();
    if tool.package.starts_with("k8s.io/kubernetes/") {
        let version = tool.version(sandbox)?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        for (variable, value) in [("gitVersion", version.as_str()), ("gitMajor", major), ("gitMinor", minor)]
        {
            flags.push_str(" -X k8s.io/component-base/version.");
            flags.push_str(variable);
            flags.push('=');
            flags.push_str(value);
        }
    }
    Ok(flags)
}

/// ASO's manifests, as they are generated; see [`crate::aso_manifests`] for what is made of them.
pub(super) struct Manifests {
    pub(super) directory: PathBuf,
    arguments: Vec<OsString>,
}

/// Where they belong: a folder named for both versions and for what was asked of the generator.
pub(super) fn aso_manifests(sandbox: &Path, cache: &Path) -> Result<Manifests, Error> {
    let version = |name: &str| {
        TOOLS.iter().find(|tool| tool.name == name).map_or(Ok(String::new()), |tool| tool.version(sandbox))
    };
    let mut arguments = vec![OsString::from("crd:allowDangerousTypes=true"), OsString::from("webhook")];
    arguments.extend(ASO_PACKAGES.iter().map(|package| OsString::from(format!("paths={package}"))));
    let mut digest = Sha256::new();
    for argument in &arguments {
        digest.update(argument.as_encoded_bytes());
        digest.update([0]);
    }
    let [first, second, third, fourth, ..]: [u8; 32] = digest.finalize().into();
    let asked = u32::from_be_bytes([first, second, third, fourth]);
    let name = format!("{}-{}-{asked:08x}", version("aso-controller")?, version("controller-gen")?);
    Ok(Manifests { directory: cache.join("aso-manifests").join(name), arguments })
}

impl Manifests {
    pub(super) async fn generate(
        &self,
        progress: &Progress,
        controller_gen: &Path,
        sandbox: &Path,
    ) -> Result<(), Error> {
        let failed = |source| Error::Cache { path: self.directory.clone(), source };
        let unfinished = unfinished(&self.directory)?;
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(failed)?;
        }
        fs::create_dir_all(&unfinished).map_err(failed)?;
        let mut output = OsString::from("output:dir=");
        output.push(&unfinished);
        let mut command = process::command(controller_gen);
        // It loads the packages with Go.
        go_environment(&mut command);
        command.args(&self.arguments).arg(output).current_dir(sandbox.join("tools"));
        run(progress, "the CRDs and webhooks of Azure Service Operator", "ASO's manifests", command).await?;
        fs::rename(&unfinished, &self.directory).map_err(failed)
    }
}

/// A name beside the target, for what isn't whole yet.
fn unfinished(target: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Cache { path: target.to_owned(), source };
    let directory = target.parent().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    fs::create_dir_all(directory).map_err(failed)?;
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    Ok(directory.join(name))
}

fn go(directory: &Path) -> Command {
    let mut command = process::command(Path::new("go"));
    go_environment(&mut command);
    command.current_dir(directory);
    command
}

/// How Go finds modules and compilers is the user's to say; how it builds is ours.
fn go_environment(command: &mut Command) {
    let users = |name: &str| {
        let proxy = name.to_ascii_lowercase();
        let known = name.starts_with("GO") || name.starts_with("XDG_") || name.starts_with("SSL_CERT_");
        known || matches!(proxy.as_str(), "http_proxy" | "https_proxy" | "no_proxy" | "netrc")
    };
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(users)));
    // Compiling needs memory for minutes only; collecting it less often saves a fifth of the time.
    command.env("GOFLAGS", "").env("GOWORK", "off").env("GOGC", "800");
}

async fn run(progress: &Progress, what: &str, name: &str, mut command: Command) -> Result<(), Error> {
    let started = Instant::now();
    progress.say(&format!("building {what}"));
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| Error::Run { program: name.to_owned(), source })?;
    let finish = child.wait_with_output();
    tokio::pin!(finish);
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    let output = loop {
        tokio::select! {
            output = &mut finish => {
                break output.map_err(|source| Error::Run { program: name.to_owned(), source })?;
            }
            _ = heartbeat.tick() => {
                progress.say(&format!("still building {what}, for {} now", seconds(started.elapsed())));
            }
        }
    };
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        return Err(Error::Failed { name: name.to_owned(), status: output.status, output: tail });
    }
    progress.say(&format!("built {what} in {}", seconds(started.elapsed())));
    Ok(())
}
