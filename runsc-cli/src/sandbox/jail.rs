//! The jail that Sentry and Gofer finish from inside: an empty root, no network, no
//! capability that is not needed, no way to gain one.
//!
//! The command line has put the process into new namespaces and closed all descriptors but
//! those that it needs. The last step, the filter of system calls, is taken by the caller
//! once it has started what the filter forbids.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::pivot_root;
use platform::host::caps::{self, Caps};
use platform::seccomp::{Allow, Arg, Program, denied};

use crate::failure::{Context, Failure, Outcome};

/// Capabilities that a process needs to finish its jail; it gives them up in [`lock`].
pub(super) const SETUP: Caps = Caps::SYS_ADMIN.union(Caps::SETPCAP);

/// A network namespace of its own, in which nothing is set up: not even the loopback
/// interface is up. It is the dearest of the namespaces to make (half a millisecond), so
/// each process makes its own while the other one starts.
pub(super) fn leave_network() -> Outcome<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
        // The first step that needs a capability in the user namespace.
        let remedy = match errno {
            Errno::EPERM | Errno::EACCES => {
                ": the host gives user namespaces no rights (a restriction by AppArmor?): \
                 allow it there, or run as root"
            }
            _ => "",
        };
        Failure::new(format!("a network namespace: {}{remedy}", errno.desc()))
    })
}

/// Makes an empty file system without room for a single file the root. All of the host's
/// mounts are gone for this process. The current directory stays unless it was the root.
pub(super) fn empty_root() -> Outcome<()> {
    // Any directory serves as the new root's place. This one exists: our id maps were
    // written through it.
    const PLACE: &str = "/proc";
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let options = "size=4k,nr_inodes=1,mode=555";
    mount(
        Some("runsk-empty"),
        PLACE,
        Some("tmpfs"),
        flags,
        Some(options),
    )
    .context("an empty root: mount")?;
    pivot_root(PLACE, PLACE).context("an empty root: pivot_root")?;
    // The old root now lies on top of the new one.
    umount2("/", MntFlags::MNT_DETACH).context("an empty root: umount")
}

/// Gives up all capabilities but `keep`, now and for whatever is executed.
pub(super) fn lock(keep: Caps) -> Outcome<()> {
    caps::drop_all_but(keep).context("dropping capabilities")?;
    prctl::set_no_new_privs().context("no_new_privs")
}

/// The last step: from here on, a host call that `program` does not allow ends the process,
/// whose last words `who syscall denied: …` go to the command line.
pub(super) fn filter(
    who: &'static str,
    program: Result<Program, syscalls::Errno>,
    supervisor: impl AsFd,
) -> Outcome<()> {
    const WHAT: &str = "the filter of system calls";
    let listener = supervisor.as_fd().try_clone_to_owned().context(WHAT)?;
    denied::report_as(who, Some(listener)).context(WHAT)?;
    program.and_then(|program| program.install()).context(WHAT)
}

/// What every process needs to end in order.
pub(super) const COMMON: &[Allow] = &[
    Allow("sendto", "tells the command line why it ends"),
    Allow("write", "log lines, last words"),
    Allow("exit_group", "the end"),
    Allow("rt_sigaction", "glibc, before the first thread is made").when(&[Arg(0).is(SIGSETXID)]),
];

/// glibc's own signal, with which threads change their ids together.
const SIGSETXID: i32 = 33;

/// Ends this process when the command line dies, however that happens. `supervisor` is the
/// socket whose other end only the command line holds.
pub(super) fn end_with_parent(supervisor: impl AsFd) -> Outcome<()> {
    // After the last change of credentials, which would clear it; prctl(2).
    prctl::set_pdeathsig(Signal::SIGKILL).context("parent death signal")?;
    // If it died before, there is no signal any more, but the socket has ended.
    let mut fds = [PollFd::new(supervisor.as_fd(), PollFlags::empty())];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(0) | Err(Errno::EINTR) => Ok(()),
        _ => Err(Failure::new("the command line is gone")),
    }
}
