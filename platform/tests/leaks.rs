//! What the platforms leave behind: nothing. One test, for it looks at the whole
//! process.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use platform::kvm::KvmPlatform;
use platform::memfile::Fill;
use platform::ptrace::PtracePlatform;
use platform::systrap::SystrapPlatform;
use platform::{Error, Event, MapOp, MemoryFile, Pages, Platform, Prot, Regs};
use syscalls::UserAddr;

const CODE: u64 = 0x40_0000;
/// `mov eax, 39; syscall; jmp` back.
const CALL_LOOP: [u8; 9] = [0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];

fn children() -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let list = thread.unwrap().path().join("children");
        let text = fs::read_to_string(list).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .map(|pid| pid.parse::<i32>().unwrap()),
        );
    }
    found
}

/// Processes of a platform without guests: the template, a copy of it for the next who wants
/// one, and two that were used and are empty.
const RESERVE: usize = 2 + EMPTIED;
const EMPTIED: usize = 2;

/// Has the platform have them all.
fn refill(platform: &Arc<dyn Platform>) -> BTreeSet<i32> {
    drop([(); EMPTIED + 1].map(|()| platform.new_address_space().unwrap()));
    let reserve = settled(RESERVE);
    assert_eq!(reserve.len(), RESERVE);
    reserve
}

/// Children whose memory has the code.
fn with_code() -> Vec<i32> {
    let has_code = |pid: &i32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.lines()
            .any(|line| line.starts_with(&format!("{CODE:08x}-")))
    };
    children().into_iter().filter(has_code).collect()
}

/// The children, once as many are left as there should be: what ends is waited for in the
/// background, and one address space is made ahead in the background.
fn settled(count: usize) -> BTreeSet<i32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = children();
        if children.len() == count || Instant::now() > deadline {
            return children;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Threads of ours, but for those of the test's own harness.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// A page with [`CALL_LOOP`], and how it is mapped at [`CODE`].
fn call_loop(memory: &MemoryFile) -> (Pages, MapOp) {
    let code = memory.allocate(1, Fill::Zero).unwrap();
    memory.write(code.offset(), &CALL_LOOP).unwrap();
    let map = MapOp::Map {
        at: UserAddr::new(CODE),
        len: 4096,
        offset: code.offset(),
        prot: Prot::READ | Prot::EXEC,
        populate: false,
    };
    (code, map)
}

type New = fn(&MemoryFile) -> Result<Arc<dyn Platform>, Error>;

/// One after the other: what is left is looked for in the whole process.
#[test]
fn nothing_is_left_behind() {
    let platforms: [New; 2] = [
        |memory| Ok(Arc::new(PtracePlatform::new(memory)?)),
        |memory| Ok(Arc::new(SystrapPlatform::new(memory)?)),
    ];
    platforms.into_iter().for_each(leaves_nothing_behind);
    let mut options = fs::File::options();
    match options.read(true).write(true).open("/dev/kvm") {
        Ok(device) => kvm_leaves_nothing_behind(&device),
        Err(error) => eprintln!("SKIPPED: kvm: /dev/kvm: {error}"),
    }
}

fn kvm_leaves_nothing_behind(device: &fs::File) {
    let memory = MemoryFile::new(1 << 30).unwrap();
    let (_code, map) = call_loop(&memory);
    let before = descriptors();
    let device = device.try_clone().unwrap();
    let platform = KvmPlatform::new(device.into(), &memory).unwrap();
    let mut context = platform.new_context().unwrap();
    let mut most = 0;
    for _ in 0..50 {
        let space = platform.new_address_space().unwrap();
        space.apply(&[map]).unwrap();
        let fork = space.fork().unwrap();
        for space in [&space, &fork] {
            let mut regs = Regs::start(CODE, 0);
            assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
        }
        let mut other = platform.new_context().unwrap();
        let mut regs = Regs::start(CODE, 0);
        assert_eq!(other.switch(&space, &mut regs).unwrap(), Event::Syscall);
        most = most.max(descriptors());
    }
    // The device, the machine, its tables, and two vCPUs.
    assert!(most <= before + 5, "{before} {most}");
    assert_eq!(children(), BTreeSet::new());
    drop((context, platform));
    assert_eq!(descriptors(), before);
    assert_eq!(memory.used(), 4096);
}

fn leaves_nothing_behind(new: New) {
    let memory = MemoryFile::new(1 << 30).unwrap();
    let (_code, map) = call_loop(&memory);
    let before = descriptors();
    let threads_before = threads();
    assert_eq!(children(), BTreeSet::new());

    let platform = new(&memory).unwrap();
    let with_platform = descriptors();
    let [template] = children().into_iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", children());
    };
    // The first address space waits until the template is ready.
    drop(platform.new_address_space().unwrap());
    assert_host_process(template);
    refill(&platform);

    let mut context = platform.new_context().unwrap();
    let busy = platform.new_address_space().unwrap();
    busy.apply(&[map]).unwrap();
    let mut regs = Regs::start(CODE, 0);
    for _ in 0..100 {
        assert_eq!(context.switch(&busy, &mut regs).unwrap(), Event::Syscall);
    }
    drop(busy);
    context.release();
    for round in 0..20 {
        let reserve = refill(&platform);
        reserve.into_iter().for_each(assert_host_process);
        let space = platform.new_address_space().unwrap();
        space.apply(&[map]).unwrap();
        let fork = space.fork().unwrap();
        let processes = children();
        let mappers = with_code();
        assert_eq!((processes.len(), mappers.len()), (RESERVE + 1, 2));
        for space in [&space, &fork] {
            let mut regs = Regs::start(CODE, 0);
            assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
        }
        // Systrap keeps the one that ran in the other space for that space's next thread.
        let kept = usize::from(platform.name() == "systrap");
        let with_tasks = settled(processes.len() + 1 + kept);
        let tasks: Vec<i32> = with_tasks.difference(&processes).copied().collect();
        assert_eq!(tasks.len(), 1 + kept);
        for task in &tasks {
            assert_eq!(fs::read_dir(format!("/proc/{task}/fd")).unwrap().count(), 0);
        }
        match round % 4 {
            // The orderly end.
            0 => context.release(),
            // Somebody kills the guest's tasks.
            1 => {
                tasks.into_iter().for_each(kill);
                let mut regs = Regs::start(CODE, 0);
                let died = context.switch(&fork, &mut regs);
                assert!(matches!(died, Err(Error::Died)), "{died:?}");
                assert_eq!(context.switch(&fork, &mut regs).unwrap(), Event::Syscall);
                context.release();
            }
            // Somebody kills the mapper.
            2 => {
                mappers.into_iter().for_each(kill);
                assert!(matches!(fork.apply(&[map]), Err(Error::Died)));
                assert!(matches!(space.fork(), Err(Error::Died)));
                context.release();
                let mut regs = Regs::start(CODE, 0);
                assert!(context.switch(&space, &mut regs).is_err());
            }
            // Dropped with the task in it.
            _ => {
                drop((space, fork));
                context = platform.new_context().unwrap();
            }
        }
    }
    drop(context);
    let nothing_more = || {
        // The pipe of the one ahead may have been received already; the next one's is not.
        refill(&platform);
        assert_eq!(with_code(), []);
        assert_eq!(descriptors(), with_platform + EMPTIED);
    };
    nothing_more();

    // Without descriptors a fork fails, and nothing else.
    let space = platform.new_address_space().unwrap();
    let others = [(); EMPTIED].map(|()| platform.new_address_space().unwrap());
    let free = nix::unistd::dup(&memory)
        .unwrap()
        .as_raw_fd()
        .unsigned_abs();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, free.into(), hard).unwrap();
    assert!(space.fork().is_err());
    assert!(platform.new_address_space().is_err());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let fork = space.fork().unwrap();
    fork.apply(&[map]).unwrap();
    drop((space, fork, others));
    nothing_more();

    // Without the template there are the spaces that it made, and no other, but no hanging
    // either.
    kill(template);
    let last = [(); EMPTIED + 1].map(|()| platform.new_address_space());
    assert!(matches!(platform.new_address_space(), Err(Error::Died)));
    drop(last);
    drop(platform);
    let deadline = Instant::now() + Duration::from_secs(10);
    while threads() > threads_before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(threads(), threads_before);
    assert_eq!((descriptors(), children()), (before, BTreeSet::new()));
    assert_eq!(memory.used(), 4096);
}

/// A process of an address space: nothing of ours in it, no privilege, a filter.
fn assert_host_process(pid: i32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    assert_eq!(field("Name"), "runsk-app");
    assert_eq!(field("CapPrm"), "0000000000000000");
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Seccomp"), "2");
    // SIGURG alone: guest tasks are born with it blocked, and let it through when they can
    // be kicked.
    assert_eq!(field("SigBlk"), "0000000000400000");
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    for line in maps.lines() {
        let known = ["runsk-stub", "runsk-commands", "[vsyscall]"];
        assert!(known.iter().any(|name| line.contains(name)), "{line}");
    }
    assert_eq!(fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(), 4);
}
