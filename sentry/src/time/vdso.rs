//! The page with which the vDSO computes the time.

use std::sync::atomic::Ordering;

use platform::arch::vdso::TimeData;
use platform::memfile::Fill;
use platform::{MemoryFile, Pages};
use syscalls::Errno;
use syscalls::abi::time::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE, CLOCK_TAI,
};
use zerocopy::IntoBytes;

use super::line::{self, Numbers};
use std::sync::Arc;

/// Clocks that are `CLOCK_REALTIME`, as clock_gettime(2) has them here.
const REAL: [i32; 3] = [CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI];
/// Clocks that are `CLOCK_MONOTONIC`.
const MONOTONIC: [i32; 4] = [
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_RAW,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
];

/// A page that applications read and that is kept current while it exists.
pub struct TimePage {
    page: Pages,
    cpus: u32,
    flags: u32,
}

impl TimePage {
    /// A page for applications that see `cpus` processors, with `flags` of [`TimeData`].
    pub fn new(file: &MemoryFile, cpus: u32, flags: u32) -> Result<Arc<Self>, Errno> {
        let page = Arc::new(TimePage {
            page: file.allocate(1, Fill::Zero)?,
            cpus: cpus.max(1),
            flags,
        });
        page.set(&Numbers::default());
        line::keep(&page);
        Ok(page)
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> &Pages {
        &self.page
    }

    /// Makes readers wait for the next [`Self::set`], or ask the kernel.
    pub(super) fn begin(&self) {
        // Our own page of our own file: it cannot be missing.
        let _ = self.page.file().with_u32(self.page.offset(), |sequence| {
            sequence.fetch_or(1, Ordering::SeqCst);
        });
    }

    /// Puts in new numbers. One thread at a time.
    pub(super) fn set(&self, numbers: &Numbers) {
        self.begin();
        let data = self.data(numbers);
        let skip = size_of_val(&data.sequence);
        let bytes = data.as_bytes().get(skip..).unwrap_or_default();
        let at = self.page.offset();
        let _ = self.page.file().write(at + skip as u64, bytes);
        let _ = self.page.file().with_u32(at, |sequence| {
            sequence.fetch_add(1, Ordering::SeqCst);
        });
    }

    fn data(&self, numbers: &Numbers) -> TimeData {
        let mut data = TimeData {
            sequence: 0,
            flags: self.flags,
            base_tsc: numbers.base_tsc,
            valid: numbers.valid,
            rate: numbers.rate,
            base_ns: numbers.base_ns,
            cpus: self.cpus,
            ..TimeData::default()
        };
        let clocks = REAL.iter().map(|clock| (clock, numbers.real_offset));
        for (&clock, offset) in clocks.chain(MONOTONIC.iter().map(|clock| (clock, 0))) {
            let index = usize::try_from(clock).ok();
            if let Some(slot) = index.and_then(|index| data.offsets.get_mut(index)) {
                *slot = offset;
                data.clocks |= 1 << clock;
            }
        }
        data
    }
}
