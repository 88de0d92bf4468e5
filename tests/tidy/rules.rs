//! The tables of ARCHITECTURE.md, and what in the code breaks them.

use std::collections::{BTreeMap, BTreeSet};

use crate::crates::Workspace;
use crate::resolve::{Target, Use};

/// The headers of the tables, as ARCHITECTURE.md has them.
const IMPORTS: &str = "| module | may import |";
const CRATES: &str = "| crate | only in |";
const WORLD: &str = "| what | only in |";

/// What of the standard library reaches outside the process, or differs from run to run.
const WORLD_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];
/// And what below these does neither.
const HARMLESS_PATHS: &[&str] = &["std::process::ExitCode"];

/// What a row allows.
#[derive(Debug)]
enum Allowed {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

#[derive(Debug, Default)]
pub(crate) struct Tables {
    imports: BTreeMap<String, Allowed>,
    crates: BTreeMap<String, Vec<String>>,
    /// Where `unsafe` code may be, and what touches the world.
    has_unsafe: Vec<String>,
    world: Vec<String>,
}

/// Whether a module is this one or lies below it.
fn is_below(id: &str, name: &str) -> bool {
    id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_one_of(id: &str, names: &[String]) -> bool {
    names.iter().any(|name| is_below(id, name))
}

fn list(cell: &str) -> Vec<String> {
    if cell == "nothing of ours" { Vec::new() } else { cell.split(", ").map(str::to_string).collect() }
}

/// The rows of two cells below a header.
fn rows<'t>(text: &'t str, header: &str) -> Vec<(&'t str, &'t str)> {
    let lines = text.lines().skip_while(|line| *line != header).skip(2);
    let cells = |line: &'t str| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ");
    lines.map_while(cells).collect()
}

impl Tables {
    pub(crate) fn read(text: &str) -> Self {
        let allowed = |cell: &str| match (cell, cell.strip_prefix("everything but ")) {
            ("everything", _) => Allowed::AllBut(Vec::new()),
            (_, Some(names)) => Allowed::AllBut(list(names)),
            (_, None) => Allowed::Only(list(cell)),
        };
        let only_in = |what: &str| {
            let row = rows(text, WORLD).into_iter().find(|(cell, _)| cell.starts_with(what));
            row.map(|(_, cell)| list(cell)).unwrap_or_default()
        };
        Self {
            imports: rows(text, IMPORTS)
                .iter()
                .map(|(name, cell)| (name.to_string(), allowed(cell)))
                .collect(),
            crates: rows(text, CRATES).iter().map(|(name, cell)| (name.to_string(), list(cell))).collect(),
            has_unsafe: only_in("unsafe code"),
            world: only_in("the world"),
        }
    }

    /// The longest row that covers a module.
    fn row(&self, id: &str) -> Option<(&str, &Allowed)> {
        let covering = self.imports.iter().filter(|(name, _)| is_below(id, name));
        covering.max_by_key(|(name, _)| name.len()).map(|(name, allowed)| (&**name, allowed))
    }

    fn may_import(&self, from: &str, to: &str) -> bool {
        match (self.row(from), self.row(to)) {
            (Some((own, _)), Some((other, _))) if own == other => true,
            (Some((_, Allowed::Only(names))), _) => is_one_of(to, names),
            (Some((_, Allowed::AllBut(names))), _) => !is_one_of(to, names),
            (None, _) => true, // its row is missed already
        }
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        let of_imports = self.imports.iter().flat_map(|(name, allowed)| {
            let (Allowed::Only(names) | Allowed::AllBut(names)) = allowed;
            std::iter::once(name).chain(names)
        });
        of_imports.chain(self.crates.values().flatten()).chain(&self.has_unsafe).chain(&self.world)
    }
}

/// What is wrong, and the first place where it is.
pub(crate) type Breaches = BTreeMap<String, String>;

/// Everything that is not as the tables want it.
pub(crate) fn breaches(workspace: &Workspace, tables: &Tables) -> Breaches {
    let mut found = Breaches::new();
    let mut add = |what: String, place: String| {
        found.entry(what).or_insert(place);
    };
    workspace.problems.iter().for_each(|problem| add(problem.clone(), String::new()));
    let ids: BTreeSet<&str> = workspace.modules.iter().map(|module| &*module.id).collect();
    for name in tables.names() {
        if !ids.iter().any(|id| is_below(id, name)) {
            add(format!("{name} is in a table, and no file has that name"), String::new());
        }
    }
    for module in &workspace.modules {
        let id = &module.id;
        if tables.row(id).is_none() {
            add(format!("{id} is in no row of the table of imports"), String::new());
        }
        if let Some(word) = module.scope.unsafe_words.first()
            && !is_one_of(id, &tables.has_unsafe)
        {
            add(format!("{id} has unsafe code"), word.clone());
        }
    }
    let uses = workspace.uses();
    for one in &uses {
        if let Some(what) = trespass(workspace, tables, one) {
            add(what, format!("line {}, {}", one.line, one.text));
        }
    }
    circles(workspace, &uses).into_iter().for_each(|circle| add(circle, String::new()));
    found
}

/// What breaks a table in one use.
fn trespass(workspace: &Workspace, tables: &Tables, one: &Use) -> Option<String> {
    let from = &workspace.modules[one.from];
    let id = &from.id;
    match &one.to {
        Target::Module { first, last, is_item } => {
            let (to, is_root) = (&workspace.modules[*first], workspace.modules[*last].parent.is_none());
            let is_own = workspace.modules[*last].owner == from.owner;
            if to.id == *id {
                None
            } else if is_root && is_own {
                is_item.then(|| format!("{id} imports {}, the root of its crate", to.id))
            } else {
                (!tables.may_import(id, &to.id)).then(|| format!("{id} imports {}", to.id))
            }
        }
        Target::Crate(name) => {
            let allowed = tables.crates.get(name).is_some_and(|modules| is_one_of(id, modules));
            (!allowed).then(|| format!("{id} uses the crate {name}"))
        }
        Target::Standard(names) => {
            let path = names.join("::");
            let is = |wanted: &[&str]| {
                wanted.iter().any(|wanted| (path.clone() + "::").starts_with(&format!("{wanted}::")))
            };
            let touches = is(WORLD_PATHS) && !is(HARMLESS_PATHS) && !is_one_of(id, &tables.world);
            touches.then(|| format!("{id} touches the world"))
        }
    }
}

/// Sets of files that use each other in a circle.
///
/// A module and its own parts are not counted against each other: the file on top holds the types that its parts
/// share, and puts the parts together. Nor is what is only passed on.
fn circles(workspace: &Workspace, uses: &[Use]) -> Vec<String> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in uses.iter().filter(|one| !one.is_passed_on) {
        let Target::Module { last, .. } = one.to else { continue };
        let (from, to) = (&workspace.modules[one.from], &workspace.modules[last]);
        let is_nested = is_below(&from.id, &to.id) || is_below(&to.id, &from.id);
        if !is_nested && from.parent.is_some() && to.parent.is_some() {
            edges.entry(&from.id).or_default().insert(&to.id);
        }
    }
    let mut found: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for start in edges.keys() {
        if !seen.contains(start)
            && let Some(circle) = shortest_circle(&edges, start)
        {
            seen.extend(circle.iter().copied());
            found.push(format!("{} → {start} is a circle", circle.join(" → ")));
        }
    }
    found
}

/// The shortest way from a file back to itself.
fn shortest_circle<'e>(edges: &BTreeMap<&'e str, BTreeSet<&'e str>>, start: &'e str) -> Option<Vec<&'e str>> {
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    let mut visited = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| edges.get(last)).into_iter().flatten() {
            if *next == start {
                return Some(way);
            }
            if visited.insert(*next) {
                ways.push_back(way.iter().copied().chain([*next]).collect());
            }
        }
    }
    None
}
