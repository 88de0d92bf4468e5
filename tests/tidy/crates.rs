//! The crates of the workspace, and the modules that their files declare.

use std::collections::{BTreeMap, BTreeSet};

use crate::syntax::{self, Child, Scope};

/// Files of the repository, by their path from its root.
pub(crate) type Files = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Module {
    /// Its file's name in the tables.
    pub(crate) id: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) scope: Scope,
    /// An index into `Workspace::crates`.
    pub(crate) owner: usize,
}

#[derive(Debug)]
pub(crate) struct Crate {
    /// As `use` names it: `llm_canary`.
    pub(crate) name: String,
    pub(crate) root: usize,
    pub(crate) is_library: bool,
    /// What it may name: its package's dependencies, as `use` names them.
    pub(crate) dependencies: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) crates: Vec<Crate>,
    pub(crate) modules: Vec<Module>,
    /// What could not be followed, in words.
    pub(crate) problems: Vec<String>,
}

/// A file's name in the tables: `cli/src/io/files.rs` is `cli/io/files`, and `src/route.rs` is `route`.
pub(crate) fn id(file: &str) -> String {
    let path = file.strip_suffix("/mod.rs").or(file.strip_suffix(".rs")).unwrap_or(file);
    path.split('/').filter(|part| *part != "src").collect::<Vec<_>>().join("/")
}

pub(crate) fn is_test(file: &str) -> bool {
    let is_test = |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs");
    file.split('/').any(is_test)
}

impl Workspace {
    /// Every member but those that are tests themselves.
    pub(crate) fn read(files: &Files) -> Self {
        let mut workspace = Self::default();
        let manifest = files.get("Cargo.toml").map_or("", String::as_str);
        let members = strings(manifest, "members").into_iter().filter(|member| !is_test(member));
        for folder in std::iter::once("").chain(members) {
            workspace.package(folder, files);
        }
        workspace.unreached(files, &strings(manifest, "exclude"));
        workspace
    }

    fn package(&mut self, folder: &str, files: &Files) {
        let below = |path: &str| if folder.is_empty() { path.into() } else { format!("{folder}/{path}") };
        let Some(manifest) = files.get(&below("Cargo.toml")) else {
            self.problems.push(format!("{folder} has no Cargo.toml"));
            return;
        };
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default();
        let name = name.trim_matches('"').replace('-', "_");
        let mut dependencies = dependencies(manifest);
        dependencies.insert(name.clone()); // a binary names its own package's library
        let programs = files.keys().filter(|file| file.starts_with(&below("src/bin/")));
        let roots = [below("src/lib.rs"), below("src/main.rs"), below("build.rs")].into_iter();
        for file in roots.chain(programs.cloned()).filter(|file| files.contains_key(file)) {
            let is_library = file.ends_with("src/lib.rs");
            let owner = self.crates.len();
            let (name, dependencies) = (name.clone(), dependencies.clone());
            self.crates.push(Crate { name, root: self.modules.len(), is_library, dependencies });
            self.file(&file, None, owner, files);
        }
    }

    /// Adds a file's module, and those that it declares.
    fn file(&mut self, file: &str, parent: Option<usize>, owner: usize, files: &Files) -> Option<usize> {
        let Some(text) = files.get(file) else {
            self.problems.push(format!("{file} is declared, and is not there"));
            return None;
        };
        match syntax::parse(text) {
            Ok(scope) => {
                if scope.has_include {
                    self.problems.push(format!("{file} includes code that nothing here can follow"));
                }
                Some(self.module(file, scope, parent, owner, &folder_of(file, parent.is_none()), files))
            }
            Err(words) => {
                self.problems.push(format!("{file}: {words}"));
                None
            }
        }
    }

    fn module(
        &mut self,
        file: &str,
        mut scope: Scope,
        parent: Option<usize>,
        owner: usize,
        folder: &str,
        files: &Files,
    ) -> usize {
        let declared = std::mem::take(&mut scope.children);
        let this = self.modules.len();
        self.modules.push(Module { id: id(file), parent, children: BTreeMap::new(), scope, owner });
        for (name, child) in declared {
            let below = format!("{folder}/{name}");
            let child = match child {
                Child::Inline(scope) => Some(self.module(file, scope, Some(this), owner, &below, files)),
                Child::File(Some(other)) => {
                    self.problems.push(format!("{file} declares {name} by #[path]"));
                    let near = file.rsplit_once('/').map_or("", |(near, _)| near);
                    self.file(&joined(near, &other), Some(this), owner, files)
                }
                Child::File(None) => {
                    let own = format!("{below}.rs");
                    let file = if files.contains_key(&own) { own } else { format!("{below}/mod.rs") };
                    self.file(&file, Some(this), owner, files)
                }
            };
            if let (Some(child), Some(module)) = (child, self.modules.get_mut(this)) {
                module.children.insert(name, child);
            }
        }
        this
    }

    /// Files of code that no module declares are checked by nobody, the compiler included.
    fn unreached(&mut self, files: &Files, excluded: &[&str]) {
        let reached: BTreeSet<&str> = self.modules.iter().map(|module| &*module.id).collect();
        let is_excluded = |file: &str| excluded.iter().any(|folder| file.starts_with(&format!("{folder}/")));
        let sources =
            files.keys().filter(|file| file.ends_with(".rs") && !is_test(file) && !is_excluded(file));
        let lost = sources.filter(|file| !reached.contains(&*id(file)));
        self.problems.extend(lost.map(|file| format!("{file} belongs to no crate of the workspace")));
    }
}

/// A list of strings of the manifest, on one line.
fn strings<'m>(manifest: &'m str, name: &str) -> Vec<&'m str> {
    let list = manifest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    list.unwrap_or_default().split('"').skip(1).step_by(2).collect()
}

/// Where a file's modules are.
fn folder_of(file: &str, is_root: bool) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    if is_root || name == "mod.rs" { folder.into() } else { file.trim_end_matches(".rs").into() }
}

fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The crates that a package's code may name.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut is_inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_inside = ["[dependencies]", ".dependencies]", "[build-dependencies]"]
                .iter()
                .any(|end| line.ends_with(end));
        } else if let Some((name, _)) = line.split_once([' ', '.', '='])
            && is_inside
            && !line.starts_with('#')
        {
            found.insert(name.replace('-', "_"));
        }
    }
    found
}
