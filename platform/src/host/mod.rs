//! A safe face of the few host facilities that need unsafe calls.

pub mod caps;
pub mod futex;
pub mod mounts;
mod shared;
pub mod spawn;

pub use shared::SharedRegion;
