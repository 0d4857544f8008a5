//! Trees that constant tables describe.
//!
//! Inode numbers follow from the table: a directory's children come after it, each with
//! as many numbers as its own tree needs.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, ELOOP, ENOENT};

use super::inode::Symlink;
use super::{Behaviour, Listed, Listing, Node, Opener, Synthetic, Text, open_dir, open_text};
use crate::mm::Mm;
use crate::task::Current;
use crate::vfs::{
    Attr, FileKind, FileName, FileOps, InodeRef, LinkTarget, Mode, OpenMode, Owner, SetAttr,
    SuperBlock,
};

/// What the functions of a table are about: the kernel, a process …
#[allow(unused_variables, reason = "defaults that look at nothing")]
pub trait Context: Clone + Send + Sync + 'static {
    /// Owner of an entry; `mode` is the table's.
    fn owner(&self, mode: Mode) -> Result<Owner, Errno> {
        Ok(Owner {
            uid: 0,
            gid: 0,
            mode,
        })
    }

    /// Corrects attributes of files and directories.
    fn attr(&self, attr: &mut Attr) {}

    /// False once what the tree is about is gone: its names are too.
    fn is_alive(&self) -> bool {
        true
    }

    /// See [`Behaviour::check_change`].
    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        Ok(())
    }

    /// When a privileged task hears that a text cannot be written.
    fn refusal(&self) -> Refusal {
        Refusal::Write(EINVAL)
    }

    /// See [`Text::memory`].
    fn memory(&self) -> Weak<Mm> {
        Weak::new()
    }
}

/// How a text that cannot be written says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be opened for writing.
    Open(Errno),
    /// Writes fail.
    Write(Errno),
}

type Get<C> = fn(&C, &Opener) -> Result<Vec<u8>, Errno>;
type Set<C> = fn(&C, &Opener, &[u8]) -> Result<(), Errno>;
type Check<C> = fn(&C, &Current, OpenMode) -> Result<(), Errno>;
type Target<C> = fn(&C, &Current) -> Result<LinkTarget, Errno>;
type Open<C> = fn(&C, &Current, OpenMode) -> Result<Box<dyn FileOps>, Errno>;
type Make<C> = fn(&Site<'_, C>) -> InodeRef;

/// A name in a directory, and what it stands for.
pub struct Entry<C: 'static> {
    name: &'static str,
    mode: u16,
    what: What<C>,
}

enum What<C: 'static> {
    Dir(&'static [Entry<C>]),
    Fixed(&'static str),
    Text(TextOf<C>),
    Link(&'static str),
    Magic(Target<C>),
    File(Open<C>),
    Made(FileKind, Make<C>, u64),
}

struct TextOf<C> {
    check: Option<Check<C>>,
    get: Get<C>,
    set: Option<Set<C>>,
}

impl<C> Clone for TextOf<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for TextOf<C> {}

/// Where [`Entry::made`] puts an inode.
pub struct Site<'a, C> {
    /// The file system.
    pub super_block: &'a Arc<SuperBlock>,
    /// The inode's number.
    pub ino: u64,
    /// Owner and mode as the table has them.
    pub owner: Owner,
    /// What the table is about.
    pub context: &'a C,
}

impl<C: Context> Site<'_, C> {
    /// A symbolic link.
    #[must_use]
    pub fn link(&self, to: String) -> InodeRef {
        self.put(FileKind::Symlink, Symlink(to))
    }

    /// The inode.
    #[must_use]
    pub fn put<B: Behaviour>(&self, kind: FileKind, behaviour: B) -> InodeRef {
        Synthetic::new(self.super_block, self.ino, kind, self.owner, behaviour)
    }
}

impl<C: Context> Entry<C> {
    const fn new(name: &'static str, mode: u16, what: What<C>) -> Self {
        Entry { name, mode, what }
    }

    /// A directory, mode 555.
    #[must_use]
    pub const fn dir(name: &'static str, entries: &'static [Entry<C>]) -> Self {
        Self::new(name, 0o555, What::Dir(entries))
    }

    /// A file that always has the same text, mode 444.
    #[must_use]
    pub const fn fixed(name: &'static str, text: &'static str) -> Self {
        Self::new(name, 0o444, What::Fixed(text))
    }

    /// A generated file, mode 444.
    #[must_use]
    pub const fn text(name: &'static str, get: Get<C>) -> Self {
        let text = TextOf {
            check: None,
            get,
            set: None,
        };
        Self::new(name, 0o444, What::Text(text))
    }

    /// A generated file that `check` lets a task open or not, mode 444.
    #[must_use]
    pub const fn guarded(name: &'static str, check: Check<C>, get: Get<C>) -> Self {
        let text = TextOf {
            check: Some(check),
            get,
            set: None,
        };
        Self::new(name, 0o444, What::Text(text))
    }

    /// A generated file that can be written, mode 644.
    #[must_use]
    pub const fn setting(name: &'static str, get: Get<C>, set: Set<C>) -> Self {
        let text = TextOf {
            check: None,
            get,
            set: Some(set),
        };
        Self::new(name, 0o644, What::Text(text))
    }

    /// A symbolic link, mode 777.
    #[must_use]
    pub const fn link(name: &'static str, to: &'static str) -> Self {
        Self::new(name, 0o777, What::Link(to))
    }

    /// A symbolic link whose target depends on who asks or leads past names, mode 777.
    #[must_use]
    pub const fn magic(name: &'static str, target: Target<C>) -> Self {
        Self::new(name, 0o777, What::Magic(target))
    }

    /// A regular file that is no text, mode 444.
    #[must_use]
    pub const fn file(name: &'static str, open: Open<C>) -> Self {
        Self::new(name, 0o444, What::File(open))
    }

    /// Whatever `make` makes, of type `kind`; a directory has mode 555, all else 444.
    #[must_use]
    pub const fn made(name: &'static str, kind: FileKind, make: Make<C>) -> Self {
        let mode = match kind {
            FileKind::Directory => 0o555,
            _ => 0o444,
        };
        Self::new(name, mode, What::Made(kind, make, 1))
    }

    /// The same with `numbers` inode numbers for its tree, if it is a made one.
    #[must_use]
    pub const fn numbers(self, numbers: u64) -> Self {
        match self.what {
            What::Made(kind, make, _) => Entry {
                what: What::Made(kind, make, numbers),
                ..self
            },
            _ => self,
        }
    }

    /// The same with another mode.
    #[must_use]
    pub const fn mode(self, mode: u16) -> Self {
        Entry { mode, ..self }
    }

    /// False for a text that was given no way to store one.
    fn is_writable(&self) -> bool {
        match self.what {
            What::Text(text) => text.set.is_some(),
            What::Fixed(_) => false,
            _ => true,
        }
    }

    /// How many inode numbers its tree takes.
    fn span(&self) -> u64 {
        match self.what {
            What::Dir(entries) => 1 + span(entries),
            What::Made(_, _, numbers) => numbers,
            _ => 1,
        }
    }

    fn kind(&self) -> FileKind {
        match self.what {
            What::Dir(_) => FileKind::Directory,
            What::Fixed(_) | What::Text(_) | What::File(_) => FileKind::Regular,
            What::Link(_) | What::Magic(_) => FileKind::Symlink,
            What::Made(kind, ..) => kind,
        }
    }

    fn make(
        &'static self,
        super_block: &Arc<SuperBlock>,
        ino: u64,
        context: &C,
    ) -> Result<InodeRef, Errno> {
        let site = Site {
            super_block,
            ino,
            owner: context.owner(Mode::from_raw(self.mode.into()))?,
            context,
        };
        let context = context.clone();
        let kind = self.kind();
        Ok(match self.what {
            What::Dir(entries) => site.put(kind, TableDir::new(context, entries, ino)),
            What::Made(_, make, _) => make(&site),
            _ => site.put(
                kind,
                Leaf {
                    context,
                    entry: self,
                },
            ),
        })
    }
}

/// Writes `text` to a setting, as its file would take it. `path` is its name below the table;
/// `ENOENT` where there is none, `EACCES` for what cannot be changed.
pub fn set<C: Context>(
    entries: &'static [Entry<C>],
    path: &[&str],
    context: &C,
    opener: &Opener,
    text: &[u8],
) -> Result<(), Errno> {
    let (name, below) = path.split_first().ok_or(ENOENT)?;
    let entry = entries.iter().find(|entry| entry.name == *name);
    match (&entry.ok_or(ENOENT)?.what, below) {
        (What::Dir(entries), below) => set(entries, below, context, opener, text),
        (What::Text(TextOf { set: Some(set), .. }), []) => set(context, opener, text),
        (_, []) => Err(EACCES),
        _ => Err(ENOENT),
    }
}

fn span<C: Context>(entries: &'static [Entry<C>]) -> u64 {
    entries.iter().map(Entry::span).sum()
}

/// A directory that a table describes.
pub struct TableDir<C: 'static> {
    context: C,
    entries: &'static [Entry<C>],
    /// The number of the directory itself.
    ino: u64,
}

impl<C: Context> TableDir<C> {
    /// The directory `entries` with inode number `ino`.
    #[must_use]
    pub fn new(context: C, entries: &'static [Entry<C>], ino: u64) -> Self {
        TableDir {
            context,
            entries,
            ino,
        }
    }

    /// What it is about.
    #[must_use]
    pub fn context(&self) -> &C {
        &self.context
    }

    /// The first inode number after those of the table.
    #[must_use]
    pub fn next_ino(&self) -> u64 {
        self.ino + 1 + span(self.entries)
    }

    /// Key of a listing that no entry of the table has, nor any above it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Entries with their inode numbers.
    fn numbered(&self) -> impl Iterator<Item = (u64, &'static Entry<C>)> + use<C> {
        let mut next = self.ino + 1;
        self.entries.iter().map(move |entry| {
            let ino = next;
            next += entry.span();
            (ino, entry)
        })
    }

    fn is_here(&self, name: &FileName) -> bool {
        let name = name.as_bytes();
        self.entries.iter().any(|e| e.name.as_bytes() == name)
    }
}

impl<C: Context> Behaviour for TableDir<C> {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        self.context.owner(stored.mode)
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        let is_dir = |entry: &&Entry<C>| entry.kind() == FileKind::Directory;
        let dirs = self.entries.iter().filter(is_dir).count();
        attr.nlink = attr.nlink.saturating_add(u32::try_from(dirs).unwrap_or(0));
        self.context.attr(attr);
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.context.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        let wanted = name.as_bytes();
        let mut found = self.numbered();
        let found = found.find(|(_, entry)| entry.name.as_bytes() == wanted);
        let (ino, entry) = found.ok_or(ENOENT)?;
        if !self.context.is_alive() {
            return Err(ENOENT);
        }
        entry.make(node.super_block(), ino, &self.context)
    }

    /// An entry stays the same as long as what it is about.
    fn revalidate(
        &self,
        _: &Node,
        name: &FileName,
        _: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        if self.is_here(name) && self.context.is_alive() {
            Ok(None)
        } else {
            Err(ENOENT)
        }
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Ok(open_dir(inode))
    }
}

impl<C: Context> Listing for TableDir<C> {
    fn list(
        &self,
        _: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        if !self.context.is_alive() {
            return Err(ENOENT);
        }
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        for (key, (ino, entry)) in (0..).zip(self.numbered()).skip(skip) {
            let child = Listed {
                key,
                name: entry.name.as_bytes(),
                ino,
                kind: entry.kind(),
            };
            if add(child).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A table's file or link.
struct Leaf<C: 'static> {
    context: C,
    entry: &'static Entry<C>,
}

impl<C: Context> Behaviour for Leaf<C> {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        self.context.owner(stored.mode)
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        self.context.attr(attr);
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.context.check_change(set)
    }

    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        match self.entry.what {
            What::Link(to) => Ok(LinkTarget::Text(to.as_bytes().to_vec())),
            What::Magic(target) => target(&self.context, task),
            _ => Err(EINVAL),
        }
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        task: &Current,
        mode: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        let Leaf { context, entry } = &inode.behaviour;
        if mode.writes()
            && !entry.is_writable()
            && let Refusal::Open(errno) = context.refusal()
        {
            return Err(errno);
        }
        match entry.what {
            What::File(open) => open(context, task, mode),
            What::Text(TextOf { check, .. }) => {
                if let Some(check) = check {
                    check(context, task, mode)?;
                }
                Ok(open_text(inode, task))
            }
            What::Fixed(_) => Ok(open_text(inode, task)),
            _ => Err(ELOOP),
        }
    }
}

impl<C: Context> Text for Leaf<C> {
    fn text(&self, opener: &Opener) -> Result<Vec<u8>, Errno> {
        match self.entry.what {
            What::Fixed(text) => Ok(text.as_bytes().to_vec()),
            What::Text(TextOf { get, .. }) => get(&self.context, opener),
            _ => Err(EINVAL),
        }
    }

    fn store(&self, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
        match self.entry.what {
            What::Text(TextOf { set: Some(set), .. }) => set(&self.context, opener, data),
            _ => match self.context.refusal() {
                Refusal::Open(errno) | Refusal::Write(errno) => Err(errno),
            },
        }
    }

    fn memory(&self) -> Weak<Mm> {
        self.context.memory()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::{Context, Entry, TableDir};
    use crate::fs::synth::{Instance, Listing, Synthetic};
    use crate::vfs::{FileKind, FileName, InodeRef, Mode, Owner, SuperBlock};

    #[derive(Clone)]
    struct Nothing;
    impl Context for Nothing {}

    const INNER: &[Entry<Nothing>] = &[
        Entry::fixed("x", "1\n"),
        Entry::dir("y", &[Entry::fixed("z", "2\n")]),
    ];
    const TOP: &[Entry<Nothing>] = &[
        Entry::fixed("a", "a\n").mode(0o400),
        Entry::dir("b", INNER),
        Entry::link("c", "a"),
    ];

    fn root() -> std::sync::Arc<Synthetic<TableDir<Nothing>>> {
        let instance = Instance {
            name: "test",
            magic: 1,
            lasting: true,
            options: String::new(),
        };
        let super_block = SuperBlock::new(Box::new(instance), "test");
        let owner = Owner {
            uid: 0,
            gid: 0,
            mode: Mode::from_raw(0o555),
        };
        let dir = TableDir::new(Nothing, TOP, 10);
        Synthetic::new(&super_block, 10, FileKind::Directory, owner, dir)
    }

    fn walk(root: &InodeRef, path: &str) -> InodeRef {
        path.split('/').fold(root.clone(), |at, name| {
            let name = FileName::new(name.as_bytes()).expect("valid");
            at.lookup(&name).expect("is there")
        })
    }

    #[test]
    fn numbers_are_unique_and_stable() {
        let root: InodeRef = root();
        let numbers = ["a", "b", "b/x", "b/y", "b/y/z", "c"].map(|p| walk(&root, p).ino());
        assert_eq!(numbers, [11, 12, 13, 14, 15, 16]);
        assert_eq!(walk(&root, "b/y/z").ino(), 15);
    }

    #[test]
    fn attributes() {
        let root: InodeRef = root();
        let nlink = |inode: &InodeRef| inode.attr().expect("exists").nlink;
        assert_eq!((nlink(&root), nlink(&walk(&root, "b/y"))), (3, 2));
        let a = walk(&root, "a").attr().expect("exists");
        assert_eq!((a.mode, a.size, a.nlink), (Mode::from_raw(0o400), 0, 1));
        assert_eq!(walk(&root, "c").kind(), FileKind::Symlink);
    }

    #[test]
    fn listing_goes_on_where_it_stopped() {
        let root = root();
        let list = |from, max| {
            let mut seen = Vec::new();
            let mut add = |child: crate::fs::synth::Listed<'_>| {
                if seen.len() == max {
                    return ControlFlow::Break(());
                }
                seen.push((child.key, child.ino, child.name.to_vec()));
                ControlFlow::Continue(())
            };
            let listed = root.behaviour.list(&root.node, from, &mut add);
            listed.expect("alive");
            seen
        };
        assert_eq!(list(0, 1), [(0, 11, b"a".to_vec())]);
        let rest = [(1, 12, b"b".to_vec()), (2, 16, b"c".to_vec())];
        assert_eq!(list(1, 9), rest);
        assert_eq!(list(3, 9), []);
    }
}
