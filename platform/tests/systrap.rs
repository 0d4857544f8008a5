//! The systrap platform, as the kernel above sees it.

use std::sync::Arc;

use platform::systrap::SystrapPlatform;
use platform::{MemoryFile, Platform};

#[path = "guests/attack.rs"]
mod attack;
#[path = "guests/mod.rs"]
mod guests;
#[path = "guests/rewritten.rs"]
mod rewritten;

/// The platform that these tests are about.
fn platform(memory: &MemoryFile) -> Arc<dyn Platform> {
    Arc::new(SystrapPlatform::new(memory).unwrap())
}
