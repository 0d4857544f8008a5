//! Asynchronous I/O, io_submit(2).
//!
//! A request is performed when it is submitted, as Linux does with files that cannot do
//! better; only IOCB_CMD_POLL waits in the background. What has been done stands in the
//! context's queue until somebody takes it. Contexts belong to a memory: fork(2) hands
//! none on, and they end with it.

mod calls;
mod context;
mod poll;
mod submit;

pub(crate) use context::Contexts;
