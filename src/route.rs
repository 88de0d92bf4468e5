//! Which version serves a request.
