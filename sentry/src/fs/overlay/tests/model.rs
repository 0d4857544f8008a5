//! Random changes, made to an overlay and to a tmpfs that began with the same contents:
//! both must look the same, always, and the lower tree as it was.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use syscalls::Errno;

use super::{Tree, contents, testing};
use crate::vfs::{File, FileKind, Mode, NewNode, OpenMode, RenameMode, SetAttr, XattrMode};

const PAGE: u64 = 4096;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// A path of up to three names out of three.
    fn path(&mut self) -> String {
        let depth = 1 + self.below(3);
        let parts: Vec<&str> = (0..depth)
            .map(|_| ["a", "b", "c"][usize::try_from(self.below(3)).unwrap()])
            .collect();
        parts.join("/")
    }
}

#[derive(Clone, Debug)]
enum Op {
    Create(String),
    Mkdir(String),
    Symlink(String),
    Unlink(String),
    Rmdir(String),
    Link(String, String),
    Rename(String, String, RenameMode),
    Write(String, u64, Vec<u8>),
    Append(String),
    Truncate(String, u64),
    Punch(String, u64, u64),
    Chmod(String, u32),
    SetXattr(String, u8, XattrMode),
    RemoveXattr(String, u8),
    Touch(String),
}

impl Op {
    fn random(random: &mut Random) -> Self {
        let path = random.path();
        match random.below(22) {
            0 | 1 => Op::Create(path),
            2 | 3 => Op::Mkdir(path),
            4 => Op::Symlink(path),
            5 | 6 => Op::Unlink(path),
            7 | 8 => Op::Rmdir(path),
            9 => Op::Link(path, random.path()),
            10..=12 => {
                let modes = [
                    RenameMode::Replace,
                    RenameMode::NoReplace,
                    RenameMode::Exchange,
                ];
                let mode = modes[usize::try_from(random.below(3)).unwrap()];
                Op::Rename(path, random.path(), mode)
            }
            13 | 14 => {
                let len = usize::try_from(random.below(3 * PAGE)).unwrap();
                let byte = b'A' + u8::try_from(random.below(26)).unwrap();
                Op::Write(path, random.below(5 * PAGE), vec![byte; len])
            }
            15 => Op::Append(path),
            16 => Op::Truncate(path, random.below(6 * PAGE)),
            17 => Op::Punch(path, random.below(5 * PAGE), 1 + random.below(3 * PAGE)),
            18 => Op::Chmod(path, u32::try_from(random.below(0o1000)).unwrap()),
            19 => {
                let modes = [XattrMode::Set, XattrMode::Create, XattrMode::Replace];
                let mode = modes[usize::try_from(random.below(3)).unwrap()];
                Op::SetXattr(path, b'a' + u8::try_from(random.below(3)).unwrap(), mode)
            }
            20 => Op::RemoveXattr(path, b'a' + u8::try_from(random.below(3)).unwrap()),
            _ => Op::Touch(path),
        }
    }

    fn apply(&self, tree: &Tree<'_>) -> Result<(), Errno> {
        let regular = |path: &str| {
            let inode = tree.at(path)?;
            if inode.kind() == FileKind::Regular {
                Ok(inode)
            } else {
                Err(syscalls::errno::EINVAL)
            }
        };
        match self {
            Op::Create(path) => tree.make(path, NewNode::Regular).map(drop),
            Op::Mkdir(path) => tree.make(path, NewNode::Directory).map(drop),
            Op::Symlink(path) => tree.make(path, NewNode::Symlink(path.as_bytes())).map(drop),
            Op::Unlink(path) => tree.unlink(path),
            Op::Rmdir(path) => tree.rmdir(path),
            Op::Link(old, new) => tree.link(old, new),
            Op::Rename(old, new, mode) => tree.rename(old, new, *mode),
            Op::Write(path, pos, data) => {
                regular(path)?;
                tree.write(path, *pos, data).map(drop)
            }
            Op::Append(path) => {
                regular(path)?;
                let file = tree.open(path, OpenMode::WRITE_ONLY)?;
                let mut data = crate::vfs::Source::kernel(b"appended");
                file.ops.append(&file, &mut data).map(drop)
            }
            Op::Truncate(path, size) => {
                regular(path)?;
                tree.truncate(path, *size)
            }
            Op::Punch(path, from, len) => regular(path)?.allocate(3, *from, *len),
            Op::Chmod(path, mode) => tree.at(path)?.set_attr(&SetAttr {
                mode: Some(Mode::from_raw(*mode)),
                ..SetAttr::default()
            }),
            Op::SetXattr(path, name, mode) => {
                let value = path.as_bytes();
                tree.at(path)?.set_xattr(&[b'u', b'.', *name], value, *mode)
            }
            Op::RemoveXattr(path, name) => tree.at(path)?.remove_xattr(&[b'u', b'.', *name]),
            // The page is looked at through a mapping that will write it.
            Op::Touch(path) => {
                let file = regular(path)?;
                let _open = tree.open(path, OpenMode::READ_WRITE)?;
                let pages = file.mappable().ok_or(syscalls::errno::ENODEV)?;
                pages.pages(1, 2, true).map(drop)
            }
        }
    }
}

/// Everything that programs can see, but for numbers and times.
fn dump(tree: &Tree<'_>) -> String {
    let mut text = String::new();
    let mut links = BTreeMap::new();
    dump_dir(tree, "", &mut links, &mut text);
    text
}

fn dump_dir(tree: &Tree<'_>, dir: &str, links: &mut BTreeMap<u64, usize>, text: &mut String) {
    for (name, ino) in tree.names(dir) {
        let path = format!("{dir}/{name}");
        let inode = tree.get(&path);
        let attr = inode.attr().expect("attr");
        assert_eq!((attr.ino, inode.ino()), (ino, ino), "{path}");
        let count = links.len();
        let id = links.entry(ino).or_insert(count);
        let (kind, mode, nlink) = (attr.kind, attr.mode.bits(), attr.nlink);
        write!(text, "{path} {kind:?} {mode:o} {nlink} #{id} {}", attr.uid).unwrap();
        let mut xattrs = inode.list_xattr().expect("xattrs");
        xattrs.sort();
        for xattr in xattrs {
            let value = inode.xattr(&xattr).expect("xattr");
            write!(text, " {}={}", xattr.escape_ascii(), value.escape_ascii()).unwrap();
        }
        match kind {
            FileKind::Regular => {
                let data = tree.read(&path);
                assert_eq!(data.len() as u64, attr.size, "{path}");
                writeln!(text, " {}", runs(&data)).unwrap();
            }
            FileKind::Symlink => {
                let target = tree.link_text(&inode);
                writeln!(text, " -> {}", target.escape_ascii()).unwrap();
            }
            _ => text.push('\n'),
        }
        if kind == FileKind::Directory {
            dump_dir(tree, &path, links, text);
        }
    }
}

/// Bytes as runs.
fn runs(data: &[u8]) -> String {
    let mut text = String::new();
    for run in data.chunk_by(|a, b| a == b) {
        write!(text, "{}*{} ", run[0].escape_ascii(), run.len()).unwrap();
    }
    text
}

/// Both trees' opinion of the same open files.
fn same_open(open: &[(Arc<File>, Arc<File>)]) {
    for (a, b) in open {
        assert_eq!(runs(&contents(a)), runs(&contents(b)));
    }
}

fn run(seed: u64, steps: usize) {
    let task = testing::kernel();
    let (model, below) = (Tree::empty(&task), Tree::empty(&task));
    let mut random = Random(seed);
    for _ in 0..150 {
        let op = Op::random(&mut random);
        assert_eq!(op.apply(&model), op.apply(&below), "{op:?}");
    }
    let before = dump(&below);
    let tree = below.over();
    assert_eq!(dump(&model), dump(&tree));
    let mut open = Vec::new();
    for step in 0..steps {
        let op = Op::random(&mut random);
        assert_eq!(
            op.apply(&model),
            op.apply(&tree),
            "seed {seed} step {step}: {op:?}"
        );
        let (one, other) = (dump(&model), dump(&tree));
        assert!(
            one == other,
            "seed {seed} step {step}: {op:?}\n{one}\n{other}"
        );
        let path = random.path();
        if random.below(4) == 0
            && tree
                .at(&path)
                .is_ok_and(|at| at.kind() == FileKind::Regular)
        {
            let both = |tree: &Tree<'_>| tree.open(&path, OpenMode::empty()).expect("open");
            open.push((both(&model), both(&tree)));
            if open.len() > 5 {
                open.remove(0);
            }
        }
        same_open(&open);
    }
    assert_eq!(before, dump(&below));
}

#[test]
fn looks_like_a_tree_without_layers() {
    for seed in 0..10 {
        run(seed, 250);
    }
}
