//! The platform where the Sentry lives: an ordinary user's process without capabilities,
//! in namespaces of its own, with an empty root and without /proc, as process 1 or not.

use std::process::Command;

use nix::mount::{MsFlags, mount};
use platform::host::caps::{self, Caps};
use platform::memfile::Fill;
use platform::ptrace::PtracePlatform;
use platform::{Event, MapOp, MemoryFile, Platform, Prot, Regs};
use syscalls::UserAddr;

const PART: &str = "RUNSK_TEST_PART";

/// Runs this test again, as `unshare` starts it, to play its part.
fn confined(name: &str, namespaces: &[&str], play: fn()) {
    if std::env::var_os(PART).is_some() {
        play();
        // The harness cannot write its report here, and need not.
        std::process::exit(77);
    }
    let output = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(PART, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{text}");
}

fn run_guests() {
    let nothing: Option<&str> = None;
    mount(nothing, "/proc", Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
    nix::unistd::chroot("/proc").unwrap();
    std::env::set_current_dir("/").unwrap();
    caps::drop_all_but(Caps::empty()).unwrap();
    nix::sys::prctl::set_no_new_privs().unwrap();
    assert!(std::fs::read_dir("/").unwrap().next().is_none());

    // mov eax, 39; syscall; jmp back
    const CODE: [u8; 9] = [0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
    let at = UserAddr::new(0x40_0000);
    let memory = MemoryFile::new(1 << 30).unwrap();
    let platform = PtracePlatform::new(&memory).unwrap();
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
    let fork = space.fork().unwrap();
    std::thread::scope(|scope| {
        for space in [&space, &fork, &space] {
            let platform = &platform;
            scope.spawn(move || {
                let mut context = platform.new_context().unwrap();
                let mut regs = Regs::start(at.get(), 0);
                for _ in 0..50 {
                    assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
                }
            });
        }
    });
}

#[test]
fn as_process_1() {
    let namespaces = ["-U", "-r", "-m", "-p", "-f", "-n", "-i", "-u"];
    confined("as_process_1", &namespaces, run_guests);
}

#[test]
fn as_another_process() {
    let namespaces = ["-U", "-r", "-m", "-n"];
    confined("as_another_process", &namespaces, run_guests);
}

/// The Sentry runs as an id that is mapped, but not as root of its namespace.
#[test]
fn after_a_change_of_identity() {
    fn play() {
        // As root only; the ids of an ordinary user's namespace are too few for this.
        if nix::unistd::setresgid(7.into(), 7.into(), 7.into()).is_ok() {
            let user = nix::unistd::Uid::from_raw(7);
            nix::sys::prctl::set_keepcaps(true).unwrap();
            nix::unistd::setresuid(user, user, user).unwrap();
        }
        let memory = MemoryFile::new(1 << 30).unwrap();
        let platform = PtracePlatform::new(&memory).unwrap();
        let space = platform.new_address_space().unwrap();
        let mut context = platform.new_context().unwrap();
        let event = context
            .switch(&space, &mut Regs::start(0x40_0000, 0))
            .unwrap();
        assert!(matches!(event, Event::Fault { .. }));
    }
    confined("after_a_change_of_identity", &["-m"], play);
}
