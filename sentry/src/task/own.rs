//! State that only the task's own thread uses.

use super::ExitStatus;
use crate::ptrace::Watch;
use crate::signal::{AltStack, SigSet};
use crate::wait::RestartState;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnState {
    /// sigaltstack(2).
    pub alt_stack: AltStack,
    /// The mask to put back when the call that runs has returned, or, if a handler runs
    /// before that, when the handler has returned: rt_sigsuspend(2), ppoll(2) …
    pub saved_mask: Option<SigSet>,
    /// How an interrupted wait goes on.
    pub restart: RestartState,
    /// The thread has called exit(2), or cannot go on.
    pub(crate) exit: Option<ExitStatus>,
    /// While the thread stood in a stop it was kicked: it looks around after the call.
    pub(crate) look_later: bool,
    /// The processors that it is confined to; `None`: all.
    pub(crate) affinity: Option<u64>,
    /// Up to which change of rewritten code it was followed, [`crate::mm::Mm::restorations`].
    pub(crate) restorations: u64,
    /// What the platform answers by itself.
    pub(crate) answers: platform::OwnAnswers,
    /// For what a traced thread stops.
    pub(crate) watch: Watch,
    /// What the processor said of the last fault; handlers find it in their frame.
    pub(crate) fault: Fault,
}

/// The processor's words for a fault, as a handler's `ucontext` has them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fault {
    /// Number of the exception: 14 for page faults.
    pub(crate) trapno: u64,
    /// Error code of page faults.
    pub(crate) err: u64,
    /// Address of page faults.
    pub(crate) cr2: u64,
}
