//! Paths, compiled into the tree that the scanner walks along.

use super::{DEPTH_MAX, SHORT_BYTES_MAX};

/// What a path means to its reader.
pub trait Field: Copy {
    /// Whether strings there are wanted piece by piece, of any length, or whole and short.
    fn is_text(self) -> bool;

    /// Whether a text's last piece is followed by [`Value::Close`](super::Value::Close).
    fn wants_text_end(self) -> bool {
        false
    }
}

/// A place in the tree.
pub(super) type NodeId = u16;
/// Where every document begins.
pub(super) const ROOT: NodeId = 0;

struct Node<F> {
    field: Option<F>,
    keys: Vec<(Box<[u8]>, NodeId)>,
    element: Option<NodeId>,
    /// Elements that have a place of their own; they are not `element` then.
    numbered: Vec<(u32, NodeId)>,
}

impl<F> Default for Node<F> {
    fn default() -> Node<F> {
        Node { field: None, keys: Vec::new(), element: None, numbered: Vec::new() }
    }
}

/// The paths a reader wants, and what each means.
///
/// A path is keys joined by `.`, with `[]` for each array: `choices[].delta.content`.
pub struct Table<F> {
    nodes: Vec<Node<F>>,
    is_complete: bool,
}

impl<F: Field> Table<F> {
    /// Compiles paths. A path that stands twice keeps its first meaning; one deeper than
    /// [`DEPTH_MAX`] is left out (a test over all tables sees to it that there is none).
    pub fn compile(paths: impl IntoIterator<Item = (&'static str, F)>) -> Table<F> {
        let nodes = vec![Node::default()];
        let mut table = Table { nodes, is_complete: true };
        for (path, field) in paths {
            if depth(path) > DEPTH_MAX {
                table.is_complete = false;
                continue;
            }
            let mut at = ROOT;
            for step in path.split('.') {
                at = table.child_or_new(at, step.trim_end_matches("[]").as_bytes());
                for _ in step.matches("[]") {
                    at = table.element_or_new(at);
                }
            }
            if let Some(node) = table.nodes.get_mut(usize::from(at)) {
                node.field.get_or_insert(field);
            }
        }
        table
    }

    /// Whether all paths are in it.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether a path means something of which this is true.
    pub fn has(&self, is_wanted: impl Fn(F) -> bool) -> bool {
        self.nodes.iter().filter_map(|node| node.field).any(is_wanted)
    }

    /// The table of one path of keys, which may hold any characters. One deeper than [`DEPTH_MAX`] is cut there.
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>, field: F) -> Table<F> {
        let nodes = vec![Node::default()];
        let mut table = Table { nodes, is_complete: true };
        let mut at = ROOT;
        for key in keys.into_iter().take(DEPTH_MAX) {
            at = table.new_child(at, key.as_bytes().into());
        }
        if let Some(node) = table.nodes.get_mut(usize::from(at)) {
            node.field = Some(field);
        }
        table
    }

    /// Compiles JSON pointers (RFC 6901): a key that is an array's index is both. One that stands twice keeps its
    /// first meaning; one that no document can be known to match, because it is deeper than [`DEPTH_MAX`] or
    /// has a key longer than [`SHORT_BYTES_MAX`], is left out.
    pub fn of_pointers<'k>(pointers: impl IntoIterator<Item = (&'k [String], F)>) -> Table<F> {
        let mut table = Table { nodes: vec![Node::default()], is_complete: true };
        for (keys, field) in pointers {
            if keys.len() > DEPTH_MAX || keys.iter().any(|key| key.len() > SHORT_BYTES_MAX) {
                table.is_complete = false;
                continue;
            }
            let at = keys.iter().fold(ROOT, |at, key| table.step_or_new(at, key));
            if let Some(node) = table.nodes.get_mut(usize::from(at)) {
                node.field.get_or_insert(field);
            }
        }
        table
    }

    /// The place below `node` that a pointer's key leads to.
    fn step_or_new(&mut self, node: NodeId, key: &str) -> NodeId {
        if let Some(child) = self.child(node, key.as_bytes()) {
            return child;
        }
        let child = self.new_child(node, key.as_bytes().into());
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

    fn child_or_new(&mut self, node: NodeId, key: &'static [u8]) -> NodeId {
        if let Some(child) = self.child(node, key) {
            return child;
        }
        self.new_child(node, key.into())
    }

    fn new_child(&mut self, node: NodeId, key: Box<[u8]>) -> NodeId {
        let child = self.add();
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            node.keys.push((key, child));
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

    fn node(&self, id: NodeId) -> Option<&Node<F>> {
        self.nodes.get(usize::from(id))
    }

    pub(super) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        let keys = &self.node(node)?.keys;
        keys.iter().find(|(name, _)| **name == *key).map(|(_, child)| *child)
    }

    /// The place of an array's element.
    pub(super) fn element(&self, node: NodeId, index: u32) -> Option<NodeId> {
        let node = self.node(node)?;
        let own = node.numbered.iter().find(|(number, _)| *number == index);
        own.map(|(_, child)| *child).or(node.element)
    }

    pub(super) fn field(&self, node: NodeId) -> Option<F> {
        self.node(node)?.field
    }

    /// Whether any path leads into this node as an array, or as an object.
    pub(super) fn has_inside(&self, node: NodeId, is_array: bool) -> bool {
        self.node(node).is_some_and(|node| {
            if is_array { node.element.is_some() || !node.numbered.is_empty() } else { !node.keys.is_empty() }
        })
    }
}

/// Containers that must be open to stand at `path`.
pub fn depth(path: &str) -> usize {
    path.split('.').count().saturating_add(path.matches("[]").count())
}

/// The element that a pointer's key names in an array: digits without a leading zero.
fn index(key: &str) -> Option<u32> {
    let is_index = key == "0" || !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
    is_index.then(|| key.parse().ok()).flatten()
}
