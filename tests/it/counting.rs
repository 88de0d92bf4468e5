//! An allocator that counts, for what a stream keeps. `tests/corpus/` uses it, too.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use llm_canary::observe::{End, GrpcMethod, Head, Observer};

/// What a stream may keep at any moment. Named in the README and in docs.
pub(crate) const STREAM_BYTES_MAX: isize = 64 * 1024;

struct Counting;

thread_local! {
    pub(crate) static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Gone when the thread ends, where nothing is measured.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: passes everything on to the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that a stream of these chunks kept at any moment.
pub(crate) fn peak_bytes<'a>(content_type: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> isize {
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let before = LIVE.get();
    PEAK.set(before);
    let mut observer = Box::new(Observer::new(head, 0, 0));
    observer.detect_defects(None);
    observer.expect_messages(GrpcMethod::ModelStreamInfer); // if its type is gRPC
    chunks.into_iter().for_each(|chunk| observer.push(0, chunk));
    observer.finish(End::Complete, 0);
    PEAK.get() - before
}
