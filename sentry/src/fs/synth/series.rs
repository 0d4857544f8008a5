//! Directories with members that have numbers: cpu0, cpu1 … or network interfaces, beside
//! what a table has.

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::{
    Behaviour, Context, Entry, Listed, Listing, Node, Site, Synthetic, TableDir, open_dir,
};
use crate::task::Current;
use crate::vfs::{Attr, FileKind, FileName, FileOps, InodeRef, Mode, OpenMode, Owner, SetAttr};

/// What the numbered members are.
pub struct Members<C> {
    /// Their numbers, rising, and names.
    pub names: fn(&C) -> Vec<(u32, String)>,
    /// Type.
    pub kind: FileKind,
    /// Mode.
    pub mode: u16,
    /// How many inode numbers each takes.
    pub numbers: u64,
    /// Makes one.
    pub make: fn(&Site<'_, C>, u32) -> InodeRef,
}

/// Names of so many: a prefix, and numbers from 0.
#[must_use]
pub fn numbered(prefix: &str, count: u32) -> Vec<(u32, String)> {
    let name = |number| (number, format!("{prefix}{number}"));
    (0..count).map(name).collect()
}

/// See the module.
pub struct Series<C: 'static> {
    table: TableDir<C>,
    members: &'static Members<C>,
}

impl<C: Context> Series<C> {
    /// What belongs at `site`: `entries` and `members`.
    #[must_use]
    pub fn new(
        site: &Site<'_, C>,
        entries: &'static [Entry<C>],
        members: &'static Members<C>,
    ) -> Self {
        Series {
            table: TableDir::new(site.context.clone(), entries, site.ino),
            members,
        }
    }

    fn names(&self) -> Vec<(u32, String)> {
        (self.members.names)(self.table.context())
    }

    fn ino(&self, index: u32) -> u64 {
        self.table.next_ino() + u64::from(index) * self.members.numbers
    }

    /// Which member has the name; `ENOENT`.
    fn index(&self, name: &FileName) -> Result<u32, Errno> {
        let mut names = self.names().into_iter();
        let found = names.find(|(_, own)| own.as_bytes() == name.as_bytes());
        found.map(|(index, _)| index).ok_or(ENOENT)
    }
}

impl<C: Context> Behaviour for Series<C> {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        self.table.owner(stored)
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        self.table.attr(attr)?;
        if self.members.kind == FileKind::Directory {
            attr.nlink = attr
                .nlink
                .saturating_add(self.names().len().try_into().unwrap_or(0));
        }
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.table.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        match self.table.lookup(node, name) {
            Err(ENOENT) => {}
            found => return found,
        }
        let index = self.index(name)?;
        let context = self.table.context();
        let site = Site {
            super_block: node.super_block(),
            ino: self.ino(index),
            owner: context.owner(Mode::from_raw(self.members.mode.into()))?,
            context,
        };
        Ok((self.members.make)(&site, index))
    }

    fn revalidate(
        &self,
        node: &Node,
        name: &FileName,
        cached: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        match self.table.revalidate(node, name, cached) {
            Err(ENOENT) => self.index(name).map(|_| None),
            found => found,
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

impl<C: Context> Listing for Series<C> {
    fn list(
        &self,
        node: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        let mut full = false;
        self.table.list(node, from, &mut |entry| {
            let flow = add(entry);
            full = flow.is_break();
            flow
        })?;
        let end = self.table.end();
        for (index, name) in self.names() {
            let key = end + u64::from(index);
            let child = Listed {
                key,
                name: name.as_bytes(),
                ino: self.ino(index),
                kind: self.members.kind,
            };
            if full || (key >= from && add(child).is_break()) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Members, Series, numbered};
    use crate::fs::synth::{Context, Entry, Instance, Listing, Site, Synthetic, TableDir};
    use crate::vfs::{FileKind, FileName, Inode, Mode, Owner, SuperBlock};
    use std::ops::ControlFlow;

    #[derive(Clone)]
    struct Three;
    impl Context for Three {}

    const TABLE: &[Entry<Three>] = &[Entry::fixed("online", "0-2\n")];
    const MEMBERS: Members<Three> = Members {
        names: |_| numbered("cpu", 3),
        kind: FileKind::Directory,
        mode: 0o755,
        numbers: 10,
        make: |site, _| site.put(FileKind::Directory, TableDir::new(Three, &[], site.ino)),
    };

    #[test]
    fn members_stand_after_the_table() {
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
            mode: Mode::from_raw(0o755),
        };
        let site = Site {
            super_block: &super_block,
            ino: 100,
            owner,
            context: &Three,
        };
        let series = Series::new(&site, TABLE, &MEMBERS);
        let dir = Synthetic::new(&super_block, 100, FileKind::Directory, owner, series);
        let name = |name: &str| FileName::new(name.as_bytes()).expect("valid");
        assert_eq!(dir.lookup(&name("online")).map(|i| i.ino()), Ok(101));
        assert_eq!(dir.lookup(&name("cpu2")).map(|i| i.ino()), Ok(122));
        for wrong in ["cpu3", "cpu01", "cpu", "cpu-1", "cpu+1"] {
            assert!(dir.lookup(&name(wrong)).is_err(), "{wrong}");
        }
        let mut seen = Vec::new();
        let listed = dir.behaviour.list(&dir.node, 1, &mut |child| {
            seen.push((child.key, String::from_utf8_lossy(child.name).into_owned()));
            ControlFlow::Continue(())
        });
        assert_eq!(listed, Ok(()));
        let expected = [(1, "cpu0"), (2, "cpu1"), (3, "cpu2")];
        assert_eq!(seen, expected.map(|(key, name)| (key, name.to_owned())));
        assert_eq!(dir.attr().map(|attr| attr.nlink), Ok(5));
    }
}
