//! Where things go in an address space.
//!
//! As Linux lays it out: mappings from the top down, below room for the stack to grow,
//! everything moved by random amounts.

use platform::host::random;
use syscalls::PAGE_SIZE;

use super::Mm;
use super::state::State;
use super::vma::{Vma, VmaFlags};

/// No mapping is put below by the kernel's own choice, nor by unprivileged programs'
/// (vm.mmap_min_addr).
pub(crate) const MIN_ADDR: u64 = 0x1_0000;
/// What stays free below a stack, bytes.
pub(super) const GUARD_GAP: u64 = 256 * PAGE_SIZE;
/// MAP_32BIT mappings end below.
const LOW_END: u64 = 0x8000_0000;
/// … and start here.
const LOW_START: u64 = 0x4000_0000;
/// How far the top of the stack is moved at random, at most.
pub(crate) const STACK_RANDOM: u64 = 0x3f_ffff * PAGE_SIZE;
const MAP_RANDOM_PAGES: u64 = 1 << 28;

/// Fixed points of an address space. 0 where not set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in proc_pid_stat(5)")]
pub struct Layout {
    /// Addresses that may be used.
    pub low: u64,
    pub high: u64,
    /// Mappings are put below.
    pub mmap_base: u64,
    pub start_code: u64,
    pub end_code: u64,
    pub start_data: u64,
    pub end_data: u64,
    pub start_brk: u64,
    pub brk: u64,
    pub start_stack: u64,
    pub arg_start: u64,
    pub arg_end: u64,
    pub env_start: u64,
    pub env_end: u64,
    /// The auxiliary vector as it stands on the first stack.
    pub auxv: Vec<[u64; 2]>,
}

impl Layout {
    /// A layout for addresses `low..high` and a stack that may grow to `stack_limit`.
    pub(super) fn new(low: u64, high: u64, stack_limit: u64) -> Self {
        let low = low.max(MIN_ADDR);
        // As Linux: between 128 MiB and five sixths of everything are left for the stack.
        let gap = stack_limit
            .saturating_add(GUARD_GAP + STACK_RANDOM)
            .clamp(128 << 20, (high / 6).saturating_mul(5));
        let random = random_pages(MAP_RANDOM_PAGES.min((high - low) / PAGE_SIZE / 8));
        let mmap_base = (high - gap).saturating_sub(random).max(low) & !(PAGE_SIZE - 1);
        Layout {
            low,
            high,
            mmap_base,
            start_code: 0,
            end_code: 0,
            start_data: 0,
            end_data: 0,
            start_brk: 0,
            brk: 0,
            start_stack: 0,
            arg_start: 0,
            arg_end: 0,
            env_start: 0,
            env_end: 0,
            auxv: Vec::new(),
        }
    }
}

/// A random number of pages below `below`, in bytes.
pub(crate) fn random_pages(below: u64) -> u64 {
    let mut bytes = [0; 8];
    // Without randomness a program runs all the same.
    if below == 0 || random::fill(&mut bytes).is_err() {
        return 0;
    }
    u64::from_le_bytes(bytes) % below * PAGE_SIZE
}

/// The lowest address that belongs to a mapping, with the gap below stacks.
fn start_with_gap(vma: &Vma) -> u64 {
    if vma.flags.contains(VmaFlags::GROWS_DOWN) {
        vma.start.saturating_sub(GUARD_GAP)
    } else {
        vma.start
    }
}

impl Mm {
    /// A free range of `len` bytes, aligned, where a mapping without a wish would go.
    pub(crate) fn free_range(&self, len: u64, align: u64) -> Option<u64> {
        let room = len.checked_add(align - PAGE_SIZE)?;
        let start = self.state.read().find_free(room)?;
        start.checked_next_multiple_of(align)
    }
}

impl State {
    /// A free range of `len` bytes: from the top down, or where that has no room left,
    /// from the bottom up.
    pub(super) fn find_free(&self, len: u64) -> Option<u64> {
        let base = self.layout.mmap_base;
        self.free_below(len, self.layout.low, base)
            .or_else(|| self.free_below(len, base, self.layout.high))
    }

    /// A free range for MAP_32BIT.
    pub(super) fn find_free_low(&self, len: u64) -> Option<u64> {
        self.free_below(len, LOW_START.max(self.layout.low), LOW_END)
    }

    /// The highest free range of `len` bytes inside `low..high`.
    pub(super) fn free_below(&self, len: u64, low: u64, high: u64) -> Option<u64> {
        let mut top = self
            .vmas
            .first_above(high)
            .map_or(high, |vma| high.min(start_with_gap(vma)));
        for vma in self.vmas.below(top) {
            if top.checked_sub(vma.end).is_some_and(|free| free >= len) {
                break;
            }
            top = top.min(start_with_gap(vma));
            if top < low.saturating_add(len) {
                return None;
            }
        }
        top.checked_sub(len).filter(|&start| start >= low)
    }

    /// True if a mapping that ends at `start` may grow to `end`.
    pub(super) fn is_free_above(&self, start: u64, end: u64) -> bool {
        end <= self.layout.high
            && self
                .vmas
                .first_above(start)
                .is_none_or(|vma| start_with_gap(vma) >= end)
    }

    /// True if nothing is mapped in `start..end`, nor grows into it.
    pub(super) fn is_free(&self, start: u64, end: u64) -> bool {
        start >= self.layout.low && self.is_free_above(start, end)
    }
}
