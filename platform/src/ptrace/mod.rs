//! The ptrace platform: guest threads are traced tasks.
//!
//! Works wherever ptrace works, needs no code in the guest, and is the reference for the
//! other platforms. Each guest thread has a tracer of its own, the thread of the Sentry
//! that runs it: `PTRACE_SYSEMU` lets the task run until its next system call, which the
//! host never executes, or signal, of which none is ever delivered.

mod context;
mod stop;
mod tracee;

use std::sync::Arc;

use syscalls::UserAddr;

use crate::host::signal;
use crate::process::pair::Pairs;
use crate::process::{Processes, layout};
use crate::{AddressSpace, Context, Error, MemoryFile, Platform};
use context::PtraceContext;

/// See the [module](self).
pub struct PtracePlatform {
    processes: Processes,
    pairs: Option<Arc<Pairs>>,
}

impl PtracePlatform {
    /// A platform for guests whose pages are in `memory`.
    ///
    /// Call it on a thread that lives as long as the sandbox (its end is the guests'),
    /// while the process is small, in its final identity and namespaces, and before its
    /// seccomp filter. It sets the disposition of SIGCHLD to the default.
    pub fn new(memory: &MemoryFile) -> Result<Self, Error> {
        let quiet = signal::no_sigchld_for_stops();
        quiet.map_err(|errno| Error::Host {
            what: "set the disposition of SIGCHLD",
            errno,
        })?;
        Ok(PtracePlatform {
            processes: Processes::new(memory)?,
            pairs: Pairs::new(),
        })
    }
}

impl Platform for PtracePlatform {
    fn name(&self) -> &'static str {
        "ptrace"
    }

    fn user_range(&self) -> (UserAddr, UserAddr) {
        let start = UserAddr::new(layout::USER_START);
        (start, UserAddr::new(layout::USER_END))
    }

    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(Arc::new(self.processes.new_space()?))
    }

    fn settle(&self) {
        self.processes.settle();
    }

    fn new_context(&self) -> Result<Box<dyn Context>, Error> {
        Ok(Box::new(PtraceContext::new(self.pairs.as_ref())))
    }
}
