//! Which memory is dumped: /proc/PID/coredump_filter, core(5), and madvise(2).

use std::sync::atomic::Ordering;

use platform::Prot;
use syscalls::{Errno, PAGE_SIZE, UserAddr};

use crate::mm::{MapInfo, MapName, PageState, VmaFlags};
use crate::task::Current;

/// A mapping as a program header tells of it.
pub(super) struct Segment {
    pub(super) start: u64,
    /// Bytes in memory, and from the start on in the file.
    pub(super) size: u64,
    pub(super) dumped: u64,
    /// PF_R, PF_W, PF_X.
    pub(super) rights: u32,
    /// Pages that are in no memory are left out: they are the file's, or zeros.
    only_present: bool,
}

/// Bits of the filter.
const ANONYMOUS_PRIVATE: u32 = 1;
const ANONYMOUS_SHARED: u32 = 1 << 1;
const MAPPED_PRIVATE: u32 = 1 << 2;
const MAPPED_SHARED: u32 = 1 << 3;
const ELF_HEADERS: u32 = 1 << 4;

impl Segment {
    pub(super) fn of(task: &Current, map: &MapInfo) -> Option<Self> {
        if matches!(map.name, Some(MapName::Trampolines)) {
            return None;
        }
        let size = map.end.get() - map.start.get();
        let letter = |prot, bit| if map.prot.contains(prot) { bit } else { 0 };
        Some(Segment {
            start: map.start.get(),
            size,
            dumped: dumped(task, map, size),
            rights: letter(Prot::READ, 4) | letter(Prot::WRITE, 2) | letter(Prot::EXEC, 1),
            only_present: map.file.is_none(),
        })
    }

    /// Hands over what is to be in the file, piece by piece, with each one's place.
    pub(super) fn write(
        &self,
        task: &Current,
        mut put: impl FnMut(u64, &[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        /// Pages at a time.
        const PIECE: u64 = 64;
        let mut bytes = Vec::new();
        let mut done = 0;
        while done < self.dumped {
            let len = (self.dumped - done).min(PIECE * PAGE_SIZE);
            let at = UserAddr::new(self.start + done);
            let pages = usize::try_from(len.div_ceil(PAGE_SIZE)).unwrap_or(0);
            let states = task.mem().page_states(at, pages);
            if !self.only_present || states.iter().any(|state| *state != PageState::Absent) {
                bytes.resize(usize::try_from(len).unwrap_or(0), 0);
                self.read(task, at, &states, &mut bytes);
                put(done, &bytes)?;
            }
            done += len;
        }
        Ok(())
    }

    /// What cannot be read is zeros.
    fn read(&self, task: &Current, at: UserAddr, states: &[PageState], bytes: &mut [u8]) {
        const PAGE: usize = 4096;
        const _: () = assert!(PAGE as u64 == PAGE_SIZE);
        for (index, (page, state)) in bytes.chunks_mut(PAGE).zip(states).enumerate() {
            page.fill(0);
            if self.only_present && *state == PageState::Absent {
                continue;
            }
            if let Ok(at) = at.add(index as u64 * PAGE_SIZE) {
                let _ = task.mem().read_partial(at, page);
            }
        }
    }
}

/// Bytes that the file shall have of a mapping.
fn dumped(task: &Current, map: &MapInfo, size: u64) -> u64 {
    let filter = task
        .group
        .worst_case
        .coredump_filter
        .load(Ordering::Relaxed);
    let has = |bit| filter & bit != 0;
    // Debuggers have it from nowhere else.
    if matches!(map.name, Some(MapName::Vdso)) {
        return size;
    }
    if matches!(map.name, Some(MapName::Vvar)) || map.flags.contains(VmaFlags::DONT_DUMP) {
        return 0;
    }
    let shared = map.flags.contains(VmaFlags::SHARED);
    let whole = match (&map.file, shared) {
        (None, true) => has(ANONYMOUS_SHARED),
        (Some(_), true) => has(MAPPED_SHARED),
        (None, false) => has(ANONYMOUS_PRIVATE) && map.anonymous > 0,
        // Code is the file's, whatever was put into it for its calls.
        (Some(_), false) => {
            let changed = map.anonymous > 0 && !map.prot.contains(Prot::EXEC);
            (has(ANONYMOUS_PRIVATE) && changed) || has(MAPPED_PRIVATE)
        }
    };
    let header = has(ELF_HEADERS)
        && map.file.is_some()
        && !shared
        && map.offset == 0
        && map.prot.contains(Prot::READ)
        && is_elf(task, map.start);
    match (whole, header) {
        (true, _) => size,
        (false, true) => PAGE_SIZE,
        (false, false) => 0,
    }
}

fn is_elf(task: &Current, at: UserAddr) -> bool {
    let mut magic = [0; 4];
    task.mem().read_bytes(at, &mut magic).is_ok() && &magic == b"\x7fELF"
}
