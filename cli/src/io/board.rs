//! What a server shows, and the approvals that come in by it: between the loop of a command and the threads of the server.

use super::audience::{Audience, Snapshot};
use super::clock::{Clock, SystemClock};
use crate::serving::{Found, Moment, Shown, View, Watchdog};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// So many approvals may wait for the loop.
const APPROVALS_MAX: usize = 16;

/// What the loop says to who approved.
pub(crate) type Answer = Result<String, String>;

/// A board; its copies are the same board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Shared>);

struct Shared {
    clock: SystemClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    view: Arc<View>,
    /// When the view came, and when the loop went round last, since the board was made.
    shown: Duration,
    beat: Duration,
    approvals: VecDeque<(u64, Sender<Answer>)>,
    /// The approval that the loop has taken.
    taken: Option<Sender<Answer>>,
    next_ticket: u64,
}

/// An approval that waits for the loop. Dropped, it is withdrawn, if the loop has not taken it.
pub(super) struct Ticket {
    board: Board,
    number: u64,
    pub(super) answer: Receiver<Answer>,
}

impl Board {
    /// With nothing on it. A look counts for so long.
    pub(crate) fn new(good_for: Duration) -> Self {
        let state = State { view: Arc::new(View { good_for, ..View::default() }), ..State::default() };
        Self(Arc::new(Shared { clock: SystemClock::start(), state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes what is shown, after a look.
    pub(crate) fn show(&self, change: impl FnOnce(&mut View)) {
        self.change(true, change);
    }

    fn change(&self, is_look: bool, change: impl FnOnce(&mut View)) {
        let now = self.0.clock.elapsed();
        let mut view = View::clone(&self.state().view);
        change(&mut view);
        view.has_looked |= is_look;
        let found = std::mem::take(&mut view.found);
        view.stops.count(&found);
        view.found = found;
        let mut state = self.state();
        (state.view, state.beat) = (Arc::new(view), now);
        if is_look {
            state.shown = now;
        }
    }

    /// The loop goes round.
    pub(crate) fn beat(&self) {
        let now = self.0.clock.elapsed();
        self.state().beat = now;
    }

    /// Lets nobody wait for the loop any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.approvals.clear();
        state.taken = None;
    }

    /// What is shown now.
    pub(super) fn view(&self) -> (Arc<View>, Moment) {
        let now = self.0.clock.elapsed();
        let state = self.state();
        let moment = Moment { age: now.saturating_sub(state.shown), quiet: now.saturating_sub(state.beat) };
        (Arc::clone(&state.view), moment)
    }

    /// Hands an approval in; `None` if too many wait.
    pub(super) fn approve(&self) -> Option<Ticket> {
        let mut state = self.state();
        if state.approvals.len() >= APPROVALS_MAX {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        let number = state.next_ticket;
        state.next_ticket = number.wrapping_add(1);
        state.approvals.push_back((number, sender));
        Some(Ticket { board: self.clone(), number, answer })
    }
}

impl Ticket {
    /// Takes the approval back. Returns whether the loop had not taken it.
    pub(super) fn withdraw(&self) -> bool {
        let mut state = self.board.state();
        let before = state.approvals.len();
        state.approvals.retain(|(number, _)| *number != self.number);
        state.approvals.len() < before
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Audience for Board {
    fn can_approve(&self) -> bool {
        true
    }

    fn publish(&self, snapshot: &Snapshot<'_>) {
        let analysis = snapshot.analysis.clone();
        self.change(snapshot.is_look, |view| {
            view.rollout = Some(analysis.rollout.clone());
            view.versions = Some(vec![analysis.version.clone()]);
            view.found = vec![Found { analysis, percent: snapshot.percent.parse().ok() }];
            view.trouble = snapshot.trouble.map(str::to_owned);
            view.state = Some(snapshot.state.name().to_owned());
            view.records = snapshot.records.to_vec();
            view.watchdog = snapshot.watchdog.map(Watchdog::new);
            view.page = Some(Arc::new(Shown::new((snapshot.page)())));
        });
    }

    fn take_approval(&self) -> bool {
        self.beat();
        let mut state = self.state();
        let taken = state.approvals.pop_front().map(|(_, sender)| sender);
        let is_some = taken.is_some();
        state.taken = taken;
        is_some
    }

    fn answer(&self, answer: Result<&str, &str>) {
        let taken = self.state().taken.take();
        if let Some(sender) = taken {
            // Who asked may be gone.
            let _ = sender.send(answer.map(str::to_owned).map_err(str::to_owned));
        }
    }
}
