//! The world outside of the program: everything that a command reads from it or does to it.
//!
//! A command gets a [`World`] and touches nothing else. Tests give it one with a clock that never waits, files in
//! memory and Envoys that answer at once. Nothing here decides anything about a rollout.

pub(crate) mod access;
pub(crate) mod admin;
pub(crate) mod ask;
pub(crate) mod audience;
pub(crate) mod beside;
pub(crate) mod board;
pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod crew;
pub(crate) mod desk;
pub(crate) mod files;
pub(crate) mod fleet;
pub(crate) mod judge;
pub(crate) mod kubectl;
pub(crate) mod lease;
mod lock;
pub(crate) mod notices;
pub(crate) mod polls;
pub(crate) mod post;
pub(crate) mod prometheus;
pub(crate) mod secrets;
pub(crate) mod server;
pub(crate) mod set_files;
pub(crate) mod signals;
pub(crate) mod source;
pub(crate) mod target;
pub(crate) mod terminal;

use crate::table::Canvas;
use admin::Admin;
use ask::Ask;
use beside::Beside;
use clock::Clock;
use files::Files;
use kubectl::Kubectl;
use notices::Notices;
use post::Post;
use serde::Serialize;
use server::{Server, Site};
use signals::Signals;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::SocketAddr;

/// Serves a site.
type Listen = fn(SocketAddr, Site) -> Result<Server, String>;

/// What a command may use of the world.
pub(crate) struct World<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) files: &'a dyn Files,
    pub(crate) admin: &'a dyn Admin,
    pub(crate) kubectl: &'a dyn Kubectl,
    pub(crate) post: &'a dyn Post,
    pub(crate) ask: &'a dyn Ask,
    pub(crate) notices: &'a dyn Notices,
    pub(crate) beside: &'a dyn Beside,
    pub(crate) signals: &'a dyn Signals,
    /// 32 random bits.
    pub(crate) random: fn() -> u32,
    /// Serves HTTP at an address.
    pub(crate) listen: Listen,
    /// What standard output is now.
    pub(crate) canvas: fn() -> Canvas,
    /// Standard output, for data.
    pub(crate) out: &'a mut dyn Write,
    /// Standard error, for words.
    pub(crate) err: &'a mut dyn Write,
}

impl World<'_> {
    /// Writes a line of data.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn print(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self.out, value)?;
        writeln!(self.out)
    }

    /// Does something without words for people.
    pub(crate) fn quietly<T>(&mut self, work: impl FnOnce(&mut World<'_>) -> T) -> T {
        let Self { clock, files, admin, kubectl, post, ask, notices, beside, signals, .. } = *self;
        let Self { random, listen, canvas, .. } = *self;
        let (out, err) = (&mut *self.out, &mut io::sink());
        work(&mut World {
            clock,
            files,
            admin,
            kubectl,
            post,
            ask,
            notices,
            beside,
            signals,
            random,
            listen,
            canvas,
            out,
            err,
        })
    }

    /// Writes a line for people. One that cannot be written is lost, because there is nowhere to say so.
    pub(crate) fn say(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }
}

/// 32 random bits, from the seed of the standard library's hash maps.
pub(crate) fn random() -> u32 {
    (RandomState::new().hash_one(0) >> 32) as u32
}
