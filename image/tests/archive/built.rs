//! The image as `make image` has built it, for whatever architectures that was: `make image-test`.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use object::{Object, ObjectSection, elf};
use serde_json::Value;

use crate::layout::{self, Image, Layout};

/// Of each architecture, compressed.
const LARGEST: u64 = 12_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap()
}

fn built() -> Layout {
    let layout = layout::read(&root().join("target/image/database-operator.oci.tar"));
    assert!(!layout.images.is_empty());
    layout
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

fn json(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

/// The one file of an image.
fn binary(image: &Image) -> &[u8] {
    let [(header, bytes)] = &image.files[..] else { panic!("not one file") };
    assert_eq!(layout::name(header), "database-operator");
    bytes
}

fn label<'a>(image: &'a Image, name: &str) -> &'a str {
    &image.config.config().as_ref().unwrap().labels().as_ref().unwrap()[name]
}

#[test]
#[ignore = "needs what `make image` builds; `make image-test` runs it"]
fn it_is_the_image_that_the_chart_asks_for() {
    let (values, chart) =
        (yaml("charts/database-operator/values.yaml"), yaml("charts/database-operator/Chart.yaml"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let version = text(&chart["appVersion"]);
    let image = &values["image"];
    let name = format!("{}/{}:{version}", text(&image["registry"]), text(&image["repository"]));
    let layout = built();
    assert_eq!(layout.names, [name, version.clone()]);
    let ids = &values["securityContext"];
    let user = format!("{}:{}", ids["runAsUser"], ids["runAsGroup"]);
    for image in layout.images.values() {
        assert_eq!(image.config.config().as_ref().unwrap().user().as_ref(), Some(&user));
        assert_eq!(label(image, "org.opencontainers.image.version"), version);
    }
}

#[test]
#[ignore = "needs what `make image` builds; `make image-test` runs it"]
fn it_has_one_small_static_file_that_tells_no_place() {
    let layout = built();
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME")).unwrap();
    for (architecture, image) in &layout.images {
        let size = layout.compressed[architecture];
        println!("{architecture}: {size} bytes compressed, {} not", binary(image).len());
        assert!(size <= LARGEST, "{architecture}: {size} bytes");

        let file = elf_file(binary(image));
        let machine = if architecture == "amd64" { elf::EM_X86_64 } else { elf::EM_AARCH64 };
        assert_eq!(file.elf_header().e_machine.get(file.endian()), machine);
        let interpreters = file.elf_program_headers().iter();
        let mut interpreters =
            interpreters.filter(|header| header.p_type.get(file.endian()) == elf::PT_INTERP);
        assert!(interpreters.next().is_none(), "{architecture}: it wants a loader");
        assert_eq!(file.imports().unwrap().len(), 0, "{architecture}: it wants libraries");

        let text = String::from_utf8_lossy(binary(image));
        for place in [root().display().to_string(), home.clone()] {
            let at = text.find(&format!("{place}/"));
            assert!(
                at.is_none(),
                "{architecture}: {}",
                text[at.unwrap()..].chars().take(200).collect::<String>()
            );
        }
    }
}

fn elf_file(bytes: &[u8]) -> object::read::elf::ElfFile64<'_> {
    object::read::elf::ElfFile64::parse(bytes).unwrap()
}

/// Runs a binary, of another architecture by QEMU. Kernels for arm64 may have pages of 64 KiB, and an allocator that was built for
/// smaller ones ends the process there.
fn run(architecture: &str, program: &Path) -> String {
    let machine = if architecture == "amd64" { "x86_64" } else { "aarch64" };
    let mut command = if machine == std::env::consts::ARCH {
        Command::new(program)
    } else {
        let mut qemu = Command::new(format!("qemu-{machine}-static"));
        if machine == "aarch64" {
            qemu.args(["-p", "65536"]);
        }
        qemu.arg(program);
        qemu
    };
    // An image has no environment either.
    let output = command.env_clear().env("PATH", std::env::var("PATH").unwrap()).arg("--version").output();
    let output = output.unwrap_or_else(|error| {
        panic!("{command:?}: {error}; install QEMU (Debian: apt install qemu-user-static)")
    });
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs what `make image` builds; `make image-test` runs it"]
fn it_starts_and_says_its_version_and_commit() {
    let folder = tempfile::tempdir().unwrap();
    for (architecture, image) in &built().images {
        let program = folder.path().join(architecture);
        fs::write(&program, binary(image)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let said = run(architecture, &program);
        println!("{architecture}: {}", said.trim());
        let [version, commit] =
            ["version", "revision"].map(|name| label(image, &format!("org.opencontainers.image.{name}")));
        assert!(commit.trim_end_matches("-dirty").len() == 40, "{commit}");
        assert_eq!(said, format!("database-operator {version} (commit {commit})\n"));
    }
}

type Packages = BTreeSet<(String, String)>;

fn packages<'a>(list: impl IntoIterator<Item = &'a Value>) -> Packages {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.into_iter().map(|package| (text(&package["name"]), text(&package["version"]))).collect()
}

/// The list that cargo-auditable has put into the binary: <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>
fn packages_in(binary: &[u8]) -> Packages {
    let file = elf_file(binary);
    let section = file.section_by_name(".dep-v0").unwrap_or_else(|| panic!("no list of dependencies"));
    let mut json = String::new();
    flate2::read::ZlibDecoder::new(section.data().unwrap()).read_to_string(&mut json).unwrap();
    let list: Value = serde_json::from_str(&json).unwrap();
    let all = list["packages"].as_array().unwrap();
    packages(all.iter().filter(|package| package["kind"] != "build"))
}

#[test]
#[ignore = "needs what `make image` builds; `make image-test` runs it"]
fn the_sbom_has_what_is_in_the_binary_each_with_a_licence() {
    let sbom = json("target/image/database-operator.cdx.json");
    assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert!(!sbom.to_string().contains(&format!("{}/", root().display())));
    let product = &sbom["metadata"]["component"];
    let components = sbom["components"].as_array().unwrap();
    let all: Vec<&Value> = components.iter().chain([product]).collect();
    let unlicensed =
        all.iter().filter(|component| component["licenses"].as_array().is_none_or(Vec::is_empty));
    assert_eq!(unlicensed.map(|component| &component["name"]).collect::<Vec<_>>(), Vec::<&Value>::new());
    let listed = packages(all);
    for (architecture, image) in &built().images {
        let linked = packages_in(binary(image));
        assert!(linked.len() > 100, "{architecture}: {}", linked.len());
        let missing: Vec<_> = linked.difference(&listed).collect();
        assert!(missing.is_empty(), "{architecture}: not in the SBOM: {missing:?}");
        println!("{architecture}: {} packages in the binary, {} in the SBOM", linked.len(), listed.len());
    }
}
