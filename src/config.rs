//! The plugin's configuration: JSON in, a [`Config`] that cannot be wrong or every error at once out.
