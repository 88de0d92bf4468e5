//! The tree of paths that the scanner walks along.

use super::DEPTH_MAX;
use crate::word::is_same;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// A place in the tree.
pub(super) type NodeId = u16;
/// Where every document begins.
pub(super) const ROOT: NodeId = 0;

/// What is wanted at a place.
#[derive(Clone, Copy)]
pub(super) struct What {
    /// Which of the table's fields it is.
    pub(super) place: u16,
    /// See [`Field::is_text`](super::Field::is_text).
    pub(super) is_text: bool,
    /// See [`Field::wants_text_end`](super::Field::wants_text_end).
    pub(super) wants_text_end: bool,
}

#[derive(Default)]
struct Node {
    what: Option<What>,
    keys: Vec<(Box<[u8]>, NodeId)>,
    element: Option<NodeId>,
    /// Elements that have a place of their own; they are not `element` then.
    numbered: Vec<(u32, NodeId)>,
}

pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![Node::default()] }
    }
}

impl Tree {
    /// Adds a path of keys joined by `.`, with `[]` for each array; whether it is no deeper than [`DEPTH_MAX`].
    pub(super) fn add_path(&mut self, path: &str, what: What) -> bool {
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
        self.want(at, what);
        true
    }

    /// Adds a path of keys, whatever they hold.
    pub(super) fn add_keys(&mut self, keys: &mut dyn Iterator<Item = &str>, what: What) {
        let at = keys.fold(ROOT, |at, key| self.child_or_new(at, key.as_bytes()));
        self.want(at, what);
    }

    /// Adds a pointer's keys, which may be indices too.
    pub(super) fn add_pointer(&mut self, keys: &[String], what: What) {
        let at = keys.iter().fold(ROOT, |at, key| self.step_or_new(at, key));
        self.want(at, what);
    }

    fn want(&mut self, at: NodeId, what: What) {
        if let Some(node) = self.nodes.get_mut(usize::from(at)) {
            node.what.get_or_insert(what);
        }
    }

    /// The place below `node` that a pointer's key leads to.
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
        self.nodes.push(Node::default());
        id
    }

    fn child_or_new(&mut self, node: NodeId, key: &[u8]) -> NodeId {
        if let Some(child) = self.child(node, key) {
            return child;
        }
        let child = self.add();
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            node.keys.push((key.into(), child));
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

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(id))
    }

    #[inline(always)]
    pub(super) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        for (name, child) in &self.node(node)?.keys {
            if is_same(name, key) {
                return Some(*child);
            }
        }
        None
    }

    /// The place of an array's element.
    pub(super) fn element(&self, node: NodeId, index: u32) -> Option<NodeId> {
        let node = self.node(node)?;
        let own = node.numbered.iter().find(|(number, _)| *number == index);
        own.map(|(_, child)| *child).or(node.element)
    }

    pub(super) fn what(&self, node: NodeId) -> Option<What> {
        self.node(node)?.what
    }

    /// Whether any path leads into this node as an array, or as an object.
    pub(super) fn has_inside(&self, node: NodeId, is_array: bool) -> bool {
        self.node(node).is_some_and(|node| {
            if is_array { node.element.is_some() || !node.numbered.is_empty() } else { !node.keys.is_empty() }
        })
    }
}

/// Containers that must be open to stand at `path`.
fn depth(path: &[u8]) -> usize {
    let steps = path.split(|&byte| byte == b'.');
    steps.map(|step| split_arrays(step).1.saturating_add(1)).fold(0, usize::saturating_add)
}

/// A step's key, and how many arrays follow it.
fn split_arrays(mut step: &[u8]) -> (&[u8], usize) {
    let mut arrays: usize = 0;
    while let Some(key) = step.strip_suffix(b"[]") {
        (step, arrays) = (key, arrays.saturating_add(1));
    }
    (step, arrays)
}

/// The element that a pointer's key names in an array: digits without a leading zero.
fn index(key: &str) -> Option<u32> {
    let is_index = key == "0" || !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
    is_index.then(|| key.parse().ok()).flatten()
}
