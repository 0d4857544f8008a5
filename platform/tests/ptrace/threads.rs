use std::sync::Barrier;

use super::guest::{Guest, code, start};
use platform::{Event, Platform};

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
