//! Files that are made up when they are looked at: what proc, sysfs, cgroup2, devpts and
//! mqueue are built of.
//!
//! A [`Synthetic`] is an inode; what it is comes from its [`Behaviour`]. Directories list
//! what they hold by [`Listing`] and are opened by [`open_dir`]; generated text comes from
//! [`Text`] and is opened by [`open_text`]. Where the contents are known beforehand, a
//! constant table of [`Entry`]s with function pointers says it all, and a [`TableDir`]
//! makes inodes of it as they are looked up: nothing exists before.

mod dir;
mod inode;
mod instance;
mod series;
mod table;
mod text;

pub use dir::{Listed, Listing, open_dir};
pub use inode::{Behaviour, Node, Synthetic};
pub use instance::Instance;
pub use series::{Members, Series, numbered};
pub use table::{Context, Entry, Refusal, Site, TableDir, set};
pub use text::{Opener, Text, open_text};

/// Appends formatted text to a `String`.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        // Writing to a string does not fail.
        let _ = write!($out, $($arg)*);
    }};
}
pub(crate) use put;
