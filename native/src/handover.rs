//! A text that a pass of a request leaves for the next, through an internal redirect.
//!
//! Filter state would end with the pass: a module cannot set its life span. But Envoy begins the next pass in the callback
//! that ends the one before, on the same thread. So the text waits here, under the id of the client's connection.

use std::cell::RefCell;
use std::collections::VecDeque;

/// How many texts wait: one for each filter of a chain. What is not taken is dropped by the next ones.
const TEXTS_MAX: usize = 8;

thread_local! {
    static TEXTS: RefCell<VecDeque<(u64, Vec<u8>)>> = const { RefCell::new(VecDeque::new()) };
}

/// Leaves a text for the next pass of a request of this connection.
pub(crate) fn leave(connection: u64, text: &str) {
    TEXTS.with_borrow_mut(|texts| {
        texts.retain(|(of, _)| *of == connection);
        if texts.len() >= TEXTS_MAX {
            texts.pop_front();
        }
        texts.push_back((connection, text.into()));
    });
}

/// Lends the texts of this connection to `take`, one after the other, and removes the one of which it makes a value.
pub(crate) fn take<T>(connection: u64, mut take: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
    TEXTS.with_borrow_mut(|texts| {
        texts.retain(|(of, _)| *of == connection);
        let (at, value) = texts.iter().enumerate().find_map(|(at, (_, text))| Some((at, take(text)?)))?;
        texts.remove(at);
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::{TEXTS_MAX, leave, take};

    #[test]
    fn a_text_is_taken_once_and_by_its_own_connection_and_filter() {
        let is = |expected: &'static [u8]| move |text: &[u8]| (text == expected).then_some(());
        leave(1, "a");
        leave(1, "b");
        assert_eq!((take(1, is(b"b")), take(1, is(b"b"))), (Some(()), None));
        assert_eq!(take(1, is(b"a")), Some(()));
        leave(1, "a");
        leave(2, "b");
        assert_eq!(take(1, is(b"a")), None, "another connection came in between");
        for _ in 0..2 * TEXTS_MAX {
            leave(3, "c");
        }
        assert_eq!((0..2 * TEXTS_MAX).filter_map(|_| take(3, is(b"c"))).count(), TEXTS_MAX);
    }
}
