//! The paths of a table as a tree, in which the scanner moves with the document.

use memchr::memchr_iter;

use super::DEPTH_MAX;
use crate::word::is_same;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Index of a node in the tree.
pub(super) type NodeId = u16;
/// The node of the document itself.
pub(super) const ROOT: NodeId = 0;

/// A wanted path ends at a node: what the scanner needs to know about it.
#[derive(Clone, Copy)]
pub(super) struct WantedPath {
    /// Index of what it means in the table's fields.
    pub(super) index: u16,
    /// See [`Field::is_text`](super::Field::is_text).
    pub(super) is_text: bool,
    /// See [`Field::wants_text_end`](super::Field::wants_text_end).
    pub(super) wants_text_end: bool,
    /// See [`Field::wants_empty`](super::Field::wants_empty).
    pub(super) wants_empty: bool,
}

/// A node with more keys is searched by their tags first.
const FEW_KEYS: usize = 32;

#[derive(Default)]
struct PathNode {
    wanted: Option<WantedPath>,
    keys: Vec<(Box<[u8]>, NodeId)>,
    /// The [`tag`] of each key.
    tags: Vec<u8>,
    /// The node of an array's elements.
    element: Option<NodeId>,
    /// Elements with a node of their own, by their index. For these, `element` does not count.
    numbered: Vec<(u32, NodeId)>,
}

pub(super) struct PathTree {
    nodes: Vec<PathNode>,
}

impl Default for PathTree {
    fn default() -> PathTree {
        PathTree { nodes: vec![PathNode::default()] }
    }
}

impl PathTree {
    /// Adds a path of keys joined by `.`, with `[]` for each array. False, and nothing done, if it is deeper than
    /// [`DEPTH_MAX`].
    pub(super) fn add_path(&mut self, path: &str, wanted: WantedPath) -> bool {
        let path = path.as_bytes();
        if depth(path) > DEPTH_MAX {
            return false;
        }
        let mut at = ROOT;
        for step in path.split(|&byte| byte == b'.') {
            let (key, arrays) = split_arrays(step);
            at = self.child_or_new(at, key);
            for _ in 0..arrays {
                at = self.element_or_new(at);
            }
        }
        self.set_wanted(at, wanted);
        true
    }

    /// Adds a path of keys, which may have any characters.
    pub(super) fn add_keys(&mut self, keys: &mut dyn Iterator<Item = &str>, wanted: WantedPath) {
        let at = keys.fold(ROOT, |at, key| self.child_or_new(at, key.as_bytes()));
        self.set_wanted(at, wanted);
    }

    /// Adds the keys of a JSON pointer, which may also be indices.
    pub(super) fn add_pointer(&mut self, keys: &[String], wanted: WantedPath) {
        let at = keys.iter().fold(ROOT, |at, key| self.step_or_new(at, key));
        self.set_wanted(at, wanted);
    }

    fn set_wanted(&mut self, at: NodeId, wanted: WantedPath) {
        if let Some(node) = self.nodes.get_mut(usize::from(at)) {
            node.wanted.get_or_insert(wanted);
        }
    }

    /// The child of `node` for a key of a JSON pointer.
    fn step_or_new(&mut self, node: NodeId, key: &str) -> NodeId {
        if let Some(child) = self.child(node, key.as_bytes()) {
            return child;
        }
        let child = self.child_or_new(node, key.as_bytes());
        if let (Some(index), Some(node)) = (index(key), self.nodes.get_mut(usize::from(node))) {
            node.numbered.push((index, child));
        }
        child
    }

    fn add(&mut self) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(PathNode::default());
        id
    }

    fn child_or_new(&mut self, node: NodeId, key: &[u8]) -> NodeId {
        if let Some(child) = self.child(node, key) {
            return child;
        }
        let child = self.add();
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            node.keys.push((key.into(), child));
            node.tags.push(tag(key));
        }
        child
    }

    fn element_or_new(&mut self, node: NodeId) -> NodeId {
        if let Some(element) = self.node(node).and_then(|node| node.element) {
            return element;
        }
        let element = self.add();
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            node.element = Some(element);
        }
        element
    }

    fn node(&self, id: NodeId) -> Option<&PathNode> {
        self.nodes.get(usize::from(id))
    }

    #[inline(always)]
    pub(super) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        let node = self.node(node)?;
        if node.keys.len() > FEW_KEYS {
            return node.child_by_tag(key);
        }
        for (name, child) in &node.keys {
            if is_same(name, key) {
                return Some(*child);
            }
        }
        None
    }

    /// The node of an array's element.
    pub(super) fn element(&self, node: NodeId, index: u32) -> Option<NodeId> {
        let node = self.node(node)?;
        let own = node.numbered.iter().find(|(number, _)| *number == index);
        own.map(|(_, child)| *child).or(node.element)
    }

    pub(super) fn wanted(&self, node: NodeId) -> Option<WantedPath> {
        self.node(node)?.wanted
    }

    /// Whether the tree has paths below this node, if the node is an array, or else an object.
    pub(super) fn has_inside(&self, node: NodeId, is_array: bool) -> bool {
        self.node(node).is_some_and(|node| {
            if is_array { node.element.is_some() || !node.numbered.is_empty() } else { !node.keys.is_empty() }
        })
    }
}

impl PathNode {
    #[inline(never)]
    fn child_by_tag(&self, key: &[u8]) -> Option<NodeId> {
        let found = memchr_iter(tag(key), &self.tags).filter_map(|at| self.keys.get(at));
        found.filter(|(name, _)| is_same(name, key)).map(|(_, child)| *child).next()
    }
}

/// A byte that most pairs of different keys do not share.
fn tag(key: &[u8]) -> u8 {
    let byte = |byte: Option<&u8>| byte.copied().unwrap_or_default();
    let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
    byte(key.first()) ^ byte(key.last()).rotate_left(3) ^ byte(key.get(key.len() / 2)).rotate_left(6) ^ length
}

/// The number of objects and arrays around the value at `path`.
#[expect(clippy::arithmetic_side_effects, reason = "at most the length of `path` plus one")]
fn depth(path: &[u8]) -> usize {
    path.split(|&byte| byte == b'.').map(|step| split_arrays(step).1 + 1).sum()
}

/// The key of a step, and the number of `[]` after it.
#[expect(clippy::arithmetic_side_effects, reason = "at most half the length of `step`")]
fn split_arrays(mut step: &[u8]) -> (&[u8], usize) {
    let mut arrays: usize = 0;
    while let Some(key) = step.strip_suffix(b"[]") {
        (step, arrays) = (key, arrays + 1);
    }
    (step, arrays)
}

/// The index that a JSON pointer's key is: digits without a leading zero.
fn index(key: &str) -> Option<u32> {
    let is_index = key == "0" || !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
    is_index.then(|| key.parse().ok()).flatten()
}
