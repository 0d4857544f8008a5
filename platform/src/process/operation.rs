//! Host calls that a mapper performs in its address space.

use syscalls::errno::EINVAL;
use syscalls::{Errno, PAGE_SIZE, UserAddr};

use super::layout::{COMMAND_FD, MEMORY_FD, THREAD_SIZE, USER_END, USER_START};
use super::mapped::Mapped;
use super::thread::ThreadPages;
use crate::{MapOp, Prot};

/// Number and arguments of a host call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operation(pub(super) [u64; 7]);

impl Operation {
    /// A call with up to six arguments.
    pub(super) fn new(number: libc::c_long, args: &[u64]) -> Self {
        let mut words = [0; 7];
        words[0] = number.cast_unsigned();
        for (word, arg) in words[1..].iter_mut().zip(args) {
            *word = *arg;
        }
        Operation(words)
    }

    /// Maps a thread's pages where they belong.
    pub(super) fn map_thread(pages: &ThreadPages) -> Self {
        let flags = libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_POPULATE;
        let args = [
            pages.address(),
            THREAD_SIZE,
            host_prot(Prot::READ.union(Prot::WRITE)),
            u64::from(flags.cast_unsigned()),
            u64::from(COMMAND_FD.cast_unsigned()),
            pages.offset(),
        ];
        Operation::new(libc::SYS_mmap, &args)
    }

    /// As the command page holds it.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.into_iter().flat_map(u64::to_ne_bytes)
    }
}

/// Changes of an address space as host calls, as few as possible: what continues the
/// change before it is joined with it, and nothing is unmapped or protected where nothing
/// is mapped. `mapped` follows along.
pub(super) fn plan(ops: &[MapOp], mapped: &mut Mapped) -> Result<Vec<Operation>, Errno> {
    let mut plan: Vec<Change> = Vec::with_capacity(ops.len());
    let mut add = |change: Change| {
        if !plan.last_mut().is_some_and(|last| last.join(&change)) {
            plan.push(change);
        }
    };
    for op in ops {
        let (start, end) = range(op)?;
        match *op {
            MapOp::Map {
                offset,
                prot,
                populate,
                ..
            } if !prot.is_empty() => {
                mapped.insert(start, end);
                add(Change::Map {
                    start,
                    end,
                    offset,
                    prot,
                    populate,
                });
            }
            MapOp::Protect { prot, .. } if !prot.is_empty() => {
                for (start, end) in mapped.within(start, end) {
                    add(Change::Protect { start, end, prot });
                }
            }
            // A page without rights is one that is not there: the next access faults in
            // either case, and the host is spared the mapping.
            MapOp::Unmap { .. } | MapOp::Map { .. } | MapOp::Protect { .. } => {
                let there = mapped.remove(start, end);
                if let (Some(&(start, _)), Some(&(_, end))) = (there.first(), there.last()) {
                    add(Change::Unmap { start, end });
                }
            }
        }
    }
    Ok(plan.iter().map(Change::operation).collect())
}

/// Checks what must never go wrong: the stub's own pages are out of reach.
pub(crate) fn range(op: &MapOp) -> Result<(u64, u64), Errno> {
    let (MapOp::Map { at, len, .. } | MapOp::Unmap { at, len } | MapOp::Protect { at, len, .. }) =
        *op;
    let end = at.add(len).map_err(|_| EINVAL)?;
    let aligned = at.is_page_aligned() && len.is_multiple_of(PAGE_SIZE);
    let inside = USER_START <= at.get() && at < end && end <= UserAddr::new(USER_END);
    let offset_aligned =
        !matches!(op, MapOp::Map { offset, .. } if !offset.is_multiple_of(PAGE_SIZE));
    if aligned && inside && offset_aligned {
        Ok((at.get(), end.get()))
    } else {
        Err(EINVAL)
    }
}

enum Change {
    Map {
        start: u64,
        end: u64,
        offset: u64,
        prot: Prot,
        populate: bool,
    },
    Unmap {
        start: u64,
        end: u64,
    },
    Protect {
        start: u64,
        end: u64,
        prot: Prot,
    },
}

impl Change {
    /// Takes in `next` if it continues this one.
    fn join(&mut self, next: &Change) -> bool {
        match (self, next) {
            (
                Change::Map {
                    start,
                    end,
                    offset,
                    prot,
                    populate,
                },
                Change::Map {
                    start: next_start,
                    end: next_end,
                    offset: next_offset,
                    prot: next_prot,
                    populate: next_populate,
                },
            ) if *end == *next_start
                && *offset + (*end - *start) == *next_offset
                && (*prot, *populate) == (*next_prot, *next_populate) =>
            {
                *end = *next_end;
                true
            }
            (
                Change::Unmap { end, .. },
                Change::Unmap {
                    start: next_start,
                    end: next_end,
                },
            ) if *end == *next_start => {
                *end = *next_end;
                true
            }
            (
                Change::Protect { end, prot, .. },
                Change::Protect {
                    start: next_start,
                    end: next_end,
                    prot: next_prot,
                },
            ) if *end == *next_start && *prot == *next_prot => {
                *end = *next_end;
                true
            }
            _ => false,
        }
    }

    fn operation(&self) -> Operation {
        match *self {
            Change::Map {
                start,
                end,
                offset,
                prot,
                populate,
            } => {
                let populate = if populate { libc::MAP_POPULATE } else { 0 };
                let flags = libc::MAP_SHARED | libc::MAP_FIXED | populate;
                let args = [
                    start,
                    end - start,
                    host_prot(prot),
                    u64::from(flags.cast_unsigned()),
                    u64::from(MEMORY_FD.cast_unsigned()),
                    offset,
                ];
                Operation::new(libc::SYS_mmap, &args)
            }
            Change::Unmap { start, end } => Operation::new(libc::SYS_munmap, &[start, end - start]),
            Change::Protect { start, end, prot } => {
                Operation::new(libc::SYS_mprotect, &[start, end - start, host_prot(prot)])
            }
        }
    }
}

/// `PROT_…` has the same bits as [`Prot`].
fn host_prot(prot: Prot) -> u64 {
    u64::from(prot.bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: Prot = Prot::READ.union(Prot::WRITE);

    fn map(at: u64, len: u64, offset: u64, prot: Prot) -> MapOp {
        let at = UserAddr::new(at);
        MapOp::Map {
            at,
            len,
            offset,
            prot,
            populate: false,
        }
    }

    fn unmap(at: u64, len: u64) -> MapOp {
        let at = UserAddr::new(at);
        MapOp::Unmap { at, len }
    }

    fn protect(at: u64, len: u64, prot: Prot) -> MapOp {
        let at = UserAddr::new(at);
        MapOp::Protect { at, len, prot }
    }

    /// (call, start, length) of each planned call.
    fn calls(ops: &[MapOp], mapped: &mut Mapped) -> Vec<(i64, u64, u64)> {
        let plan = plan(ops, mapped).unwrap();
        plan.iter()
            .map(|op| (op.0[0].cast_signed(), op.0[1], op.0[2]))
            .collect()
    }

    #[test]
    fn neighbours_are_joined() {
        let mut mapped = Mapped::default();
        let ops = [
            map(0x10000, 0x1000, 0x5000, RW),
            map(0x11000, 0x1000, 0x6000, RW),
            map(0x12000, 0x1000, 0x9000, RW),
            map(0x13000, 0x1000, 0xa000, Prot::READ),
        ];
        let expected = [
            (libc::SYS_mmap, 0x10000, 0x2000),
            (libc::SYS_mmap, 0x12000, 0x1000),
            (libc::SYS_mmap, 0x13000, 0x1000),
        ];
        assert_eq!(calls(&ops, &mut mapped), expected);
        let ops = [unmap(0x10000, 0x1000), unmap(0x11000, 0x1000)];
        assert_eq!(
            calls(&ops, &mut mapped),
            [(libc::SYS_munmap, 0x10000, 0x2000)]
        );
    }

    #[test]
    fn holes_are_skipped() {
        let mut mapped = Mapped::default();
        calls(
            &[map(0x20000, 0x1000, 0, RW), map(0x30000, 0x2000, 0, RW)],
            &mut mapped,
        );
        let ops = [protect(0x10000, 0x30000, Prot::READ)];
        let expected = [
            (libc::SYS_mprotect, 0x20000, 0x1000),
            (libc::SYS_mprotect, 0x30000, 0x2000),
        ];
        assert_eq!(calls(&ops, &mut mapped), expected);
        let ops = [protect(0x31000, 0x1000, Prot::empty())];
        assert_eq!(
            calls(&ops, &mut mapped),
            [(libc::SYS_munmap, 0x31000, 0x1000)]
        );
        assert_eq!(
            calls(&[unmap(0x10000, 0x30000)], &mut mapped),
            [(libc::SYS_munmap, 0x20000, 0x11000)]
        );
        assert_eq!(calls(&[unmap(0x10000, 0x30000)], &mut mapped), []);
    }

    #[test]
    fn the_stub_is_out_of_reach() {
        let mut mapped = Mapped::default();
        for op in [
            map(USER_END, 0x1000, 0, RW),
            map(USER_END - 0x1000, 0x2000, 0, RW),
            map(0, 0x1000, 0, RW),
            map(0x10001, 0x1000, 0, RW),
            map(0x10000, 0x800, 0, RW),
            map(0x10000, 0x1000, 7, RW),
            unmap(0x10000, 0),
            unmap(0x10000, !0xfff),
            protect(USER_END, 0x1000, RW),
        ] {
            assert_eq!(plan(&[op], &mut mapped), Err(EINVAL), "{op:?}");
        }
    }
}
