//! Rewriting a system call in code so that it needs no signal.
//!
//! A few bytes are replaced by a jump to a **trampoline** of its own in a page nearby, which
//! goes on to the stub (`process::guest_code`) and comes back behind the call. Two shapes are
//! rewritten, which between them are what compilers and C libraries emit:
//!
//! - `mov eax, NUMBER; syscall`: the jump takes the place of the mov. The instruction
//!   SYSCALL stays, for whoever comes to it another way.
//! - `syscall` and an instruction of at least four bytes that works anywhere, as the
//!   comparison with -4095 of most wrappers: the jump takes the place of both, the trampoline
//!   ends with the second. Whoever comes to the second another way (a branch, a signal's
//!   return, a thread that is in the call at this moment) finds the byte of INT3 there,
//!   which is a part of the jump's distance: trampolines are placed so. [`Rewrite::trap`]
//!   tells the kernel above where such a thread has to go on.
//!
//! Code is never changed under a running thread: the kernel maps a changed copy of the page.
//! To the application a call has the address that it always had: only inside a trampoline
//! ([`Rewrite::original`]) it is elsewhere.

use iced_x86::{Decoder, DecoderOptions, FlowControl};
use syscalls::PAGE_SIZE;

use crate::process::guest_code::{self, RETURN, SLOW, SYSCALL_SIZE};

/// Bytes of code before the end of SYSCALL that [`plan`] looks at.
pub const BEFORE: usize = 8;
/// Bytes of code from the end of SYSCALL on that [`plan`] looks at.
pub const AFTER: usize = 15;
/// Bytes at the start of a page of trampolines; see [`page_header`].
pub const HEADER: u64 = 8;

const MOV_EAX: u8 = 0xb8;
const JMP_REL32: u8 = 0xe9;
const INT3: u8 = 0xcc;
/// A prefix without a meaning before a near jump.
const CS_PREFIX: u8 = 0x2e;
/// A prefix with which some processors have a near jump end in the lowest 64 KiB. Before
/// SYSCALL it means nothing.
const OPERAND_SIZE: u8 = 0x66;
/// No call has such a number: whatever it is, it is no ordinary code.
const NUMBERS: u32 = 1024;
/// Bytes of a near jump.
const JUMP: u64 = 5;
/// … with the prefix.
const LONG_JUMP: u64 = 6;
/// Where a trampoline saves its own address; behind the mov.
const LOAD_SELF: usize = 5;
/// Where its last part begins, behind SYSCALL.
const TAIL: u64 = (SLOW + SYSCALL_SIZE) as u64;
const SYSCALL: [u8; SYSCALL_SIZE] = [0x0f, 0x05];

/// How a call is rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The address behind SYSCALL.
    rip: u64,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// `mov eax, NUMBER; syscall`
    Number(u32),
    /// `syscall` and this instruction.
    Followed(Vec<u8>),
}

/// Decides how to rewrite the call that was made with number `rax` and came back to `rip`,
/// given the bytes of code around it. `None` if it has to stay as it is.
#[must_use]
pub fn plan(before: &[u8; BEFORE], after: &[u8; AFTER], rip: u64, rax: u64) -> Option<Rewrite> {
    let [prefix, mov, number @ .., first, second] = *before;
    if [first, second] != SYSCALL {
        return None;
    }
    let number = u32::from_le_bytes(number);
    // Not the end of another instruction: `mov r8d, …` has the same byte behind a prefix.
    let is_mov =
        mov == MOV_EAX && !matches!(prefix, 0x40..=0x4f | 0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3);
    let [.., before_call, _, _] = *before;
    let shape = if is_mov && number < NUMBERS && u64::from(number) == rax {
        Shape::Number(number)
    } else if before_call == OPERAND_SIZE {
        return None;
    } else {
        Shape::Followed(movable(after, rip)?)
    };
    let rewrite = Rewrite { rip, shape };
    let last = rewrite.start() + rewrite.replaced() - 1;
    (rewrite.start() / PAGE_SIZE == last / PAGE_SIZE).then_some(rewrite)
}

/// The instruction at the start of `code`, if it is long enough and does the same anywhere.
fn movable(code: &[u8; AFTER], rip: u64) -> Option<Vec<u8>> {
    let mut decoder = Decoder::with_ip(64, code, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let len = instruction.len();
    let enough = SYSCALL_SIZE as u64 + len as u64 >= LONG_JUMP;
    let plain = !instruction.is_invalid()
        && instruction.flow_control() == FlowControl::Next
        && !instruction.is_ip_rel_memory_operand();
    let bytes = code.get(..len)?;
    (enough && plain).then(|| bytes.to_vec())
}

/// What stands at the start of every page of trampolines.
#[must_use]
pub fn page_header() -> [u8; 8] {
    guest_code::entries().call.to_le_bytes()
}

impl Rewrite {
    /// The first byte that is replaced.
    #[must_use]
    pub fn start(&self) -> u64 {
        let len = match self.shape {
            Shape::Number(_) => JUMP + SYSCALL_SIZE as u64,
            Shape::Followed(_) => SYSCALL_SIZE as u64,
        };
        self.rip.wrapping_sub(len)
    }

    /// How many bytes are replaced.
    fn replaced(&self) -> u64 {
        match self.shape {
            Shape::Number(_) => JUMP,
            Shape::Followed(_) => LONG_JUMP,
        }
    }

    /// Bytes of the trampoline.
    #[must_use]
    pub fn size(&self) -> u64 {
        let moved = match &self.shape {
            Shape::Number(_) => 0,
            Shape::Followed(bytes) => bytes.len() as u64,
        };
        TAIL + moved + JUMP
    }

    /// Where the code goes on.
    fn behind(&self) -> u64 {
        match &self.shape {
            Shape::Number(_) => self.rip,
            Shape::Followed(bytes) => self.rip.wrapping_add(bytes.len() as u64),
        }
    }

    /// Where the jump leads, for a trampoline at `at`.
    fn entry(&self, at: u64) -> u64 {
        match self.shape {
            Shape::Number(_) => at,
            Shape::Followed(_) => at + LOAD_SELF as u64,
        }
    }

    /// The bytes to put at [`Self::start`] for a trampoline at `at`; `None` if it cannot be
    /// there.
    #[must_use]
    pub fn jump(&self, at: u64) -> Option<Vec<u8>> {
        let from = self.start().wrapping_add(self.replaced());
        let distance = distance(from, self.entry(at))?;
        match self.shape {
            Shape::Number(_) => Some([&[JMP_REL32][..], &distance].concat()),
            Shape::Followed(_) if distance[0] == INT3 => {
                Some([&[CS_PREFIX, JMP_REL32][..], &distance].concat())
            }
            Shape::Followed(_) => None,
        }
    }

    /// The trampoline at `at`, in the page of trampolines that begins at `page`.
    #[must_use]
    pub fn trampoline(&self, at: u64, page: u64) -> Option<Vec<u8>> {
        let mut code = vec![INT3; LOAD_SELF];
        if let Shape::Number(number) = self.shape {
            code = [&[MOV_EAX][..], &number.to_le_bytes()].concat();
        }
        // lea r11, [rip + …]: the trampoline's own address.
        code.extend([0x4c, 0x8d, 0x1d]);
        code.extend(distance(at + code.len() as u64 + 4, at)?);
        // jmp [rip + …]: what the header says.
        code.extend([0xff, 0x25]);
        code.extend(distance(at + code.len() as u64 + 4, page)?);
        code.resize(RETURN, INT3);
        code.extend(self.rip.to_le_bytes());
        debug_assert_eq!(code.len(), SLOW);
        code.extend(SYSCALL);
        if let Shape::Followed(bytes) = &self.shape {
            code.extend(bytes);
        }
        code.push(JMP_REL32);
        code.extend(distance(at + code.len() as u64 + 4, self.behind())?);
        debug_assert_eq!(code.len() as u64, self.size());
        Some(code)
    }

    /// Where a thread stands that hit the trap in the place of the second instruction.
    #[must_use]
    pub fn trap(&self) -> Option<u64> {
        match self.shape {
            Shape::Number(_) => None,
            // Behind prefix, opcode and trap.
            Shape::Followed(_) => Some(self.start() + 3),
        }
    }

    /// Where it has to go on, given the trampoline's place.
    #[must_use]
    pub fn tail(&self, at: u64) -> u64 {
        at + TAIL
    }

    /// What `rip`, in the trampoline at `at`, is in the code as it was: a call that was not
    /// made yet is made again from the start.
    #[must_use]
    pub fn original(&self, at: u64, rip: u64) -> u64 {
        match rip.wrapping_sub(at) {
            0..TAIL => self.start(),
            TAIL => self.rip,
            _ => self.behind(),
        }
    }
}

/// For an instruction that ends at `from`, as it is encoded.
fn distance(from: u64, to: u64) -> Option<[u8; 4]> {
    let distance = to.wrapping_sub(from).cast_signed();
    i32::try_from(distance).ok().map(i32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIP: u64 = 0x40_1000;

    fn plan_of(code: &[u8], at: usize, rax: u64) -> Option<Rewrite> {
        let mut bytes = [0x90; 32];
        let start = 16 - at;
        bytes[start..start + code.len()].copy_from_slice(code);
        plan(
            bytes[16 - BEFORE..16].try_into().unwrap(),
            bytes[16..16 + AFTER].try_into().unwrap(),
            RIP + 0x100,
            rax,
        )
    }

    #[test]
    fn what_compilers_emit() {
        // getpid: mov eax, 39; syscall; ret
        let getpid = [0xb8, 39, 0, 0, 0, 0x0f, 5, 0xc3];
        let plan = plan_of(&getpid, 7, 39).unwrap();
        assert_eq!((plan.start(), plan.trap()), (RIP + 0x100 - 7, None));
        assert_eq!(plan_of(&getpid, 7, 40), None);
        assert_eq!(
            plan_of(&[0xb8, 15, 5, 0xc3, 0, 15, 5, 0xc3], 7, 0xc3_050f),
            None
        );
        // mov r8d, 39 is another instruction.
        let other = [0x41, 0xb8, 39, 0, 0, 0, 0x0f, 5, 0xc3];
        assert_eq!(plan_of(&other, 8, 39), None);
        // syscall(2): syscall; cmp rax, -4095; jae
        let wrapper = [0x0f, 5, 0x48, 0x3d, 1, 0xf0, 0xff, 0xff, 0x73, 1];
        let plan = plan_of(&wrapper, 2, 0).unwrap();
        assert_eq!(plan.start(), RIP + 0x100 - 2);
        let prefixed = [0x66, 0x0f, 5, 0x48, 0x3d, 1, 0xf0, 0xff, 0xff, 0x73, 1];
        assert_eq!(plan_of(&prefixed, 3, 0), None);
        // Relative to the instruction, a branch, too short.
        for next in [
            &[0x48, 0x8b, 5, 0, 0, 0, 0][..],
            &[0xeb, 0],
            &[0x48, 0x89, 0xc7],
        ] {
            assert_eq!(plan_of(&[&SYSCALL[..], next].concat(), 2, 0), None);
        }
    }

    #[test]
    fn the_trap_is_a_part_of_the_jump() {
        let wrapper = [0x0f, 5, 0x48, 0x3d, 1, 0xf0, 0xff, 0xff, 0x73, 1];
        let plan = plan_of(&wrapper, 2, 0).unwrap();
        let page = 0x20_0000;
        let places: Vec<u64> = (page + HEADER..page + 0x800)
            .filter(|&at| plan.jump(at).is_some())
            .collect();
        assert!(places.len() >= 7, "one in 256 bytes");
        let at = places[0];
        let jump = plan.jump(at).unwrap();
        assert_eq!(jump[..3], [CS_PREFIX, JMP_REL32, INT3]);
        assert_eq!(plan.trap(), Some(plan.start() + 3));
        let code = plan.trampoline(at, page).unwrap();
        assert_eq!(code[SLOW..SLOW + 2], SYSCALL);
        assert_eq!(code[SLOW + 2..SLOW + 8], wrapper[2..8]);
        let original = |inside: u64| plan.original(at, at + inside);
        assert_eq!(original(5), plan.start());
        assert_eq!(original(SLOW as u64), plan.start());
        assert_eq!(original(SLOW as u64 + 2), RIP + 0x100);
        assert_eq!(original(SLOW as u64 + 8), RIP + 0x106);
        assert_eq!(plan.jump(1 << 40), None);
    }
}
