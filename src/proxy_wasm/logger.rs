//! A logger for the crate `log` that writes to Envoy's log.

use alloc::string::String;
use core::fmt::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::abi::{self, LogLevel};

/// The filter logs nothing below this level.
const LEVEL_MAX: LevelFilter = LevelFilter::Info;

struct EnvoyLog;

/// Installs the logger.
pub(super) fn install() {
    // It fails if an earlier configuration has installed the logger.
    if log::set_logger(&EnvoyLog).is_ok() {
        log::set_max_level(LEVEL_MAX);
    }
}

impl Log for EnvoyLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true // Envoy filters by the level that its operator chose
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info | Level::Debug | Level::Trace => LogLevel::Info,
        };
        let mut line = String::new();
        // Writing to a string does not fail.
        _ = write!(line, "{}", record.args());
        abi::log(level, &line);
    }

    fn flush(&self) {}
}
