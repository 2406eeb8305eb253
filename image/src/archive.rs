//! The archive: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>, in a tar file.

use std::{collections::BTreeMap, io};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Where the binary is in the image.
const BINARY: &str = "database-operator";
/// Whoever builds it again builds it later.
const CREATED: &str = "1970-01-01T00:00:00Z";

#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) tag: String,
    pub(crate) user: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) binaries: Vec<Binary>,
}

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) architecture: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Written {
    /// Of the image, as a registry will name it.
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// Blobs by their digest, in the order in which they were added, each once.
#[derive(Debug, Default)]
struct Blobs(Vec<(String, Vec<u8>)>);

impl Blobs {
    /// Gives the descriptor.
    fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        if !self.0.iter().any(|(known, _)| *known == digest) {
            self.0.push((digest, bytes));
        }
        descriptor
    }
}

pub(crate) fn write(image: &Image) -> io::Result<Written> {
    let mut blobs = Blobs::default();
    let mut manifests = Vec::new();
    for binary in &image.binaries {
        let mut manifest = manifest(&mut blobs, image, binary)?;
        manifest["platform"] = json!({"architecture": binary.architecture, "os": "linux"});
        manifests.push(manifest);
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": image.labels,
    });
    let mut index = blobs.add(INDEX, index.to_string().into_bytes());
    let digest = index["digest"].as_str().unwrap_or_default().to_owned();
    // By the first, containerd names what it imports; by the second, other tools find it.
    index["annotations"] =
        json!({"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.tag});
    let contents = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]});

    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut tar, "index.json", 0o644, contents.to_string().as_bytes())?;
    for (digest, bytes) in &blobs.0 {
        append(&mut tar, &format!("blobs/{}", digest.replace(':', "/")), 0o644, bytes)?;
    }
    Ok(Written { digest, bytes: tar.into_inner()? })
}

/// The image for one architecture; gives its descriptor.
fn manifest(blobs: &mut Blobs, image: &Image, binary: &Binary) -> io::Result<Value> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, BINARY, 0o755, &binary.bytes)?;
    let tar = tar.into_inner()?;
    let config = json!({
        "architecture": binary.architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "User": image.user,
            "Entrypoint": [format!("/{BINARY}")],
            "WorkingDir": "/",
            "Labels": image.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
        "history": [{"created": CREATED, "created_by": "make image"}],
    });
    let layer = blobs.add(LAYER, compressed(&tar)?);
    let config = blobs.add(CONFIG, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "annotations": image.labels,
    });
    Ok(blobs.add(MANIFEST, manifest.to_string().into_bytes()))
}

/// A file of root's, as old as time.
fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, path, bytes)
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    io::Write::write_all(&mut gzip, bytes)?;
    gzip.finish()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
