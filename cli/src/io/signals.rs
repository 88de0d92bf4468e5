//! SIGINT and SIGTERM, for a command that has words to say before it ends.

use crate::controller::Signal;
use crate::error::io_words;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The system's requests to end.
pub(crate) trait Signals {
    /// Catches them from now on. Before that they end the program.
    ///
    /// # Errors
    /// The system refuses, in words.
    fn watch(&self) -> Result<(), String>;
    /// The signal that came since this was asked last.
    fn take(&self) -> Option<Signal>;
    /// Whether one has come that was not taken yet: who waits for somebody else gives up.
    fn is_waiting(&self) -> bool;
}

/// The signals of this process. The first is handed out; a second one ends the program at once.
#[derive(Default)]
pub(crate) struct SystemSignals {
    caught: Arc<AtomicUsize>,
    was_caught: Arc<AtomicBool>,
}

impl SystemSignals {
    fn register(&self) -> io::Result<()> {
        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            // Handlers run in this order: at the first signal none has been caught yet.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&self.was_caught))?;
            flag::register(signal, Arc::clone(&self.was_caught))?;
            flag::register_usize(
                signal,
                Arc::clone(&self.caught),
                usize::try_from(signal).unwrap_or_default(),
            )?;
        }
        Ok(())
    }
}

impl Signals for SystemSignals {
    fn watch(&self) -> Result<(), String> {
        self.register().map_err(|error| format!("the handler of SIGTERM {}", io_words(&error)))
    }

    fn take(&self) -> Option<Signal> {
        let caught = self.caught.swap(0, Ordering::SeqCst);
        match i32::try_from(caught).unwrap_or_default() {
            SIGINT => Some(Signal::Interrupt),
            SIGTERM => Some(Signal::Terminate),
            _ => None,
        }
    }

    fn is_waiting(&self) -> bool {
        self.caught.load(Ordering::SeqCst) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Signal, Signals, SystemSignals};
    use signal_hook::consts::SIGTERM;

    #[test]
    fn a_signal_is_handed_out_once() {
        let signals = SystemSignals::default();
        signals.watch().unwrap();
        assert_eq!(signals.take(), None);
        // It would end this program if it were not caught.
        assert!(!signals.is_waiting());
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(signals.is_waiting());
        assert_eq!(signals.take(), Some(Signal::Terminate));
        assert!(!signals.is_waiting());
        assert_eq!(signals.take(), None);
    }
}
