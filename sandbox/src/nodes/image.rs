//! Images of containers, without a registry: packed from a program, and loaded into the containerd of a node.
//!
//! An archive has the OCI image layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::command::{self, run};

/// What runs as the operator's pods, where the chart looks for it.
pub(crate) const OPERATOR: &str = "ghcr.io/altinn/database-operator";
/// Of the image that a sandbox packs or is given.
pub(crate) const TAG: &str = "sandbox";
/// What keeps the namespaces of a pod.
pub(crate) const PAUSE: &str = "registry.k8s.io/pause:sandbox";
/// Of whoever has no rights anywhere, as in the chart.
const NOBODY: &str = "65532:65532";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't pack {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Command(#[from] command::Error),
}

/// Packs a program and the libraries that it needs into an archive. The same program makes the same bytes.
pub(crate) async fn pack(program: &Path, name: &str, archive: &Path) -> Result<(), Error> {
    let failed = |source| Error::Io { path: archive.to_owned(), source };
    let staging = archive.with_extension("unpacked");
    let (root, layout) = (staging.join("root"), staging.join("layout"));
    let file_name = program.file_name().unwrap_or_default();
    let copied = root.join(file_name);
    fs::create_dir_all(&root).and_then(|()| fs::copy(program, &copied)).map_err(failed)?;
    for library in libraries(program).await? {
        let place = root.join(library.strip_prefix("/").unwrap_or(&library));
        let folder = place.parent().unwrap_or(&root);
        fs::create_dir_all(folder).and_then(|()| fs::copy(&library, &place)).map_err(failed)?;
    }
    // Lines of the source, which nobody looks at there, are most of a program that was built for tests.
    run(Path::new("strip"), &[Path::new("--strip-debug"), copied.as_path()]).await?;

    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(failed)?;
    let layer = blobs.join("layer");
    tar(&root, &layer).await?;
    let layer = named(&layer).map_err(failed)?;
    let entrypoint = Path::new("/").join(file_name);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": { "Entrypoint": [entrypoint], "User": NOBODY },
        "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
    });
    let config = described(&blobs, "application/vnd.oci.image.config.v1+json", &config).map_err(failed)?;
    let mut layer = layer;
    layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into();
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer] });
    let mut manifest = described(&blobs, manifest_type, &manifest).map_err(failed)?;
    manifest["annotations"] = json!({ "io.containerd.image.name": name });
    manifest["platform"] = json!({ "architecture": architecture, "os": "linux" });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
        .and_then(|()| fs::write(layout.join("index.json"), index.to_string()))
        .map_err(failed)?;
    tar(&layout, archive).await?;
    fs::remove_dir_all(&staging).map_err(failed)
}

/// The libraries that a program is linked with; none if it is linked statically.
async fn libraries(program: &Path) -> Result<Vec<PathBuf>, Error> {
    match run(Path::new("ldd"), &[program]).await {
        Ok(said) => Ok(paths(&said)),
        Err(command::Error::Failed { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// In lines such as `libc.so.6 => /lib/libc.so.6 (0x1234)` and `/lib64/ld-linux-x86-64.so.2 (0x1234)`.
fn paths(said: &str) -> Vec<PathBuf> {
    said.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// With nothing in it that depends on when and by whom it was made.
async fn tar(folder: &Path, archive: &Path) -> Result<(), command::Error> {
    let flags: [&str; 8] = [
        "--sort=name",
        "--mtime=@0",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=u+w,go-w,a+rX",
        "--format=ustar",
        "--create",
    ];
    let mut arguments: Vec<&Path> = flags.iter().map(Path::new).collect();
    arguments.extend([Path::new("--file"), archive, Path::new("--directory"), folder, Path::new(".")]);
    run(Path::new("tar"), &arguments).await.map(drop)
}

/// Gives a blob the name of its digest, and describes it.
fn named(blob: &Path) -> io::Result<Value> {
    let mut digest = Sha256::new();
    let size = io::copy(&mut fs::File::open(blob)?, &mut digest)?;
    let digest = format!("{:x}", digest.finalize());
    fs::rename(blob, blob.with_file_name(&digest))?;
    Ok(json!({ "digest": format!("sha256:{digest}"), "size": size }))
}

fn described(blobs: &Path, media_type: &str, content: &Value) -> io::Result<Value> {
    let blob = blobs.join("blob");
    fs::write(&blob, content.to_string())?;
    let mut description = named(&blob)?;
    description["mediaType"] = media_type.into();
    Ok(description)
}

/// For how long an image is loaded again. containerd sometimes says of what it has just written that it is not found.
const LOADED: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

/// Where a node's containerd is reached.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) ctr: PathBuf,
    pub(crate) socket: PathBuf,
}

impl Store {
    /// Gives the image of an archive a name on this node.
    pub(crate) async fn load(&self, archive: &Path, name: &str) -> Result<(), command::Error> {
        let words = ["--namespace=k8s.io", "images", "import", "--index-name", name];
        let mut arguments: Vec<&Path> = vec![Path::new("--address"), self.socket.as_path()];
        arguments.extend(words.iter().map(Path::new));
        arguments.push(archive);
        self.load_by(&arguments, LOADED).await
    }

    async fn load_by(&self, arguments: &[&Path], within: Duration) -> Result<(), command::Error> {
        let started = Instant::now();
        loop {
            let loaded = run(&self.ctr, arguments).await.map(drop);
            if loaded.is_ok() || started.elapsed() >= within {
                return loaded;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_lie_somewhere() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/libm.so.6 (0x00007f28)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f29)\n";
        assert_eq!(paths(said), ["/lib/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(Path::new));
        assert_eq!(paths("\tstatically linked\n"), Vec::<PathBuf>::new());
    }

    #[rstest::rstest]
    #[case::in_time(Duration::MAX, 3)]
    #[case::too_late(Duration::ZERO, 1)]
    #[tokio::test]
    async fn an_image_is_loaded_again_where_that_fails(#[case] within: Duration, #[case] expected: usize) {
        let folder = tempfile::tempdir().unwrap();
        let (ctr, said) = (folder.path().join("ctr"), folder.path().join("said"));
        fs::write(&ctr, format!("echo once >>{0}\n[ $(wc -l <{0}) -ge 3 ]\n", said.display())).unwrap();
        let store = Store { ctr: "/bin/sh".into(), socket: ctr };
        let loaded = store.load_by(&[&store.socket], within).await;
        assert_eq!(loaded.is_ok(), expected == 3, "{loaded:?}");
        assert_eq!(fs::read_to_string(said).unwrap().lines().count(), expected);
    }

    #[tokio::test]
    async fn the_same_program_is_packed_into_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one.tar"), folder.path().join("two.tar"));
        for archive in [&one, &two] {
            pack(Path::new("/bin/sh"), "example.org/sh:1", archive).await.unwrap();
        }
        assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
        let listed =
            run(Path::new("tar"), &[Path::new("--list"), Path::new("--file"), one.as_path()]).await.unwrap();
        assert_eq!(
            listed.lines().filter(|line| line.starts_with("./blobs/sha256/") && !line.ends_with('/')).count(),
            3
        );
    }
}
