//! Filters in action, each in a process of its own: this program runs itself again with a
//! part to play.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use platform::kvm::KvmPlatform;
use platform::memfile::Fill;
use platform::ptrace::PtracePlatform;
use platform::seccomp::sentry::{self, For};
use platform::seccomp::{Allow, Arg, Otherwise, Program, audit, denied};
use platform::{Event, MapOp, MemoryFile, Platform, Prot, Regs};
use syscalls::UserAddr;

const PART: &str = "RUNSK_TEST_PART";
const REPORT: &str = "RUNSK_TEST_REPORT";

/// Plays a part if this is the process for it; runs that process otherwise.
fn part(name: &str, play: fn()) -> Output {
    if std::env::var(PART).is_ok_and(|part| part == name) {
        play();
        std::process::exit(0);
    }
    let report = std::env::temp_dir().join(format!("runsk-{name}-{}", std::process::id()));
    let mut output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(PART, name)
        .env(REPORT, &report)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if let Ok(mut file) = File::open(&report) {
        output.stdout.clear();
        file.read_to_end(&mut output.stdout).unwrap();
        std::fs::remove_file(&report).unwrap();
    }
    output
}

fn report() -> OwnedFd {
    let path = std::env::var(REPORT).unwrap();
    File::create(path).unwrap().into()
}

/// What a test process needs to end.
const END: &[Allow] = &[
    Allow("futex", "the harness's threads"),
    Allow("rt_sigprocmask", "the harness's threads"),
    Allow("sched_yield", "the harness's threads"),
    Allow("write", "output"),
    Allow("exit_group", "the end"),
    Allow("sigaltstack", "the end of a thread"),
    Allow("munmap", "the end of a thread"),
];

#[test]
fn a_denied_call_has_last_words() {
    let output = part("a_denied_call_has_last_words", || {
        denied::report_as("Sentry", None).unwrap();
        let program = Program::compile(END, Otherwise::Trap).unwrap();
        program.install().unwrap();
        let _ = File::open("/etc/passwd");
    });
    assert_eq!(output.status.code(), Some(denied::STATUS));
    let text = String::from_utf8(output.stderr).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Sentry syscall denied: "));
    assert!(line.unwrap().contains(" openat(0x"), "{text}");
}

#[test]
fn arguments_are_tested() {
    let output = part("arguments_are_tested", || {
        denied::report_as("Sentry", None).unwrap();
        const FCNTL: [Allow; 3] = [
            Allow("fcntl", "a").when(&[Arg(1).is(libc::F_GETFD)]),
            Allow("fcntl", "b").when(&[Arg(0).is(0), Arg(1).is(libc::F_GETFL)]),
            Allow("fcntl", "c").when(&[Arg(1).has_none_of(0xff), Arg(2).is_long(1 << 40)]),
        ];
        let rows = [END, &FCNTL].concat();
        Program::compile(&rows, Otherwise::Trap)
            .unwrap()
            .install()
            .unwrap();
        let fcntl = |fd: i32, command: i64, arg: i64| {
            // SAFETY: queries, and a command that is not there.
            unsafe { libc::syscall(libc::SYS_fcntl, fd, command, arg) }
        };
        assert!(fcntl(1, i64::from(libc::F_GETFD), 0) >= 0);
        assert!(fcntl(0, i64::from(libc::F_GETFL) | 1 << 32, 0) >= 0);
        assert_eq!(fcntl(0, 0x100, 1 << 40), -1);
        eprintln!("so far so good");
        fcntl(1, i64::from(libc::F_GETFL), 0);
    });
    assert_eq!(output.status.code(), Some(denied::STATUS));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("so far so good\nSentry syscall denied: fcntl(0x1, 0x3, "),
        "{text}"
    );
}

/// A platform at work, with threads, as in the Sentry.
fn run_guests(memory: &MemoryFile, platform: &dyn Platform) {
    // mov eax, 39; syscall; jmp back
    const CODE: [u8; 9] = [0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
    let at = UserAddr::new(0x40_0000);
    let page = memory.allocate(1, Fill::Zero).unwrap();
    memory.write(page.offset(), &CODE).unwrap();
    let space = platform.new_address_space().unwrap();
    let map = MapOp::Map {
        at,
        len: 4096,
        offset: page.offset(),
        prot: Prot::READ | Prot::EXEC,
        populate: false,
    };
    space.apply(&[map]).unwrap();
    let run = || {
        let mut context = platform.new_context().unwrap();
        let mut regs = Regs::start(at.get(), 0);
        for _ in 0..100 {
            assert_eq!(context.switch(&space, &mut regs).unwrap(), Event::Syscall);
        }
        context.interrupter().interrupt();
        assert_eq!(
            context.switch(&space, &mut regs).unwrap(),
            Event::Interrupted
        );
        regs.rip = 0;
        let fault = context.switch(&space, &mut regs).unwrap();
        assert!(matches!(fault, Event::Fault { .. }));
        let state = context.fp_state().unwrap();
        context.set_fp_state(&state).unwrap();
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(run);
        }
    });
    drop(space.fork().unwrap());
    drop(page);
    memory.trim();
}

#[test]
fn the_sentrys_list_suffices_for_the_platform() {
    let output = part("the_sentrys_list_suffices_for_the_platform", || {
        let memory = MemoryFile::new(1 << 30).unwrap();
        let platform = PtracePlatform::new(&memory).unwrap();
        denied::report_as("Sentry", None).unwrap();
        sentry::program(For::Ptrace).unwrap().install().unwrap();
        for _ in 0..20 {
            run_guests(&memory, &platform);
        }
        eprintln!("done");
        drop(platform);
        std::process::exit(0);
    });
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("done"));
}

#[test]
fn audits_tell_what_is_used_and_what_is_missing() {
    let output = part("audits_tell_what_is_used_and_what_is_missing", || {
        let memory = MemoryFile::new(1 << 30).unwrap();
        let platform = PtracePlatform::new(&memory).unwrap();
        audit::start(sentry::rows(For::Ptrace), report()).unwrap();
        run_guests(&memory, &platform);
        drop(File::open("/etc/passwd"));
        drop(platform);
        std::process::exit(0);
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let missing = audit::missing(&text);
    assert!(
        missing.iter().any(|call| call.starts_with("openat ")),
        "{text}"
    );
    let others: Vec<_> = missing
        .iter()
        .filter(|call| !call.starts_with("openat "))
        .collect();
    assert!(
        others.iter().all(|call| call.starts_with("clone3 ")),
        "{others:?}"
    );
    let rows = sentry::rows(For::Ptrace);
    let unused: Vec<_> = audit::unused(&rows, &text)
        .iter()
        .map(|row| row.call)
        .collect();
    for call in ["wait4", "futex", "fallocate", "munmap"] {
        assert!(!unused.contains(&call), "{call} is in {unused:?}");
    }
    assert!(unused.contains(&"epoll_wait"));
    let ptrace = unused.iter().filter(|call| **call == "ptrace").count();
    // PTRACE_CONT is needed only for a task that is caught half-way.
    assert!(ptrace <= 1, "{unused:?}");
}

/// Of the rows for kvm none is missing, and none too many.
#[test]
fn the_sentrys_list_is_right_for_kvm() {
    let mut options = File::options();
    let device = match options.read(true).write(true).open("/dev/kvm") {
        Ok(device) => device,
        Err(error) => {
            eprintln!("SKIPPED: kvm: /dev/kvm: {error}");
            return;
        }
    };
    drop(device);
    let output = part("the_sentrys_list_is_right_for_kvm", || {
        let device = File::options().read(true).write(true).open("/dev/kvm");
        let memory = MemoryFile::new(1 << 30).unwrap();
        let platform = KvmPlatform::new(device.unwrap().into(), &memory).unwrap();
        audit::start(sentry::rows(For::Kvm), report()).unwrap();
        run_guests(&memory, &platform);
        interrupt_one(&memory, &platform);
        std::process::exit(0);
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let mut missing = audit::missing(&text).into_iter();
    assert!(missing.all(|call| call.starts_with("clone3 ")), "{text}");
    let rows = sentry::rows(For::Kvm);
    let own: Vec<_> = sentry::KVM.iter().map(|row| row.reason).collect();
    let unused = audit::unused(&rows, &text);
    let unused: Vec<_> = unused
        .iter()
        .filter(|row| own.contains(&row.reason))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// A guest that goes round until it is interrupted, and needs memory from the file's end.
fn interrupt_one(memory: &MemoryFile, platform: &dyn Platform) {
    let most = memory.allocate(200_000, Fill::Dirty).unwrap();
    let page = memory.allocate(1, Fill::Zero).unwrap();
    memory.write(page.offset(), &[0xeb, 0xfe]).unwrap();
    let at = UserAddr::new(0x40_0000);
    let map = MapOp::Map {
        at,
        len: 4096,
        offset: page.offset(),
        prot: Prot::READ | Prot::EXEC,
        populate: false,
    };
    let space = platform.new_address_space().unwrap();
    space.apply(&[map]).unwrap();
    let mut context = platform.new_context().unwrap();
    let interrupter = context.interrupter();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            interrupter.interrupt();
        });
        let mut regs = Regs::start(at.get(), 0);
        let event = context.switch(&space, &mut regs).unwrap();
        assert_eq!(event, Event::Interrupted);
    });
    drop(most);
}
