//! A guest address space as a host process, for every platform but kvm.
//!
//! The process shares nothing with the Sentry but mappings of the memory file. Its only
//! task at first is the **mapper** (`mapper`, `stub`), which changes the mappings on
//! command. Guest threads are further tasks with the same memory, made by the mapper;
//! what runs in them is the platform's business ([`GuestTask`]).
//!
//! The application can change whatever is writable there and run whatever is executable,
//! so the mapper must not depend on either:
//! - Its code, its constants and the page with its commands are read-only there, and only
//!   a mapper can change mappings. It uses registers and no other memory.
//! - It has a descriptor table of its own: tasks are made without `CLONE_FILES`, and a
//!   guest's task begins by closing everything.
//! - It answers over a pipe, by writing a part of a read-only table (`layout::constants`).
//!   When the Sentry reads "done", it is done: an answer cannot be forged, and pages that
//!   were unmapped can go to a new owner.
//! - The reading end of a pipe comes over a socket of which the kernel attests the sender.
//!   The end of a mapper is the end of its pipe, so nobody waits in vain.
//!
//! The first of these processes, the **template**, is a fork of the Sentry that unmaps
//! everything but the stub (`template`); it never runs a guest. Every other one is a fork
//! of the template or of another address space, by that one's mapper. All are children of
//! the Sentry (`CLONE_PARENT`) with no exit signal, and die with it. Those that are dropped
//! are emptied and used again (`pool`), or die at once and are waited for later (`reaper`).

mod commands;
pub(crate) mod guest_code;
pub(crate) mod interrupt;
pub(crate) mod layout;
mod mapped;
mod mapper;
mod near;
mod operation;
pub(crate) mod pair;
mod pool;
mod reaper;
mod report;
mod space;
mod stub;
mod task;
mod template;
pub(crate) mod thread;

use std::sync::Arc;

use syscalls::Errno;

use crate::{Error, MemoryFile};
use commands::CommandFile;
pub(crate) use operation::range;
use pool::Pool;
use reaper::Reaper;
use report::Reports;
pub(crate) use space::ProcessSpace;
pub(crate) use stub::{CLONE_RUN, CLONE_TRACED, Entries, entries};
pub(crate) use task::GuestTask;
pub(crate) use thread::ThreadPages;

/// What the address spaces of a sandbox have in common.
pub(crate) struct Processes {
    template: ProcessSpace,
}

/// Of use to every mapper.
struct Common {
    /// What mappers know and nobody else in their address spaces; see `stub`.
    token: u64,
    commands: Arc<CommandFile>,
    reports: Reports,
    reaper: Arc<Reaper>,
    pool: Arc<Pool>,
    /// The memory file lives as long as a process maps it.
    _memory: MemoryFile,
}

impl Processes {
    /// Starts the template. It is a copy of this process: make it early, while this
    /// process is small, and after it has reached its final user, group and namespaces,
    /// but before its seccomp filter. All address spaces end when the calling thread does.
    pub(crate) fn new(memory: &MemoryFile) -> Result<Self, Error> {
        let template = template::start(memory).map_err(|errno| Error::Host {
            what: "start the template of address spaces",
            errno,
        })?;
        Ok(Processes { template })
    }

    /// A new, empty address space: one that was used before, or a copy of the template. Then
    /// one more is made meanwhile, for the next call.
    pub(crate) fn new_space(&self) -> Result<ProcessSpace, Error> {
        if let Some(space) = self.template.emptied() {
            return Ok(space);
        }
        let space = self.template.fork_process();
        self.template.fork_ahead();
        space
    }

    /// Waits until the tasks and address spaces that were dropped before are gone.
    pub(crate) fn settle(&self) {
        self.template.reaper().settle();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.template.close_pool();
    }
}

/// A host call that failed where the space cannot be used any more.
fn host_error(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::Host { what, errno }
}
