//! Which modules and crates a module's paths lead to.

use crate::crates::Workspace;
use crate::syntax::Path;

/// `use` declarations that are followed from one name to the next.
const HOPS_MAX: usize = 16;

/// One path, and where it leads.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) from: usize,
    pub(crate) line: usize,
    /// As it is written.
    pub(crate) text: String,
    pub(crate) to: Target,
    /// A `pub use`, of a name that the module itself does not use.
    pub(crate) is_passed_on: bool,
}

#[derive(Debug)]
pub(crate) enum Target {
    Module {
        /// The first module that offers the name.
        first: usize,
        /// The one that defines it.
        last: usize,
        /// Something of the module is named, not the module.
        is_item: bool,
    },
    Crate(String),
    /// A path of the standard library, from its crate on.
    Standard(Vec<String>),
}

impl Workspace {
    /// All that the modules name of others.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (from, module) in self.modules.iter().enumerate() {
            let scope = &module.scope;
            let mut add = |path: &Path, is_passed_on: bool| {
                if let Some(to) = self.resolve(from, path) {
                    let text = path.names.join("::");
                    uses.push(Use { from, line: path.line, text, to, is_passed_on });
                }
            };
            for (name, binding) in &scope.bindings {
                add(&binding.path, binding.is_public && !scope.names.contains(name));
            }
            scope.globs.iter().for_each(|path| add(path, false));
            scope.paths.iter().for_each(|path| add(path, false));
        }
        uses
    }

    fn resolve(&self, from: usize, path: &Path) -> Option<Target> {
        let mut stops = Vec::new();
        self.follow(from, path, HOPS_MAX, &mut stops).map(|to| match to {
            Target::Module { last, is_item, .. } => {
                // A crate's root only hands on what its modules hold.
                let offers = |stop: &usize| *stop != from && self.modules[*stop].parent.is_some();
                let first = stops.into_iter().find(offers);
                Target::Module { first: first.unwrap_or(last), last, is_item }
            }
            other @ (Target::Crate(_) | Target::Standard(_)) => other,
        })
    }

    /// `stops` gets the modules that hand a name on.
    fn follow(&self, from: usize, path: &Path, hops: usize, stops: &mut Vec<usize>) -> Option<Target> {
        let hops = hops.checked_sub(1)?;
        let module = &self.modules[from];
        let (first, mut rest) = path.names.split_first()?;
        let own = &self.crates[module.owner];
        let mut at = match &**first {
            _ if path.is_absolute => return self.extern_crate(from, first, rest, hops, stops),
            "crate" => own.root,
            "self" => from,
            "super" => module.parent?,
            _ => {
                if let Some(binding) = module.scope.bindings.get(first)
                    && binding.path.names != path.names
                {
                    let mut path = Path { names: binding.path.names.clone(), ..binding.path.clone() };
                    path.names.extend_from_slice(rest);
                    return self.follow(from, &path, hops, stops);
                }
                let Some(child) = module.children.get(first) else {
                    let outside = self.extern_crate(from, first, rest, hops, stops);
                    return outside.or_else(|| self.of_globs(from, &path.names, hops, stops));
                };
                *child
            }
        };
        while let Some(("super", after)) = rest.split_first().map(|(name, after)| (&**name, after)) {
            (at, rest) = (self.modules[at].parent?, after);
        }
        self.descend(at, rest, hops, stops)
    }

    fn descend(
        &self,
        mut at: usize,
        mut rest: &[String],
        hops: usize,
        stops: &mut Vec<usize>,
    ) -> Option<Target> {
        while let Some((name, after)) = rest.split_first() {
            let module = &self.modules[at];
            if let Some(child) = module.children.get(name) {
                (at, rest) = (*child, after);
                continue;
            }
            if let Some(binding) = module.scope.bindings.get(name) {
                let mut path = binding.path.clone();
                path.names.extend_from_slice(after);
                stops.push(at);
                let to = self.follow(at, &path, hops, stops);
                return to.or(Some(Target::Module { first: at, last: at, is_item: true }));
            }
            if !module.scope.items.contains(name)
                && let Some(target) = self.of_globs(at, rest, hops, stops)
            {
                return Some(target);
            }
            return Some(Target::Module { first: at, last: at, is_item: true });
        }
        Some(Target::Module { first: at, last: at, is_item: false })
    }

    /// What a module has by `use a::*`.
    fn of_globs(&self, at: usize, names: &[String], hops: usize, stops: &mut Vec<usize>) -> Option<Target> {
        let hops = hops.checked_sub(1)?;
        let name = names.first()?;
        self.modules[at].scope.globs.iter().find_map(|glob| {
            let Some(Target::Module { last, .. }) = self.follow(at, glob, hops, &mut Vec::new()) else {
                return None;
            };
            let module = &self.modules[last];
            let has = module.children.contains_key(name)
                || module.scope.items.contains(name)
                || module.scope.bindings.contains_key(name);
            if has {
                stops.push(at);
            }
            has.then(|| self.descend(last, names, hops, stops)).flatten()
        })
    }

    fn extern_crate(
        &self,
        from: usize,
        name: &str,
        rest: &[String],
        hops: usize,
        stops: &mut Vec<usize>,
    ) -> Option<Target> {
        if ["std", "core", "alloc"].contains(&name) {
            let names = std::iter::once(name.to_string()).chain(rest.iter().cloned());
            return Some(Target::Standard(names.collect()));
        }
        let own = &self.crates[self.modules[from].owner];
        if !own.dependencies.contains(name) {
            return None;
        }
        match self.crates.iter().find(|other| other.is_library && other.name == name) {
            Some(library) => self.descend(library.root, rest, hops, stops),
            None => Some(Target::Crate(name.to_string())),
        }
    }
}
