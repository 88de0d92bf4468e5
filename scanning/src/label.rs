//! Enums whose variants are the values of a metric's label. One list defines the variants and the values.

/// Declares an enum, the list of its label values, and `as_str`.
#[macro_export]
macro_rules! label_values {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All values of the label, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[$($value),+];

            /// The variants, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value of the label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }
        }
    };
}

pub use label_values;
