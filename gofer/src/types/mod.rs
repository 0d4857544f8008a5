//! What requests and answers are made of. Structures that cross the channel are `repr(C)`
//! without padding.

pub(crate) mod attr;
pub(crate) mod dir;
pub(crate) mod handle;
pub(crate) mod mode;
pub(crate) mod statfs;
