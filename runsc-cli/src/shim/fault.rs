//! Errors as containerd tells them apart.

use std::fmt::Display;

use containerd_shim::protos::ttrpc::{Code, Error, get_status};

/// What is said of an error.
pub(crate) fn text(error: &Error) -> String {
    match error {
        Error::RpcStatus(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// An answer to containerd.
pub(crate) type Answer<T> = Result<T, Error>;

fn of(code: Code, message: impl Display) -> Error {
    Error::RpcStatus(get_status(code, message))
}

pub(crate) fn not_found(message: impl Display) -> Error {
    of(Code::NOT_FOUND, message)
}

pub(crate) fn exists(message: impl Display) -> Error {
    of(Code::ALREADY_EXISTS, message)
}

/// Not in this state.
pub(crate) fn not_now(message: impl Display) -> Error {
    of(Code::FAILED_PRECONDITION, message)
}

pub(crate) fn invalid(message: impl Display) -> Error {
    of(Code::INVALID_ARGUMENT, message)
}

pub(crate) fn unserved(message: impl Display) -> Error {
    of(Code::UNIMPLEMENTED, message)
}

pub(crate) fn other(message: impl Display) -> Error {
    of(Code::UNKNOWN, message)
}

/// Says what was attempted when something failed.
pub(crate) trait Context<T> {
    /// `what: reason`
    fn context(self, what: impl Display) -> Answer<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Answer<T> {
        self.map_err(|error| other(format_args!("{what}: {error}")))
    }
}
