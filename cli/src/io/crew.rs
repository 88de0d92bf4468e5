//! Threads that work on a list of jobs, while one thread takes their results.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// While results are waited for, the end of all is looked for so often.
const SLICE: Duration = Duration::from_millis(50);

/// Works on jobs in their order, on so many threads, and hands each result to `take`, on this thread. When `is_over` says so, the
/// jobs that have begun are ended, and no other begins.
pub(crate) fn work<'j, J: Sync, R: Send>(
    jobs: &'j [J],
    threads: usize,
    work: impl Fn(&'j J) -> R + Sync,
    mut take: impl FnMut(&'j J, R),
    is_over: impl Fn() -> bool,
) {
    let next = AtomicUsize::new(0);
    let has_ended = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()).max(1) {
            let sender = sender.clone();
            let (next, has_ended, work) = (&next, &has_ended, &work);
            scope.spawn(move || {
                while !has_ended.load(Ordering::Relaxed)
                    && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    // Nobody may be there any more.
                    let _ = sender.send((job, work(job)));
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(SLICE) {
                Ok((job, result)) => take(job, result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_over() {
                has_ended.store(true, Ordering::Relaxed);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::work;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn every_job_is_done_once() {
        let jobs: Vec<u32> = (0..100).collect();
        let mut results = Vec::new();
        work(&jobs, 4, |job| job * 2, |job, result| results.push((*job, result)), || false);
        results.sort_unstable();
        assert_eq!(results, jobs.iter().map(|job| (*job, job * 2)).collect::<Vec<_>>());
        work(&[] as &[u32], 4, |job| *job, |_, _| unreachable!(), || false);
    }

    #[test]
    fn at_most_so_many_at_once() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let job = |_: &u32| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(2));
            now.fetch_sub(1, Ordering::SeqCst);
        };
        work(&[0; 40], 3, job, |_, ()| (), || false);
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn what_has_begun_is_ended_and_nothing_else_begins() {
        let begun = AtomicUsize::new(0);
        let taken = Cell::new(0);
        let job = |_: &u32| {
            begun.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
        };
        work(&[0; 1_000], 2, job, |_, ()| taken.set(taken.get() + 1), || taken.get() >= 10);
        assert_eq!(taken.get(), begun.load(Ordering::SeqCst), "none that began is lost");
        assert!((10..20).contains(&taken.get()), "{}", taken.get());
    }
}
