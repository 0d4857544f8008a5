//! The end of an attachment, shmdt(2).

use std::sync::Arc;

use syscalls::errno::{EINVAL, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::{Mappable, Mm};

impl Mm {
    /// Unmaps what is left of the segment that was attached at `addr`; returns it.
    /// `EINVAL` if there is none.
    pub fn detach(&self, addr: UserAddr) -> Result<Arc<dyn Mappable>, Errno> {
        let addr = addr.get();
        self.change(|state, change| {
            let mut found: Option<(Arc<dyn Mappable>, u64)> = None;
            let mut parts = Vec::new();
            for vma in state.vmas.overlapping(addr, u64::MAX) {
                if let Some((_, end)) = &found
                    && vma.start >= *end
                {
                    break;
                }
                let Some(source) = vma.source() else {
                    continue;
                };
                let pages = source.registration.source();
                let Some(size) = pages.segment_size() else {
                    continue;
                };
                // A part that stands where attaching at `addr` has put it.
                if vma.start.checked_sub(addr) != Some(source.offset) {
                    continue;
                }
                match &found {
                    Some((first, _)) if !source.registration.is_of(first.mappings()) => continue,
                    Some(_) => {}
                    None => {
                        let end = addr.saturating_add(size.next_multiple_of(PAGE_SIZE));
                        found = Some((pages.clone(), end));
                    }
                }
                parts.push((vma.start, vma.end));
            }
            let (source, _) = found.ok_or(EINVAL)?;
            for (start, end) in parts {
                state.unmap(change, start, end);
            }
            Ok(source)
        })
    }
}
