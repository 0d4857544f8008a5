//! The Sentry's process.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use platform::host::caps::Caps;

use super::boot::{Inherited, SentryBoot};
use super::{jail, supervisor};
use crate::failure::Outcome;
use crate::log_file;

/// main of `runsk-sentry`.
pub(crate) fn main() -> ExitCode {
    super::child_main(c"runsk-sentry", serve)
}

fn serve(mut inherited: Inherited<SentryBoot>, supervisor: &OwnedFd) -> Outcome<ExitCode> {
    let log = inherited
        .boot
        .log
        .file
        .map(|index| inherited.fd(index))
        .transpose()?;
    log_file::start(inherited.boot.log.settings, log);
    jail::leave_network()?;
    jail::empty_root()?;
    jail::lock(Caps::empty())?;
    jail::end_with_parent(supervisor)?;
    let _: Option<()> = supervisor::hear(supervisor, supervisor::Wait::Yes);
    Ok(ExitCode::SUCCESS)
}
