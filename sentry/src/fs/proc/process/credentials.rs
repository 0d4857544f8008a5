//! User name spaces, of which there is one, and logins, which nobody audits.

use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use super::Process;
use crate::fs::synth::Opener;
use crate::sysctl;

/// user_namespaces(7): every id is itself.
pub(super) const ID_MAP: &str = "         0          0 4294967295\n";

/// proc_pid_loginuid(5), if it exists: not set.
pub(super) fn login(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    process.task()?;
    Ok(u32::MAX.to_string().into_bytes())
}

/// Only what is already so can be written.
pub(super) fn set_login(_: &Process, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    match sysctl::parse(data) {
        Some(uid) if uid == i64::from(u32::MAX) => Ok(()),
        Some(_) => Err(EPERM),
        None => Err(EINVAL),
    }
}
