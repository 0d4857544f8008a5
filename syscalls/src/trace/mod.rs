//! The line that a trace prints for a call, in strace's format.
//!
//! A line is made in two steps, because some arguments are read before the call and some
//! are what the call wrote: [`Line::enter`] renders the former, [`Line::leave`] the
//! latter and the result. How an argument is shown is its type's business
//! ([`crate::Arg::show`]) unless its row in the table says otherwise: `buf: UserPtr<u8>
//! [written(count)]` calls [`Line::written`] with the buffer and the other argument.

mod args;
mod request;
mod result;
mod socket;
mod text;
mod value;

use crate::arg::{Arg, TraceMem};
use crate::stop::SysResult;
use crate::support;
use crate::table::Call;

pub(crate) use text::show_path;

/// How far a line is filled before the result, characters; strace's own default.
const RESULT_COLUMN: usize = 40;

/// One argument's place in the line.
enum Slot {
    /// Rendered.
    Shown(String),
    /// To be rendered when the call has returned.
    Later,
    /// Not part of the line (the third argument of `fcntl(0, F_GETFD)`).
    Omitted,
}

/// A call on its way through the trace.
pub struct Line<'a> {
    call: Option<Call>,
    name: String,
    mem: &'a dyn TraceMem,
    /// `None` before the call has returned.
    outcome: Option<SysResult>,
    slots: Vec<Slot>,
    next: usize,
    current: Slot,
}

impl<'a> Line<'a> {
    /// Renders what is known before the call.
    #[must_use]
    pub fn enter(call: &Call, mem: &'a dyn TraceMem) -> Self {
        let mut line = Line::begun(call.name().to_owned(), mem);
        line.call = Some(*call);
        call.show(&mut line);
        line
    }

    /// A call that has no row or whose arguments could not be decoded.
    #[must_use]
    pub fn enter_raw(number: u64, args: &[u64; 6], mem: &'a dyn TraceMem) -> Self {
        let row = support::row(number);
        let name = row.map_or_else(|| format!("syscall_{number:#x}"), |row| row.name.to_owned());
        let mut line = Line::begun(name, mem);
        line.slots = args
            .iter()
            .map(|arg| Slot::Shown(format!("{arg:#x}")))
            .collect();
        line
    }

    fn begun(name: String, mem: &'a dyn TraceMem) -> Self {
        Line {
            call: None,
            name,
            mem,
            outcome: None,
            slots: Vec::new(),
            next: 0,
            current: Slot::Omitted,
        }
    }

    /// The line so far: for a call that sleeps while others are traced, or never returns.
    #[must_use]
    pub fn unfinished(&self) -> String {
        let (text, complete) = self.arguments();
        let comma = if complete || self.slots.len() == 1 {
            ""
        } else {
            ", "
        };
        format!("{}({text}{comma} <unfinished ...>", self.name)
    }

    /// The whole line.
    #[must_use]
    pub fn leave(mut self, result: &SysResult) -> String {
        self.outcome = Some(*result);
        if let Some(call) = self.call {
            self.next = 0;
            call.show(&mut self);
        }
        let (text, _) = self.arguments();
        let call = format!("{}({text})", self.name);
        let result = self.show_result(result);
        format!(
            "{call:<width$}= {result}",
            width = RESULT_COLUMN.max(call.len() + 1)
        )
    }

    /// The arguments up to the first that is not known yet, and whether that is all.
    fn arguments(&self) -> (String, bool) {
        let mut text = String::new();
        for slot in &self.slots {
            match slot {
                Slot::Shown(shown) if text.is_empty() => text.push_str(shown),
                Slot::Shown(shown) => {
                    text.push_str(", ");
                    text.push_str(shown);
                }
                Slot::Later => return (text, false),
                Slot::Omitted => {}
            }
        }
        (text, true)
    }

    /// Begins an argument; false if it has been rendered before the call.
    pub(crate) fn begin(&mut self) -> bool {
        self.current = Slot::Shown(String::new());
        if self.outcome.is_none() || matches!(self.slots.get(self.next), Some(Slot::Later)) {
            return true;
        }
        self.next += 1;
        false
    }

    /// Ends an argument.
    pub(crate) fn end(&mut self) {
        let slot = std::mem::replace(&mut self.current, Slot::Omitted);
        match self.slots.get_mut(self.next) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.next += 1;
    }

    /// Adds to the argument's text.
    fn put(&mut self, text: &str) {
        if let Slot::Shown(shown) = &mut self.current {
            shown.push_str(text);
        }
    }

    /// An argument as its type shows it.
    pub(crate) fn plain<T: Arg>(&mut self, value: T) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = value.show(&mut text, self.mem);
        self.put(&text);
    }

    /// For what the call writes: `Some` with the result's value if it succeeded, `None`
    /// if there is nothing to show now: the argument waits for the return, or is shown as
    /// `otherwise` because the call failed.
    fn written_by_call(&mut self, otherwise: &dyn std::fmt::Debug) -> Option<u64> {
        match self.outcome {
            None => {
                self.current = Slot::Later;
                None
            }
            Some(Ok(value)) => Some(value),
            Some(Err(_)) => {
                let text = format!("{otherwise:?}");
                self.put(&text);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
