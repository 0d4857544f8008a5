//! The kernel's shared object in every program, vdso(7): `[vvar]` with the clocks'
//! parameters, and right above it `[vdso]` with the code that reads them.

mod image;

use std::sync::Arc;

use platform::memfile::Fill;
use platform::{MemoryFile, Pages, Prot};
use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE};

use crate::mm::{Content, MapName, Mappable, Mappings, Mm, NewMapping, Placement, VmaFlags};
use crate::time::TimePage;

/// The pages that all programs of a sandbox share.
pub(crate) struct Vdso {
    time: Arc<TimePage>,
    image: Pages,
    mappings: Mappings,
}

impl Vdso {
    /// Makes them, for programs that see `cpus` processors.
    pub(crate) fn new(file: &MemoryFile, cpus: u32, flags: u32) -> Result<Arc<Self>, Errno> {
        let bytes = image::build();
        let pages = bytes.len() as u64 / PAGE_SIZE;
        let image = file.allocate(pages, Fill::Dirty)?;
        file.write(image.offset(), &bytes)?;
        Ok(Arc::new(Vdso {
            time: TimePage::new(file, cpus, flags)?,
            image,
            mappings: Mappings::new(),
        }))
    }

    /// Maps it; returns the address of the ELF header.
    pub(super) fn map(self: &Arc<Self>, mm: &Mm) -> Result<u64, Errno> {
        let image_len = self.image.count() * PAGE_SIZE;
        let start = mm.free_range(PAGE_SIZE + image_len, PAGE_SIZE);
        let start = start.ok_or(ENOMEM)?;
        let image = start + PAGE_SIZE;
        let map = |at, len, offset, prot, may, name| {
            mm.map(NewMapping {
                prot,
                may,
                flags: VmaFlags::DONT_EXPAND | VmaFlags::DONT_DUMP,
                content: Content::Source {
                    source: self.clone(),
                    file: None,
                    offset,
                },
                name: Some(name),
                ..NewMapping::zeros(Placement::FixedFree(at), len)
            })
        };
        map(start, PAGE_SIZE, 0, Prot::READ, Prot::READ, MapName::Vvar)?;
        let code = Prot::READ | Prot::EXEC;
        // Debuggers set breakpoints in it: in a copy of their own.
        map(
            image,
            image_len,
            PAGE_SIZE,
            code,
            Prot::all(),
            MapName::Vdso,
        )?;
        Ok(image)
    }
}

impl Mappable for Vdso {
    fn pages(&self, index: u64, max: u64, write: bool) -> Result<Pages, Errno> {
        let inside = index.checked_sub(1);
        match inside {
            _ if write => Err(EFAULT),
            None => Ok(self.time.page().clone()),
            Some(first) if first < self.image.count() => {
                let count = max.min(self.image.count() - first);
                Ok(self.image.slice(first, count))
            }
            Some(_) => Err(EFAULT),
        }
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}
