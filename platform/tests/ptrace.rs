//! The ptrace platform, as the kernel above sees it.

use std::sync::Arc;

use platform::ptrace::PtracePlatform;
use platform::{MemoryFile, Platform};

#[path = "guests/mod.rs"]
mod guests;

/// The platform that these tests are about.
fn platform(memory: &MemoryFile) -> Arc<dyn Platform> {
    Arc::new(PtracePlatform::new(memory).unwrap())
}
