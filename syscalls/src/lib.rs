//! The language of the boundary between an application and its kernel: call numbers,
//! typed arguments, error numbers, ABI structures, the one table and its trace.
#![forbid(unsafe_code)]

pub mod abi;
pub mod arg;
pub mod errno;
pub mod flags;
mod stop;
pub mod support;
pub mod table;
pub mod trace;
mod uaddr;

pub use arg::{Arg, Fd, NoFlags, TraceMem, Unchecked};
pub use errno::Errno;
pub use stop::{Restart, Stop, SysResult};
pub use table::{Call, Level, Row, Run, TABLE, call};
pub use uaddr::{PAGE_SIZE, UserAddr, UserCStr, UserPtr};
