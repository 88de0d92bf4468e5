//! Header names that are header names.
