//! Envoy's log as the logger of the crate `log`.

use alloc::string::String;
use core::fmt::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::abi::{self, LogLevel};

/// The filter logs nothing finer.
const LEVEL_MAX: LevelFilter = LevelFilter::Info;

struct EnvoyLog;

/// Writes what the filter logs to Envoy's log from here on.
pub(super) fn install() {
    // It fails where a logger is installed already, which is this one.
    if log::set_logger(&EnvoyLog).is_ok() {
        log::set_max_level(LEVEL_MAX);
    }
}

impl Log for EnvoyLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true // Envoy knows the level that its operator chose
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
