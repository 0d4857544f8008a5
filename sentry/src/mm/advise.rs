//! Advice on ranges of memory, madvise(2); and mincore(2).

use std::sync::Arc;

use platform::Prot;
use syscalls::errno::{EACCES, EFAULT, EINVAL, ENOMEM, EPERM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::fault::FaultError;
use super::map::page_up;
use super::state::State;
use super::vma::{MapName, Vma, VmaFlags};
use super::{Mappable, Mm};
use crate::vfs::File;

/// What to do with the pages of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// MADV_DONTNEED: private memory becomes zeros, or the file's bytes.
    Pages,
    /// MADV_DONTNEED_LOCKED: locked memory too.
    LockedPages,
    /// MADV_FREE: only private memory without a file.
    Anonymous,
}

/// A part of a file to punch out for MADV_REMOVE: bytes.
pub struct Hole {
    /// The open file, if there is one.
    pub file: Option<Arc<File>>,
    /// Its pages.
    pub source: Arc<dyn Mappable>,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

impl Mm {
    /// The pages of `start..start + len`, as madvise(2) checks them; `None` if empty.
    pub fn advised_range(start: UserAddr, len: u64) -> Result<Option<(u64, u64)>, Errno> {
        if !start.is_page_aligned() {
            return Err(EINVAL);
        }
        let len_up = page_up(len).ok_or(EINVAL)?;
        let end = start.get().checked_add(len_up).ok_or(EINVAL)?;
        Ok((len > 0).then_some((start.get(), end)))
    }

    /// Throws pages away. What is mapped is dealt with; `ENOMEM` if there were gaps.
    pub fn discard(&self, (start, end): (u64, u64), what: Discard) -> Result<(), Errno> {
        self.change(|state, change| {
            for part in parts(state, start, end) {
                let locked = part.flags.contains(VmaFlags::LOCKED);
                let refused = match what {
                    Discard::Pages => locked,
                    Discard::LockedPages => false,
                    Discard::Anonymous => locked || !part.anonymous,
                };
                if refused {
                    return Err(EINVAL);
                }
                // Sealed memory that its owner may not write keeps its contents.
                let sealed = part.flags.contains(VmaFlags::SEALED) && part.anonymous;
                if sealed && !part.prot.contains(Prot::WRITE) {
                    return Err(EPERM);
                }
                state.drop_pages(change, part.start, part.end);
            }
            gaps(state, start, end)
        })
    }

    /// Sets and clears properties. `ENOMEM` if there were gaps.
    pub fn set_flags(
        &self,
        (start, end): (u64, u64),
        set: VmaFlags,
        clear: VmaFlags,
    ) -> Result<(), Errno> {
        self.change(|state, _| {
            if set.contains(VmaFlags::WIPE_ON_FORK)
                && parts(state, start, end).iter().any(|part| !part.anonymous)
            {
                return Err(EINVAL);
            }
            state.change_vmas(start, end, |vma| vma.flags = (vma.flags - clear) | set);
            gaps(state, start, end)
        })
    }

    /// Names private memory, prctl(PR_SET_VMA_ANON_NAME).
    pub fn set_name(&self, (start, end): (u64, u64), name: Option<&[u8]>) -> Result<(), Errno> {
        let name = name.map(|name| MapName::Anonymous(name.into()));
        self.change(|state, _| {
            if state
                .vmas
                .overlapping(start, end)
                .any(|vma| !vma.is_anonymous())
            {
                return Err(syscalls::errno::EBADF);
            }
            state.change_vmas(start, end, |vma| vma.name.clone_from(&name));
            gaps(state, start, end)
        })
    }

    /// Brings pages in for reading or writing, MADV_POPULATE_READ and _WRITE.
    pub fn populate_for(&self, (start, end): (u64, u64), access: Prot) -> Result<(), Errno> {
        gaps(&self.state.read(), start, end)?;
        self.fault_in(start, end, access)
            .map_err(|error| match error {
                FaultError::Unmapped | FaultError::NoMemory => ENOMEM,
                FaultError::Denied => EINVAL,
                FaultError::Bus => EFAULT,
            })
    }

    /// The parts of files that MADV_REMOVE frees: `EINVAL` for private or locked
    /// memory, `EACCES` for files not open for writing.
    pub fn holes(&self, (start, end): (u64, u64)) -> Result<Vec<Hole>, Errno> {
        let state = self.state.read();
        let mut holes = Vec::new();
        for vma in state.vmas.overlapping(start, end) {
            let source = vma.source().filter(|_| vma.is_shared()).ok_or(EINVAL)?;
            if vma.flags.contains(VmaFlags::LOCKED) {
                return Err(EINVAL);
            }
            if !vma.may.contains(Prot::WRITE) {
                return Err(EACCES);
            }
            let low = vma.start.max(start);
            holes.push(Hole {
                file: source.file.clone(),
                source: source.registration.source().clone(),
                offset: source.offset + (low - vma.start),
                len: vma.end.min(end) - low,
            });
        }
        gaps(&state, start, end)?;
        Ok(holes)
    }

    /// For each page of the range whether an access needs no storage, mincore(2).
    /// `ENOMEM` if there are gaps.
    pub fn resident_pages(&self, (start, end): (u64, u64)) -> Result<Vec<u8>, Errno> {
        let (mut bits, ask) = {
            let state = self.state.read();
            gaps(&state, start, end)?;
            let count = usize::try_from((end - start) / PAGE_SIZE).map_err(|_| ENOMEM)?;
            let mut bits = Vec::with_capacity(count);
            let mut ask = Vec::new();
            for page in (start..end).step_by(4096) {
                let resident = state.resident.find(page).is_some();
                if let Some(vma) = state.vmas.find(page)
                    && let Some(source) = vma.source()
                    && !resident
                {
                    let index = vma.index_of(source, page);
                    ask.push((bits.len(), source.registration.source().clone(), index));
                }
                bits.push(u8::from(resident));
            }
            (bits, ask)
        };
        for (at, source, index) in ask {
            if let Some(bit) = bits.get_mut(at) {
                *bit = u8::from(source.is_resident(index));
            }
        }
        Ok(bits)
    }
}

/// A mapping, clipped.
struct Part {
    start: u64,
    end: u64,
    prot: Prot,
    flags: VmaFlags,
    anonymous: bool,
}

/// The mappings in `start..end`.
fn parts(state: &State, start: u64, end: u64) -> Vec<Part> {
    let clip = |vma: &Vma| Part {
        start: vma.start.max(start),
        end: vma.end.min(end),
        prot: vma.prot,
        flags: vma.flags,
        anonymous: vma.is_anonymous(),
    };
    state.vmas.overlapping(start, end).map(clip).collect()
}

/// `ENOMEM` unless all of `start..end` is mapped.
pub(super) fn gaps(state: &State, start: u64, end: u64) -> Result<(), Errno> {
    if state.vmas.covers(start, end) {
        Ok(())
    } else {
        Err(ENOMEM)
    }
}
