//! The root directory: what is always there, and a directory for each process.

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::process::Process;
use super::system::{ENTRIES, System};
use crate::fs::synth::{Behaviour, Listed, Listing, Node, Synthetic, TableDir, open_dir};
use crate::task::{Current, Pid};
use crate::vfs::{Attr, FileKind, FileName, FileOps, InodeRef, OpenMode, SetAttr};

/// See the module.
pub(super) struct Root {
    system: System,
    table: TableDir<System>,
}

/// A name as a number: decimal, without a sign or leading zeros.
pub(super) fn number(name: &FileName) -> Option<Pid> {
    let text = std::str::from_utf8(name.as_bytes()).ok()?;
    let canonical = text.starts_with(|c: char| ('1'..='9').contains(&c)) || text == "0";
    text.parse().ok().filter(|_| canonical)
}

impl Root {
    pub(super) fn new(system: System, ino: u64) -> Self {
        Root {
            table: TableDir::new(system.clone(), ENTRIES, ino),
            system,
        }
    }

    /// The process `name`, or the process that the thread `name` belongs to.
    fn process(&self, name: &FileName) -> Result<Process, Errno> {
        let tid = number(name).ok_or(ENOENT)?;
        Process::find(&self.system, tid)
    }
}

impl Behaviour for Root {
    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        self.table.attr(attr)?;
        let processes = self.system.kernel()?.pids.groups().len();
        attr.nlink = attr
            .nlink
            .saturating_add(u32::try_from(processes).unwrap_or(0));
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.table.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        match self.table.lookup(node, name) {
            Err(ENOENT) => Ok(self.process(name)?.directory(node.super_block())),
            found => found,
        }
    }

    fn revalidate(
        &self,
        node: &Node,
        name: &FileName,
        cached: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        if let Ok(same) = self.table.revalidate(node, name, cached) {
            return Ok(same);
        }
        let process = self.process(name)?;
        if process.is_directory(cached) {
            Ok(None)
        } else {
            Ok(Some(process.directory(node.super_block())))
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

impl Listing for Root {
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
        if full {
            return Ok(());
        }
        let kernel = self.system.kernel()?;
        let mut processes = Vec::new();
        for group in kernel.pids.groups() {
            let number = group.numbers.seen_from(self.system.pids());
            if number > 0 {
                processes.push((number, group));
            }
        }
        processes.sort_unstable_by_key(|(number, _)| *number);
        for (number, group) in processes {
            let key = self.table.end() + u64::from(number.unsigned_abs());
            let name = number.to_string();
            let child = Listed {
                key,
                name: name.as_bytes(),
                ino: Process::new(&self.system, &group, group.pid).ino(),
                kind: FileKind::Directory,
            };
            if key >= from && add(child).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::number;
    use crate::vfs::FileName;

    #[test]
    fn names_of_processes() {
        let number = |name: &str| number(&FileName::new(name.as_bytes()).expect("valid"));
        assert_eq!(number("1"), Some(1));
        assert_eq!(number("4194304"), Some(4_194_304));
        for name in ["01", "+1", "-1", "1x", "99999999999", ".", "self"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
