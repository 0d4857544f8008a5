//! The one table: every x86-64 system call of Linux 6.12, a row each. The decoder, the
//! trace and the compatibility report derive from it.
//!
//! A row is `served Name = number "linux_name" { argument: Type, … };`, the same with
//! `partial` and a reason, or `refused Name = number "linux_name" => ERRNO;`.
//! A served or partial row without an `impl Run` in the kernel does not compile.

use std::fmt;

use crate::arg::{Arg, Fd, TraceMem};
use crate::errno::{ENOSYS, EPERM, Errno};
use crate::stop::SysResult;
use crate::uaddr::{UserAddr, UserCStr, UserPtr};

/// How much of a call the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As Linux does it.
    Served,
    /// Served but for what the text names.
    Partial(&'static str),
    /// Answered with this error, as a Linux without the feature would.
    Refused(Errno),
}

/// One row of the table, for reports.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in rax.
    pub number: usize,
    /// Linux's name.
    pub name: &'static str,
    /// Support.
    pub level: Level,
    /// Names and types of the arguments, in order.
    pub args: &'static [(&'static str, &'static str)],
}

/// What a kernel does for a call. `K` is the running task.
pub trait Run<K: ?Sized> {
    /// Performs the call.
    fn run(self, task: &mut K) -> SysResult;
}

macro_rules! level {
    (served) => {
        Level::Served
    };
    (partial $why:literal) => {
        Level::Partial($why)
    };
}

macro_rules! table {
    (
        $( $(#[$doc:meta])* $kind:ident $($why:literal)? : $name:ident = $nr:literal $linux:literal { $($arg:ident : $ty:ty),* $(,)? }; )*
        ---
        $( refused: $rnr:literal $rlinux:literal => $errno:ident; )*
    ) => {
        /// The typed arguments of every call that the kernel serves.
        pub mod call {
            #[allow(unused_imports, reason = "one import list for every row")]
            use super::*;
            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy)]
                #[allow(missing_docs, reason = "arguments are named as in the manual page")]
                pub struct $name { $(pub $arg: $ty),* }
            )*
        }

        /// A decoded call.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs, reason = "each variant is the call's own structure")]
        pub enum Call { $($name(call::$name)),* }

        impl Call {
            /// From the number in rax and the six argument registers. The error is the
            /// one to return to the guest.
            #[allow(unused_variables, unused_mut, unused_assignments, reason = "calls without arguments")]
            pub fn decode(number: u64, regs: &[u64; 6]) -> Result<Call, Errno> {
                match number {
                    $($nr => {
                        let mut index = 0;
                        $( let $arg = <$ty as Arg>::decode(regs[index])?; index += 1; )*
                        Ok(Call::$name(call::$name { $($arg),* }))
                    })*
                    $($rnr => Err($errno),)*
                    _ => Err(ENOSYS),
                }
            }

            /// Performs the call in the kernel `K`.
            pub fn run<K: ?Sized>(self, task: &mut K) -> SysResult
            where $(call::$name: Run<K>),*
            {
                match self { $(Call::$name(call) => call.run(task)),* }
            }

            /// Prints `name(arg, …)` as strace does.
            #[allow(unused_variables, unused_mut, unused_assignments, reason = "calls without arguments")]
            pub fn show(&self, out: &mut dyn fmt::Write, mem: &dyn TraceMem) -> fmt::Result {
                match self {
                    $(Call::$name(call) => {
                        out.write_str(concat!($linux, "("))?;
                        let mut separator = "";
                        $( out.write_str(separator)?; call.$arg.show(out, mem)?; separator = ", "; )*
                        out.write_str(")")
                    })*
                }
            }
        }

        /// Every row, served and partial ones first.
        pub const TABLE: &[Row] = &[
            $( Row { number: $nr, name: $linux, level: level!($kind $($why)?), args: &[$((stringify!($arg), stringify!($ty))),*] }, )*
            $( Row { number: $rnr, name: $rlinux, level: Level::Refused($errno), args: &[] }, )*
        ];
    };
}

table! {
    /// read(2)
    served: Read = 0 "read" { fd: Fd, buf: UserPtr<u8>, count: usize };
    /// write(2)
    served: Write = 1 "write" { fd: Fd, buf: UserPtr<u8>, count: usize };
    /// chdir(2)
    served: Chdir = 80 "chdir" { path: UserCStr };
    /// brk(2)
    served: Brk = 12 "brk" { addr: UserAddr };
    ---
    refused: 246 "kexec_load" => EPERM;
}
