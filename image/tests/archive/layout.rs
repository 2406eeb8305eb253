//! Reads an archive, and believes nothing that it says of itself.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout};
use sha2::{Digest, Sha256};
use tar::Archive;

/// An image of one architecture, as a node gets it.
#[derive(Debug)]
pub struct Image {
    pub config: ImageConfiguration,
    pub manifest: ImageManifest,
    /// Headers and contents of the files, in their order.
    pub files: Vec<(tar::Header, Vec<u8>)>,
}

#[derive(Debug)]
pub struct Layout {
    /// What containerd names it, and the tag.
    pub names: [String; 2],
    pub index: ImageIndex,
    pub images: BTreeMap<String, Image>,
    /// What a registry keeps, and a node pulls.
    pub compressed: BTreeMap<String, u64>,
}

struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// What a descriptor stands for, by its digest and size.
    #[track_caller]
    fn get(&mut self, descriptor: &Descriptor, media_type: &MediaType) -> Vec<u8> {
        assert_eq!(descriptor.media_type(), media_type);
        let digest = descriptor.digest().to_string();
        let path = format!("blobs/{}", digest.replace(':', "/"));
        let bytes = self.0.remove(&path).unwrap_or_else(|| panic!("{path} is missing, or used twice"));
        assert_eq!(sha256(&bytes), digest);
        assert_eq!(bytes.len() as u64, descriptor.size(), "{digest}");
        bytes
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

fn files(tar: impl Read) -> Vec<(tar::Header, Vec<u8>)> {
    let mut tar = Archive::new(tar);
    let files = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.header().clone(), bytes)
    });
    files.collect()
}

pub fn name(header: &tar::Header) -> String {
    header.path().unwrap().display().to_string()
}

pub fn read(path: &Path) -> Layout {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut blobs = Blobs(BTreeMap::new());
    for (header, bytes) in files(file) {
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
        let before = blobs.0.insert(name(&header), bytes);
        assert!(before.is_none(), "{} is there twice", name(&header));
    }
    let layout = blobs.0.remove("oci-layout").unwrap();
    assert_eq!(OciLayout::from_reader(&*layout).unwrap().image_layout_version(), "1.0.0");
    let contents = ImageIndex::from_reader(&*blobs.0.remove("index.json").unwrap()).unwrap();
    let [whole] = &contents.manifests()[..] else { panic!("{contents:?}") };
    let annotations = whole.annotations().clone().unwrap();
    let names =
        ["io.containerd.image.name", "org.opencontainers.image.ref.name"].map(|key| annotations[key].clone());
    let index = ImageIndex::from_reader(&*blobs.get(whole, &MediaType::ImageIndex)).unwrap();
    let (mut images, mut compressed) = (BTreeMap::new(), BTreeMap::new());
    for descriptor in index.manifests() {
        let platform = descriptor.platform().clone().unwrap();
        let manifest = blobs.get(descriptor, &MediaType::ImageManifest);
        let manifest = ImageManifest::from_reader(&*manifest).unwrap();
        let config = blobs.get(manifest.config(), &MediaType::ImageConfig);
        let config = ImageConfiguration::from_reader(&*config).unwrap();
        assert_eq!((config.architecture(), config.os()), (platform.architecture(), platform.os()));
        let [layer] = &manifest.layers()[..] else { panic!("{manifest:?}") };
        let layer = blobs.get(layer, &MediaType::ImageLayerGzip);
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&*layer).read_to_end(&mut tar).unwrap();
        assert_eq!(*config.rootfs().diff_ids(), [sha256(&tar)]);
        let architecture = platform.architecture().to_string();
        compressed.insert(architecture.clone(), layer.len() as u64);
        images.insert(architecture, Image { config, manifest, files: files(&*tar) });
    }
    assert!(blobs.0.is_empty(), "nothing points to {:?}", blobs.0.keys());
    Layout { names, index, images, compressed }
}
