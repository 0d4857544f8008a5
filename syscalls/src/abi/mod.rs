//! Structures, flags and constants of Linux's x86-64 ABI, by subject.
//!
//! A structure has the layout of Linux's and its field names without their prefix
//! (`st_size` is `size`). Padding is a field, so that a copy to the guest can never carry
//! the kernel's own memory along; `Default` is all zero.

pub mod aio;
pub mod fs;
pub mod futex;
pub mod ipc;
pub mod mm;
pub mod net;
pub mod netlink;
pub mod ptrace;
pub mod sched;
pub mod signal;
pub mod task;
pub mod time;
pub mod tty;

/// Declares structures that are copied to and from guests.
macro_rules! layout {
    ($( $(#[$attr:meta])* pub struct $name:ident { $($(#[$fattr:meta])* pub $field:ident: $ty:ty),* $(,)? } )*) => {$(
        $(#[$attr])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        #[allow(missing_docs, reason = "fields are named as in the manual page")]
        pub struct $name { $($(#[$fattr])* pub $field: $ty),* }

        impl Default for $name {
            fn default() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }
        }
    )*};
}
use layout;
