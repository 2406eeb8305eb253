//! Archives of made-up binaries.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use crate::layout::{self, Layout};

const NAME: &str = "registry.example:5000/team/operator:1.2.3";

fn command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oci-archive"));
    command.current_dir(folder).args(["--user", "65532:65532", "--output", "image.tar"]);
    command.args(arguments).output().unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), arguments);
    assert!(!output.status.success(), "{output:?}");
    assert!(!folder.path().join("image.tar").exists());
    String::from_utf8(output.stderr).unwrap()
}

/// With two binaries, which have this mode on the disk.
fn write(folder: &Path, mode: u32) -> Layout {
    for (file, text) in [("one", "of one architecture"), ("other", "of the other")] {
        fs::write(folder.join(file), text).unwrap();
        fs::set_permissions(folder.join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    let labels = ["--label", "org.opencontainers.image.version=1.2.3", "--label", "a=b=c"];
    let binaries = ["--binary", "amd64=one", "--binary", "arm64=other"];
    let output = command(folder, &[&["--name", NAME][..], &labels, &binaries].concat());
    assert!(output.status.success(), "{output:?}");
    let layout = layout::read(&folder.join("image.tar"));
    let printed = String::from_utf8(output.stdout).unwrap();
    let digest = printed.trim().strip_prefix(NAME).unwrap().trim();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{printed}");
    layout
}

#[test]
fn an_archive_has_an_image_with_one_file_for_each_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let layout = write(folder.path(), 0o640);
    assert_eq!(layout.names, [NAME, "1.2.3"]);
    for (architecture, text) in [("amd64", "of one architecture"), ("arm64", "of the other")] {
        let image = &layout.images[architecture];
        let config = image.config.config().as_ref().unwrap();
        assert_eq!(config.user().as_deref(), Some("65532:65532"));
        assert_eq!(*config.entrypoint(), Some(vec!["/database-operator".to_owned()]));
        let labels = config.labels().as_ref().unwrap();
        assert_eq!(
            (labels["org.opencontainers.image.version"].as_str(), labels["a"].as_str()),
            ("1.2.3", "b=c")
        );
        assert_eq!(image.manifest.annotations().as_ref(), Some(labels));
        assert_eq!(layout.index.annotations().as_ref(), Some(labels));
        let [(header, bytes)] = &image.files[..] else { panic!("{image:?}") };
        assert_eq!((layout::name(header).as_str(), &bytes[..]), ("database-operator", text.as_bytes()));
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        assert_eq!((header.mode().unwrap(), owner), (0o755, (0, 0, 0)));
    }
    assert_eq!(layout.images.len(), 2);
}

#[test]
fn the_same_binaries_make_the_same_bytes_wherever_and_however_they_lie() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    write(folders[0].path(), 0o640);
    write(folders[1].path(), 0o755);
    let [one, other] = folders.each_ref().map(|folder| fs::read(folder.path().join("image.tar")).unwrap());
    assert!(one == other);
}

#[test]
fn what_is_missing_or_misspelt_is_named_with_what_to_write() {
    for name in ["operator", "registry.example:5000/operator", "operator:"] {
        let said = refused(&["--name", name, "--binary", "amd64=one"]);
        assert!(said.contains(&format!("invalid value '{name}' for '--name <NAME>'")), "{said}");
        assert!(
            said.contains("write a name with a tag, such as ghcr.io/altinn/database-operator:0.1.0"),
            "{said}"
        );
    }
    for binary in ["one", "x86_64=one"] {
        let said = refused(&["--name", NAME, "--binary", binary]);
        assert!(said.contains("write amd64=FILE or arm64=FILE"), "{said}");
    }
    let said = refused(&["--name", NAME, "--binary", "amd64=one"]);
    assert!(said.starts_with("error: can't read the binary one: No such file or directory"), "{said}");
    assert!(refused(&["--name", NAME]).contains("--binary <ARCHITECTURE=FILE>"));
}
