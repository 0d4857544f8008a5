use super::guest::{Guest, code};
use platform::{Event, FpState};

code! { vectors:
    "movq xmm15, rdi" "mov eax, 1" "syscall"
    "movq rsi, xmm15" "movq rdi, xmm0" "mov eax, 2" "syscall"
    "movq rsi, xmm15" "mov eax, 3" "syscall"
    "stmxcsr [rbx]" "fnstcw [rbx + 8]" "mov eax, 4" "syscall"
}

/// Byte offset of an XMM register in the area.
fn xmm(number: usize) -> usize {
    160 + 16 * number
}

fn low(state: &FpState, at: usize) -> u64 {
    u64::from_le_bytes(state.as_bytes()[at..at + 8].try_into().unwrap())
}

#[test]
fn state_is_read_and_changed() {
    let mut guest = Guest::new(vectors());
    guest.regs.rdi = 0x1234;
    assert_eq!(guest.syscall(), 1);
    let state = guest.context.fp_state().unwrap();
    assert_eq!(low(&state, xmm(15)), 0x1234);
    let mut bytes = state.as_bytes().to_vec();
    bytes[xmm(0)..xmm(0) + 8].copy_from_slice(&77_u64.to_le_bytes());
    guest
        .context
        .set_fp_state(&FpState::from_user(&bytes))
        .unwrap();
    assert_eq!(guest.syscall(), 2);
    assert_eq!((guest.regs.rsi, guest.regs.rdi), (0x1234, 77));

    // Into a new task, and into another address space.
    guest.context.release();
    let kept = guest.context.fp_state().unwrap();
    assert_eq!(low(&kept, xmm(15)), 0x1234);
    guest.space = guest.space.fork().unwrap();
    assert_eq!(guest.syscall(), 3);
    assert_eq!(guest.regs.rsi, 0x1234);
}

#[test]
fn a_new_thread_has_nothing_of_ours() {
    let mut guest = Guest::new(vectors());
    guest.regs.rdi = 0;
    assert_eq!(guest.syscall(), 1);
    let state = guest.context.fp_state().unwrap();
    assert!(state.as_bytes()[160..416].iter().all(|&byte| byte == 0));
    assert!(
        state.as_bytes()[576..]
            .chunks(8)
            .all(|chunk| chunk[0] == 0 || chunk[0] == 0x54)
    );
    guest.regs.rip = super::guest::CODE;
    for number in 1..=4 {
        assert_eq!(guest.syscall(), number);
    }
    assert_eq!(guest.word(0) & 0xffff_ffff, 0x1f80);
    assert_eq!(guest.word(1) & 0xffff, 0x37f);
}

#[test]
fn hostile_state_loads() {
    let mut guest = Guest::new(vectors());
    for byte in [0, 0x55, 0xaa, 0xff] {
        for len in [0, 100, 512, 576, 1000, 20_000] {
            let state = FpState::from_user(&vec![byte; len]);
            guest.context.set_fp_state(&state).unwrap();
            guest.regs = super::guest::start();
            assert_eq!(guest.syscall(), 1);
            guest.context.set_fp_state(&state).unwrap();
        }
    }
    let mut other = guest.platform.new_context().unwrap();
    let state = FpState::from_user(&[0xff; 4096]);
    other.set_fp_state(&state).unwrap();
    let mut regs = super::guest::start();
    assert_eq!(
        other.switch(&guest.space, &mut regs).unwrap(),
        Event::Syscall
    );
}
