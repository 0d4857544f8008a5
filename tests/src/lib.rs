//! Runs the same programs natively and in the sandbox and compares what they did.
//!
//! Native Linux is the oracle: a *case* is a program over a root directory, the expected
//! result is whatever the host's kernel makes of it, and there is nothing else to write down.
//!
//! - [`case`]: one row of a suite; [`apps`]: the rows that run Debian's own programs;
//!   [`guest`]: the C programs under `tests/guest`, which print a line for each call they make.
//! - [`roots`] and [`debian`]: the directories that programs run over.
//! - [`bundle`]: the OCI configuration both sides are started from.
//! - [`native`]: applies a bundle on the host's kernel (namespaces, mounts, pivot_root, exec).
//! - [`run`] and [`supervise`]: start one side, wait, and prove that nothing is left behind.
//! - [`scenario`]: scripts that use runc and runsk as their callers do; [`caller`] is what
//!   such a caller needs.
//! - [`conform`]: the sentences of the OCI runtime specification, each with a check.
//! - [`interrupted`]: lifecycles in which something is killed at a random instant.
//! - [`compare`], [`expected`], [`suite`]: verdicts, known gaps, and the trials cargo sees;
//!   [`again`]: what is done about a busy machine.
#![forbid(unsafe_code)]

pub mod again;
pub mod apps;
pub mod bundle;
pub mod caller;
pub mod case;
pub mod compare;
pub mod conform;
pub mod debian;
pub mod expected;
pub mod guest;
pub mod hostile;
pub mod interrupted;
pub mod native;
pub mod roots;
pub mod run;
pub mod scenario;
pub mod suite;
pub mod supervise;
pub mod workspace;
