//! What one file of Rust names: its modules, its `use` trees, and every path in its code, macros included.
//!
//! The file is walked token by token, because a syntax tree ends where a macro begins. `use` trees, and the items that a
//! `#[cfg(test)]` leaves out, are parsed by `syn`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Item, UseTree};

/// The code of one module, without its tests.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) children: BTreeMap<String, Child>,
    pub(crate) bindings: BTreeMap<String, Binding>,
    pub(crate) globs: Vec<Path>,
    /// Names of what is defined here, at any depth.
    pub(crate) items: BTreeSet<String>,
    /// Paths outside `use` declarations, of two names or more.
    pub(crate) paths: Vec<Path>,
    /// Single names outside `use` declarations.
    pub(crate) names: BTreeSet<String>,
    /// `unsafe`, `extern "C"` and the names of a host's calls.
    pub(crate) unsafe_words: BTreeSet<String>,
    /// Files that `include!` would read as code.
    pub(crate) has_include: bool,
}

/// A `mod` declaration.
#[derive(Debug)]
pub(crate) enum Child {
    Inline(Scope),
    /// With the file that `#[path]` names.
    File(Option<String>),
}

/// What a `use` declaration gives a name.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) path: Path,
    pub(crate) is_public: bool,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Path {
    pub(crate) line: usize,
    /// Begins with `::`, so with the name of a crate.
    pub(crate) is_absolute: bool,
    pub(crate) names: Vec<String>,
}

pub(crate) fn parse(text: &str) -> Result<Scope, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("no Rust: {error}"))?;
    let mut scope = Scope::default();
    scope.read(tokens);
    Ok(scope)
}

impl Scope {
    fn read(&mut self, stream: TokenStream) {
        let mut tokens: Vec<TokenTree> = stream.into_iter().collect();
        let (mut at, mut is_public, mut file) = (0, false, None);
        while let Some(token) = tokens.get(at) {
            let word = match token {
                TokenTree::Group(group) => {
                    self.read(group.stream());
                    (at, is_public, file) = (at + 1, false, None);
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let attribute = (at + 1..at + 3).find_map(|at| group(&tokens, at, Delimiter::Bracket));
                    let Some(attribute) = attribute.map(Group::stream) else {
                        at += 1;
                        continue;
                    };
                    if is_test_only(attribute.clone())
                        && let Ok(rest) = after_item(&tokens[at..])
                    {
                        (tokens, at) = (rest.into_iter().collect(), 0);
                        continue;
                    }
                    file = path_of(attribute.clone()).or(file);
                    self.read(attribute);
                    at += if group(&tokens, at + 1, Delimiter::Bracket).is_some() { 2 } else { 3 };
                    continue;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    at += 1;
                    continue;
                }
                TokenTree::Ident(ident) => name(ident),
            };
            at += 1;
            match &*word {
                "pub" => {
                    is_public = true;
                    // `pub(in crate::a)` uses nothing of `a`
                    at += usize::from(group(&tokens, at, Delimiter::Parenthesis).is_some());
                    continue;
                }
                "use" | "extern" if is_declaration(&word, &tokens[at..]) => {
                    let end = at + tokens[at..].iter().position(|token| is(token, ';')).unwrap_or(0);
                    self.bind(&word, &tokens[at - 1..=end], is_public);
                    at = end + 1;
                }
                "mod" if ident(&tokens, at).is_some() => {
                    let name = ident(&tokens, at).unwrap_or_default();
                    let child = match group(&tokens, at + 1, Delimiter::Brace) {
                        Some(body) => {
                            let mut child = Self::default();
                            child.read(body.stream());
                            Child::Inline(child)
                        }
                        None => Child::File(file.take()),
                    };
                    self.children.insert(name, child);
                    at += 2;
                }
                "unsafe" | "extern" => self.unsafe_words.extend([word]),
                "include" if tokens.get(at).is_some_and(|token| is(token, '!')) => self.has_include = true,
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" => {
                    self.items.extend(ident(&tokens, at));
                }
                "macro_rules" => self.items.extend(ident(&tokens, at + 1)),
                _ => {
                    if word.starts_with("proxy_") && word != "proxy_wasm" {
                        self.unsafe_words.insert(word.clone());
                    }
                    at = self.path(word, &tokens, at);
                }
            }
            (is_public, file) = (false, None);
        }
    }

    /// The path that begins with a word; where it ends.
    fn path(&mut self, first: String, tokens: &[TokenTree], mut at: usize) -> usize {
        let before = |back: usize| (at - 1).checked_sub(back).and_then(|at| tokens.get(at));
        let is_absolute = is_colons(before(2), before(1));
        // `<T as Trait>::Type` and `iter::<T>::new` go on with no module
        let goes_on = before(3).is_some_and(|token| is(token, '>'));
        // a field, a method
        let is_member =
            before(1).is_some_and(|token| is(token, '.')) && !before(2).is_some_and(|token| is(token, '.'));
        let line = tokens[at - 1].span().start().line;
        let mut names = vec![first];
        while is_colons(tokens.get(at), tokens.get(at + 1)) {
            let Some(name) = ident(tokens, at + 2) else { break };
            names.push(name);
            at += 3;
        }
        if (is_absolute && goes_on) || is_member {
            return at;
        }
        if names.len() > 1 || is_absolute {
            self.paths.push(Path { line, is_absolute, names });
        } else {
            self.names.extend(names);
        }
        at
    }

    fn bind(&mut self, word: &str, declaration: &[TokenTree], is_public: bool) {
        let line = declaration[0].span().start().line;
        let stream: TokenStream = declaration.iter().cloned().collect();
        match syn::parse2::<Item>(stream) {
            Ok(Item::Use(found)) => {
                let path = Path { line, is_absolute: found.leading_colon.is_some(), names: Vec::new() };
                self.bind_tree(&found.tree, path, is_public);
            }
            Ok(Item::ExternCrate(found)) => {
                let own = found.ident == "self";
                let names = vec![if own { "crate".into() } else { name(&found.ident) }];
                let bound = found.rename.map_or_else(|| name(&found.ident), |(_, new)| name(&new));
                let path = Path { line, is_absolute: !own, names };
                self.bindings.insert(bound, Binding { path, is_public });
            }
            other => panic!("line {line}: `{word}` is read as {:?}", other.err()),
        }
    }

    fn bind_tree(&mut self, tree: &UseTree, mut path: Path, is_public: bool) {
        let mut bind = |bound: String, path: Path| {
            // `_` names nothing, and may come often
            let bound = if bound == "_" { format!("_{}", self.bindings.len()) } else { bound };
            self.bindings.insert(bound, Binding { path, is_public });
        };
        let last = |path: &mut Path, word: String| match &*word {
            "self" if !path.names.is_empty() => path.names.last().cloned().unwrap_or_default(),
            _ => {
                path.names.push(word.clone());
                word
            }
        };
        match tree {
            UseTree::Path(part) => {
                path.names.push(name(&part.ident));
                self.bind_tree(&part.tree, path, is_public);
            }
            UseTree::Name(leaf) => {
                let bound = last(&mut path, name(&leaf.ident));
                bind(bound, path);
            }
            UseTree::Rename(leaf) => {
                last(&mut path, name(&leaf.ident));
                bind(name(&leaf.rename), path);
            }
            UseTree::Glob(_) => self.globs.push(path),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.bind_tree(tree, path.clone(), is_public);
                }
            }
        }
    }
}

/// Not `use<'a>` of a type, nor `extern "C"`.
fn is_declaration(word: &str, after: &[TokenTree]) -> bool {
    match word {
        "use" => !after.first().is_some_and(|token| is(token, '<')),
        _ => ident(after, 0).is_some_and(|next| next == "crate"),
    }
}

fn is(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_colons(first: Option<&TokenTree>, second: Option<&TokenTree>) -> bool {
    first.is_some_and(|token| is(token, ':')) && second.is_some_and(|token| is(token, ':'))
}

fn name(ident: &proc_macro2::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_string()
}

fn ident(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(name(ident)),
        _ => None,
    }
}

fn group(tokens: &[TokenTree], at: usize, delimiter: Delimiter) -> Option<&Group> {
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// Whether an attribute is `cfg(test)`, or `cfg(all(test, …))`.
fn is_test_only(attribute: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    let is_test = |stream: TokenStream| ident(&stream.into_iter().collect::<Vec<_>>(), 0);
    let Some(condition) = group(&tokens, 1, Delimiter::Parenthesis).map(Group::stream) else { return false };
    match (ident(&tokens, 0).as_deref(), is_test(condition.clone()).as_deref()) {
        (Some("cfg"), Some("test")) => true,
        (Some("cfg"), Some("all")) => {
            let all: Vec<TokenTree> = condition.into_iter().collect();
            let all = group(&all, 1, Delimiter::Parenthesis).map(Group::stream).unwrap_or_default();
            all.into_iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == "test"))
        }
        _ => false,
    }
}

/// The file of `#[path = "…"]`.
fn path_of(attribute: TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    match (&*ident(&tokens, 0)?, tokens.get(2)?) {
        ("path", TokenTree::Literal(file)) => Some(file.to_string().trim_matches('"').to_string()),
        _ => None,
    }
}

/// What follows the item that these tokens begin with.
fn after_item(tokens: &[TokenTree]) -> syn::Result<TokenStream> {
    let item = |input: ParseStream<'_>| input.parse::<Item>().and_then(|_| input.parse());
    Parser::parse2(item, tokens.iter().cloned().collect())
}
