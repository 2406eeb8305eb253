//! The pages that people read, and what stands in them as code.

use std::path::{Path, PathBuf};

/// Pages outside of docs/.
const OTHERS: [&str; 5] =
    ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "charts/database-operator/README.md"];

#[derive(Debug)]
pub struct Page {
    /// From the root of the repository.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// A part of a page between two fences.
#[derive(Debug)]
pub struct Block {
    pub language: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, in the order of their names.
pub fn all() -> Vec<Page> {
    let in_docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let in_docs = in_docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut paths: Vec<PathBuf> = in_docs.chain(OTHERS.iter().map(|name| root().join(name))).collect();
    paths.sort();
    let page = |path: PathBuf| Page {
        name: path.strip_prefix(root()).unwrap().display().to_string(),
        text: std::fs::read_to_string(&path).unwrap(),
        path,
    };
    paths.into_iter().map(page).collect()
}

pub fn page(name: &str) -> Page {
    all().into_iter().find(|page| page.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

impl Page {
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else { continue };
            // One in a list is indented as a whole.
            let indent = line.len() - line.trim_start().len();
            let body = lines.by_ref().take_while(|line| line.trim() != "```");
            let text = body.flat_map(|line| [line.get(indent..).unwrap_or_default(), "\n"]).collect();
            blocks.push(Block { language: language.to_owned(), text });
        }
        blocks
    }

    /// What stands in backquotes, outside of blocks.
    pub fn spans(&self) -> Vec<String> {
        let prose: Vec<&str> = self.text.split("```").step_by(2).collect();
        let spans = prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2));
        // A long one may go on in the next line.
        spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Commands, each on one line: of shells, without a prompt, and in backquotes.
    pub fn commands(&self) -> Vec<String> {
        let shells = self.blocks().into_iter().filter(|block| ["sh", "console"].contains(&&*block.language));
        let text: String = shells.map(|block| block.text).collect();
        let joined = text.replace("\\\n", " ");
        let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ ").to_owned());
        lines.chain(self.spans()).filter(|line| !line.is_empty()).collect()
    }
}
