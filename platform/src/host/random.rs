//! Random bytes, getrandom(2).

use syscalls::Errno;

use super::check_long;

/// Fills `buffer` from the host's generator.
pub fn fill(mut buffer: &mut [u8]) -> Result<(), Errno> {
    while !buffer.is_empty() {
        // SAFETY: the buffer is valid for its length.
        let result =
            unsafe { libc::syscall(libc::SYS_getrandom, buffer.as_mut_ptr(), buffer.len(), 0) };
        match check_long(result) {
            Ok(count) => {
                let count = usize::try_from(count).unwrap_or(0);
                buffer = buffer.get_mut(count..).unwrap_or_default();
            }
            Err(syscalls::errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
