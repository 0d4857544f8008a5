//! The Gofer process.
