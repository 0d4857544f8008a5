//! The C library's allocator.

/// Bytes from which on a piece of memory is a mapping of its own.
const LARGE: libc::c_int = 256 << 10;

/// Lets all threads share one heap. More heaps, which the library makes for threads that
/// meet, cost memory; and to shrink one it asks a file of /proc what it may, which a
/// jailed process cannot open.
///
/// Large pieces stay mappings of their own, however many there were. The library would move
/// them into the heap after the first one is freed, and zero them there: the buffers of each
/// connection, which cost nothing as long as nobody touches them, would cost their size.
pub fn share_one_heap() {
    for (what, value) in [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, LARGE)] {
        // SAFETY: mallopt takes two numbers; a wrong one is refused.
        let taken = unsafe { libc::mallopt(what, value) };
        if taken != 1 {
            log::warn!("the allocator does not take {value} as its option {what}");
        }
    }
}
