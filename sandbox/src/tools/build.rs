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
use crate::origin::short;
use crate::progress::{Progress, seconds};
use crate::spawn;

/// How often a long build says that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Go's optimizer spends most of ASO's build on its generated conversions, which nobody needs fast here. The flag must
/// be the same for every tool: packages that they share are then compiled once.
const COMPILER_FLAGS: &str = "-gcflags=github.com/Azure/azure-service-operator/v2/...=-N -l";

/// The go.mod and go.sum in the source tree say what is built; no build changes them.
const GO_FLAGS: &str = "-mod=readonly";

/// What ASO's CRDs and webhooks are generated from.
const ASO_PACKAGES: [&str; 3] = [
    "github.com/Azure/azure-service-operator/v2/api/dataprotection/...",
    "github.com/Azure/azure-service-operator/v2/api/dbforpostgresql/...",
    "github.com/Azure/azure-service-operator/v2/api/managedidentity/...",
];

/// Says which Go is needed, before minutes are spent without it.
pub(super) async fn check_go(directory: &Path, tools: &str) -> Result<(), Error> {
    let needed = GoMod::read(&directory.join("go.mod"))?.go;
    // Any Go shows its version. One that is too old for the module, and can't fetch a newer one, says so when it reads
    // go.mod.
    for arguments in [["version"].as_slice(), &["list", "-m"]] {
        let asked = go(directory).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).output().await;
        let said = match asked {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        // 1.26.0 is how go.mod spells it; people look for 1.26.
        let needed = needed.strip_suffix(".0").unwrap_or(&needed).to_owned();
        let command = format!("go {}", arguments.join(" "));
        return Err(Error::NoGo { needed, tools: tools.to_owned(), command, said });
    }
    Ok(())
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
    command.arg("build").args(flags(tool, sandbox)?).arg("-o").arg(&unfinished).arg(tool.package);
    run(progress, &format!("[{step}] {what}"), tool.name, command).await?;
    fs::rename(&unfinished, target).map_err(|source| Error::Cache { path: target.to_owned(), source })
}

fn flags(tool: &Tool, sandbox: &Path) -> Result<[String; 3], Error> {
    let linker = format!("-ldflags={}", linker_flags(tool, sandbox)?);
    Ok(["-buildvcs=false".to_owned(), COMPILER_FLAGS.to_owned(), linker])
}

/// What decides what comes out of a build, besides the version: the modules it is built from, the flags, and the
/// kind of machine; a home directory may be shared between several.
pub(super) fn digest(tool: &Tool, sandbox: &Path) -> Result<String, Error> {
    let mut digest = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        let path = sandbox.join(tool.module).join(file);
        add(&mut digest, &fs::read(&path).map_err(|source| Error::GoMod { path, source })?);
    }
    if GoMod::read(&sandbox.join(tool.module).join("go.mod"))?.is(tool.package) {
        let path = sandbox.join(tool.module).join("main.go");
        add(&mut digest, &fs::read(&path).map_err(|source| Error::GoMod { path, source })?);
    }
    for flag in flags(tool, sandbox)? {
        add(&mut digest, flag.as_bytes());
    }
    for word in [GO_FLAGS, std::env::consts::OS, std::env::consts::ARCH] {
        add(&mut digest, word.as_bytes());
    }
    Ok(short(digest))
}

/// With its length: where one part ends and the next begins counts as well.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update(part.len().to_be_bytes());
    digest.update(part);
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
    let name = format!("{}-{}-{}", version("aso-controller")?, version("controller-gen")?, short(digest));
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
        let mut command = spawn::command(controller_gen);
        // It loads the packages with Go.
        go_environment(&mut command);
        command.args(&self.arguments).arg(output).current_dir(sandbox.join("tools"));
        run(progress, "the CRDs and webhooks of Azure Service Operator", "ASO's manifests", command).await?;
        fs::rename(&unfinished, &self.directory).map_err(failed)
    }
}

/// Where Kubernetes' program `pause` of this version belongs.
pub(super) fn pause_path(version: &str, cache: &Path) -> PathBuf {
    let name = format!("{version}-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    cache.join("pause").join(name).join("pause")
}

/// It is written in C, and lies in the module of Kubernetes. An image of it has no libraries.
pub(super) async fn pause(progress: &Progress, sandbox: &Path, target: &Path) -> Result<(), Error> {
    let directory = source(&sandbox.join("tools"), "k8s.io/kubernetes").await?;
    let unfinished = unfinished(target)?;
    let mut command = spawn::command(Path::new("cc"));
    let source = directory.join("build/pause/linux/pause.c");
    command.args(["-Os", "-static", "-o"]).arg(&unfinished).arg(source);
    run(progress, "pause", "pause", command).await?;
    fs::rename(&unfinished, target).map_err(|source| Error::Cache { path: target.to_owned(), source })
}

/// The modules whose CRDs Flux's controllers need.
const FLUX_MODULES: [&str; 2] =
    ["github.com/fluxcd/kustomize-controller", "github.com/fluxcd/source-controller"];

/// Where their CRDs belong: a folder named for both versions.
pub(super) fn flux_crds_path(sandbox: &Path, cache: &Path) -> Result<PathBuf, Error> {
    let mut name = Vec::new();
    for tool in TOOLS.iter().filter(|tool| FLUX_MODULES.contains(&tool.package)) {
        name.push(tool.version(sandbox)?);
    }
    Ok(cache.join("flux-crds").join(name.join("-")))
}

/// Their releases carry the same files, with an address of an image more.
pub(super) async fn flux_crds(progress: &Progress, sandbox: &Path, target: &Path) -> Result<(), Error> {
    let failed = |source| Error::Cache { path: target.to_owned(), source };
    let unfinished = unfinished(target)?;
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    fs::create_dir_all(&unfinished).map_err(failed)?;
    for module in FLUX_MODULES {
        let crds = source(&sandbox.join("tools/flux"), module).await?.join("config/crd/bases");
        for file in fs::read_dir(&crds).map_err(failed)? {
            let file = file.map_err(failed)?;
            fs::copy(file.path(), unfinished.join(file.file_name())).map_err(failed)?;
        }
    }
    fs::rename(&unfinished, target).map_err(failed)?;
    progress.say("fetched the CRDs of Flux");
    Ok(())
}

/// The folder with the source of a module, in the version that the go.mod in `directory` says.
async fn source(directory: &Path, module: &str) -> Result<PathBuf, Error> {
    let asked = go(directory).args(["mod", "download", "-json", module]).output().await;
    let said = asked.map_err(|source| Error::Run { program: "go".to_owned(), source })?.stdout;
    let answer: serde_json::Value = serde_json::from_slice(&said).unwrap_or_default();
    answer["Dir"].as_str().map(PathBuf::from).ok_or_else(|| Error::NoSource {
        module: module.to_owned(),
        said: String::from_utf8_lossy(&said).trim().to_owned(),
    })
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
    let mut command = spawn::command(Path::new("go"));
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
    // What is built runs here.
    command.env_remove("GOOS").env_remove("GOARCH");
    // Compiling needs memory for minutes only; collecting it less often saves a fifth of the time.
    command.env("GOFLAGS", GO_FLAGS).env("GOWORK", "off").env("GOGC", "800");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(name: &str, sandbox: &Path) -> String {
        let tool = TOOLS.iter().find(|tool| tool.name == name).unwrap();
        digest(tool, sandbox).unwrap()
    }

    #[test]
    fn what_is_built_from_something_else_is_kept_elsewhere() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let copy = std::env::temp_dir().join(format!("sandbox-tools-{}", std::process::id()));
        for module in ["tools", "tools/helm", "tools/argo-cd"] {
            fs::create_dir_all(copy.join(module)).unwrap();
            for file in ["go.mod", "go.sum", "main.go"].map(|file| format!("{module}/{file}")) {
                // Only one of them is written here.
                drop(fs::copy(source.join(&file), copy.join(&file)));
            }
        }
        assert_eq!(digest_of("etcd", &copy), digest_of("etcd", source));
        let before = digest_of("kubectl", &copy);
        assert_ne!(digest_of("etcd", &copy), before, "Kubernetes is linked with its version");
        fs::write(copy.join("tools/go.sum"), "").unwrap();
        assert_ne!(digest_of("kubectl", &copy), before);
        assert_eq!(digest_of("helm", &copy), digest_of("helm", source), "helm has a module of its own");
        assert_eq!(digest_of("argo-cd-engine", &copy), digest_of("argo-cd-engine", source));
        fs::write(copy.join("tools/argo-cd/main.go"), "package main").unwrap();
        assert_ne!(
            digest_of("argo-cd-engine", &copy),
            digest_of("argo-cd-engine", source),
            "it is written here"
        );
        fs::remove_dir_all(&copy).unwrap();
    }

    #[test]
    fn a_go_that_is_too_old_has_its_say() {
        let error = Error::NoGo {
            needed: "1.26".to_owned(),
            tools: "etcd, helm".to_owned(),
            command: "go list -m".to_owned(),
            said: "go: go.mod requires go >= 1.26.0 (running go 1.24.4; GOTOOLCHAIN=local)".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "Go 1.26 or newer is needed to build etcd, helm: install it from go.dev or Debian's golang package; \
             `go list -m` says: go: go.mod requires go >= 1.26.0 (running go 1.24.4; GOTOOLCHAIN=local)"
        );
    }
}
