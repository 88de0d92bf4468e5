//! Where values go: by the index of their path in the table, so that the scanner knows no fields.

use crate::json::{Field, Sink, Value};

/// Receives values with the index of their path in the table.
pub(super) trait IndexedSink {
    fn value(&mut self, index: u16, value: Value<'_>);
    fn document(&mut self);
}

/// Replaces indices by fields. With this the scanner is compiled once, not once for each type of field.
pub(super) struct FieldSink<'s, F, S> {
    pub(super) fields: &'s [F],
    pub(super) sink: &'s mut S,
}

impl<F: Field, S: Sink<F>> IndexedSink for FieldSink<'_, F, S> {
    fn value(&mut self, index: u16, value: Value<'_>) {
        if let Some(&field) = self.fields.get(usize::from(index)) {
            self.sink.value(field, value);
        }
    }

    fn document(&mut self) {
        self.sink.document();
    }
}
