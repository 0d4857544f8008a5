//! A safe face of the few host facilities that need unsafe calls.

pub mod futex;
mod shared;

pub use shared::SharedRegion;
