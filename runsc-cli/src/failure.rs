//! What went wrong, for the user: one line, and the exit status.

use std::fmt::{self, Display};

/// A command's failure. The text is one line that names the thing, the reason and, where
/// there is one, the remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

/// The result of whatever can fail for a reason that the user must know.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// With exit status 1, as runc exits for nearly everything.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure {
            message: one_line(message.into()),
            status: 1,
        }
    }

    /// With another exit status.
    pub(crate) fn with_status(self, status: u8) -> Self {
        Failure { status, ..self }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says what was attempted when something failed.
pub(crate) trait Context<T> {
    /// `what: reason`
    fn context(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Reason> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::new(format!("{what}: {}", error.reason())))
    }
}

/// An error's reason as C libraries word it ("No such file or directory").
pub(crate) trait Reason {
    /// The reason without what failed.
    fn reason(&self) -> String;
}

impl Reason for std::io::Error {
    fn reason(&self) -> String {
        match self.raw_os_error() {
            Some(raw) => nix::errno::Errno::from_raw(raw).desc().to_owned(),
            None => self.to_string(),
        }
    }
}

impl Reason for nix::errno::Errno {
    fn reason(&self) -> String {
        self.desc().to_owned()
    }
}

impl Reason for syscalls::Errno {
    fn reason(&self) -> String {
        self.text().to_owned()
    }
}

impl Reason for std::ffi::NulError {
    fn reason(&self) -> String {
        "it contains a NUL byte".to_owned()
    }
}

impl Reason for serde_json::Error {
    fn reason(&self) -> String {
        self.to_string()
    }
}

impl Reason for Failure {
    fn reason(&self) -> String {
        self.message.clone()
    }
}

/// Messages may quote what users wrote: control characters must not forge log lines.
fn one_line(message: String) -> String {
    if message.contains(char::is_control) {
        message
            .chars()
            .flat_map(|c| {
                let escape = c.is_control().then(|| c.escape_default());
                let plain = escape.is_none().then_some(c);
                escape.into_iter().flatten().chain(plain)
            })
            .collect()
    } else {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Failure};

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(Failure::new("a\nb\tc").to_string(), "a\\nb\\tc");
    }

    #[test]
    fn reasons_are_worded_as_the_c_library_words_them() {
        let error = std::fs::read("/nonexistent").context("/nonexistent");
        assert_eq!(
            error.unwrap_err().to_string(),
            "/nonexistent: No such file or directory"
        );
    }
}
