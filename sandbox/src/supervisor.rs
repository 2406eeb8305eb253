//! The process that brings a sandbox up, looks after it, and takes it down: here everything is put together.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::aso::{self, ASO, Aso, Crds};
use crate::azure;
use crate::certificates::{self, Authority};
use crate::control::{self, Answer, Command, Image, Request};
use crate::control_plane::{self, CONTROLLER_MANAGER, ControlPlane};
use crate::flux::{self, KUSTOMIZE_CONTROLLER, SOURCE_CONTROLLER};
use crate::kubectl::{self, Kubectl};
use crate::nodes::network::MACHINE;
use crate::nodes::node::{self, Nodes, Parts};
use crate::nodes::outside::{self, Outside};
use crate::nodes::{image, requirements, workload_identity};
use crate::operator::{self, CONTROLLER, Installation, WEBHOOK};
use crate::operator_identity;
use crate::options::Options;
use crate::origin::{self, Origin};
use crate::place::{self, Place, PolicyFile};
use crate::ports::{self, Ports};
use crate::postgres;
use crate::processes::{self, Processes};
use crate::progress::Progress;
use crate::state::{self, Directory, Keep, Lock, State};
use crate::tools::{self, Tools, Wanted};

/// How long each program may take until it is ready; on two busy cores, with a margin.
const READY: Duration = Duration::from_mins(2);
/// How often the supervisor looks at what it looks after.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a sandbox runs in {} already: `database-sandbox down` ends it", path.display())]
    Running { path: PathBuf },
    #[error(transparent)]
    Directory(#[from] state::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
    #[error(transparent)]
    Policy(#[from] place::Error),
    #[error("can't start the stand-in for Azure: {0}")]
    Azure(#[from] azure::StartError),
    #[error(transparent)]
    ControlPlane(#[from] control_plane::Error),
    #[error(transparent)]
    Process(#[from] processes::Error),
    #[error(transparent)]
    Aso(#[from] aso::Error),
    #[error(transparent)]
    Operator(#[from] operator::Error),
    #[error(transparent)]
    Flux(#[from] flux::Error),
    #[error("the control endpoint failed: {0}")]
    Control(io::Error),
    #[error("can't listen for signals: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Origin(#[from] origin::Error),
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Identity(#[from] operator_identity::Error),
    #[error(transparent)]
    Requirement(#[from] requirements::Error),
    #[error(transparent)]
    Outside(#[from] outside::Error),
    #[error(transparent)]
    Nodes(#[from] node::Error),
    #[error("can't install the stand-in for Azure Workload Identity: {0}")]
    WorkloadIdentity(kubectl::Error),
    #[error("can't read the keys of the API server's tokens: {0}")]
    NoKeys(#[from] kubectl::Error),
    #[error("the API server's answer to /openid/v1/jwks is not a JSON Web Key Set")]
    Keys,
}

/// Runs a sandbox until it is asked to end. Must be called in the main thread's `block_on`, see [`crate::exec_child`].
pub(crate) async fn supervise(
    directory: &Directory,
    options: &Options,
    until_stdin_closes: bool,
) -> Result<(), Error> {
    let progress = Progress::start();
    requirements::check(options)?;
    let Some(lock) = directory.lock()? else {
        return Err(Error::Running { path: directory.path().to_owned() });
    };
    directory.clear(Keep::Nothing)?;
    let asked = end_of_life(until_stdin_closes)?;
    let end = async {
        let reason = tokio::select! {
            reason = asked => reason,
            () = is_deleted(&lock) => "the sandbox's directory was deleted",
        };
        progress.say(&format!("shutting down: {reason}"));
    };
    let result = if options.nodes > 0 {
        outside::run(&progress, directory, options, end).await.map_err(Error::from)
    } else {
        run(&progress, directory, options, None, end).await
    };
    // What lies there otherwise belongs to whoever came after.
    if lock.holds() {
        directory.clear(Keep::Logs)?;
    }
    if result.is_ok() {
        progress.say("everything is down");
    }
    result
}

/// The part of a sandbox with nodes that is in namespaces of its own. Ends when standard input is closed; the supervisor
/// outside has the lock, and cleans up.
pub(crate) async fn supervise_within(
    directory: &Directory,
    options: &Options,
    outside: &Outside,
) -> Result<(), Error> {
    node::set_up(directory.path(), options.nodes).await?;
    let closed = stdin_closes();
    // An error means that the thread is gone, and with it what there was to wait for.
    let end = async { drop(closed.await) };
    run(&Progress::start(), directory, options, Some(outside), end).await
}

/// Runs a sandbox, in whichever namespaces this process is, until it is to end.
async fn run(
    progress: &Progress,
    directory: &Directory,
    options: &Options,
    outside: Option<&Outside>,
    end: impl Future<Output = ()>,
) -> Result<(), Error> {
    let mut sandbox = Sandbox { processes: Processes::new(&directory.logs()), azure: None, nodes: None };
    let result = tokio::select! {
        result = sandbox.run(progress, directory, options, outside) => result,
        () = end => Ok(()),
    };
    sandbox.end().await;
    result
}

/// Completes when the directory isn't there any more: nobody could find the sandbox then, to end it.
async fn is_deleted(lock: &Lock) {
    let mut tick = tokio::time::interval(TICK);
    while lock.holds() {
        tick.tick().await;
    }
}

/// Completes, with the reason, when the sandbox is to end.
fn end_of_life(until_stdin_closes: bool) -> Result<impl Future<Output = &'static str>, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let stdin = until_stdin_closes.then(stdin_closes);
    Ok(async move {
        let closed = async {
            match stdin {
                // An error means that the thread is gone, and with it what there was to wait for.
                Some(closed) => closed.await.unwrap_or_default(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hang_up.recv() => "the terminal is gone",
            () = closed => "whoever started it is gone",
        }
    })
}

/// Reads standard input to its end, on a thread of its own: it blocks for the whole run, and mustn't hold up the end
/// of the runtime.
fn stdin_closes() -> oneshot::Receiver<()> {
    let (closing, closed) = oneshot::channel();
    std::thread::spawn(move || {
        // A broken pipe is an end as well. Nobody listens any more when something else ended the sandbox.
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        closing.send(()).ok();
    });
    closed
}

/// What has to be taken down again.
#[derive(Debug)]
struct Sandbox {
    processes: Processes,
    azure: Option<azure::Azure>,
    nodes: Option<Nodes>,
}

/// What a sandbox is made of.
struct Making<'a> {
    progress: &'a Progress,
    tools: &'a Tools,
    directory: &'a Directory,
    options: &'a Options,
    authority: &'a Authority,
    policy: &'a PolicyFile,
    origin: Option<&'a Origin>,
    chart: PathBuf,
    plane: &'a ControlPlane,
    aso: &'a Aso,
}

/// What is needed to act on a request once all runs.
struct Running {
    state: watch::Sender<State>,
    requests: mpsc::Receiver<Request>,
    kubectl: Kubectl,
    aso: Aso,
}

impl Making<'_> {
    fn installation<'a>(&'a self, origin: &'a Origin) -> Installation<'a> {
        Installation {
            binary: &origin.binary,
            chart: &self.chart,
            helm: &self.tools.helm,
            kubectl: &self.plane.kubectl,
            cluster: &self.plane.cluster,
            directory: self.directory.path(),
        }
    }
}

impl Sandbox {
    async fn run(
        &mut self,
        progress: &Progress,
        directory: &Directory,
        options: &Options,
        outside: Option<&Outside>,
    ) -> Result<(), Error> {
        let tools = tools::ensure(progress, Wanted::by(options)).await?;
        let mut running = self.bring_up(progress, &tools, directory, options, outside).await?;
        running.state.send_modify(|state| state.ready = true);
        self.publish(&running, directory)?;
        progress.say("the sandbox is ready");

        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    if self.processes.look_after(progress) {
                        self.publish(&running, directory)?;
                    }
                }
                Some(request) = running.requests.recv() => {
                    let answer = self.act(&running, request.command).await;
                    self.publish(&running, directory)?;
                    // Whoever asked may have given up.
                    drop(request.answer.send(answer));
                }
            }
        }
    }

    async fn bring_up(
        &mut self,
        progress: &Progress,
        tools: &Tools,
        directory: &Directory,
        options: &Options,
        outside: Option<&Outside>,
    ) -> Result<Running, Error> {
        let policy = PolicyFile::of(options)?;
        let mut ports = Ports::without(outside.map(Outside::ports).unwrap_or_default());
        let authority = Authority::new()?;
        // Before anything is made of it: what changes from now on is newer.
        let origin = Origin::of(options)?;
        let urls = self.start_azure(&authority, options, &policy.place, outside, progress).await?;
        progress.say("the stand-in for Azure answers");

        let path = directory.path();
        let issuer = policy.place.issuer();
        let plane =
            ControlPlane::prepare(tools, &authority, &mut ports, path, &directory.logs(), issuer, outside)?;
        let settings = aso::Settings {
            place: policy.place.clone(),
            sync_period: Duration::from_secs(options.aso_sync_seconds),
        };
        let aso = Aso::prepare(tools, &authority, &plane.cluster, &urls, &settings, &mut ports, path)?;
        let state = State {
            ready: false,
            supervisor: outside.map_or_else(std::process::id, |outside| outside.supervisor),
            options: options.clone(),
            origin: origin.clone(),
            image: None,
            control: outside.map_or_else(|| ports.take(), |outside| Ok(outside.control))?,
            kubeconfig: plane.kubectl.kubeconfig.clone(),
            kubectl: tools.kubectl.clone(),
            helm: tools.helm.clone(),
            logs: directory.logs(),
            audit_log: plane.audit_log.clone(),
            azure: urls,
            processes: std::collections::BTreeMap::new(),
        };
        let (state, requests) = serve_control(state).await?;

        self.start(plane.etcd.clone(), progress).await?;
        self.start(plane.api_server.clone(), progress).await?;
        self.publish_keys(&plane).await?;
        let making = Making {
            progress,
            tools,
            directory,
            options,
            authority: &authority,
            policy: &policy,
            origin: origin.as_ref(),
            chart: origin::chart(),
            plane: &plane,
            aso: &aso,
        };
        match outside {
            Some(outside) => {
                let image = self.bring_up_nodes(&making, outside).await?;
                state.send_modify(|state| state.image = image);
            }
            None => self.bring_up_operator(&making, &mut ports).await?,
        }
        Ok(Running { state, requests, kubectl: plane.kubectl, aso })
    }

    /// The operator as processes.
    async fn bring_up_operator(&mut self, making: &Making<'_>, ports: &mut Ports) -> Result<(), Error> {
        let Making { progress, plane, aso, .. } = making;
        self.begin_aso(aso, &plane.kubectl, making.options, progress).await?;
        let mut operator = Vec::new();
        if let Some(origin) = making.origin {
            operator = self.install_operator(making, origin, ports).await?;
            progress.say("the database operator is installed");
        }
        // After all CRDs: its garbage collector then knows them at once, and not only when it looks again, up to
        // half a minute later.
        self.processes.add(plane.controller_manager.clone())?;
        self.finish_aso(aso, &plane.kubectl, progress).await?;
        for spec in operator {
            self.processes.add(spec)?;
        }
        if let Some(tools) = &making.tools.flux {
            let (kubectl, cluster) = (&plane.kubectl, &plane.cluster);
            for spec in flux::install(tools, kubectl, cluster, ports, making.directory.path()).await? {
                self.processes.add(spec)?;
            }
        }
        for name in [CONTROLLER_MANAGER, WEBHOOK, CONTROLLER, SOURCE_CONTROLLER, KUSTOMIZE_CONTROLLER] {
            self.wait_for(name, progress).await?;
        }
        Ok(())
    }

    /// Nodes, and the operator in pods on them. Returns the archive of its image.
    async fn bring_up_nodes(
        &mut self,
        making: &Making<'_>,
        outside: &Outside,
    ) -> Result<Option<PathBuf>, Error> {
        let Making { progress, plane, aso, .. } = making;
        let Some(tools) = &making.tools.nodes else { return Ok(None) };
        self.begin_aso(aso, &plane.kubectl, making.options, progress).await?;
        // Long before there is a pod: the API server takes a second to know it.
        let client_id = self.identify_pods(making, outside).await?;
        let parts = Parts {
            tools,
            authority: making.authority,
            cluster: &node::cluster(outside.api_server, making.authority),
            kubectl: &plane.kubectl,
            directory: making.directory.path(),
            logs: &making.directory.logs(),
            supervisor: outside.supervisor,
        };
        let nodes = Nodes::prepare(&parts, making.options.nodes)?;
        self.start_nodes(&nodes, making).await?;
        self.finish_aso(aso, &plane.kubectl, progress).await?;
        let image = match making.origin {
            Some(origin) => Some(install_in_pods(making, &nodes, origin, client_id).await?),
            None => None,
        };
        self.nodes = Some(nodes);
        Ok(image)
    }

    async fn start_nodes(&mut self, nodes: &Nodes, making: &Making<'_>) -> Result<(), Error> {
        let all = || nodes.all();
        // All at once, as machines start.
        for node in all() {
            self.processes.add(node.containerd)?;
        }
        self.processes.add(making.plane.controller_manager.clone())?;
        self.processes.add(nodes.scheduler.clone())?;
        for node in all() {
            self.wait_for(&node.containerd.name, making.progress).await?;
        }
        nodes.load_pause().await?;
        for node in all() {
            self.processes.add(node.kubelet)?;
            self.processes.add(node.proxy)?;
        }
        self.processes.add(nodes.proxy.clone())?;
        for node in all() {
            self.wait_for(&node.kubelet.name, making.progress).await?;
        }
        self.wait_for(CONTROLLER_MANAGER, making.progress).await
    }

    /// Where the operator logs in to servers, its pods get an identity in Azure. Returns its client id.
    async fn identify_pods(&self, making: &Making<'_>, outside: &Outside) -> Result<Option<String>, Error> {
        let Some(azure) = self.azure.as_ref().filter(|azure| azure.gateway().is_some()) else {
            return Ok(None);
        };
        let place = &making.policy.place;
        let client_id = operator_identity::create(azure, place, &making.plane.issuer);
        let identity = workload_identity::Identity {
            account: operator_identity::ACCOUNT,
            client_id: &client_id,
            tenant_id: &place.tenant_id,
            authority: &format!("https://{MACHINE}:{}", outside.azure),
        };
        let manifests = workload_identity::manifests(&identity).to_string();
        making.plane.kubectl.apply(&manifests).await.map_err(Error::WorkloadIdentity)?;
        Ok(Some(client_id))
    }

    /// Starts a program, and waits until it is ready.
    async fn start(&mut self, spec: crate::process::Spec, progress: &Progress) -> Result<(), Error> {
        let name = spec.name.clone();
        self.processes.add(spec)?;
        self.wait_for(&name, progress).await
    }

    /// Waits until a program is ready, if it is one of this sandbox's.
    async fn wait_for(&mut self, name: &str, progress: &Progress) -> Result<(), Error> {
        if self.processes.has(name) {
            self.processes.ready(name, READY).await?;
            progress.say(&format!("{name} is ready"));
        }
        Ok(())
    }

    /// Installs the CRDs of Azure Service Operator, and starts it, as far as this sandbox is to have it.
    async fn begin_aso(
        &mut self,
        aso: &Aso,
        kubectl: &Kubectl,
        options: &Options,
        progress: &Progress,
    ) -> Result<(), Error> {
        if options.without_aso {
            return Ok(());
        }
        let runs = !options.aso_crds_only;
        aso.install_crds(kubectl, if runs { Crds::Converted } else { Crds::Newest }).await?;
        progress.say("the CRDs of Azure Service Operator are installed");
        if runs {
            self.processes.add(aso.spec.clone())?;
        }
        Ok(())
    }

    async fn finish_aso(&mut self, aso: &Aso, kubectl: &Kubectl, progress: &Progress) -> Result<(), Error> {
        if self.processes.has(ASO) {
            self.processes.ready(ASO, READY).await?;
            aso.install_webhooks(kubectl).await?;
            progress.say("Azure Service Operator is ready");
        }
        Ok(())
    }

    async fn start_azure(
        &mut self,
        authority: &Authority,
        options: &Options,
        place: &Place,
        outside: Option<&Outside>,
        progress: &Progress,
    ) -> Result<state::Azure, Error> {
        // The last one is that which pods use.
        let names = ["127.0.0.1", "localhost", "login.microsoftonline.com", &MACHINE.to_string()];
        let identity = authority.server(&names)?;
        let config = azure::Config {
            addresses: outside.map(addresses).unwrap_or_default(),
            delay: Duration::from_secs(options.azure_delay_seconds),
            arm_cert: certificate(identity),
            postgres: prepare_postgres(authority, options, place, progress).await?,
        };
        let azure = azure::Azure::start(config).await?;
        azure.set_tenant(&place.tenant_id);
        // A platform has its resource group before it installs the operator.
        azure.create_resource_group(&place.subscription_id, &place.resource_group, &place.location);
        let urls = state::Azure {
            endpoint: azure.endpoint(),
            proxy: azure.proxy(),
            control: azure.control(),
            gateway: outside.map_or_else(|| azure.gateway(), |outside| outside.gateway),
        };
        self.azure = Some(azure);
        Ok(urls)
    }

    /// Microsoft Entra ID fetches the keys of the cluster's tokens from where their issuer publishes them.
    async fn publish_keys(&self, plane: &ControlPlane) -> Result<(), Error> {
        let keys = plane.kubectl.run(&["get", "--raw", "/openid/v1/jwks"]).await?;
        let keys = serde_json::from_str(&keys).unwrap_or_default();
        if let Some(azure) = &self.azure
            && !azure.trust_issuer(&plane.issuer, &keys)
        {
            return Err(Error::Keys);
        }
        Ok(())
    }

    async fn install_operator(
        &self,
        making: &Making<'_>,
        origin: &Origin,
        ports: &mut Ports,
    ) -> Result<Vec<crate::process::Spec>, Error> {
        let Making { plane, policy, directory, .. } = making;
        let [webhook, mut controller] = making.installation(origin).install(&policy.text, ports).await?;
        if let Some(azure) = &self.azure
            && let Some(gateway) = azure.gateway()
        {
            let (place, issuer) = (&policy.place, &plane.issuer);
            let ip = gateway.ip();
            let environment = operator_identity::prepare(azure, ip, place, issuer, &plane.kubectl, directory);
            for (name, value) in environment.await? {
                controller = controller.env(name, value);
            }
        }
        Ok(vec![webhook, controller])
    }

    async fn act(&mut self, running: &Running, command: Command) -> Answer {
        let failed = |error: Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        let refused = |error: processes::Error| match error {
            processes::Error::Unknown { .. } => (StatusCode::NOT_FOUND, error.to_string()),
            processes::Error::Down { .. } => (StatusCode::CONFLICT, error.to_string()),
            processes::Error::Process(_) => failed(error.into()),
        };
        match command {
            Command::Process { name, action } => {
                self.processes.act(&name, action).await.map_err(refused)?;
                Ok(Vec::new())
            }
            Command::Probes { name } => self.processes.probes(&name).map_err(refused),
            Command::ConnectNode { name, connected } => self.connect_node(&name, connected).await,
            Command::LoadImage(image) => self.load_image(&image).await.map(|()| Vec::new()),
            Command::InstallAso => {
                self.install_aso(running).await.map_err(|error| match error {
                    Error::Process(error) => refused(error),
                    error => failed(error),
                })?;
                Ok(Vec::new())
            }
        }
    }

    async fn connect_node(&self, name: &str, connected: bool) -> Answer {
        let unknown = || (StatusCode::NOT_FOUND, format!("there is no node {name:?} in this sandbox"));
        let nodes = self.nodes.as_ref().ok_or_else(unknown)?;
        let connected = nodes.set_connected(name, connected).await.ok_or_else(unknown)?;
        connected.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok(Vec::new())
    }

    async fn load_image(&self, image: &Image) -> Result<(), (StatusCode, String)> {
        let without =
            || (StatusCode::CONFLICT, "this sandbox has no nodes: start it with --nodes".to_owned());
        let nodes = self.nodes.as_ref().ok_or_else(without)?;
        let loaded = nodes.load(&image.archive, &image.name).await;
        loaded.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
    }

    /// Also for a sandbox that has it: nothing changes then.
    async fn install_aso(&mut self, running: &Running) -> Result<(), Error> {
        running.aso.install_crds(&running.kubectl, Crds::Converted).await?;
        if !self.processes.has(ASO) {
            self.processes.add(running.aso.spec.clone())?;
        }
        self.processes.ready(ASO, READY).await?;
        Ok(running.aso.install_webhooks(&running.kubectl).await?)
    }

    fn publish(&self, running: &Running, directory: &Directory) -> Result<(), Error> {
        running.state.send_modify(|state| state.processes = self.processes.describe());
        let state = running.state.borrow().clone();
        Ok(directory.write(&state)?)
    }

    async fn end(self) {
        let Self { mut processes, azure, .. } = self;
        // Ours are asked politely: a clean end is part of what is tested.
        processes.end_all(&[WEBHOOK, CONTROLLER]).await;
        if let Some(azure) = azure {
            let stopped = tokio::time::timeout(Duration::from_secs(5), azure.stop()).await;
            if stopped.is_err() {
                tracing::warn!("the stand-in for Azure doesn't stop; it ends with this process");
            }
        }
    }
}

/// Loads the image of the operator into each node, and installs the chart. Returns the archive of the image.
async fn install_in_pods(
    making: &Making<'_>,
    nodes: &Nodes,
    origin: &Origin,
    client_id: Option<String>,
) -> Result<PathBuf, Error> {
    let name = format!("{}:{}", image::OPERATOR, image::TAG);
    let archive = match &making.options.image {
        Some(archive) => archive.clone(),
        None => nodes.pack(&origin.binary, &name).await?,
    };
    nodes.load(&archive, &name).await?;
    making.progress.say("the image of the database operator is on each node");
    let values = operator::in_pods(image::TAG, client_id.as_deref(), MACHINE.into());
    making.installation(origin).install_in_pods(&making.policy.text, &values).await?;
    making.progress.say("the database operator is installed, and its pods are ready");
    Ok(archive)
}

/// Within the network of a sandbox with nodes, pods reach the stand-in for Azure, too.
fn addresses(outside: &Outside) -> azure::Addresses {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    azure::Addresses {
        arm: any(outside.azure),
        control: SocketAddr::from((Ipv4Addr::LOCALHOST, outside.azure_control)),
        gateway: outside.gateway.map(|gateway| any(gateway.port())),
    }
}

fn certificate(identity: certificates::Identity) -> azure::Certificate {
    azure::Certificate { chain_pem: identity.certificate, key_pem: identity.key }
}

/// Has PostgreSQL ready in every version, unless the sandbox is to have none.
async fn prepare_postgres(
    authority: &Authority,
    options: &Options,
    place: &Place,
    progress: &Progress,
) -> Result<Option<azure::Postgres>, Error> {
    if options.without_postgres {
        return Ok(None);
    }
    let progress = *progress;
    let ensured = tokio::task::spawn_blocking(move || postgres::ensure_all(&|what| progress.say(what)));
    ensured.await.map_err(|_| postgres::Error::Interrupted)??;
    Ok(Some(azure::Postgres {
        cert: certificate(authority.server(&["*.postgres.database.azure.com"])?),
        cluster_address: place.cluster_address(),
    }))
}

/// Starts the control endpoint, and says what is needed to feed it.
async fn serve_control(state: State) -> Result<(watch::Sender<State>, mpsc::Receiver<Request>), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, state.control)).await.map_err(Error::Control)?;
    let (state, watched) = watch::channel(state);
    let (requests, received) = mpsc::channel(16);
    tokio::spawn(async move {
        if let Err(error) = control::serve(listener, watched, requests).await {
            tracing::error!(%error, "the control endpoint ended");
        }
    });
    Ok((state, received))
}
