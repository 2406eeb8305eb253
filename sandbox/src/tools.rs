//! The programs that the sandbox runs: found where they are, built where they are not.
//!
//! Which programs, and in which version, is said by the `tool` and `require` lines of `sandbox/tools/go.mod` and of the
//! go.mod files in its folders, and only there. What is built is kept in the user's cache, outside the source tree.

mod build;
mod gomod;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tokio::process::Command;

use crate::cache;
use crate::options::Options;
use crate::progress::{Progress, seconds};
use crate::spawn;
use gomod::GoMod;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "neither XDG_CACHE_HOME nor HOME is set: set one of them, so that the built programs can be kept"
    )]
    NoCache,
    #[error("can't read {}: {source}", path.display())]
    GoMod { path: PathBuf, source: io::Error },
    #[error("{} has no `tool` and `require` line for {package}: `go get -tool {package}@VERSION` adds them", path.display())]
    NotInGoMod { path: PathBuf, package: String },
    #[error("can't use the cache {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error(
        "Go {needed} or newer is needed to build {tools}: install it from go.dev or Debian's golang package; \
         `{command}` says: {said}"
    )]
    NoGo { needed: String, tools: String, command: String, said: String },
    #[error("can't run {program}: {source}")]
    Run { program: String, source: io::Error },
    #[error("can't find the source of {module}: {said}")]
    NoSource { module: String, said: String },
    #[error("building {name} failed ({status}):\n{output}")]
    Failed { name: String, status: ExitStatus, output: String },
}

/// A program, as one of the go.mod files names it.
#[derive(Debug)]
struct Tool {
    name: &'static str,
    package: &'static str,
    /// The folder under `sandbox/` whose go.mod has it.
    module: &'static str,
    /// Where else it is taken from when it is there.
    elsewhere: Elsewhere,
    part: Part,
}

/// Which sandboxes run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Always,
    /// Those with nodes.
    Nodes,
    /// Those with Flux, and tests that are told with Git.
    GitOps,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    Nowhere,
    /// The folder `KUBEBUILDER_ASSETS`, whatever the version: who sets it chose it.
    Assets,
    /// The assets; and the PATH, if this command prints our version.
    AssetsOrPath(&'static [&'static str]),
    /// The PATH, if this command prints our version.
    Path(&'static [&'static str]),
}

/// In the order in which they are built: the long ones last, so that a mistake shows early.
const TOOLS: [Tool; 14] = [
    Tool {
        name: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        module: "tools",
        elsewhere: Elsewhere::Assets,
        part: Part::Always,
    },
    Tool {
        name: "kubectl",
        package: "k8s.io/kubernetes/cmd/kubectl",
        module: "tools",
        elsewhere: Elsewhere::AssetsOrPath(&["version", "--client"]),
        part: Part::Always,
    },
    Tool {
        name: "controller-gen",
        package: "sigs.k8s.io/controller-tools/cmd/controller-gen",
        module: "tools",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Always,
    },
    Tool {
        name: "kube-apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        module: "tools",
        elsewhere: Elsewhere::Assets,
        part: Part::Always,
    },
    Tool {
        name: "kube-controller-manager",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        module: "tools",
        elsewhere: Elsewhere::Assets,
        part: Part::Always,
    },
    Tool {
        name: "kube-scheduler",
        package: "k8s.io/kubernetes/cmd/kube-scheduler",
        module: "tools",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Nodes,
    },
    Tool {
        name: "kube-proxy",
        package: "k8s.io/kubernetes/cmd/kube-proxy",
        module: "tools",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Nodes,
    },
    Tool {
        name: "kubelet",
        package: "k8s.io/kubernetes/cmd/kubelet",
        module: "tools",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Nodes,
    },
    Tool {
        name: "glua",
        package: "github.com/yuin/gopher-lua/cmd/glua",
        module: "tools/lua",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Always,
    },
    Tool {
        name: "helm",
        package: "helm.sh/helm/v4/cmd/helm",
        module: "tools/helm",
        elsewhere: Elsewhere::Path(&["version", "--short"]),
        part: Part::Always,
    },
    Tool {
        name: "aso-controller",
        package: "github.com/Azure/azure-service-operator/v2/cmd/controller",
        module: "tools",
        elsewhere: Elsewhere::Nowhere,
        part: Part::Always,
    },
    Tool {
        name: "argo-cd-engine",
        package: "github.com/altinn/database-operator/sandbox/tools/argo-cd",
        module: "tools/argo-cd",
        elsewhere: Elsewhere::Nowhere,
        part: Part::GitOps,
    },
    Tool {
        name: "kustomize-controller",
        package: "github.com/fluxcd/kustomize-controller",
        module: "tools/flux",
        elsewhere: Elsewhere::Nowhere,
        part: Part::GitOps,
    },
    Tool {
        name: "source-controller",
        package: "github.com/fluxcd/source-controller",
        module: "tools/flux",
        elsewhere: Elsewhere::Nowhere,
        part: Part::GitOps,
    },
];

/// Which of them, beside those that each sandbox runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) nodes: bool,
    pub(crate) flux: bool,
}

/// Where the programs of nodes are.
#[derive(Debug, Clone)]
pub(crate) struct NodeTools {
    pub(crate) kube_scheduler: PathBuf,
    pub(crate) kube_proxy: PathBuf,
    pub(crate) kubelet: PathBuf,
    /// What keeps the namespaces of a pod.
    pub(crate) pause: PathBuf,
}

/// Where the programs of Flux are.
#[derive(Debug, Clone)]
pub(crate) struct FluxTools {
    /// That of Argo CD; no sandbox runs it, and a test does.
    pub(crate) argo_cd_engine: PathBuf,
    pub(crate) source_controller: PathBuf,
    pub(crate) kustomize_controller: PathBuf,
    /// The folder with one YAML file for each of their CRDs.
    pub(crate) crds: PathBuf,
}

/// Where each program is.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kube_controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
    pub(crate) helm: PathBuf,
    /// Argo CD's interpreter of Lua; no sandbox runs it, and a test does.
    pub(crate) glua: PathBuf,
    pub(crate) aso_controller: PathBuf,
    /// The folder with one YAML file for each of ASO's CRDs, and one with its webhook configurations.
    pub(crate) aso_manifests: PathBuf,
    pub(crate) nodes: Option<NodeTools>,
    pub(crate) flux: Option<FluxTools>,
}

impl Tools {
    /// For people.
    pub(crate) fn list(&self) -> Vec<(&'static str, &Path)> {
        let mut list: Vec<(&'static str, &Path)> = vec![
            ("etcd", &self.etcd),
            ("kube-apiserver", &self.kube_apiserver),
            ("kube-controller-manager", &self.kube_controller_manager),
            ("kubectl", &self.kubectl),
            ("helm", &self.helm),
            ("glua", &self.glua),
            ("aso-controller", &self.aso_controller),
            ("ASO's manifests", &self.aso_manifests),
        ];
        if let Some(nodes) = &self.nodes {
            list.extend([
                ("kube-scheduler", nodes.kube_scheduler.as_path()),
                ("kube-proxy", &nodes.kube_proxy),
                ("kubelet", &nodes.kubelet),
                ("pause", &nodes.pause),
            ]);
        }
        if let Some(flux) = &self.flux {
            list.extend([
                ("source-controller", flux.source_controller.as_path()),
                ("kustomize-controller", &flux.kustomize_controller),
                ("Flux's CRDs", &flux.crds),
                ("argo-cd-engine", &flux.argo_cd_engine),
            ]);
        }
        list
    }
}

/// Finds every program, and builds those that are missing.
pub(crate) async fn ensure(progress: &Progress, wanted: Wanted) -> Result<Tools, Error> {
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = cache::directory().ok_or(Error::NoCache)?;
    let mut missing = false;
    for tool in wanted.tools() {
        missing |= find(tool, sandbox, &cache).await?.is_none();
    }
    let manifests = build::aso_manifests(sandbox, &cache)?;
    let pause = wanted.pause(sandbox, &cache)?;
    let crds = wanted.flux_crds(sandbox, &cache)?;
    let is_complete = !missing
        && manifests.directory.exists()
        && [&pause, &crds].iter().all(|path| path.as_ref().is_none_or(|path| path.exists()));
    if !is_complete {
        build_missing(progress, sandbox, &cache, &manifests, wanted).await?;
    }
    let path_of = async |name: &str| -> Result<PathBuf, Error> {
        let tool = TOOLS.iter().find(|tool| tool.name == name);
        let found = match tool {
            Some(tool) => find(tool, sandbox, &cache).await?,
            None => None,
        };
        found.ok_or_else(|| Error::Cache {
            path: cache.join(name),
            source: io::Error::new(io::ErrorKind::NotFound, "it was removed while the sandbox started"),
        })
    };
    Ok(Tools {
        etcd: path_of("etcd").await?,
        kube_apiserver: path_of("kube-apiserver").await?,
        kube_controller_manager: path_of("kube-controller-manager").await?,
        kubectl: path_of("kubectl").await?,
        helm: path_of("helm").await?,
        glua: path_of("glua").await?,
        aso_controller: path_of("aso-controller").await?,
        aso_manifests: manifests.directory,
        nodes: match pause {
            Some(pause) => Some(NodeTools {
                kube_scheduler: path_of("kube-scheduler").await?,
                kube_proxy: path_of("kube-proxy").await?,
                kubelet: path_of("kubelet").await?,
                pause,
            }),
            None => None,
        },
        flux: match crds {
            Some(crds) => Some(FluxTools {
                argo_cd_engine: path_of("argo-cd-engine").await?,
                source_controller: path_of("source-controller").await?,
                kustomize_controller: path_of("kustomize-controller").await?,
                crds,
            }),
            None => None,
        },
    })
}

impl Wanted {
    /// Of a sandbox with these options.
    pub(crate) fn by(options: &Options) -> Self {
        Self { nodes: options.nodes > 0, flux: options.flux }
    }

    fn tools(self) -> impl Iterator<Item = &'static Tool> {
        TOOLS.iter().filter(move |tool| match tool.part {
            Part::Always => true,
            Part::Nodes => self.nodes,
            Part::GitOps => self.flux,
        })
    }

    /// Where the program that is no tool of Go's belongs. Its source is a file of Kubernetes'.
    fn pause(self, sandbox: &Path, cache: &Path) -> Result<Option<PathBuf>, Error> {
        let kubelet = TOOLS.iter().find(|tool| tool.name == "kubelet").filter(|_| self.nodes);
        kubelet.map(|kubelet| Ok(build::pause_path(kubelet.version(sandbox)?.as_str(), cache))).transpose()
    }

    /// Where the CRDs of Flux belong. They are files of its modules.
    fn flux_crds(self, sandbox: &Path, cache: &Path) -> Result<Option<PathBuf>, Error> {
        self.flux.then(|| build::flux_crds_path(sandbox, cache)).transpose()
    }
}

async fn build_missing(
    progress: &Progress,
    sandbox: &Path,
    cache: &Path,
    manifests: &build::Manifests,
    wanted: Wanted,
) -> Result<(), Error> {
    let failed = |source| Error::Cache { path: cache.to_owned(), source };
    fs::create_dir_all(cache).map_err(failed)?;
    // Two builds at once would do the same work twice, on the same cores.
    let lock = File::create(cache.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            progress.say("another process is building the programs of the sandbox; waiting for it");
            while let Err(TryLockError::WouldBlock) = lock.try_lock() {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }
    // What is missing is asked again: the other process may have built it.
    let mut missing = Vec::new();
    for tool in wanted.tools() {
        if find(tool, sandbox, cache).await?.is_none() {
            missing.push(tool);
        }
    }
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
        let names = names.join(", ");
        let modules: BTreeSet<_> = missing.iter().map(|tool| tool.module).collect();
        for module in modules {
            build::check_go(&sandbox.join(module), &names).await?;
        }
        progress
            .say(&format!("building {names}; this happens once per version and takes up to half an hour"));
    }
    let started = std::time::Instant::now();
    for (index, tool) in missing.iter().enumerate() {
        let step = format!("{} of {}", index + 1, missing.len());
        build::tool(progress, &step, tool, sandbox, &built_path(tool, sandbox, cache)?).await?;
    }
    if !missing.is_empty() {
        progress.say(&format!("built everything in {}", seconds(started.elapsed())));
    }
    if !manifests.directory.exists() {
        let controller_gen = TOOLS.iter().find(|tool| tool.name == "controller-gen");
        if let Some(tool) = controller_gen {
            manifests.generate(progress, &built_path(tool, sandbox, cache)?, sandbox).await?;
        }
    }
    if let Some(pause) = wanted.pause(sandbox, cache)?.filter(|pause| !pause.exists()) {
        build::pause(progress, sandbox, &pause).await?;
    }
    if let Some(crds) = wanted.flux_crds(sandbox, cache)?.filter(|crds| !crds.exists()) {
        build::flux_crds(progress, sandbox, &crds).await?;
    }
    Ok(())
}

/// `<cache>/<tool>/<version>-<digest>/<tool>`, with a digest of all that it is built from and for.
fn built_path(tool: &Tool, sandbox: &Path, cache: &Path) -> Result<PathBuf, Error> {
    let version = format!("{}-{}", tool.version(sandbox)?, build::digest(tool, sandbox)?);
    Ok(cache.join(tool.name).join(version).join(tool.name))
}

impl Tool {
    fn version(&self, sandbox: &Path) -> Result<String, Error> {
        let path = sandbox.join(self.module).join("go.mod");
        let module = GoMod::read(&path)?;
        module
            .version_of_tool(self.package)
            .map(ToOwned::to_owned)
            .ok_or_else(|| Error::NotInGoMod { path, package: self.package.to_owned() })
    }
}

async fn find(tool: &Tool, sandbox: &Path, cache: &Path) -> Result<Option<PathBuf>, Error> {
    let (assets, on_path) = match tool.elsewhere {
        Elsewhere::Nowhere => (false, None),
        Elsewhere::Assets => (true, None),
        Elsewhere::AssetsOrPath(arguments) => (true, Some(arguments)),
        Elsewhere::Path(arguments) => (false, Some(arguments)),
    };
    if assets && let Some(directory) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let path = Path::new(&directory).join(tool.name);
        if path.is_file() {
            return Ok(Some(path));
        }
    }
    let built = built_path(tool, sandbox, cache)?;
    if built.is_file() {
        return Ok(Some(built));
    }
    if let Some(arguments) = on_path
        && let Some(path) = look_up(tool.name)
        && says_version(&path, arguments, &tool.version(sandbox)?).await
    {
        return Ok(Some(path));
    }
    Ok(None)
}

fn look_up(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

async fn says_version(program: &Path, arguments: &[&str], version: &str) -> bool {
    let mut command: Command = spawn::command(program);
    let Ok(output) = command.args(arguments).stderr(std::process::Stdio::null()).output().await else {
        return false;
    };
    // As a word of its own: v1.36.2 is not v1.36.20. Build metadata (`v4.2.4+gabc`) may follow.
    String::from_utf8_lossy(&output.stdout)
        .split(|character: char| character.is_whitespace() || character == '+')
        .any(|word| word == version)
}
