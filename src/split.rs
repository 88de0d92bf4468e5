//! Percentages → bucket ranges per version.
