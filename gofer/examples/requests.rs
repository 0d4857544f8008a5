//! What requests cost: `cargo run --release -p gofer --example requests [DIR]`.
//!
//! Starts a server in a process of its own over a new directory below DIR (default: the
//! temporary directory) and measures twice: waiting as it is, and with `set_spare_cpu(false)`.
//! Run it under `taskset -c 0`, or beside a busy loop, to see what that does to wakeups.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gofer::server::{Config, Mounts, Owners, ReadAhead, Rights, Tree, serve};
use gofer::wire::{ServerEnd, channel};
use gofer::{Access, Client, Detail, Handle, Segment, TreeId};
use platform::MemoryFile;
use rustix::fs::{CWD, Mode, OFlags};

const SERVER: &str = "RUNSK_BENCH_GOFER";
const FILES: u64 = 50_000;

fn open(path: impl rustix::path::Arg, flags: OFlags) -> OwnedFd {
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).expect("open")
}

fn server(arguments: &str) {
    let [region, memory, dir]: [&str; 3] = arguments
        .splitn(3, ' ')
        .collect::<Vec<_>>()
        .try_into()
        .expect("arguments");
    let reopen = |fd: &str| open(format!("/proc/self/fd/{fd}"), OFlags::RDWR);
    let socket = std::io::stdin().as_fd().try_clone_to_owned();
    serve(Config {
        end: ServerEnd {
            region: reopen(region),
            socket: socket.expect("socket"),
        },
        memory_file: reopen(memory),
        trees: vec![Tree {
            root: open(dir, OFlags::PATH),
            rights: Rights::ReadWrite,
            mounts: Mounts::Stay,
        }],
        owners: Owners::Exact,
        read_ahead: ReadAhead::Host,
        max_threads: 8,
    })
    .expect("serve");
}

fn main() {
    if let Ok(arguments) = std::env::var(SERVER) {
        return server(&arguments);
    }
    let base = std::env::args().nth(1).unwrap_or_else(|| {
        let dir = std::env::temp_dir();
        dir.to_string_lossy().into_owned()
    });
    let dir = Path::new(&base).join(format!("gofer-bench-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("a/b")).expect("mkdir");
    std::fs::create_dir(dir.join("many")).expect("mkdir");
    std::fs::write(dir.join("a/b/f"), vec![1; 1 << 20]).expect("write");
    for i in 0..FILES {
        std::fs::File::create(dir.join("many").join(format!("file-{i:06}"))).expect("create");
    }

    let (client_end, end) = channel().expect("channel");
    let memory = MemoryFile::new(64 << 20).expect("memory file");
    let shared = memory.as_fd().try_clone_to_owned().expect("dup");
    for fd in [&end.region, &shared] {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()).expect("inherit");
    }
    let fds = (end.region.as_raw_fd(), shared.as_raw_fd());
    let mut child = Command::new(std::env::current_exe().expect("exe"))
        .env(SERVER, format!("{} {} {}", fds.0, fds.1, dir.display()))
        .stdin(Stdio::from(end.socket))
        .spawn()
        .expect("spawn");
    let client = Client::connect(client_end, || {}).expect("connect");
    let (root, _) = client.attach(TreeId(0)).expect("attach");
    for spare in [true, false] {
        client.set_spare_cpu(spare);
        println!("spare CPU: {spare}");
        measure(&client, &memory, root);
    }
    drop(client);
    child.wait().expect("wait");
    std::fs::remove_dir_all(&dir).expect("remove");
}

fn measure(client: &Client, memory: &MemoryFile, root: Handle) {
    let path: [&[u8]; 3] = [b"a", b"b", b"f"];
    let find = |names: &[&[u8]]| client.walk(root, names).expect("walk").found;
    let file = find(&path)[2].0;
    let many = find(&[b"many"])[0].0;
    client.open(file, Access::Read).expect("open");
    client.open(many, Access::Read).expect("open");
    let pages = memory.allocate(256, platform::memfile::Fill::Zero);
    let pages = pages.expect("pages");
    let read = |len: u64| {
        let segment = Segment {
            file_pos: 0,
            mem_offset: pages.offset(),
            len,
        };
        assert_eq!(client.read_into(file, &[segment]), Ok(len));
    };

    repeat("getattr", || {
        client.getattr(root).expect("getattr");
    });
    repeat("walk, 1 component, and forget", || {
        let found = find(&path[..1]);
        client.forget(&[found[0].0]).expect("forget");
    });
    repeat("walk, 3 components", || drop(find(&path)));
    client.close(file).expect("close");
    repeat("open and close", || {
        client.open(file, Access::Read).expect("open");
        client.close(file).expect("close");
    });
    client.open(file, Access::Read).expect("open");
    repeat("read 4 KiB", || read(4096));
    repeat("read 1 MiB", || read(1 << 20));
    for detail in [Detail::Names, Detail::Attrs, Detail::Handles] {
        list(client, many, detail);
    }
    client.close(file).expect("close");
    client.close(many).expect("close");
    let gap = || std::thread::sleep(Duration::from_millis(1));
    spaced("getattr, one each millisecond", gap, || {
        client.getattr(root).expect("getattr");
    });
}

/// Calls per second for half a second; prints the mean and the median.
fn repeat(what: &str, f: impl Fn()) {
    spaced(what, || {}, f);
}

fn spaced(what: &str, gap: impl Fn(), f: impl Fn()) {
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < Duration::from_millis(500) {
        gap();
        let start = Instant::now();
        f();
        times.push(start.elapsed());
    }
    times.sort();
    let sum: Duration = times.iter().sum();
    let mean = sum / u32::try_from(times.len()).expect("count");
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "  {what:32} mean {mean:>9.2?}  median {:>9.2?}  p99 {:>9.2?}",
        at(50),
        at(99)
    );
}

fn list(client: &Client, dir: Handle, detail: Detail) {
    let start = Instant::now();
    let (mut entries, mut requests, mut from) = (0u64, 0, 0);
    let mut handles = Vec::new();
    loop {
        let page = client.readdir(dir, from, detail).expect("readdir");
        requests += 1;
        for entry in &page {
            from = entry.next;
            entries += 1;
            handles.extend(entry.handle);
        }
        if page.is_end() {
            break;
        }
    }
    let took = start.elapsed();
    client.forget(&handles).expect("forget");
    println!(
        "  {:32} {took:>9.2?}, {requests} requests, {} handles",
        format!("list {entries}, {detail:?}"),
        handles.len()
    );
}
