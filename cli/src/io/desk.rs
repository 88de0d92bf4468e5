//! What Envoys are answered from: between the loop of `xds`, which reads the files, and the thread of the server.

use super::clock::{Clock, SystemClock};
use crate::discovery::{Envoys, Event, Fleet, Moment, Offer, answer};
use crate::serving::{Gate, Reply, Request};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A desk; its copies are the same desk.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Shared>);

struct Shared {
    clock: SystemClock,
    gate: Gate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    offer: Arc<Offer>,
    envoys: Envoys,
    /// When the files were looked at last, since the desk was made.
    looked: Duration,
}

impl Desk {
    /// With nothing to give.
    pub(crate) fn new(gate: Gate, random: u32) -> Self {
        let envoys = Envoys::new((random & 0xffff) as u16);
        let state = Mutex::new(State { envoys, ..State::default() });
        Self(Arc::new(Shared { clock: SystemClock::start(), gate, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// This is given from now on.
    pub(crate) fn offer(&self, offer: Offer) {
        self.state().offer = Arc::new(offer);
    }

    /// The loop has looked at its files. Returns what Envoys did since.
    pub(crate) fn beat(&self) -> Vec<Event> {
        let now = self.0.clock.elapsed();
        let mut state = self.state();
        state.looked = now;
        state.envoys.take_events()
    }

    /// Who runs what now.
    pub(crate) fn fleet(&self) -> Fleet {
        let now = self.0.clock.elapsed();
        let state = &mut *self.state();
        Fleet::new(&state.offer, &mut state.envoys, now)
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &Request, body: &[u8], peer: IpAddr) -> Reply {
        let now = self.0.clock.elapsed();
        let state = &mut *self.state();
        let moment = Moment { now, quiet: now.saturating_sub(state.looked) };
        let offer = Arc::clone(&state.offer);
        let peer = peer.to_canonical().to_string();
        answer(request, body, &peer, &offer, &mut state.envoys, &self.0.gate, moment)
    }
}
