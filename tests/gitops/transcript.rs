//! What people see when they do as a page says, compared with what the page shows.

use std::{fs, path::Path};

use regex_lite::Regex;

use crate::common::{Story, run};

/// How wide the pages are.
const WIDTH: usize = 125;

/// Commands, each with what it prints.
pub(crate) struct Transcript {
    text: String,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self { text: String::new() }
    }

    /// Something that people do with Git.
    pub(crate) fn did(&mut self, command: &str) {
        self.show(&format!("$ {command}"));
    }

    /// A command that is run, and prints something.
    pub(crate) fn kubectl(&mut self, story: &Story<'_>, arguments: &[&str]) {
        // As a shell takes it.
        let quoted = |argument: &&str| argument.replacen("={", "='{", 1).replacen('}', "}'", 1);
        let shown: Vec<String> = arguments.iter().map(quoted).collect();
        self.did(&format!("kubectl {}", shown.join(" ")));
        let output = run(story.sandbox.kubectl(arguments), "").succeeded();
        output.lines().for_each(|line| self.show(line));
    }

    /// Long lines are broken.
    fn show(&mut self, line: &str) {
        let mut rest = line.trim_end();
        while rest.chars().count() > WIDTH {
            let limit = rest.char_indices().nth(WIDTH + 1).map_or(rest.len(), |(index, _)| index);
            let Some(space) = rest[..limit].rfind(' ') else { break };
            self.text.push_str(rest[..space].trim_end());
            self.text.push('\n');
            rest = rest[space..].trim_start();
        }
        self.text.push_str(rest);
        self.text.push('\n');
    }

    /// Fails the test where the page shows something else in the first block after this line. `DOCS=write` has the page show
    /// it.
    #[track_caller]
    pub(crate) fn check(&self, page: &str, after: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find(after).unwrap_or_else(|| panic!("{page} has no line {after:?}"));
        let start = start + text[start..].find("```\n").expect("a block") + "```\n".len();
        let end = start + text[start..].find("```\n").expect("its end");
        if std::env::var_os("DOCS").is_some_and(|value| value == "write") {
            fs::write(&path, format!("{}{}{}", &text[..start], self.text, &text[end..])).unwrap();
            return;
        }
        assert_eq!(
            timeless(&text[start..end]),
            timeless(&self.text),
            "{page} shows something else after {after:?}; write it anew: DOCS=write make gitops"
        );
    }
}

/// Without what differs from run to run: ages, moments, and how wide columns are for them.
fn timeless(text: &str) -> String {
    let text = Regex::new(r"\b\d+(m\d+)?[sm]\b").unwrap().replace_all(text, "AGE");
    let text = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap().replace_all(&text, "MOMENT");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
