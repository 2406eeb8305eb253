//! The few lines of a go.mod that say which tools there are and which Go builds them.

use std::fs;
use std::path::Path;

use super::Error;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GoMod {
    pub(super) go: String,
    /// Its own name.
    module: String,
    tools: Vec<String>,
    /// (module, version)
    requires: Vec<(String, String)>,
}

impl GoMod {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::GoMod { path: path.to_owned(), source })?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut module = Self::default();
        // Inside `require ( … )` the lines have no keyword of their own.
        let mut block: Option<&str> = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if first == ")" {
                block = None;
                continue;
            }
            let (keyword, first) = match block {
                Some(keyword) => (keyword, Some(first)),
                None => (first, words.next()),
            };
            let Some(first) = first else { continue };
            if first == "(" {
                block = Some(keyword);
                continue;
            }
            match keyword {
                "go" => first.clone_into(&mut module.go),
                "module" => first.clone_into(&mut module.module),
                "tool" => module.tools.push(first.to_owned()),
                "require" => {
                    if let Some(version) = words.next() {
                        module.requires.push((first.to_owned(), version.to_owned()));
                    }
                }
                _ => {}
            }
        }
        module
    }

    /// Whether the package is that of the folder itself, which is written here.
    pub(super) fn is(&self, package: &str) -> bool {
        self.module == package
    }

    /// The version of the module that the package of a `tool` line belongs to: the one with the longest matching path. What is
    /// written here has that of the first module that it requires.
    pub(super) fn version_of_tool(&self, package: &str) -> Option<&str> {
        if self.is(package) {
            return self.requires.first().map(|(_, version)| version.as_str());
        }
        self.tools.iter().find(|tool| *tool == package)?;
        self.requires
            .iter()
            .filter(|(module, _)| {
                package
                    .strip_prefix(module.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|(module, _)| module.len())
            .map(|(_, version)| version.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str = "\
// A comment.
module example.com/tools

go 1.26.0

tool (
\texample.com/a/v2/cmd/one
\texample.com/b
)

tool example.com/a/cmd/two

require (
\texample.com/a v1.0.0 // indirect
\texample.com/a/v2 v2.20.0 // indirect
)

require example.com/b v0.3.0

replace (
\texample.com/b => example.com/c v9.9.9
)
";

    #[test]
    fn a_tools_version_is_that_of_the_nearest_module() {
        let module = GoMod::parse(GO_MOD);
        assert_eq!(module.go, "1.26.0");
        assert_eq!(module.version_of_tool("example.com/a/v2/cmd/one"), Some("v2.20.0"));
        assert_eq!(module.version_of_tool("example.com/a/cmd/two"), Some("v1.0.0"));
        assert_eq!(module.version_of_tool("example.com/b"), Some("v0.3.0"));
    }

    #[test]
    fn a_package_without_a_tool_line_has_no_version() {
        assert_eq!(GoMod::parse(GO_MOD).version_of_tool("example.com/a/cmd/three"), None);
    }

    #[test]
    fn what_is_written_here_has_the_version_of_what_it_is_made_of() {
        assert_eq!(GoMod::parse(GO_MOD).version_of_tool("example.com/tools"), Some("v1.0.0"));
    }

    #[test]
    fn every_tool_of_the_sandbox_has_a_version() {
        for tool in &super::super::TOOLS {
            let version = tool.version(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
            assert!(version.starts_with('v'), "{}: {version}", tool.name);
        }
    }
}
