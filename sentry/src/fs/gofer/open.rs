//! What the Gofer has been asked to open a file for.

use std::sync::atomic::{AtomicU8, Ordering};

use gofer::{Access, Beginning, Client, Handle};
use syscalls::Errno;
use syscalls::errno::ESTALE;

use super::backing::FIRST_WINDOW;
use super::handle::Place;
use super::inode::{Data, GoferInode};
use crate::fs::page_cache::PAGE;

const READ: u8 = 1;
const WRITE: u8 = 2;

/// Remembers successful opens, so that each is asked for once.
#[derive(Default)]
pub(super) struct Opened(AtomicU8);

fn bits(access: Access) -> u8 {
    match access {
        Access::Read => READ,
        Access::Write => WRITE,
        Access::ReadWrite => READ | WRITE,
    }
}

impl Opened {
    /// Opens for `access` unless that was done.
    pub(super) fn ensure(
        &self,
        client: &Client,
        handle: Handle,
        access: Access,
    ) -> Result<(), Errno> {
        if self.is_done(access) {
            return Ok(());
        }
        client.open(handle, access)?;
        self.done(access);
        Ok(())
    }

    fn is_done(&self, access: Access) -> bool {
        self.0.load(Ordering::Relaxed) & bits(access) == bits(access)
    }

    fn done(&self, access: Access) {
        self.0.fetch_or(bits(access), Ordering::Relaxed);
    }

    /// The Gofer opened it without being asked (a new file).
    pub(super) fn both(&self) {
        self.0.store(READ | WRITE, Ordering::Relaxed);
    }
}

impl GoferInode {
    /// Opens the host's file. Who opens it for reading mostly reads: the beginning comes in
    /// the same exchange, and so does the handle if there is none yet.
    pub(super) fn open_host(&self, data: &Data, access: Access) -> Result<(), Errno> {
        if data.host.opened.is_done(access) {
            return Ok(());
        }
        let window = match access {
            Access::Read if !self.tree.is_shared() => FIRST_WINDOW,
            _ => 0,
        };
        data.cache.read_beginning(window, |pages| {
            let to = pages.map(|pages| Beginning {
                mem_offset: pages.offset(),
                len: pages.count() * PAGE,
            });
            let read = self.open_and_read(access, to.unwrap_or_default())?;
            data.host.opened.done(access);
            match (pages, read) {
                (Some(pages), Some(read)) => data.host.has_read(0, pages, read).map(|()| true),
                _ => Ok(false),
            }
        })
    }

    fn open_and_read(&self, access: Access, to: Beginning) -> Result<Option<u64>, Errno> {
        let Some(Place { dir, name }) = self.handle.place() else {
            let handle = self.handle()?;
            return self.tree.client.open_and_read(handle, access, to);
        };
        let (parent, name) = (dir.handle()?, name.as_bytes());
        let opened = self
            .tree
            .ask(|client| client.open_child(parent, name, access, to))?;
        let found = dir.wrap((opened.handle, opened.attr));
        match std::ptr::eq(&*found, self) {
            true => opened.read,
            false => Err(ESTALE),
        }
    }
}
