//! Contexts by Envoy's ids.

use super::abi::ContextId;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Contexts, sorted by id. Envoy's ids increase, so a new context is appended. Contexts are boxed, so that removing one
/// moves only pointers.
pub(super) struct Contexts<T>(Vec<(ContextId, Box<T>)>);

impl<T> Contexts<T> {
    pub(super) const fn new() -> Contexts<T> {
        Contexts(Vec::new())
    }

    /// The index of a context, or the index at which to insert it.
    #[inline(always)]
    fn find(&self, id: ContextId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: ContextId) -> Option<&mut T> {
        let at = self.find(id).ok()?;
        self.0.get_mut(at).map(|(_, context)| &mut **context)
    }

    /// Adds a context, or replaces the one with the same id.
    pub(super) fn insert(&mut self, id: ContextId, context: T) {
        if let Some(known) = self.get_mut(id) {
            *known = context;
        } else if let Err(at) = self.find(id) {
            self.0.insert(at, (id, Box::new(context)));
        }
    }

    /// Removes a context. Returns whether there was one.
    pub(super) fn remove(&mut self, id: ContextId) -> bool {
        let at = self.find(id);
        at.into_iter().for_each(|at| drop(self.0.remove(at)));
        at.is_ok()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ContextId, &mut T)> {
        self.0.iter_mut().map(|(id, context)| (*id, &mut **context))
    }
}

#[cfg(test)]
mod tests {
    use super::Contexts;

    #[test]
    fn contexts_inserted_in_any_order_are_found() {
        let mut contexts = Contexts::new();
        for id in [3, 1, 4, 1, 5, 9, 2, 6] {
            contexts.insert(id, id.to_string());
        }
        assert!(contexts.remove(4) && !contexts.remove(7));
        let found: Vec<u32> =
            (0..10).filter(|&id| contexts.get_mut(id) == Some(&mut id.to_string())).collect();
        assert_eq!(found, [1, 2, 3, 5, 6, 9]);
        assert_eq!(contexts.iter_mut().map(|(id, _)| id).collect::<Vec<_>>(), found);
    }
}
