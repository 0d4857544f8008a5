//! Calls that the platform may answer by itself.
//!
//! What they return changes only by what the thread itself does, or what is done to it in a
//! stop; so it is looked at before application code runs, whenever there is
//! [work](super::Task::mark_work). Not answered is what somebody wants to see: a tracer, a
//! filter, `--strace`.

use platform::{OWN_CALLS, OwnAnswers};

use super::Current;

impl Current {
    /// Tells the platform what has changed.
    pub(crate) fn offer_answers(&mut self) {
        let answers = self.own_answers();
        if answers != self.own.answers {
            self.own.answers = answers;
            self.context.set_answers(&answers);
        }
    }

    fn own_answers(&self) -> OwnAnswers {
        if self.kernel.strace || self.trace.is_on() {
            return OwnAnswers::default();
        }
        let pid = u32::try_from(self.own_pid()).ok();
        let tid = u32::try_from(self.own_tid()).ok();
        let creds = self.creds.get();
        // How ids are shown in another user name space may be said only later.
        let id = |id: u32| creds.user.is_first().then_some(id);
        let answers = [
            pid,
            id(creds.uid.real),
            id(creds.gid.real),
            id(creds.uid.effective),
            id(creds.gid.effective),
            tid,
        ];
        let mut answers = answers.into_iter();
        OWN_CALLS.map(|call| {
            let answer = answers.next().flatten();
            answer.filter(|_| self.seccomp.always_allows(i32::from(call)))
        })
    }
}
