//! The running task, as its own host thread owns it.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use platform::{Context, Regs};

use super::Task;
use crate::mm::Mm;

thread_local! {
    /// See [`of_this_thread`].
    static TASK: RefCell<Weak<Task>> = const { RefCell::new(Weak::new()) };
}

/// The task for which the calling thread works, as Linux's `current`: for the few objects
/// whose answer depends on who asks. `None` on threads of the kernel itself.
#[must_use]
pub fn of_this_thread() -> Option<Arc<Task>> {
    TASK.with_borrow(Weak::upgrade)
}

/// The task whose host thread this is. Only it can sleep, change its registers and run
/// application code.
pub struct Current {
    task: Arc<Task>,
    /// The memory it runs in; the same as `task.mm` says.
    mm: Arc<Mm>,
    /// Registers of the application, as of the last entry into the kernel.
    pub regs: Regs,
    /// The platform's part.
    pub context: Box<dyn Context>,
    /// State that only the thread itself looks at.
    pub own: super::own::OwnState,
}

impl Current {
    /// Binds `task` to the calling thread.
    #[must_use]
    pub fn new(task: Arc<Task>, mm: Arc<Mm>, regs: Regs, context: Box<dyn Context>) -> Self {
        task.parker().bind();
        TASK.set(Arc::downgrade(&task));
        task.start_clock();
        task.set_interrupt(Some(context.interrupter()));
        Current {
            task,
            mm,
            regs,
            context,
            own: super::own::OwnState::default(),
        }
    }

    /// The task as others see it.
    #[must_use]
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Guest memory.
    #[must_use]
    pub fn mem(&self) -> &Arc<Mm> {
        &self.mm
    }

    /// execve(2): runs in another address space from now on.
    pub fn replace_mm(&mut self, mm: Arc<Mm>) {
        self.task.mm.set(Some(mm.clone()));
        self.mm = mm;
    }

    /// Called when the task starts to sleep in the kernel.
    pub(crate) fn enter_wait(&self) {
        super::usage::count(&self.task.counts.sleeps);
        self.task.set_sleeping(true);
    }

    /// Called when it goes on.
    pub(crate) fn leave_wait(&self) {
        self.task.set_sleeping(false);
    }
}

impl Deref for Current {
    type Target = Task;
    fn deref(&self) -> &Task {
        &self.task
    }
}
