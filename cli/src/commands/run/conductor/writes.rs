//! Steps and stops are written, and what that led to is handed back as an event.

use super::Conductor;
use crate::commands::run::writer::{Write, Writer};
use crate::controller::Event;
use crate::io::World;

impl Conductor<'_> {
    pub(super) fn write_step(&mut self, step: usize, world: &mut World<'_>) -> Event {
        let parts = self.rules.plan.step(step).map_or(0, |step| step.parts);
        let resume = self.again.is_some();
        if let (Some(reason), false) = (&self.again, self.is_dry) {
            let remembered = self.claim.as_mut().map(|claim| match claim.reasons().contains(reason) {
                true => Ok(()),
                false => claim.remember(reason),
            });
            if let Some(Err(error)) = remembered {
                return Event::Unwritten(error.to_string());
            }
        }
        let is_first = self.state.place().is_some_and(|place| place.step.is_none());
        let write = self.attempt(world, |writer, world| writer.share(parts, resume, world));
        let event = self.written(write, is_first || resume, world);
        if let Event::Written { .. } = event {
            self.again = None;
            self.parts = parts;
        }
        event
    }

    pub(super) fn write_stop(&mut self, world: &mut World<'_>) -> Event {
        let write = self.attempt(world, Writer::stop);
        self.written(write, false, world)
    }

    /// Writes. What there is to say for people was said at the first attempt.
    fn attempt(
        &mut self,
        world: &mut World<'_>,
        write: impl FnOnce(&mut Writer, &mut World<'_>) -> Write,
    ) -> Write {
        if self.failures > 0 {
            world.quietly(|world| write(&mut self.writer, world))
        } else {
            write(&mut self.writer, world)
        }
    }

    /// What a write led to. A version that had no share is judged anew.
    fn written(&mut self, write: Write, is_first: bool, world: &World<'_>) -> Event {
        self.read_at = None;
        match write {
            Write::Done(at) => {
                self.failures = 0;
                let at = if self.is_dry { world.clock.now() } else { at };
                if is_first {
                    self.gathered.begin_anew(self.writer.schedule(), at);
                } else {
                    self.gathered.begin_step(at);
                    self.gathered.set_steps(self.writer.schedule());
                }
                Event::Written { at_ms: self.steady.ms(at, world.clock) }
            }
            Write::OtherHand(words) => Event::OtherHand(words),
            Write::Failed(words) => {
                self.failures = self.failures.saturating_add(1);
                Event::Unwritten(words)
            }
        }
    }
}
