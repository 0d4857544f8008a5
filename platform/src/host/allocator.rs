//! The C library's allocator.

/// Lets threads share `count` heaps. Without a limit there are up to eight for each
/// processor, and the library opens files of /sys to count those, which a jailed process
/// may not.
pub fn limit_heaps(count: i32) {
    // SAFETY: mallopt takes two numbers; a wrong one is refused.
    let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
    if taken != 1 {
        log::warn!("the allocator's heaps cannot be limited");
    }
}
