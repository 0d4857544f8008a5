use std::os::fd::AsFd;
use std::sync::Barrier;
use std::sync::atomic::Ordering;

use nix::sys::memfd::{MFdFlags, memfd_create};
use syscalls::errno::{EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EPERM};

use super::{Fill, MemoryFile, Pages, Refusal, take_refusal};

const PAGE: u64 = 4096;
const GIB: u64 = 1 << 30;

fn page(byte: u8) -> [u8; 4096] {
    [byte; 4096]
}

fn first_byte(pages: &Pages) -> u8 {
    let mut byte = [0];
    pages.file().read(pages.offset(), &mut byte).unwrap();
    byte[0]
}

/// Pages of `file` that have memory on the host.
fn resident(file: &MemoryFile) -> i64 {
    nix::sys::stat::fstat(file.as_fd()).unwrap().st_blocks / 8
}

#[test]
fn pages_come_zeroed_and_go_back() {
    let file = MemoryFile::new(64 * PAGE).unwrap();
    let a = file.allocate(2, Fill::Zero).unwrap();
    file.write(a.offset() + PAGE, &page(7)).unwrap();
    assert_eq!(file.used(), 2 * PAGE);
    let second = a.slice(1, 1);
    assert!(!a.is_sole_owner(1) && a.is_sole_owner(0));
    drop(a);
    assert_eq!(file.used(), PAGE);
    assert_eq!(first_byte(&second), 7);
    let offset = second.offset();
    drop(second);
    let dirty = file.allocate(2, Fill::Dirty).unwrap();
    assert_eq!(dirty.offset() + PAGE, offset);
    drop(dirty);
    let clean = file.allocate(2, Fill::Zero).unwrap();
    let mut bytes = vec![1; 8192];
    file.read(clean.offset(), &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 0));
}

#[test]
fn the_limit_holds() {
    let file = MemoryFile::new(10 * PAGE + 5).unwrap();
    assert_eq!(file.limit(), 10 * PAGE);
    let all = file.allocate(10, Fill::Zero).unwrap();
    assert_eq!(file.allocate(1, Fill::Zero).err(), Some(ENOMEM));
    assert_eq!(file.allocate_runs(1, Fill::Zero).err(), Some(ENOMEM));
    drop(all);
    assert_eq!(file.allocate(0, Fill::Zero).err(), Some(EINVAL));
    // Used and clean pages side by side are joined when nothing else is left.
    let mut all = file.allocate(10, Fill::Dirty).unwrap();
    let rest = all.split_off(5);
    drop(all);
    file.trim();
    drop(rest);
    assert_eq!(file.allocate(10, Fill::Zero).unwrap().count(), 10);
    let runs = file.allocate_runs(10, Fill::Zero).unwrap();
    assert_eq!(runs.iter().map(Pages::count).sum::<u64>(), 10);
}

#[test]
fn splitting_and_joining() {
    let file = MemoryFile::new(64 * PAGE).unwrap();
    let mut front = file.allocate(6, Fill::Zero).unwrap();
    let back = front.split_off(4);
    let middle = front.split_off(2);
    assert_eq!((front.count(), middle.count(), back.count()), (2, 2, 2));
    let back = front.append(back).unwrap_err();
    front.append(middle).unwrap();
    front.append(back).unwrap();
    assert_eq!(front.count(), 6);
    assert_eq!(file.used(), 6 * PAGE);
    let other = MemoryFile::new(64 * PAGE).unwrap();
    let foreign = other.allocate(7, Fill::Zero).unwrap();
    assert!(front.append(foreign.slice(6, 1)).is_err());
    drop(front);
    assert_eq!((file.used(), other.used()), (0, 7 * PAGE));
}

#[test]
fn memory_is_kept_up_to_a_bound_and_trimmed() {
    let file = MemoryFile::new(4 * GIB).unwrap();
    let big = file.allocate(40_000, Fill::Zero).unwrap();
    assert_eq!(resident(&file), 0, "allocation touches nothing");
    file.zero(big.offset(), 40_000 * 4096).unwrap();
    assert_eq!(resident(&file), 40_000);
    let mut small = big;
    let runs: Vec<Pages> = (0..39)
        .map(|_| small.split_off(small.count() - 1000))
        .collect();
    drop(small);
    drop(runs);
    let kept = resident(&file);
    assert!((10_000..=17_000).contains(&kept), "{kept} pages kept");
    file.trim();
    assert_eq!(resident(&file), 0);
}

#[test]
fn copies_across_windows() {
    let file = MemoryFile::new(2 * GIB + PAGE).unwrap();
    let text = b"over the edge";
    let at = GIB - 5;
    file.write(at, text).unwrap();
    let mut back = [0; 13];
    file.read(at, &mut back).unwrap();
    assert_eq!(&back, text);
    file.copy(at, 2 * GIB - 9, 13).unwrap();
    file.read(2 * GIB - 9, &mut back).unwrap();
    assert_eq!(&back, text);
    file.zero(GIB - 1, 2).unwrap();
    file.read(at, &mut back).unwrap();
    assert_eq!(&back, b"over\0\0he edge");
    assert_eq!(file.write(2 * GIB + PAGE - 1, b"ab"), Err(EFAULT));
    assert_eq!(file.read(u64::MAX, &mut back), Err(EFAULT));
    assert_eq!(file.copy(0, u64::MAX - 3, 8), Err(EFAULT));
}

#[test]
fn words_are_atomic_and_aligned() {
    let file = MemoryFile::new(PAGE).unwrap();
    let before = file.with_u32(8, |word| word.fetch_add(3, Ordering::Relaxed));
    assert_eq!(before, Ok(0));
    assert_eq!(file.with_u32(8, |word| word.load(Ordering::Relaxed)), Ok(3));
    assert_eq!(file.with_u32(6, |_| ()), Err(EINVAL));
    assert_eq!(file.with_u32(PAGE, |_| ()), Err(EFAULT));
}

#[test]
fn host_files() {
    let host = memfd_create(c"host", MFdFlags::MFD_CLOEXEC).unwrap();
    let file = MemoryFile::new(2 * GIB).unwrap();
    let at = GIB - 3;
    file.write(at, b"abcdef").unwrap();
    assert_eq!(file.write_to_host(host.as_fd(), 10, at, 6), Ok(6));
    assert_eq!(file.read_from_host(host.as_fd(), 12, 100, 50), Ok(4));
    let mut back = [0; 5];
    file.read(100, &mut back).unwrap();
    assert_eq!(&back, b"cdef\0");
    assert_eq!(file.read_from_host(host.as_fd(), 16, 0, 10), Ok(0));
    assert_eq!(
        file.read_from_host(host.as_fd(), u64::MAX, 0, 10),
        Err(EINVAL)
    );
    let beyond = file.read_from_host(host.as_fd(), 0, 2 * GIB - 1, 2);
    assert_eq!(beyond, Err(EFAULT));
}

#[test]
fn the_other_process_only_copies() {
    let file = MemoryFile::new(64 * PAGE).unwrap();
    let pages = file.allocate(1, Fill::Zero).unwrap();
    let theirs = MemoryFile::attach(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
    theirs.write(pages.offset(), b"cached").unwrap();
    let mut back = [0; 6];
    file.read(pages.offset(), &mut back).unwrap();
    assert_eq!(&back, b"cached");
    assert_eq!(theirs.allocate(1, Fill::Zero).err(), Some(EOPNOTSUPP));
    let loose = memfd_create(c"loose", MFdFlags::MFD_CLOEXEC).unwrap();
    assert_eq!(MemoryFile::attach(loose).err(), Some(EPERM));
}

#[test]
fn threads_never_share_a_page_they_own() {
    const THREADS: u64 = 4;
    let file = MemoryFile::new(3000 * PAGE).unwrap();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for id in 1..=THREADS {
            let (file, start) = (&file, &start);
            scope.spawn(move || {
                start.wait();
                let mut seed = id;
                let mut random = |bound: u64| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) % bound
                };
                let mark = page(u8::try_from(id).unwrap());
                let mut owned: Vec<Pages> = Vec::new();
                for round in 0..4000 {
                    if random(2) == 0 || owned.is_empty() {
                        let Ok(pages) = file.allocate(1 + random(20), Fill::Zero) else {
                            owned.clear();
                            continue;
                        };
                        for index in 0..pages.count() {
                            let at = pages.offset() + index * PAGE;
                            let mut bytes = page(9);
                            file.read(at, &mut bytes).unwrap();
                            assert_eq!(bytes, page(0));
                            file.write(at, &mark).unwrap();
                        }
                        owned.push(pages);
                    } else {
                        let index = usize::try_from(random(owned.len() as u64)).unwrap();
                        let pages = owned.swap_remove(index);
                        let copy = pages.clone();
                        drop(pages);
                        assert_eq!(first_byte(&copy), mark[0]);
                    }
                    if round % 500 == id {
                        file.trim();
                    }
                }
            });
        }
    });
    assert_eq!(file.used(), 0);
    assert_eq!(file.allocate(3000, Fill::Zero).unwrap().count(), 3000);
}

#[test]
fn a_limit_counts_free_pages_that_keep_their_memory() {
    let file = MemoryFile::new(64 * PAGE).unwrap();
    file.set_limit(20 * PAGE);
    assert_eq!(file.limit(), 20 * PAGE);
    let (kept, dropped) = (
        file.allocate(10, Fill::Zero).unwrap(),
        file.allocate(10, Fill::Zero).unwrap(),
    );
    for pages in [&kept, &dropped] {
        file.write(pages.offset(), &[7; 10 * 4096]).unwrap();
    }
    assert_eq!(take_refusal(), None);
    assert_eq!(file.allocate(1, Fill::Zero).err(), Some(ENOMEM));
    assert_eq!(
        (take_refusal(), take_refusal()),
        (Some(Refusal::File), None)
    );
    drop(dropped);
    // The pages that were dropped are too few in one piece, and new ones too many with them.
    let held = file.allocate(9, Fill::Zero).unwrap();
    drop(kept);
    let new = file.allocate(11, Fill::Zero).unwrap();
    file.write(new.offset(), &[7; 11 * 4096]).unwrap();
    assert!(resident(&file) <= 20, "{} pages", resident(&file));
    // Raised again, up to the size.
    file.set_limit(u64::MAX);
    assert_eq!(file.limit(), 64 * PAGE);
    drop((held, new));
    assert_eq!(file.allocate(64, Fill::Zero).unwrap().count(), 64);
}

#[test]
fn an_account_holds_what_was_allocated_through_it() {
    let file = MemoryFile::new(64 * PAGE).unwrap();
    let (first, second) = (
        file.with_account(4 * PAGE + 5),
        file.with_account(10 * PAGE),
    );
    let mut pages = first.allocate(4, Fill::Zero).unwrap();
    assert_eq!(first.clone().allocate(1, Fill::Zero).err(), Some(ENOMEM));
    assert_eq!(take_refusal(), Some(Refusal::Account));
    assert_eq!(first.allocate_runs(1, Fill::Zero).err(), Some(ENOMEM));
    let others = second.allocate_runs(10, Fill::Zero).unwrap();
    let charged = || (first.charged() / PAGE, second.charged() / PAGE);
    assert_eq!((charged(), file.charged()), ((4, 10), 14 * PAGE));
    // Whoever has the last reference gives the page back to who allocated it.
    let shared = pages.slice(1, 2);
    let rest = pages.split_off(3);
    drop(pages);
    assert_eq!(charged(), (3, 10));
    drop((shared, rest));
    assert_eq!(charged(), (0, 10));
    // Pages of two accounts are never one run.
    let mut own = first.allocate(1, Fill::Zero).unwrap();
    for run in others {
        assert!(own.append(run).is_err());
    }
    assert_eq!(charged(), (1, 0));
    first.set_account_limit(2 * PAGE);
    assert_eq!(first.allocate(2, Fill::Zero).err(), Some(ENOMEM));
    // What the file itself cannot give is not charged.
    first.set_account_limit(u64::MAX);
    assert_eq!(first.allocate(64, Fill::Zero).err(), Some(ENOMEM));
    assert_eq!(take_refusal(), Some(Refusal::File));
    assert_eq!(charged(), (1, 0));
}
