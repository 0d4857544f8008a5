//! Listings.

use syscalls::Errno;

use super::Client;
use crate::wire::request;
use crate::{Detail, DirPage, Handle};

impl Client {
    /// A part of a directory's entries, as many as fit in some 64 KiB, from where an
    /// entry's [`next`](crate::DirEntry::next) says; 0 is the beginning, and reads the
    /// directory anew. The directory must be [opened](Self::open) for reading.
    pub fn readdir(&self, dir: Handle, from: u64, detail: Detail) -> Result<DirPage, Errno> {
        let request = request::Readdir {
            handle: dir,
            from,
            detail: match detail {
                Detail::Names => 0,
                Detail::Attrs => 1,
                Detail::Handles => 2,
            },
            pad: 0,
        };
        let answer = self.exchange.call(&request, &[])?;
        Ok(DirPage::new(answer.tail(), answer.reply.end != 0))
    }
}
