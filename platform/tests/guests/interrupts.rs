use std::time::{Duration, Instant};

use super::guest::{Guest, code};
use platform::Event;

code! { spin:
    "2:" "inc qword ptr [rbx]" "jmp 2b"
}

code! { call_loop:
    "2:" "mov eax, 39" "syscall" "jmp 2b"
}

#[test]
fn a_spinning_guest_is_interrupted() {
    let mut guest = Guest::new(spin());
    for _ in 0..200 {
        let interrupter = guest.context.interrupter();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_micros(200));
                interrupter.interrupt();
                interrupter.interrupt();
            });
            assert_eq!(guest.run(), Event::Interrupted);
        });
        // The second may still be on its way.
        guest.context.interrupter().interrupt();
        assert_eq!(guest.run(), Event::Interrupted);
    }
    assert!(guest.word(0) > 0);
}

#[test]
fn before_the_first_switch_and_without_a_task() {
    let mut guest = Guest::new(call_loop());
    guest.context.interrupter().interrupt();
    assert_eq!(guest.run(), Event::Interrupted);
    assert_eq!(guest.syscall(), 39);
    guest.context.release();
    guest.context.interrupter().interrupt();
    guest.context.interrupter().interrupt();
    assert_eq!(guest.run(), Event::Interrupted);
    assert_eq!(guest.syscall(), 39);
}

#[test]
fn none_is_lost_among_system_calls() {
    let mut guest = Guest::new(call_loop());
    let interrupter = guest.context.interrupter();
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while asked.recv().is_ok() {
                interrupter.interrupt();
            }
        });
        for round in 0..500 {
            ask.send(()).unwrap();
            let deadline = Instant::now() + Duration::from_secs(5);
            while guest.run() != Event::Interrupted {
                assert!(Instant::now() < deadline, "interrupt {round} was lost");
            }
        }
        drop(ask);
    });
}
