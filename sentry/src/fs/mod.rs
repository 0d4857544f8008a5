//! File systems. Siblings share one shape: `mod.rs` (the instance), `inode.rs`, `file.rs`.

pub mod cgroup;
pub mod dev;
pub mod devpts;
pub mod gofer;
pub mod host;
pub mod mqueue;
pub mod overlay;
pub mod page_cache;
pub mod proc;
pub mod processor;
pub mod synth;
pub mod sys;
pub mod tmpfs;
