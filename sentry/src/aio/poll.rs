//! IOCB_CMD_POLL: done when a file becomes ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::context::{Context, Outcome};
use crate::sync::{Level, Mutex};
use crate::vfs::File;
use crate::wait::{Ready, Registration, Wake};

/// A request that waits for a file.
pub(super) struct PollRequest {
    context: Weak<Context>,
    outcome: Outcome,
    file: Arc<File>,
    wanted: Ready,
    done: AtomicBool,
    registration: Mutex<Option<Registration>>,
}

impl PollRequest {
    /// Begins to wait; ends at once if the file is ready.
    pub(super) fn start(context: &Arc<Context>, outcome: Outcome, file: Arc<File>, wanted: Ready) {
        let poll = Arc::new(PollRequest {
            context: Arc::downgrade(context),
            outcome,
            file,
            wanted: wanted | Ready::ALWAYS,
            done: AtomicBool::new(false),
            registration: Mutex::new(Level::Leaf, None),
        });
        context.keep(poll.clone());
        if let Some(queue) = poll.file.ops.wait_queue() {
            let registration = queue.register(poll.clone(), poll.wanted);
            *poll.registration.lock() = Some(registration);
        }
        poll.look();
    }

    pub(super) fn is_of(&self, request: u64) -> bool {
        self.outcome.request == request
    }

    fn look(&self) {
        let ready = self.file.ops.poll() & self.wanted;
        if !ready.is_empty() {
            self.finish(i64::from(ready.bits()));
        }
    }

    /// io_cancel(2): done, with nothing. False if it was done before.
    pub(super) fn cancel(&self) -> bool {
        self.finish(0)
    }

    fn finish(&self, result: i64) -> bool {
        if self.done.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.stop();
        if let Some(context) = self.context.upgrade() {
            context.finish(&self.outcome, result);
            context.forget(self);
        }
        true
    }

    /// Waits no longer: the file and this hold each other until then.
    pub(super) fn stop(&self) {
        self.done.store(true, Ordering::SeqCst);
        let registration = self.registration.lock().take();
        drop(registration);
    }
}

impl Wake for PollRequest {
    fn wake(&self, _: Ready) {
        self.look();
    }
}
