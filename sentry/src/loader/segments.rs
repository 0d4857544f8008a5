//! A program's segments in memory.

use std::sync::Arc;

use platform::Prot;
use syscalls::errno::{EFAULT, EINVAL, ENOMEM};
use syscalls::{Errno, PAGE_SIZE, UserAddr};

use super::elf::{Elf, Kind, Segment};
use crate::mm::layout::random_pages;
use crate::mm::{Content, Mappable, Mm, NewMapping, Placement, VmaFlags};
use crate::vfs::{File, MountFlags};

/// Where movable programs that have an interpreter go: two thirds up, moved at random.
pub(super) const MOVABLE_BASE: u64 = 0x5555_5555_4000;
const RANDOM_PAGES: u64 = 1 << 28;

/// Who places a movable program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A program with an interpreter: in the range for programs.
    Program,
    /// An interpreter, or a program that is its own: among the mappings.
    Interpreter,
}

/// A program in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// What was added to its addresses.
    pub(super) bias: u64,
    /// First instruction.
    pub(super) entry: u64,
    /// Its program headers; 0 if they are not in memory.
    pub(super) headers: u64,
    pub(super) start_code: u64,
    pub(super) end_code: u64,
    pub(super) start_data: u64,
    pub(super) end_data: u64,
    /// End of everything, on a page.
    pub(super) end: u64,
}

/// Maps `elf`, the headers of `file`.
pub(super) fn map(mm: &Mm, file: &Arc<File>, elf: &Elf, role: Role) -> Result<Loaded, Errno> {
    let source = file.ops.mappable(file)?;
    let bias = bias(mm, elf, role)?;
    for segment in &elf.segments {
        map_segment(mm, file, &source, segment, bias)?;
    }
    let layout = mm.layout();
    let entry = elf.entry.wrapping_add(bias);
    if entry >= layout.high {
        return Err(EINVAL);
    }
    let mut loaded = Loaded {
        bias,
        entry,
        start_code: u64::MAX,
        headers: match elf.headers_addr() {
            0 => 0,
            addr => addr.wrapping_add(bias),
        },
        ..Loaded::default()
    };
    for segment in &elf.segments {
        let start = segment.addr.wrapping_add(bias);
        let file_end = start.wrapping_add(segment.file_size);
        let end = start.wrapping_add(segment.memory_size);
        loaded.start_code = loaded.start_code.min(start);
        loaded.start_data = loaded.start_data.max(start);
        if segment.prot.contains(Prot::EXEC) {
            loaded.end_code = loaded.end_code.max(file_end);
        }
        loaded.end_data = loaded.end_data.max(file_end);
        let end = end.checked_next_multiple_of(PAGE_SIZE).ok_or(EINVAL)?;
        loaded.end = loaded.end.max(end);
    }
    if elf.segments.is_empty() {
        loaded.start_code = 0;
    }
    Ok(loaded)
}

/// The most of a segment that can be written, and of its zeros, that is made ready, bytes.
const READY: u64 = 64 << 10;

/// Brings in what the first instructions will touch: each fault would cost more than all of
/// this together, which is one command to the platform. What cannot be had now is left to
/// faults.
pub(super) fn bring_in(mm: &Mm, elf: &Elf, loaded: &Loaded) {
    for segment in &elf.segments {
        let start = segment.addr.wrapping_add(loaded.bias);
        let end = start.wrapping_add(segment.memory_size);
        let (low, high, access) = if segment.prot.contains(Prot::WRITE) {
            (start, end.min(start.saturating_add(READY)), Prot::WRITE)
        } else if (start..end).contains(&loaded.entry) {
            (loaded.entry, loaded.entry + 1, Prot::EXEC)
        } else {
            (start, start.saturating_add(1).min(end), Prot::READ)
        };
        let low = low & !(PAGE_SIZE - 1);
        let Some(high) = high.checked_next_multiple_of(PAGE_SIZE) else {
            continue;
        };
        if low < high {
            let _ = mm.populate_for((low, high), access);
        }
    }
}

/// What to add to the addresses of `elf`.
fn bias(mm: &Mm, elf: &Elf, role: Role) -> Result<u64, Errno> {
    if elf.kind == Kind::Fixed {
        return Ok(0);
    }
    let (start, len) = elf.span()?;
    let align = elf.alignment();
    let base = match role {
        Role::Program => {
            let base = MOVABLE_BASE + random_pages(RANDOM_PAGES);
            if base
                .checked_add(len)
                .is_none_or(|end| end > mm.layout().high)
            {
                return Err(ENOMEM);
            }
            base & !(align - 1)
        }
        Role::Interpreter => mm.free_range(len, align).ok_or(ENOMEM)?,
    };
    Ok(base.wrapping_sub(start & !(align - 1)))
}

fn map_segment(
    mm: &Mm,
    file: &Arc<File>,
    source: &Arc<dyn Mappable>,
    segment: &Segment,
    bias: u64,
) -> Result<(), Errno> {
    let start = segment.addr.wrapping_add(bias);
    let end = start.checked_add(segment.memory_size).ok_or(EINVAL)?;
    if end > mm.layout().high {
        return Err(EINVAL);
    }
    let file_end = start + segment.file_size;
    let inside = start % PAGE_SIZE;
    let page = start - inside;
    if segment.file_size == 0 {
        return map_zeros(mm, page, end, segment.prot);
    }
    let offset = segment.offset.checked_sub(inside).ok_or(EINVAL)?;
    if offset % PAGE_SIZE != 0 {
        return Err(EINVAL);
    }
    let mut may = Prot::all();
    if file.location.mount.flags().contains(MountFlags::NOEXEC) {
        may -= Prot::EXEC;
    }
    mm.map(NewMapping {
        prot: segment.prot,
        may,
        content: Content::Source {
            source: source.clone(),
            file: Some(file.clone()),
            offset,
        },
        ..NewMapping::zeros(Placement::FixedFree(page), file_end - page)
    })
    .map_err(taken)?;
    if segment.memory_size == segment.file_size {
        return Ok(());
    }
    let zeros = file_end.checked_next_multiple_of(PAGE_SIZE).ok_or(EINVAL)?;
    // What the file has after the segment, on its last page, does not belong to it.
    if segment.prot.contains(Prot::WRITE) && zeros > file_end {
        let len = usize::try_from(zeros - file_end).map_err(|_| EINVAL)?;
        mm.zero_bytes(UserAddr::new(file_end), len)
            .map_err(|_| EFAULT)?;
    }
    map_zeros(mm, zeros, end, segment.prot)
}

/// Zeros from the page at `start` to `end`, if that is more than nothing.
fn map_zeros(mm: &Mm, start: u64, end: u64, prot: Prot) -> Result<(), Errno> {
    if end <= start {
        return Ok(());
    }
    mm.map(NewMapping {
        // As Linux: whatever the segment says, its zeros can be written.
        prot: Prot::READ | Prot::WRITE | (prot & Prot::EXEC),
        flags: VmaFlags::ACCOUNT,
        ..NewMapping::zeros(Placement::FixedFree(start), end - start)
    })
    .map_err(taken)?;
    Ok(())
}

/// Segments that lie on each other, or below what may be mapped.
fn taken(error: Errno) -> Errno {
    use syscalls::errno::{EEXIST, EPERM};
    if error == EEXIST || error == EPERM {
        EINVAL
    } else {
        error
    }
}
