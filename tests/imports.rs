//! No two files import each other, be it through others: who reads one must not have to read all of them. In the controller,
//! folders stand above each other, and none takes anything from one above it.
//!
//! A file and the `mod.rs` of its folder are one: what they take from each other is no import. Tests take what they want.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use syn::{
    Attribute, Item, UseTree,
    visit::{self, Visit},
};
use walkdir::WalkDir;

const CRATES: [&str; 9] = [
    "api/src",
    "exposition/src",
    "policy/src",
    "certs/src",
    "postgres/src",
    "webhook/src",
    "sandbox/src",
    "image/src",
    "src",
];

/// The names of the modules from the root of the crate, such as `controller`, `retained`, `plan`.
type Module = Vec<String>;

/// What a file says of others.
#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    /// Paths as they are written.
    paths: Vec<Vec<String>>,
    /// What it hands on, by the name under which it does.
    handed_on: BTreeMap<String, Vec<String>>,
}

struct Crate {
    files: BTreeMap<Module, File>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

/// Each path of a `use`, and the name that it gets.
fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => found.push((with(&name.ident), name.ident.to_string())),
        UseTree::Rename(rename) => found.push((with(&rename.ident), rename.rename.to_string())),
        UseTree::Glob(_) => found.push((before.to_vec(), "*".to_owned())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes(item)) {
            return;
        }
        if let Item::Use(item) = item {
            let mut found = Vec::new();
            flatten(&item.tree, &[], &mut found);
            for (path, name) in found {
                if !matches!(item.vis, syn::Visibility::Inherited) {
                    self.handed_on.insert(name, path.clone());
                }
                self.paths.push(path);
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut tests = BTreeSet::new();
        for entry in WalkDir::new(source).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let parsed = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let relative = path.strip_prefix(source).unwrap().with_extension("");
            let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned();
            let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
                module.pop();
            }
            for item in &parsed.items {
                if let Item::Mod(item) = item
                    && is_test(&item.attrs)
                {
                    tests.insert([module.clone(), vec![item.ident.to_string()]].concat());
                }
            }
            let mut file = File { path, ..File::default() };
            file.visit_file(&parsed);
            files.insert(module, file);
        }
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { files }
    }

    /// The file in which that lies which a path names, as it is written in this module.
    fn target(&self, from: &[String], path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let parent = || from.split_last().map(|(_, parent)| parent.to_vec());
        match first.as_str() {
            "crate" => self.within(Vec::new(), rest),
            "self" => self.within(from.to_vec(), rest),
            "super" if rest.first().is_some_and(|next| next == "super") => self.target(&parent()?, rest),
            "super" => self.within(parent()?, rest),
            // A module of this one's own.
            child => {
                let child = [from, &[child.to_owned()]].concat();
                self.files.contains_key(&child).then(|| self.within(child, rest)).flatten()
            }
        }
    }

    fn within(&self, mut module: Module, path: &[String]) -> Option<Module> {
        for (index, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.files.contains_key(&module) {
                continue;
            }
            module.pop();
            let handed_on = self.files.get(&module)?.handed_on.get(name)?;
            return self.item(&module, &[handed_on, &path[index + 1..]].concat()).or(Some(module));
        }
        Some(module)
    }

    /// Whose file takes something from whose.
    fn imports(&self) -> Vec<(&Module, Module)> {
        let mut imports = Vec::new();
        for (module, file) in &self.files {
            let targets: BTreeSet<Module> = file
                .paths
                .iter()
                .filter_map(|path| self.item(module, path))
                .filter(|target| !module.starts_with(target))
                .collect();
            imports.extend(targets.into_iter().map(|target| (module, target)));
        }
        imports
    }

    /// What files take that is written in a file of one of the folders around them, and in no other that it hands on.
    fn taken_from_above(&self) -> Vec<(&Module, Module)> {
        let mut taken = Vec::new();
        for (module, file) in &self.files {
            let targets: BTreeSet<Module> = file
                .paths
                .iter()
                .filter_map(|path| {
                    let (item, modules) = path.split_last()?;
                    let target = self.item(module, path)?;
                    let around = self.target(module, modules)?;
                    // The path of a module alone, as in `use super::retained`, takes nothing from the file around it.
                    let is_module = self.files.contains_key(&[around.clone(), vec![item.clone()]].concat());
                    (target == around && !is_module).then_some(target)
                })
                .filter(|target| module.starts_with(target) && *module != *target)
                .collect();
            taken.extend(targets.into_iter().map(|target| (module, target)));
        }
        taken
    }

    /// The same as [`Self::target`], of an item that is written in the file that it names.
    fn item(&self, from: &[String], path: &[String]) -> Option<Module> {
        if let Some(found) = self.target(from, path) {
            return Some(found);
        }
        // The last word is an item, and the words before it are modules.
        let (_, modules) = path.split_last()?;
        (!modules.is_empty()).then(|| self.target(from, modules)).flatten()
    }

    fn path(&self, module: &Module) -> String {
        self.files[module].path.display().to_string()
    }
}

fn house() -> Vec<Crate> {
    CRATES.iter().map(|source| Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source))).collect()
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let mut loops = Vec::new();
    let mut count = 0;
    for one in house() {
        let imports = one.imports();
        count += imports.len();
        let graph: DiGraphMap<&Module, ()> = imports.iter().map(|(from, to)| (*from, to)).collect();
        for circle in tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1) {
            let ties: Vec<String> = imports
                .iter()
                .filter(|(from, to)| circle.contains(from) && circle.contains(&to))
                .map(|(from, to)| format!("  {} takes something from {}", one.path(from), one.path(to)))
                .collect();
            loops.push(ties.join("\n"));
        }
    }
    // Or the imports aren't read.
    assert!(count > 500, "{count} imports");
    assert!(loops.is_empty(), "files that import each other in a loop:\n{}", loops.join("\n\n"));
}

/// Each folder of the controller, from the lowest on, and what else of the crate it doesn't name.
const FLOORS: [(&str, &[&str]); 5] = [
    ("src/controller/engine", &["src/azure"]),
    ("src/controller/access", &["src/azure"]),
    ("src/controller/server", &[]),
    ("src/controller/retained", &[]),
    ("src/controller/database", &[]),
];

/// Why this import mustn't be.
fn is_upward(from: &str, to: &str) -> bool {
    let floor = |path: &str| FLOORS.iter().position(|(folder, _)| path.starts_with(folder));
    let Some(from) = floor(from) else { return false };
    match floor(to) {
        Some(to) => to > from,
        // The root of the controller starts the loops: it is above all of them.
        None => {
            to.starts_with("src/controller") || FLOORS[from].1.iter().any(|folder| to.starts_with(folder))
        }
    }
}

#[test]
fn no_folder_of_the_controller_takes_anything_from_one_above_it() {
    let mut upward = Vec::new();
    let mut count = 0;
    for one in house() {
        for (from, to) in one.imports().into_iter().chain(one.taken_from_above()) {
            let (from, to) = (one.path(from), one.path(&to));
            count += usize::from(from.starts_with("src/controller/server"));
            if is_upward(&from, &to) {
                upward.push(format!("  {from} takes something from {to}"));
            }
        }
    }
    // Or the folders have other names now.
    assert!(count > 100, "{count} imports of the verbs on a server");
    assert!(upward.is_empty(), "imports that lead upward:\n{}", upward.join("\n"));
}

/// Where the kinds of Azure Service Operator are.
const KINDS: [&str; 3] =
    ["src/azure/build.rs", "src/azure/database_for_postgresql.rs", "src/azure/managed_identity.rs"];

/// A second provider would change the verbs on a server, and no loop.
#[test]
fn the_loops_name_no_kind_of_azure_service_operator() {
    let is_loop = |path: &str| {
        ["src/controller/database", "src/controller/retained"].iter().any(|folder| path.starts_with(folder))
    };
    let mut named = Vec::new();
    let mut by_verbs = 0;
    for one in house() {
        for (from, to) in one.imports() {
            let (from, to) = (one.path(from), one.path(&to));
            if !KINDS.contains(&to.as_str()) {
                continue;
            }
            if is_loop(&from) {
                named.push(format!("  {from} takes something from {to}"));
            }
            by_verbs += usize::from(from.starts_with("src/controller/server"));
        }
    }
    // Or the kinds have moved.
    assert!(by_verbs > 10, "{by_verbs} imports of the verbs on a server");
    assert!(named.is_empty(), "a loop names a kind of Azure Service Operator:\n{}", named.join("\n"));
}
