//! Writes the operator's image as an OCI archive, without a container engine: for each architecture one binary, in an image that
//! has nothing else. The same binaries always make the same bytes: no file has a time, an owner, or a place of its own.

mod archive;

use std::{fs, path::PathBuf, process::ExitCode};

use archive::{Binary, Image};
use clap::Parser;

/// Write an OCI archive of an image that has one file
#[derive(Debug, Parser)]
#[command(name = "oci-archive")]
struct Cli {
    /// Full name of the image, such as ghcr.io/altinn/database-operator:0.1.0
    #[arg(long, value_parser = name)]
    name: Name,
    /// A label, such as org.opencontainers.image.version=0.1.0
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// A binary, after the name that Go has for its architecture: amd64=FILE or arm64=FILE
    #[arg(long = "binary", value_name = "ARCHITECTURE=FILE", value_parser = binary, required = true)]
    binaries: Vec<(String, PathBuf)>,
    /// User and group of the process, as numbers
    #[arg(long)]
    user: String,
    /// The archive
    #[arg(long)]
    output: PathBuf,
}

#[derive(Clone, Debug)]
struct Name {
    full: String,
    tag: String,
}

fn name(text: &str) -> Result<Name, String> {
    // A colon before the last slash is that of a port.
    let path = text.rsplit('/').next().unwrap_or_default();
    let tag = path.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty());
    let tag = tag.ok_or("write a name with a tag, such as ghcr.io/altinn/database-operator:0.1.0")?;
    Ok(Name { full: text.to_owned(), tag: tag.to_owned() })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn binary(text: &str) -> Result<(String, PathBuf), String> {
    let known = text.split_once('=').filter(|(architecture, _)| ["amd64", "arm64"].contains(architecture));
    let (architecture, file) = known.ok_or("write amd64=FILE or arm64=FILE")?;
    Ok((architecture.to_owned(), file.into()))
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("can't read the binary {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

fn run(cli: Cli) -> Result<(), Error> {
    let mut binaries = Vec::new();
    for (architecture, path) in cli.binaries {
        let bytes = fs::read(&path).map_err(|source| Error::Read { path, source })?;
        binaries.push(Binary { architecture, bytes });
    }
    let image = Image {
        name: cli.name.full,
        tag: cli.name.tag,
        user: cli.user,
        labels: cli.labels.into_iter().collect(),
        binaries,
    };
    let failed = |source| Error::Write { path: cli.output.clone(), source };
    let written = archive::write(&image).map_err(failed)?;
    fs::write(&cli.output, written.bytes).map_err(failed)?;
    println!("{} {}", image.name, written.digest);
    Ok(())
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
