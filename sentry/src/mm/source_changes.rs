//! What a mapped file tells the memory that maps it.

use platform::Prot;
use syscalls::PAGE_SIZE;
use syscalls::errno::Errno;

use super::change::Change;
use super::own_pages::retell;
use super::state::State;
use super::vma::VmaFlags;
use super::{Mappings, Mm, PrivateCopies};

/// A stretch of addresses that shows pages of a file.
struct Stretch {
    start: u64,
    end: u64,
    prot: Prot,
    flags: VmaFlags,
}

impl Mm {
    /// Takes pages `first..end` of a file out of all mappings.
    pub(super) fn invalidate(&self, of: &Mappings, first: u64, end: u64, copies: PrivateCopies) {
        self.on_stretches(of, first, end, |state, change, stretch| match copies {
            PrivateCopies::Drop => state.drop_pages(change, stretch.start, stretch.end),
            PrivateCopies::Keep => state.drop_file_pages(change, stretch.start, stretch.end),
        });
    }

    /// Has the next write to pages `first..end` of a file fault.
    pub(super) fn write_protect(&self, of: &Mappings, first: u64, end: u64) {
        self.on_stretches(of, first, end, |state, change, stretch| {
            if !stretch.flags.contains(VmaFlags::SHARED) {
                return;
            }
            for (start, mut run) in state.resident.take(stretch.start, stretch.end) {
                run.guarded = true;
                if run.told.is_some() {
                    retell(state, change, stretch.prot, start, run);
                } else {
                    state.resident.put(start, run);
                }
            }
        });
    }

    fn on_stretches(
        &self,
        of: &Mappings,
        first: u64,
        end: u64,
        mut act: impl FnMut(&mut State, &mut Change, &Stretch),
    ) {
        // An error is the platform's, and ends the task when it runs next.
        let _ = self.change(|state, change| {
            for stretch in stretches(state, of, first, end) {
                act(state, change, &stretch);
            }
            Ok::<_, Errno>(())
        });
    }
}

fn stretches(state: &State, of: &Mappings, first: u64, end: u64) -> Vec<Stretch> {
    let stretch = |vma: &super::vma::Vma| {
        let source = vma.source().filter(|s| s.registration.is_of(of))?;
        let vma_first = source.offset / PAGE_SIZE;
        let vma_end = vma_first + vma.len() / PAGE_SIZE;
        let (low, high) = (first.max(vma_first), end.min(vma_end));
        (low < high).then(|| Stretch {
            start: vma.start + (low - vma_first) * PAGE_SIZE,
            end: vma.start + (high - vma_first) * PAGE_SIZE,
            prot: vma.prot,
            flags: vma.flags,
        })
    };
    state.vmas.iter().filter_map(stretch).collect()
}
