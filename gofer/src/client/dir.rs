//! Listings.

use syscalls::Errno;

use super::Client;
use crate::wire::request;
use crate::{Detail, DirPage, Handle};

impl Client {
    /// A part of a directory's entries, as many as fit in some 64 KiB, from where an
    /// entry's [`next`](crate::DirEntry::next) says; 0 is the beginning, and reads the
    /// directory anew.
    ///
    /// A directory need not be [opened](Self::open) for reading. If it is not, each part is
    /// read from a descriptor of its own, and entries that come and go in between may be
    /// seen twice or, on some file systems, others be missed.
    pub fn readdir(&self, dir: Handle, from: u64, detail: Detail) -> Result<DirPage, Errno> {
        self.readdir_some(dir, from, detail, u32::MAX)
    }

    /// As [`Self::readdir`]; once there are `most` entries, few more follow.
    pub fn readdir_some(
        &self,
        dir: Handle,
        from: u64,
        detail: Detail,
        most: u32,
    ) -> Result<DirPage, Errno> {
        let request = request::Readdir {
            handle: dir,
            from,
            detail: match detail {
                Detail::Names => 0,
                Detail::Attrs => 1,
                Detail::Handles => 2,
            },
            most,
        };
        let answer = self.exchange.call(&request, &[])?;
        Ok(DirPage::new(answer.tail(), answer.reply.end != 0))
    }
}
