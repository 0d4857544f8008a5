use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::guest::{Guest, code, start};
use nix::sched::sched_getaffinity;
use nix::unistd::{Pid, gettid};
use platform::Event;

code! { add:
    "mov ecx, 100" "2:" "lock inc qword ptr [rbx]" "dec ecx" "jnz 2b"
    "mov eax, 39" "syscall" "jmp 2b"
}

#[test]
fn two_hundred_threads_in_one_space() {
    const THREADS: usize = 200;
    let guest = Guest::new(add());
    let all_running = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (platform, space) = (&guest.platform, &guest.space);
            let all_running = &all_running;
            scope.spawn(move || {
                let mut context = platform.new_context().unwrap();
                for _ in 0..3 {
                    let mut regs = start();
                    assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
                    all_running.wait();
                }
                context.release();
            });
        }
    });
    assert_eq!(guest.word(0), THREADS as u64 * 3 * 100);
}

code! { calls_then_spins:
    "mov ecx, 100"
    "2:" "mov r15, rcx" "mov eax, 39" "syscall" "mov rcx, r15" "dec ecx" "jnz 2b"
    "2:" "jmp 2b"
}

fn cpus(thread: Pid) -> usize {
    let set = sched_getaffinity(thread).unwrap();
    (0..nix::sched::CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap())
        .count()
}

/// A thread that makes many calls stays on one CPU; one that computes may move again.
#[test]
fn bonds_are_dissolved() {
    let all = cpus(Pid::from_raw(0));
    let mut guest = Guest::new(calls_then_spins());
    let tracer = gettid();
    for _ in 0..100 {
        assert_eq!(guest.syscall(), 39);
    }
    let interrupter = guest.context.interrupter();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let deadline = Instant::now() + Duration::from_secs(10);
            while cpus(tracer) != all && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(cpus(tracer), all);
            interrupter.interrupt();
        });
        assert_eq!(guest.run(), Event::Interrupted);
    });
    guest.context.release();
    assert_eq!(cpus(tracer), all);
}
