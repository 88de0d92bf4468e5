//! A logger for the crate `log` that writes to Envoy's log, and what is said of a panic.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::abi::{self, LogLevel};

/// The filter logs nothing below this level.
const LEVEL_MAX: LevelFilter = LevelFilter::Info;

struct EnvoyLog;

/// Installs the logger.
pub(crate) fn install() {
    // It fails if an earlier configuration has installed the logger.
    if log::set_logger(&EnvoyLog).is_ok() {
        log::set_max_level(LEVEL_MAX);
    }
}

/// Has the place of a panic logged, and not its message, which may hold what a client sent.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            log::error!("panicked at {}:{}", place.file(), place.line());
        }
    }));
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
        abi::log(level, &format!("llm-canary: {}", record.args()));
    }

    fn flush(&self) {}
}
