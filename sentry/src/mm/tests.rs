//! Memory over a mock of the platform that keeps what it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use platform::memfile::Fill;
use platform::{MemoryFile, Pages, Prot};
use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE, UserAddr, UserPtr};

use super::mock::{MockSpace, Table};
use super::{
    Content, Discard, FutexKey, Layout, Limits, Mappable, Mappings, Mm, Move, NewMapping, Old,
    Placement, PrivateCopies, ProtectFrom, Remap, Sharing, State, VmaFlags,
};

const PAGE: u64 = PAGE_SIZE;
const RW: Prot = Prot::READ.union(Prot::WRITE);

/// A file of a few pages.
struct TestFile {
    pages: Mutex<Vec<Pages>>,
    written: Mutex<Vec<u64>>,
    mappings: Mappings,
}

impl TestFile {
    fn new(file: &MemoryFile, count: u64) -> Arc<Self> {
        let page = |index: u64| {
            let page = file.allocate(1, Fill::Zero).unwrap();
            file.write(page.offset(), &index.to_le_bytes()).unwrap();
            page
        };
        Arc::new(TestFile {
            pages: Mutex::new((0..count).map(page).collect()),
            written: Mutex::default(),
            mappings: Mappings::new(),
        })
    }
}

impl Mappable for TestFile {
    fn pages(&self, index: u64, _: u64, write: bool) -> Result<Pages, Errno> {
        if write {
            self.written.lock().unwrap().push(index);
        }
        let index = usize::try_from(index).map_err(|_| EFAULT)?;
        self.pages.lock().unwrap().get(index).cloned().ok_or(EFAULT)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}

fn memory() -> MemoryFile {
    MemoryFile::new(64 << 20).unwrap()
}

fn new_mm(file: &MemoryFile) -> Arc<Mm> {
    let layout = Layout::new(0, 1 << 47, 8 << 20);
    let space = MockSpace::new(Table::new());
    Mm::with(file, Limits::default(), space, |_, _| State::new(layout))
}

fn space(mm: &Mm) -> &MockSpace {
    mm.space().as_any().downcast_ref().unwrap()
}

fn table(mm: &Mm) -> Table {
    space(mm).table.lock().unwrap().clone()
}

fn calls(mm: &Mm) -> u32 {
    *space(mm).calls.lock().unwrap()
}

fn map_file(mm: &Mm, file: &Arc<TestFile>, pages: u64, flags: VmaFlags) -> UserAddr {
    let content = Content::Source {
        source: file.clone(),
        file: None,
        offset: 0,
    };
    mm.map(NewMapping {
        content,
        flags,
        ..NewMapping::zeros(Placement::Anywhere, pages * PAGE)
    })
    .unwrap()
}

fn zeros(mm: &Mm, pages: u64) -> UserAddr {
    mm.map(NewMapping::zeros(Placement::Anywhere, pages * PAGE))
        .unwrap()
}

fn word(mm: &Mm, at: UserAddr) -> u64 {
    mm.read(UserPtr::new(at)).unwrap()
}

/// What the platform maps is what the kernel thinks it does, and within the rights.
fn check(mm: &Mm) {
    let told = table(mm);
    let state = mm.state.read();
    let mut expected = Table::new();
    for (start, run) in state.resident.overlapping(0, u64::MAX) {
        for page in (0..run.len()).step_by(4096) {
            let vma = state.vmas.find(start + page).unwrap();
            if let Some(prot) = run.told {
                assert_eq!(prot, run.rights(vma.prot));
                if !prot.is_empty() {
                    expected.insert(start + page, (run.offset(page), prot));
                }
            }
        }
    }
    assert_eq!(told, expected);
}

#[test]
fn memory_is_zero_and_keeps_what_is_written() {
    let file = memory();
    let mm = new_mm(&file);
    let at = zeros(&mm, 1000);
    assert_eq!(word(&mm, at), 0);
    let data: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let odd = at.add(4093).unwrap();
    mm.write_bytes(odd, &data).unwrap();
    let mut back = vec![0; data.len()];
    mm.read_bytes(odd, &mut back).unwrap();
    assert_eq!(back, data);
    check(&mm);
    mm.unmap(at, 1000 * PAGE).unwrap();
    assert!(table(&mm).is_empty());
    assert_eq!(mm.read_bytes(odd, &mut back), Err(EFAULT));
    assert_eq!(file.used(), 0);
}

#[test]
fn a_fault_brings_in_its_neighbourhood_with_one_call() {
    let mm = new_mm(&memory());
    let at = zeros(&mm, 256);
    mm.handle_fault(at.add(100 * PAGE).unwrap(), Prot::READ)
        .unwrap();
    assert_eq!(calls(&mm), 1);
    assert_eq!(table(&mm).len(), 16);
    check(&mm);
}

#[test]
fn rights_are_respected_by_copies() {
    let mm = new_mm(&memory());
    let at = zeros(&mm, 3);
    mm.write_bytes(at, &[1; 3 * 4096]).unwrap();
    let second = at.add(PAGE).unwrap();
    mm.protect(second, PAGE, Prot::READ, ProtectFrom::Here)
        .unwrap();
    assert_eq!(mm.write_bytes(at, &[2; 3 * 4096]), Err(EFAULT));
    assert_eq!(mm.write_partial(at, &[2; 3 * 4096]), 4096);
    assert_eq!(word(&mm, second), 0x0101_0101_0101_0101);
    mm.protect(second, PAGE, Prot::empty(), ProtectFrom::Here)
        .unwrap();
    assert_eq!(mm.read_partial(at, &mut [0; 3 * 4096]), 4096);
    check(&mm);
    let bad = mm.handle_fault(second, Prot::READ).unwrap_err();
    assert_eq!((bad.signal, bad.code), (11, 2));
    let bad = mm
        .handle_fault(UserAddr::new(4096), Prot::READ)
        .unwrap_err();
    assert_eq!((bad.signal, bad.code), (11, 1));
    mm.protect(second, PAGE, RW, ProtectFrom::Here).unwrap();
    assert_eq!(word(&mm, second), 0x0101_0101_0101_0101);
    assert_eq!(mm.map_count(), 1);
    check(&mm);
}

#[test]
fn a_fault_that_another_thread_resolved_is_tried_again() {
    let mm = new_mm(&memory());
    let at = zeros(&mm, 1);
    mm.write_bytes(at, &[1]).unwrap();
    mm.protect(at, PAGE, Prot::READ, ProtectFrom::Here).unwrap();
    for _ in 0..100 {
        assert_eq!(mm.handle_fault(at, Prot::READ), Ok(()));
    }
    assert!(mm.handle_fault(at, Prot::READ).is_err());
    assert!(mm.handle_fault(at, Prot::WRITE).is_err());
}

#[test]
fn fork_copies_on_write_and_the_last_owner_keeps() {
    let file = memory();
    let parent = new_mm(&file);
    let at = parent
        .map(NewMapping::zeros(Placement::Fixed(0x1000_0000), 64 * PAGE))
        .unwrap();
    parent.write_bytes(at, &[7; 64 * 4096]).unwrap();
    let used = file.used();
    let child = parent.fork().unwrap();
    assert_eq!(file.used(), used);
    check(&parent);
    check(&child);
    assert!(table(&parent).values().all(|(_, prot)| *prot == Prot::READ));
    child.handle_fault(at, Prot::WRITE).unwrap();
    child.write_bytes(at, &[9; 8]).unwrap();
    assert_eq!(word(&parent, at), 0x0707_0707_0707_0707);
    assert_eq!(word(&child, at), 0x0909_0909_0909_0909);
    assert_eq!(file.used(), used + 4 * PAGE);
    check(&child);
    drop(child);
    assert_eq!(file.used(), used);
    parent.write_bytes(at, &[8; 64 * 4096]).unwrap();
    assert_eq!(file.used(), used);
    check(&parent);
}

#[test]
fn what_was_written_after_a_fork_is_copied_by_the_next() {
    let file = memory();
    let parent = new_mm(&file);
    let at = parent
        .map(NewMapping::zeros(Placement::Fixed(0x1000_0000), 64 * PAGE))
        .unwrap();
    parent.write_bytes(at, &[7; 64 * 4096]).unwrap();
    let used = file.used();
    let place = at.add(16 * PAGE).unwrap();
    let child = parent.fork().unwrap();
    child.write_bytes(place, &[1; 8]).unwrap();
    drop(child);
    for round in 1..4 {
        let child = parent.fork().unwrap();
        assert_eq!(file.used(), used + 4 * PAGE);
        // Both sides write there without a fault, all else is shared.
        for mm in [&parent, &child] {
            check(mm);
            let writable = table(mm).into_iter().filter(|(_, (_, prot))| *prot == RW);
            let pages: Vec<u64> = writable.map(|(page, _)| page).collect();
            let expected: Vec<u64> = (16..20).map(|page| at.get() + page * PAGE).collect();
            assert_eq!(pages, expected, "round {round}");
        }
        child.write_bytes(place, &[2; 8]).unwrap();
        parent.write_bytes(place, &[3; 8]).unwrap();
        assert_eq!(word(&child, place), 0x0202_0202_0202_0202);
        assert_eq!(word(&parent, place), 0x0303_0303_0303_0303);
        assert_eq!(word(&child, at), 0x0707_0707_0707_0707);
    }
    // A second task could be writing what is copied.
    let others = [parent.clone(), parent.clone()];
    let child = parent.fork().unwrap();
    assert_eq!(file.used(), used);
    drop(others);
    check(&child);
}

#[test]
fn rights_between_changed_ranges_stay() {
    let file = memory();
    let parent = new_mm(&file);
    let prots = [
        RW,
        Prot::READ | Prot::EXEC,
        Prot::READ,
        RW,
        RW,
        Prot::empty(),
        RW,
    ];
    for (page, prot) in (0..).zip(prots) {
        let at = Placement::Fixed(0x1000_0000 + page * PAGE);
        let at = parent.map(NewMapping::zeros(at, PAGE)).unwrap();
        parent.write_bytes(at, &[1]).unwrap();
        parent.protect(at, PAGE, prot, ProtectFrom::Here).unwrap();
    }
    let child = parent.fork().unwrap();
    check(&parent);
    check(&child);
    let at = UserAddr::new(0x1000_0000);
    child.protect(at, 7 * PAGE, RW, ProtectFrom::Here).unwrap();
    check(&child);
    child.write_bytes(at, &[2; 7 * 4096]).unwrap();
    child
        .protect(
            at.add(PAGE).unwrap(),
            2 * PAGE,
            Prot::READ,
            ProtectFrom::Here,
        )
        .unwrap();
    let grandchild = child.fork().unwrap();
    check(&child);
    check(&grandchild);
}

#[test]
fn what_a_child_does_not_inherit() {
    let file = memory();
    let parent = new_mm(&file);
    let at = zeros(&parent, 3);
    parent.write_bytes(at, &[7; 3 * 4096]).unwrap();
    let page = |n: u64| (at.get() + n * PAGE, at.get() + (n + 1) * PAGE);
    let none = VmaFlags::empty();
    parent
        .set_flags(page(0), VmaFlags::DONT_FORK, none)
        .unwrap();
    parent
        .set_flags(page(1), VmaFlags::WIPE_ON_FORK, none)
        .unwrap();
    let child = parent.fork().unwrap();
    check(&child);
    assert_eq!(child.read_bytes(at, &mut [0]), Err(EFAULT));
    assert_eq!(word(&child, at.add(PAGE).unwrap()), 0);
    assert_eq!(
        word(&child, at.add(2 * PAGE).unwrap()),
        0x0707_0707_0707_0707
    );
    assert_eq!(word(&parent, at), 0x0707_0707_0707_0707);
}

#[test]
fn files_are_shared_or_copied() {
    let file = memory();
    let mm = new_mm(&file);
    let mapped = TestFile::new(&file, 4);
    let private = map_file(&mm, &mapped, 5, VmaFlags::empty());
    let shared = map_file(&mm, &mapped, 5, VmaFlags::SHARED);
    assert!(mapped.mappings.has_writable());
    for index in 0..4 {
        assert_eq!(word(&mm, private.add(index * PAGE).unwrap()), index);
    }
    check(&mm);
    mm.write_bytes(private, &[9; 8]).unwrap();
    assert!(mapped.written.lock().unwrap().is_empty());
    assert_eq!(word(&mm, shared), 0);
    mm.write_bytes(shared.add(PAGE).unwrap(), &[5; 8]).unwrap();
    assert_eq!(*mapped.written.lock().unwrap(), [1]);
    check(&mm);
    // Written back: the next write is announced again.
    mapped.mappings.write_protect(0, u64::MAX);
    check(&mm);
    mm.write_bytes(shared.add(PAGE).unwrap(), &[6; 8]).unwrap();
    assert_eq!(*mapped.written.lock().unwrap(), [1, 1]);
    // Beyond the end.
    let bad = mm
        .handle_fault(shared.add(4 * PAGE).unwrap(), Prot::READ)
        .unwrap_err();
    assert_eq!((bad.signal, bad.code), (7, 2));
    // Truncation takes the pages and the copies.
    mapped.pages.lock().unwrap().truncate(0);
    mapped.mappings.invalidate(0, u64::MAX, PrivateCopies::Drop);
    assert_eq!(mm.read_bytes(private, &mut [0]), Err(EFAULT));
    assert!(table(&mm).is_empty());
    drop(mm);
    assert!(!mapped.mappings.is_mapped());
    assert_eq!(file.used(), 0);
}

#[test]
fn remap_moves_pages() {
    let mm = new_mm(&memory());
    let at = zeros(&mm, 4);
    let fence = mm
        .map(NewMapping::zeros(
            Placement::Fixed(at.get() + 4 * PAGE),
            PAGE,
        ))
        .unwrap();
    mm.protect(fence, PAGE, Prot::READ, ProtectFrom::Here)
        .unwrap();
    mm.write_bytes(at, &[3; 4 * 4096]).unwrap();
    let mut remap = Remap {
        start: at,
        old_len: 4 * PAGE,
        new_len: 8 * PAGE,
        to: Move::No,
        old: Old::Unmap,
        lock_limit: u64::MAX,
    };
    assert_eq!(mm.remap(remap), Err(ENOMEM));
    remap.to = Move::May;
    let to = mm.remap(remap).unwrap();
    assert_ne!(to, at);
    check(&mm);
    assert_eq!(mm.read_bytes(at, &mut [0]), Err(EFAULT));
    assert_eq!(word(&mm, to), 0x0303_0303_0303_0303);
    assert_eq!(word(&mm, to.add(7 * PAGE).unwrap()), 0);
    remap = Remap {
        start: to,
        old_len: 8 * PAGE,
        new_len: 8 * PAGE,
        old: Old::Keep,
        ..remap
    };
    let last = mm.remap(remap).unwrap();
    assert_eq!(word(&mm, to), 0);
    assert_eq!(word(&mm, last), 0x0303_0303_0303_0303);
    check(&mm);
}

#[test]
fn the_heap_moves() {
    let mm = new_mm(&memory());
    mm.set_layout(|layout| {
        layout.start_brk = 0x1000_0800;
        layout.brk = 0x1000_0800;
    });
    let brk = |to| mm.set_brk(UserAddr::new(to), u64::MAX).get();
    assert_eq!(brk(0), 0x1000_0800);
    assert_eq!(brk(0x1000_5000), 0x1000_5000);
    assert_eq!(brk(0x1000_9001), 0x1000_9001);
    assert_eq!(mm.map_count(), 1);
    mm.write_bytes(UserAddr::new(0x1000_9000), &[1]).unwrap();
    assert_eq!(brk(0x1000_2000), 0x1000_2000);
    assert_eq!(
        mm.read_bytes(UserAddr::new(0x1000_9000), &mut [0]),
        Err(EFAULT)
    );
    mm.set_limits(Limits {
        data: 1 << 20,
        ..Limits::default()
    });
    assert_eq!(brk(0x1100_0000), 0x1000_2000);
    check(&mm);
}

#[test]
fn stacks_grow_to_their_limit_and_keep_a_distance() {
    let mm = new_mm(&memory());
    let top = 0x7000_0000;
    let start = top - 16 * PAGE;
    mm.map(NewMapping {
        flags: VmaFlags::GROWS_DOWN,
        ..NewMapping::zeros(Placement::Fixed(start), 16 * PAGE)
    })
    .unwrap();
    mm.write_bytes(UserAddr::new(start - 100 * PAGE), &[1])
        .unwrap();
    assert_eq!(mm.map_count(), 1);
    let limit = top - (8 << 20);
    assert!(mm.write_bytes(UserAddr::new(limit), &[1]).is_ok());
    assert!(mm.write_bytes(UserAddr::new(limit - 1), &[1]).is_err());
    check(&mm);
    let mm = new_mm(&memory());
    mm.map(NewMapping {
        flags: VmaFlags::GROWS_DOWN,
        ..NewMapping::zeros(Placement::Fixed(start), 16 * PAGE)
    })
    .unwrap();
    let below = start - (4 << 20);
    mm.map(NewMapping::zeros(Placement::Fixed(below), PAGE))
        .unwrap();
    let floor = below + PAGE + 256 * PAGE;
    assert!(mm.write_bytes(UserAddr::new(floor), &[1]).is_ok());
    assert!(mm.write_bytes(UserAddr::new(floor - 1), &[1]).is_err());
    check(&mm);
}

#[test]
fn discarded_memory_is_zero_again() {
    let file = memory();
    let mm = new_mm(&file);
    let at = zeros(&mm, 8);
    mm.write_bytes(at, &[1; 8 * 4096]).unwrap();
    let used = file.used();
    let range = (at.get() + PAGE, at.get() + 3 * PAGE);
    mm.discard(range, Discard::Pages).unwrap();
    assert_eq!(file.used(), used - 2 * PAGE);
    assert_eq!(word(&mm, at.add(2 * PAGE).unwrap()), 0);
    assert_eq!(word(&mm, at), 0x0101_0101_0101_0101);
    check(&mm);
}

#[test]
fn futex_words_have_names() {
    let file = memory();
    let (one, two) = (new_mm(&file), new_mm(&file));
    let mapped = TestFile::new(&file, 1);
    let a = map_file(&one, &mapped, 1, VmaFlags::SHARED);
    let b = map_file(&two, &mapped, 1, VmaFlags::SHARED);
    let key = |mm: &Mm, at: UserAddr| mm.futex_key(at.add(8).unwrap(), Sharing::Shared).unwrap();
    assert_eq!(key(&one, a), key(&two, b));
    let own = zeros(&one, 1);
    assert!(matches!(key(&one, own), FutexKey::Private { .. }));
    let word = a.add(8).unwrap();
    one.with_u32(word, |w| w.store(5, std::sync::atomic::Ordering::SeqCst))
        .unwrap();
    assert_eq!(two.load_u32(b.add(8).unwrap()), Ok(5));
}

/// Random calls on a few pages, against a plain picture of what must be read.
#[test]
fn random_calls_agree_with_a_plain_picture() {
    let file = memory();
    let base = 0x1000_0000;
    let mut mms: Vec<(Arc<Mm>, BTreeMap<u64, u64>)> = vec![(new_mm(&file), BTreeMap::new())];
    let mut seed = 1u64;
    let mut next = |bound: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for step in 1..6000 {
        let which = usize::try_from(next(mms.len() as u64)).unwrap();
        let (page, count) = (next(60), 1 + next(8));
        let start = base + page * PAGE;
        let pages = (0..count).map(|n| start + n * PAGE);
        let action = next(12);
        if action == 0 && mms.len() < 4 {
            let (mm, picture) = &mms[which];
            let copy = (mm.fork().unwrap(), picture.clone());
            mms.push(copy);
            continue;
        }
        if action == 1 && mms.len() > 1 {
            mms.remove(which);
            continue;
        }
        let (mm, picture) = &mut mms[which];
        match action {
            0..=2 => {
                mm.unmap(UserAddr::new(start), count * PAGE).unwrap();
                picture.retain(|page, _| *page < start || *page >= start + count * PAGE);
            }
            3..=4 => {
                mm.map(NewMapping::zeros(Placement::Fixed(start), count * PAGE))
                    .unwrap();
                picture.extend(pages.map(|page| (page, 0)));
            }
            5 => {
                let _ = mm.discard((start, start + count * PAGE), Discard::Pages);
                for page in pages {
                    picture.entry(page).and_modify(|word| *word = 0);
                }
            }
            6 => {
                let prot = if next(2) == 0 { Prot::READ } else { RW };
                let _ = mm.protect(UserAddr::new(start), count * PAGE, prot, ProtectFrom::Here);
                for (page, _) in picture.range(base..) {
                    let at = UserAddr::new(*page);
                    mm.protect(at, PAGE, RW, ProtectFrom::Here).unwrap();
                }
            }
            7 => {
                let to = base + 0x100_0000 + next(60) * PAGE;
                let whole = (0..count).all(|n| picture.contains_key(&(start + n * PAGE)));
                let remap = Remap {
                    start: UserAddr::new(start),
                    old_len: count * PAGE,
                    new_len: count * PAGE,
                    to: Move::To(to),
                    old: Old::Unmap,
                    lock_limit: u64::MAX,
                };
                if whole && mm.remap(remap).is_ok() {
                    for page in pages {
                        let word = picture.remove(&page).unwrap();
                        picture.insert(to + (page - start), word);
                    }
                }
            }
            _ => {
                for page in pages {
                    let at = UserAddr::new(page);
                    let wrote = mm.write_bytes(at, &u64::to_le_bytes(step)).is_ok();
                    assert_eq!(wrote, picture.contains_key(&page));
                    if wrote {
                        picture.insert(page, step);
                    }
                }
            }
        }
        check(mm);
        for (page, expected) in picture.iter() {
            assert_eq!(word(mm, UserAddr::new(*page)), *expected, "step {step}");
        }
    }
    drop(mms);
    assert_eq!(file.used(), 0);
}
