//! The one table: every x86-64 system call of Linux 6.12, a row each. The decoder, the
//! trace and the compatibility report derive from it.
//!
//! A row is `served Name = number "linux_name" { argument: Type, … };`, the same with
//! `partial` and a reason, or `refused Name = number "linux_name" => ERRNO;`.
//! A served or partial row without an `impl Run` in the kernel does not compile.
//!
//! `argument: Type [how]` asks the trace to show the argument with the method `how` of
//! [`Line`], which may be given other arguments of the call.

use crate::errno::Errno;
use crate::stop::SysResult;

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

macro_rules! show {
    ($line:ident, $arg:ident) => {
        $line.plain($arg)
    };
    ($line:ident, $arg:ident, $how:ident $(($($with:expr),*))?) => {
        $line.$how($arg $($(, $with)*)?)
    };
}

macro_rules! table {
    (
        $( $(#[$doc:meta])* $kind:ident $($why:literal)? : $name:ident = $nr:literal $linux:literal { $($arg:ident : $ty:ty $([$($how:tt)+])?),* $(,)? }; )*
        ---
        $( refused: $rnr:literal $rlinux:literal => $errno:ident; )*
    ) => {
        /// The typed arguments of every call that the kernel serves.
        pub mod call {
            #[allow(unused_imports, reason = "one import list for every row")]
            use super::*;
            $(
                #[doc = concat!("`", $linux, "`(2)")]
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
                // Linux looks at the lower half of rax alone.
                match u32::decode(number)? {
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

            /// Linux's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Call::$name(_) => $linux),* }
            }

            /// Shows the arguments in a trace.
            pub(crate) fn show(self, line: &mut Line<'_>) {
                match self {
                    $(Call::$name(call::$name { $($arg),* }) => {
                        $(if line.begin() {
                            show!(line, $arg $(, $($how)+)?);
                            line.end();
                        })*
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

mod rows;

pub use rows::{Call, TABLE, call};
