//! Where the position of an open file is kept: in its description, or outside.

use syscalls::Errno;

use super::{File, Sink, Source};

/// A position that processes outside the sandbox share: that of a host file the sandbox was
/// started with. Each transfer is one call of the host's, so that the outside and the
/// sandbox take turns as two processes of one host do.
pub trait OutsidePosition {
    /// Reads where the position is and moves it on.
    fn read(&self, dst: &mut Sink<'_>) -> Result<usize, Errno>;

    /// Writes where the position is and moves it on.
    fn write(&self, src: &mut Source<'_>) -> Result<usize, Errno>;

    /// Where it is.
    fn get(&self) -> Result<u64, Errno>;

    /// Puts it there.
    fn set(&self, position: u64) -> Result<(), Errno>;
}

impl File {
    /// Where the next read or write begins.
    pub fn position(&self) -> Result<u64, Errno> {
        match self.ops.outside_position() {
            Some(outside) => outside.get(),
            None => Ok(*self.offset.lock()),
        }
    }

    /// Has the next read or write begin at `position`.
    pub fn set_position(&self, position: u64) -> Result<(), Errno> {
        match self.ops.outside_position() {
            Some(outside) => outside.set(position),
            None => {
                *self.offset.lock() = position;
                Ok(())
            }
        }
    }
}
