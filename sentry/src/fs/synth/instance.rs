//! Mounted instances.

use syscalls::Errno;

use crate::vfs::{FileSystem, FsInfo};

/// A synthetic file system as a whole.
pub struct Instance {
    /// The type, as /proc/mounts shows it.
    pub name: &'static str,
    /// `f_type` of statfs(2).
    pub magic: u64,
    /// False if names come and go without the kernel's calls: processes, descriptors.
    pub lasting: bool,
    /// Options that /proc/mounts shows, with a comma before each.
    pub options: String,
}

impl FileSystem for Instance {
    fn name(&self) -> &'static str {
        self.name
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        Ok(FsInfo {
            magic: self.magic,
            block_size: 4096,
            name_max: 255,
            ..FsInfo::default()
        })
    }

    fn trusts_cache(&self) -> bool {
        self.lasting
    }

    fn takes_names(&self) -> bool {
        self.name != "proc"
    }

    fn options(&self) -> String {
        self.options.clone()
    }
}
