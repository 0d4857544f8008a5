//! Results of host calls with our errors.

use syscalls::Errno;

/// Turns a host call's error into ours.
pub(crate) trait HostResult<T> {
    fn host(self) -> Result<T, Errno>;
}

impl<T> HostResult<T> for rustix::io::Result<T> {
    fn host(self) -> Result<T, Errno> {
        self.map_err(|error| Errno::from_raw(error.raw_os_error()))
    }
}
