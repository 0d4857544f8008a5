//! The kvm platform, as the kernel above sees it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use platform::kvm::KvmPlatform;
use platform::{MemoryFile, Platform};

#[path = "guests/mod.rs"]
mod guests;
#[path = "guests/supervisor.rs"]
mod supervisor;

/// The platform that these tests are about.
fn platform(memory: &MemoryFile) -> Arc<dyn Platform> {
    Arc::new(KvmPlatform::new(device(), memory).unwrap())
}

fn device() -> OwnedFd {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open("/dev/kvm") {
        Ok(file) => file.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: kvm: /dev/kvm: {error}");
            std::process::exit(0);
        }
    }
}
