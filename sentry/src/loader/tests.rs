//! Programs loaded over a platform that runs nothing.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use platform::{MemoryFile, Prot};
use syscalls::errno::{E2BIG, EACCES, EINVAL, EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC};
use syscalls::{Errno, UserAddr, UserCStr, UserPtr};

use super::{Identity, Image, Program, Refusal, load};
use crate::config::Config;
use crate::fs::page_cache::PageCache;
use crate::fs::tmpfs;
use crate::kernel::Kernel;
use crate::mm::mock::MockPlatform;
use crate::mm::{Limits, MapName, Mappable};
use crate::vfs::{Dentry, File, FileOps, Location, Mount, MountFlags, OpenMode, Sink, Source};

/// A file with fixed contents.
struct Bytes(Arc<PageCache>);

impl FileOps for Bytes {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        self.0.read(dst, pos)
    }

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Ok(self.0.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Machine {
    kernel: Arc<Kernel>,
    place: Location,
    files: HashMap<Vec<u8>, Arc<File>>,
}

impl Machine {
    fn new() -> Self {
        let memory = MemoryFile::new(256 << 20).unwrap();
        let root = tmpfs::new(&memory, tmpfs::Options::default(), "tmpfs");
        let mount = Mount::new(Dentry::root(root), MountFlags::default());
        Machine {
            kernel: Kernel::new(&Config::default(), Arc::new(MockPlatform), memory),
            place: mount.root_location(),
            files: HashMap::new(),
        }
    }

    fn add(&mut self, path: &str, bytes: &[u8]) {
        let cache = Arc::new(PageCache::new(self.kernel.memory.clone(), None, None, 0));
        cache.write(&mut Source::kernel(bytes), 0).unwrap();
        let ops = Box::new(Bytes(cache));
        let file = File::new(self.place.clone(), ops, OpenMode::LARGEFILE);
        self.files.insert(path.into(), file);
    }

    fn open(&self, path: &[u8]) -> Result<Arc<File>, Errno> {
        self.files.get(path).cloned().ok_or(ENOENT)
    }

    fn run(&self, path: &str, argv: &[&str]) -> Result<Image, Errno> {
        self.load(path, argv).map_err(|refusal| match refusal {
            Refusal::Call(errno) => errno,
            Refusal::Program => EINVAL,
        })
    }

    fn load(&self, path: &str, argv: &[&str]) -> Result<Image, Refusal> {
        let strings = |list: &[&str]| list.iter().map(|s| s.as_bytes().to_vec()).collect();
        let identity = |_: &Arc<File>| Identity {
            uid: 1,
            euid: 2,
            gid: 3,
            egid: 4,
            secure: true,
        };
        load(
            &self.kernel,
            &self.kernel.memory,
            Program {
                file: self.open(path.as_bytes())?,
                path: path.into(),
                path_closes: false,
                argv: strings(argv),
                envp: strings(&["A=b", "C=d"]),
                limits: Limits::default(),
                open: &|path| self.open(path),
                identity: &identity,
            },
        )
    }
}

/// A program: its headers, and segments of one page whose bytes are all 0xcc.
fn program(kind: u8, segments: &[[u64; 6]], interpreter: Option<&str>) -> Vec<u8> {
    let mut elf = vec![0; 0x1000 * (segments.len() + 1)];
    elf[0x1000..].fill(0xcc);
    elf[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let mut put = |at: usize, bytes: &[u8]| elf[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &[kind, 0, 62, 0, 1, 0, 0, 0]);
    put(24, &0x40_1000u64.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    let count = segments.len() + usize::from(interpreter.is_some());
    put(54, &[56, 0, u8::try_from(count).unwrap(), 0]);
    let mut at = 64;
    for [flags, offset, addr, file_size, memory_size, align] in segments {
        put(at, &(1 | flags << 32).to_le_bytes());
        for (n, word) in [offset, addr, addr, file_size, memory_size, align]
            .into_iter()
            .enumerate()
        {
            put(at + 8 + n * 8, &word.to_le_bytes());
        }
        at += 56;
    }
    if let Some(path) = interpreter {
        put(at, &3u64.to_le_bytes());
        put(at + 8, &0x800u64.to_le_bytes());
        put(at + 32, &(path.len() as u64 + 1).to_le_bytes());
        put(0x800, path.as_bytes());
    }
    elf
}

const EXEC: u8 = 2;
const DYN: u8 = 3;

fn simple() -> Vec<u8> {
    program(EXEC, &[[5, 0, 0x40_0000, 0x2000, 0x2000, 0x1000]], None)
}

fn words(image: &Image) -> impl Iterator<Item = u64> {
    let (mm, rsp) = (image.mm.clone(), image.rsp);
    (0..).map(move |n| mm.read(UserPtr::new(UserAddr::new(rsp + n * 8))).unwrap())
}

fn string(image: &Image, at: u64) -> String {
    let at = UserCStr(UserAddr::new(at));
    String::from_utf8(image.mm.read_cstr(at, 1000, EINVAL).unwrap()).unwrap()
}

fn arguments(image: &Image) -> Vec<String> {
    let pointers = words(image).skip(1).take_while(|&at| at != 0);
    pointers.map(|at| string(image, at)).collect()
}

fn auxv(image: &Image) -> HashMap<u64, u64> {
    let mut words = words(image).skip(1);
    words.by_ref().take_while(|&at| at != 0).for_each(drop);
    words.by_ref().take_while(|&at| at != 0).for_each(drop);
    let mut auxv = HashMap::new();
    loop {
        match (words.next().unwrap(), words.next().unwrap()) {
            (0, _) => return auxv,
            (kind, value) => drop(auxv.insert(kind, value)),
        }
    }
}

#[test]
fn a_fixed_program_finds_its_arguments() {
    let mut machine = Machine::new();
    machine.add("/bin/simple", &simple());
    let image = machine.run("/bin/simple", &["one", "two"]).unwrap();
    assert_eq!(image.rip, 0x40_1000);
    assert_eq!(image.rsp % 16, 0);
    assert_eq!(image.name, b"simple");
    assert_eq!(words(&image).next(), Some(2));
    assert_eq!(arguments(&image), ["one", "two"]);
    let env: Vec<u64> = words(&image).skip(4).take(3).collect();
    assert_eq!(string(&image, env[0]), "A=b");
    assert_eq!(string(&image, env[1]), "C=d");
    assert_eq!(env[2], 0);
    let auxv = auxv(&image);
    assert_eq!(auxv[&3], 0x40_0040);
    assert_eq!((auxv[&4], auxv[&5], auxv[&6]), (56, 1, 4096));
    assert_eq!((auxv[&7], auxv[&9]), (0, 0x40_1000));
    assert_eq!(
        [11, 12, 13, 14, 23].map(|kind| auxv[&kind]),
        [1, 2, 3, 4, 1]
    );
    assert_eq!(string(&image, auxv[&31]), "/bin/simple");
    assert_eq!(string(&image, auxv[&15]), "x86_64");
    let layout = image.mm.layout();
    assert_eq!(layout.arg_end - layout.arg_start, 8);
    assert_eq!(layout.env_end - layout.env_start, 8);
    let stack = image.mm.find_map(UserAddr::new(image.rsp)).unwrap();
    assert_eq!(stack.name, Some(MapName::Stack));
    assert_eq!(stack.prot, Prot::READ | Prot::WRITE);
    let room = image.rsp - stack.start.get();
    assert!((0x2_0000..0x2_1000).contains(&room), "{room:#x}");
}

#[test]
fn zeros_follow_the_file() {
    let mut machine = Machine::new();
    let segments = [
        [5, 0, 0x40_0000, 0x1000, 0x1000, 0x1000],
        [6, 0x1234, 0x40_2234, 0x100, 0x3001, 0x1000],
        [6, 0, 0x41_0001, 0, 0x1000, 0x1000],
    ];
    machine.add("/a", &program(EXEC, &segments, None));
    let image = machine.run("/a", &[]).unwrap();
    let byte = |at| {
        image
            .mm
            .read::<u8>(UserPtr::new(UserAddr::new(at)))
            .unwrap()
    };
    assert_eq!(byte(0x40_2233), 0xcc);
    assert_eq!(byte(0x40_2333), 0xcc);
    assert_eq!(byte(0x40_2334), 0);
    assert_eq!(byte(0x40_2fff), 0);
    assert_eq!(byte(0x40_5fff), 0);
    assert_eq!(byte(0x41_0000), 0);
    assert_eq!(byte(0x41_1fff), 0);
    assert_eq!(image.mm.layout().end_data, 0x41_0001);
    assert!(image.mm.layout().start_brk >= 0x41_2000);
}

#[test]
fn interpreters_and_movable_programs() {
    let mut machine = Machine::new();
    let segments = [[5, 0, 0, 0x2000, 0x2000, 0x1000]];
    machine.add("/ld.so", &program(DYN, &segments, None));
    machine.add("/a", &program(DYN, &segments, Some("/ld.so")));
    let image = machine.run("/a", &["a"]).unwrap();
    let auxv = auxv(&image);
    assert_eq!(image.rip, auxv[&7] + 0x40_1000);
    assert_eq!(auxv[&9] - auxv[&3], 0x40_1000 - 64);
    assert!((0x5555_5555_4000..0x6555_5555_4000).contains(&auxv[&3]));
    assert!(auxv[&7] > 0x7000_0000_0000);
    // An interpreter is a program, too.
    let image = machine.run("/ld.so", &["a"]).unwrap();
    assert!(image.rip > 0x7000_0000_0000);
    assert!(image.mm.layout().start_brk < 0x6555_5555_4000);
    let big = [[5, 0, 0, 0x2000, 0x2000, 0x20_0000]];
    machine.add("/big", &program(DYN, &big, None));
    let image = machine.run("/big", &["a"]).unwrap();
    assert_eq!(image.mm.layout().start_code % 0x20_0000, 0);
}

#[test]
fn interpreters_that_are_none() {
    let mut machine = Machine::new();
    let segments = [[5, 0, 0, 0x2000, 0x2000, 0x1000]];
    machine.add("/a", &program(DYN, &segments, Some("/ld.so")));
    assert_eq!(machine.run("/a", &["a"]).err(), Some(ENOENT));
    machine.add("/ld.so", b"short");
    assert_eq!(machine.run("/a", &["a"]).err(), Some(EIO));
    machine.add("/ld.so", &[b'x'; 100]);
    assert_eq!(machine.run("/a", &["a"]).err(), Some(ELIBBAD));
    let mut arm = program(DYN, &segments, None);
    arm[18] = 183;
    machine.add("/ld.so", &arm);
    assert_eq!(machine.run("/a", &["a"]).err(), Some(ELIBBAD));
}

#[test]
fn scripts() {
    let mut machine = Machine::new();
    machine.add("/bin/simple", &simple());
    machine.add("/bin/script", b"#! /bin/simple  -x y \nrest");
    let image = machine.run("/bin/script", &["zero", "one"]).unwrap();
    let expected = ["/bin/simple", "-x y", "/bin/script", "one"];
    assert_eq!(arguments(&image), expected);
    assert_eq!(image.name, b"script");
    assert_eq!(string(&image, auxv(&image)[&31]), "/bin/script");
    for n in 1..=5 {
        let line = format!("#!/{}\n", n + 1);
        machine.add(&format!("/{n}"), line.as_bytes());
    }
    machine.add("/6", &simple());
    assert_eq!(arguments(&machine.run("/1", &["x"]).unwrap())[5], "/1");
    machine.add("/6", b"#!/bin/simple\n");
    assert_eq!(machine.run("/1", &["x"]).err(), Some(ELOOP));
    machine.add("/none", b"#!/nowhere\n");
    assert_eq!(machine.run("/none", &[]).err(), Some(ENOENT));
}

#[test]
fn what_is_no_program() {
    let mut machine = Machine::new();
    for bytes in [&b""[..], b"hello", &simple()[..63], &simple()[..100]] {
        machine.add("/a", bytes);
        assert_eq!(machine.run("/a", &[]).err(), Some(ENOEXEC));
    }
    let mut short = program(EXEC, &[[5, 0x1200, 0x40_0000, 0x100, 0x100, 0x1000]], None);
    machine.add("/a", &short);
    assert_eq!(machine.run("/a", &[]).err(), Some(EINVAL));
    short[18] = 3;
    machine.add("/a", &short);
    assert_eq!(machine.run("/a", &[]).err(), Some(ENOEXEC));
    machine.add("/a", &simple());
    let long = "x".repeat(128 << 10);
    assert_eq!(machine.run("/a", &[&long]).err(), Some(E2BIG));
    let many = vec!["y"; 300_000];
    assert_eq!(machine.run("/a", &many).err(), Some(E2BIG));
    assert_ne!(machine.run("/a", &[&long[1..]]).err(), Some(EACCES));
}

/// Headers changed at random give an error or a program, and never panic.
#[test]
fn hostile_headers() {
    let mut machine = Machine::new();
    let segments = [
        [5, 0, 0, 0x1000, 0x1000, 0x1000],
        [6, 0x1234, 0x2234, 0x100, 0x3001, 0x1000],
    ];
    machine.add("/ld.so", &program(DYN, &segments, None));
    let valid = program(DYN, &segments, Some("/ld.so"));
    let mut seed = 7u64;
    let mut next = |bound: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    let mut loaded = 0;
    for _ in 0..4000 {
        let mut bytes = valid.clone();
        for _ in 0..=next(3) {
            let at = usize::try_from(16 + next(64 + 3 * 56 - 16)).unwrap();
            bytes[at] = match next(4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ (1 << next(8)),
                _ => u8::try_from(next(256)).unwrap(),
            };
        }
        machine.add("/a", &bytes);
        loaded += u32::from(machine.run("/a", &["a"]).is_ok());
    }
    assert!(loaded > 100, "{loaded}");
}

/// The host's own programs.
#[test]
fn real_programs() {
    let mut machine = Machine::new();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    for path in ["/bin/sh", "/bin/ls", loader] {
        let Ok(bytes) = std::fs::read(path) else {
            return;
        };
        machine.add(path, &bytes);
    }
    for path in ["/bin/sh", "/bin/ls", loader] {
        let image = machine.run(path, &["x"]).unwrap();
        let entry = image.mm.find_map(UserAddr::new(image.rip)).unwrap();
        assert!(entry.prot.contains(Prot::EXEC));
    }
}
