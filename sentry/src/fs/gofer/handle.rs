//! The Gofer's handle of an inode, had when it is first needed.
//!
//! A handle costs the Gofer a descriptor, and both an exchange. A file that programs only
//! look at has none: [its attributes came with others'](super::ahead), and its name stands
//! for it. Nobody else changes names in an exclusive tree, and here nobody does without
//! having asked for the handle of what the name leads to: from then on that holds the inode,
//! whatever becomes of the name.

use std::sync::{Arc, OnceLock};

use gofer::Handle;
use syscalls::Errno;
use syscalls::errno::ESTALE;

use super::inode::GoferInode;
use crate::sync::{Level, Mutex};
use crate::vfs::FileName;

/// A handle, or where it is to be had.
pub(super) struct LazyHandle {
    known: OnceLock<Handle>,
    place: Mutex<Option<Place>>,
}

/// A name in a directory.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) dir: Arc<GoferInode>,
    pub(super) name: FileName,
}

impl LazyHandle {
    /// One that is there.
    pub(super) fn known(handle: Handle) -> Self {
        LazyHandle {
            known: OnceLock::from(handle),
            place: Mutex::new(Level::Leaf, None),
        }
    }

    /// One that `name` in `dir` leads to.
    pub(super) fn of(dir: Arc<GoferInode>, name: FileName) -> Self {
        LazyHandle {
            known: OnceLock::new(),
            place: Mutex::new(Level::Leaf, Some(Place { dir, name })),
        }
    }

    pub(super) fn get(&self) -> Option<Handle> {
        self.known.get().copied()
    }

    /// Where the handle is to be had, if it is not there.
    pub(super) fn place(&self) -> Option<Place> {
        self.place.lock().clone()
    }

    /// The handle is `handle`; false if it is another one already.
    pub(super) fn set(&self, handle: Handle) -> bool {
        let set = *self.known.get_or_init(|| handle) == handle;
        let place = self.place.lock().take();
        drop(place);
        set
    }
}

impl GoferInode {
    /// The handle, asked for if need be; `ESTALE` if the name leads elsewhere by now.
    pub(super) fn handle(&self) -> Result<Handle, Errno> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        if let Some(Place { dir, name }) = self.handle.place() {
            // Whoever asks for the name gets this inode, with its handle.
            dir.walk(&name)?;
        }
        self.handle.get().ok_or(ESTALE)
    }
}
