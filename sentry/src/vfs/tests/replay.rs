//! Random operations on names that a native kernel was asked to do, with its answers:
//! ours must be the same. `tests/fuzz/names.py` writes them.
//! `REPLAY=FILE cargo test -p sentry replay -- --ignored`

use std::sync::Arc;

use syscalls::abi::fs::OpenFlags;
use syscalls::{Errno, Fd, Stop};

use crate::task::{Capabilities, Credentials, Current, UserIds};
use crate::testing;
use crate::vfs::attributes::{NewTime, change_mode, change_owner, change_times, truncate_path};
use crate::vfs::open::Opening;
use crate::vfs::rename::End;
use crate::vfs::walk::Walking;
use crate::vfs::{Access, FileKind, LinkTarget, Location, Mode, NewNode, RenameMode, permit};

fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

fn bits(text: &str) -> u32 {
    text.parse().expect("bits")
}

fn id(text: &str) -> Option<u32> {
    (text != "-1").then(|| bits(text))
}

fn status(at: &Location) -> Result<String, Errno> {
    let attr = at.inode().attr()?;
    let size = match attr.kind {
        FileKind::Directory => 0,
        _ => attr.size,
    };
    let mode = attr.kind.bits() | u32::from(attr.mode.bits());
    Ok(format!(
        "{mode:o} {} {} {} {size}",
        attr.nlink, attr.uid, attr.gid
    ))
}

fn rename(task: &Current, args: &[&str], mode: RenameMode) -> Result<String, Errno> {
    let old = End {
        dirfd: Fd::CWD,
        path: args[0].as_bytes(),
    };
    let new = End {
        dirfd: Fd::CWD,
        path: args[1].as_bytes(),
    };
    task.rename(&old, &new, mode).map(|()| "0".into())
}

fn perform(task: &Current, what: &str, args: &[&str]) -> Result<String, Errno> {
    let done = |()| String::from("0");
    let path = args[0].as_bytes();
    let creds = task.creds.get();
    let follow = || task.walk(path, Walking::FOLLOW);
    let link = |how: Walking| {
        let old = task.walk(path, how)?;
        task.make_link(&old, Fd::CWD, args[1].as_bytes())
    };
    let node = |node: NewNode<'_>, mask: u32| {
        let mode = Mode::from_raw(bits(args[1]) & mask);
        task.make_node(Fd::CWD, path, node, mode)
            .map(|_| "0".into())
    };
    match what {
        "mkdir" => node(NewNode::Directory, 0o1777),
        "create" => node(NewNode::Regular, 0o7777),
        "mkfifo" => node(NewNode::Fifo, 0o7777),
        "rmdir" => task.remove_directory(Fd::CWD, path).map(done),
        "unlink" => task.remove_file(Fd::CWD, path).map(done),
        "rename" => rename(task, args, RenameMode::Replace),
        "renamen" => rename(task, args, RenameMode::NoReplace),
        "renamex" => rename(task, args, RenameMode::Exchange),
        "link" => link(Walking::empty()).map(done),
        "linkf" => link(Walking::FOLLOW).map(done),
        "symlink" if path.is_empty() => Err(syscalls::errno::ENOENT),
        "symlink" => task
            .make_symlink(Fd::CWD, args[1].as_bytes(), path)
            .map(|_| "0".into()),
        "open" => {
            let flags = OpenFlags::from_bits_truncate(bits(args[1])) | OpenFlags::NONBLOCK;
            let opening = Opening::lenient(flags, bits(args[2]))?;
            match task.open_at(Fd::CWD, path, &opening) {
                Ok(file) => {
                    let attr = file.inode().attr()?;
                    let mode = attr.kind.bits() | u32::from(attr.mode.bits());
                    Ok(format!("0 {mode:o}"))
                }
                Err(Stop::Errno(errno)) => Err(errno),
                Err(other) => panic!("{other:?}"),
            }
        }
        "stat" => status(&follow()?),
        "lstat" => status(&task.walk(path, Walking::empty())?),
        "readlink" => {
            let at = task.walk(path, Walking::empty())?;
            match at.inode().read_link(task)? {
                LinkTarget::Text(text) | LinkTarget::Jump(_, text) => {
                    Ok(format!("0 {}", String::from_utf8_lossy(&text)))
                }
            }
        }
        "chmod" => change_mode(&creds, &follow()?, Mode::from_raw(bits(args[1]))).map(done),
        "chown" => change_owner(&creds, &follow()?, id(args[1]), id(args[2])).map(done),
        "lchown" => {
            let at = task.walk(path, Walking::empty())?;
            change_owner(&creds, &at, id(args[1]), id(args[2])).map(done)
        }
        "access" => {
            let at = follow()?;
            let want = Access::from_bits_truncate(u16::try_from(bits(args[1])).unwrap());
            if want.is_empty() {
                return Ok("0".into());
            }
            permit(&creds, at.inode(), want).map(done)
        }
        "chdir" => {
            let at = task.walk(path, Walking::FOLLOW | Walking::DIRECTORY)?;
            permit(&creds, at.inode(), Access::EXEC)?;
            task.fs.get().cwd.set(at);
            Ok("0".into())
        }
        "trunc" => {
            let size = u64::try_from(number(args[1])).unwrap();
            truncate_path(&creds, &follow()?, size).map(done)
        }
        "utime" => {
            let time = |at| if args[1] == "0" { NewTime::Now } else { at };
            let at = follow()?;
            let times = (time(NewTime::At(1)), time(NewTime::At(2)));
            change_times(&creds, &at, times.0, times.1).map(done)
        }
        _ => panic!("{what}"),
    }
}

fn become_user(task: &Current, uid: u32) {
    let creds = if uid == 0 {
        testing::root()
    } else {
        Credentials {
            uid: UserIds::all(uid),
            gid: UserIds::all(uid),
            effective: Capabilities::empty(),
            ..testing::root()
        }
    };
    task.creds.set(Arc::new(creds));
}

#[test]
#[ignore = "needs a recording"]
fn replay() {
    let file = std::env::var("REPLAY").expect("REPLAY names a recording");
    let text = std::fs::read_to_string(&file).expect("a recording");
    let task = testing::kernel();
    task.fs.get().umask.set(0);
    let top = task.root();
    change_mode(&task.creds.get(), &top, Mode::from_raw(0o755)).expect("chmod");
    let mut wrong = 0;
    for (line, text) in text.lines().enumerate() {
        let mut fields: Vec<&str> = text.split('\t').collect();
        let expected = fields.pop().expect("a result");
        assert_eq!(fields.pop(), Some("="));
        let (what, args) = fields.split_first().expect("an operation");
        if *what == "user" {
            become_user(&task, bits(args[0]));
            continue;
        }
        let got = match perform(&task, what, args) {
            Ok(text) => text,
            Err(errno) => format!("-{}", errno.raw()),
        };
        if got != expected {
            println!("{}: {what} {args:?}: {expected}, here {got}", line + 1);
            wrong += 1;
            if wrong > 10 {
                break;
            }
        }
    }
    assert_eq!(wrong, 0);
}
