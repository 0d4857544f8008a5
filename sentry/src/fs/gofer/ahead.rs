//! Attributes read ahead of lookups.
//!
//! Who looks up a few names of a directory mostly looks up more: after two lookups that
//! had to ask the Gofer, it is asked for the attributes of many entries at once, in the
//! order of the listing, more each time. A later lookup that finds its name here makes an
//! inode of it without asking, and [without a handle](super::handle).
//!
//! Only in exclusive trees, and only for files with one name that are no directories: such
//! attributes change through the name alone. Who changes a name takes it out of here
//! afterwards; what was being read meanwhile is thrown away.

use std::collections::{HashMap, VecDeque};

use gofer::{Attr, Client, Detail, Handle};

use crate::sync::{Level, Mutex};

/// Directories whose entries are remembered.
const DIRECTORIES: usize = 16;
/// Lookups that are answered one by one, first.
const PATIENCE: u32 = 2;
/// Entries that are asked for first; the server takes it as "at least".
const FIRST: u32 = 1;
/// How much more are asked for the next time.
const GROWTH: u32 = 4;
/// As many as an answer takes.
const MOST: u32 = 256;
/// Entries that wait for their lookup, of one directory.
const WAITING: usize = 1024;

/// What is known ahead in one tree; the least recently used directory first.
pub(super) struct Ahead(Mutex<VecDeque<Directory>>);

struct Directory {
    handle: Handle,
    /// Lookups that had to ask.
    asked: u32,
    /// Where the listing goes on; nothing after its end.
    next: Option<u64>,
    window: u32,
    /// Changes of its entries.
    changes: u64,
    attrs: HashMap<Box<[u8]>, Attr>,
}

/// What to do about a name.
enum Step {
    Known(Attr),
    /// Ask for it alone.
    Alone,
    /// Ask for many entries from here on.
    Read {
        from: u64,
        most: u32,
        changes: u64,
    },
}

impl Default for Ahead {
    fn default() -> Self {
        Ahead(Mutex::new(Level::Leaf, VecDeque::new()))
    }
}

impl Ahead {
    /// Runs `f` for a directory, which is the most recently used one then.
    fn with<R>(&self, handle: Handle, f: impl FnOnce(&mut Directory) -> R) -> R {
        let mut list = self.0.lock();
        let found = list.iter().position(|dir| dir.handle == handle);
        let mut dir = found
            .and_then(|index| list.remove(index))
            .unwrap_or_else(|| Directory::new(handle));
        if list.len() >= DIRECTORIES {
            list.pop_front();
        }
        let result = f(&mut dir);
        list.push_back(dir);
        result
    }

    /// Takes what is known of `name` in the directory `dir` of device `dev`; may read on.
    pub(super) fn take(&self, client: &Client, dir: Handle, dev: u64, name: &[u8]) -> Option<Attr> {
        match self.with(dir, |dir| dir.step(name)) {
            Step::Known(attr) => Some(attr),
            Step::Alone => None,
            Step::Read {
                from,
                most,
                changes,
            } => {
                // A lookup tells what is wrong.
                let page = client.readdir_some(dir, from, Detail::Attrs, most).ok()?;
                self.with(dir, |dir| {
                    if dir.changes != changes || dir.next != Some(from) {
                        return None;
                    }
                    dir.next = None;
                    for entry in &page {
                        dir.next = Some(entry.next).filter(|_| !page.is_end());
                        if let Some(attr) = entry.attr.filter(|attr| is_told(attr, dev)) {
                            dir.attrs.insert(entry.name.into(), attr);
                        }
                    }
                    dir.attrs.remove(name)
                })
            }
        }
    }

    /// A name of `dir` was found by asking for it.
    pub(super) fn asked(&self, dir: Handle) {
        self.with(dir, |dir| dir.asked = dir.asked.saturating_add(1));
    }

    /// What `name` leads to has changed.
    pub(super) fn changed(&self, handle: Handle, name: &[u8]) {
        let mut list = self.0.lock();
        if let Some(dir) = list.iter_mut().find(|dir| dir.handle == handle) {
            dir.changes += 1;
            dir.attrs.remove(name);
        }
    }
}

impl Directory {
    fn new(handle: Handle) -> Self {
        Directory {
            handle,
            asked: 0,
            next: Some(0),
            window: FIRST,
            changes: 0,
            attrs: HashMap::new(),
        }
    }

    fn step(&mut self, name: &[u8]) -> Step {
        if let Some(attr) = self.attrs.remove(name) {
            return Step::Known(attr);
        }
        match self.next {
            Some(from) if self.asked >= PATIENCE && self.attrs.len() < WAITING => {
                let most = self.window;
                self.window = (most * GROWTH).min(MOST);
                Step::Read {
                    from,
                    most,
                    changes: self.changes,
                }
            }
            _ => Step::Alone,
        }
    }
}

/// Whether attributes stand for an inode: nothing but the name leads to it, and nothing is
/// mounted over it.
fn is_told(attr: &Attr, dev: u64) -> bool {
    use gofer::FileType;
    let kind = matches!(attr.file_type(), FileType::Regular | FileType::Symlink);
    kind && attr.nlink == 1 && attr.dev == dev
}
