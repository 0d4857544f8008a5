//! The C library's allocator.

/// Lets all threads share one heap. More heaps, which the library makes for threads that
/// meet, cost memory; and to shrink one it asks a file of /proc what it may, which a
/// jailed process cannot open.
pub fn share_one_heap() {
    // SAFETY: mallopt takes two numbers; a wrong one is refused.
    let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    if taken != 1 {
        log::warn!("the allocator's heaps cannot be limited");
    }
}
