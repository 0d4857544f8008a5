//! Programs, checked and decoded once.
//!
//! What is accepted, and the order of what is refused, are Linux's: its checks for socket
//! filters (jumps stay inside and go forward, no division by a constant zero, the scratch
//! memory is written before it is read on every way), then the smaller set of instructions
//! that a filter of calls may have.

use syscalls::Errno;
use syscalls::abi::task::SockFilter;
use syscalls::errno::EINVAL;

/// The longest program, instructions.
pub(crate) const MAX_LEN: usize = 4096;
/// Words of scratch memory.
pub(super) const MEMORY: usize = 16;
/// Bytes of `struct seccomp_data`.
const DATA_SIZE: u32 = 64;
const WORD_BITS: u32 = 32;

/// What a program judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Calls: it looks at `struct seccomp_data`.
    Calls,
    /// What arrives at a socket.
    Packets,
}

/// What a program looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// A 32-bit word of `struct seccomp_data`.
    Word(u8),
    /// So many bytes of a packet from a place on, big-endian.
    Packet { at: u32, size: u8 },
    /// The length of a packet.
    Len,
    /// Something that is known of a packet.
    Ancillary(Ancillary),
}

/// What can be known of a packet, `SKF_AD_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ancillary {
    /// ETH_P_*.
    Protocol,
    /// PACKET_*.
    Kind,
    /// The interface's number.
    Link,
    /// ARPHRD_*.
    Hardware,
    /// Anything else, which is 0.
    Nothing,
}

/// A decoded instruction. Places are indices of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// A = what is fetched.
    Fetch(Fetch),
    /// A = bytes of a packet, from X and a constant on.
    FetchIndexed { at: u32, size: u8 },
    /// X = what is fetched.
    FetchX(Fetch),
    /// X = 4 times the lower half of a byte of a packet.
    HeaderLen(u32),
    /// A = constant.
    Load(u32),
    /// A = scratch word.
    LoadMemory(u8),
    /// X = constant.
    LoadX(u32),
    /// X = scratch word.
    LoadXMemory(u8),
    /// Scratch word = A.
    Store(u8),
    /// Scratch word = X.
    StoreX(u8),
    /// A = A `0` operand.
    Compute(Compute, Operand),
    /// A = -A.
    Negate,
    /// X = A.
    ToX,
    /// A = X.
    ToA,
    /// Goes on there.
    Jump(u16),
    /// Compares A with an operand.
    Branch {
        test: Test,
        operand: Operand,
        yes: u16,
        no: u16,
    },
    /// Ends with a constant.
    Return(u32),
    /// Ends with A.
    ReturnA,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Constant(u32),
    X,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compute {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    AtLeast,
    AnyBit,
}

/// A program that ends, and reads nothing but its data.
#[derive(Debug)]
pub(crate) struct Program(Box<[Instruction]>);

impl Program {
    /// Checks and decodes; `EINVAL` as Linux has it.
    pub(crate) fn decode(code: &[SockFilter], dialect: Dialect) -> Result<Self, Errno> {
        if code.is_empty() || code.len() > MAX_LEN {
            return Err(EINVAL.why("length of a filter"));
        }
        let decoded: Result<Box<[_]>, Errno> = code
            .iter()
            .enumerate()
            .map(|(at, raw)| decode(raw, at, code.len(), dialect))
            .collect();
        let program = Program(decoded?);
        let ends = matches!(
            program.0.last(),
            Some(Instruction::Return(_) | Instruction::ReturnA)
        );
        if !ends {
            return Err(EINVAL.why("a filter that does not end with a return"));
        }
        program.check_memory()?;
        Ok(program)
    }

    /// How many instructions it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Every way to a load from scratch memory passes a store to that word.
    fn check_memory(&self) -> Result<(), Errno> {
        const ALL: u16 = u16::MAX;
        // What is written for certain on every jump to a place.
        let mut on_arrival = vec![ALL; self.0.len()];
        let mut written = 0_u16;
        for (at, instruction) in self.0.iter().enumerate() {
            written &= on_arrival.get(at).copied().unwrap_or(0);
            let mut arrive = |place: u16| {
                if let Some(known) = on_arrival.get_mut(usize::from(place)) {
                    *known &= written;
                }
            };
            match *instruction {
                Instruction::Store(word) | Instruction::StoreX(word) => written |= 1 << word,
                Instruction::LoadMemory(word) | Instruction::LoadXMemory(word)
                    if written & (1 << word) == 0 =>
                {
                    return Err(EINVAL.why("scratch memory is read before it is written"));
                }
                Instruction::Jump(place) => {
                    arrive(place);
                    written = ALL;
                }
                Instruction::Branch { yes, no, .. } => {
                    arrive(yes);
                    arrive(no);
                    written = ALL;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn decode(raw: &SockFilter, at: usize, len: usize, dialect: Dialect) -> Result<Instruction, Errno> {
    let invalid = || EINVAL.why("an instruction that such filters do not have");
    if dialect == Dialect::Packets
        && let Some(fetch) = fetch(raw)?
    {
        return Ok(fetch);
    }
    let calls = dialect == Dialect::Calls;
    let k = raw.k;
    let word = || match u8::try_from(k) {
        Ok(word) if usize::from(word) < MEMORY => Ok(word),
        _ => Err(EINVAL.why("scratch memory has 16 words")),
    };
    let place = |offset: u32| {
        let place = usize::try_from(offset)
            .ok()
            .and_then(|offset| at.checked_add(1)?.checked_add(offset));
        let place = place.filter(|&place| place < len);
        let place = place.and_then(|place| u16::try_from(place).ok());
        place.ok_or_else(|| EINVAL.why("a jump out of the filter"))
    };
    Ok(match raw.code {
        0x20 if calls && k < DATA_SIZE && k.is_multiple_of(4) => {
            let word = u8::try_from(k / 4).map_err(|_| invalid())?;
            Instruction::Fetch(Fetch::Word(word))
        }
        0x80 if calls => Instruction::Load(DATA_SIZE),
        0x81 if calls => Instruction::LoadX(DATA_SIZE),
        0x94 | 0x9c if calls => return Err(invalid()),
        0x00 => Instruction::Load(k),
        0x01 => Instruction::LoadX(k),
        0x60 => Instruction::LoadMemory(word()?),
        0x61 => Instruction::LoadXMemory(word()?),
        0x02 => Instruction::Store(word()?),
        0x03 => Instruction::StoreX(word()?),
        0x06 => Instruction::Return(k),
        0x16 => Instruction::ReturnA,
        0x07 => Instruction::ToX,
        0x87 => Instruction::ToA,
        0x84 => Instruction::Negate,
        0x05 => Instruction::Jump(place(k)?),
        code if code & 7 == 4 => compute(code, k)?,
        code if code & 7 == 5 => Instruction::Branch {
            test: match code & !8 {
                0x15 => Test::Equal,
                0x25 => Test::Greater,
                0x35 => Test::AtLeast,
                0x45 => Test::AnyBit,
                _ => return Err(invalid()),
            },
            operand: operand(code, k),
            yes: place(u32::from(raw.jt))?,
            no: place(u32::from(raw.jf))?,
        },
        _ => return Err(invalid()),
    })
}

/// Loads from a packet; `None` for any other instruction.
fn fetch(raw: &SockFilter) -> Result<Option<Instruction>, Errno> {
    /// SKF_AD_OFF: from here on, offsets mean something else.
    const ANCILLARY: u32 = 0xffff_f000;
    let at = raw.k;
    let size = match raw.code & 0x18 {
        0x00 => 4,
        0x08 => 2,
        _ => 1,
    };
    Ok(Some(match raw.code {
        0x20 | 0x28 | 0x30 if at >= ANCILLARY => {
            let known = match at - ANCILLARY {
                0 => Ancillary::Protocol,
                4 => Ancillary::Kind,
                8 => Ancillary::Link,
                28 => Ancillary::Hardware,
                12 | 16 | 20 | 24 | 32 | 36 | 44 | 48 | 52 | 56 | 60 => Ancillary::Nothing,
                _ => return Err(EINVAL.why("nothing is known by that number")),
            };
            Instruction::Fetch(Fetch::Ancillary(known))
        }
        0x20 | 0x28 | 0x30 => Instruction::Fetch(Fetch::Packet { at, size }),
        0x40 | 0x48 | 0x50 => Instruction::FetchIndexed { at, size },
        0x80 => Instruction::Fetch(Fetch::Len),
        0x81 => Instruction::FetchX(Fetch::Len),
        0xb1 => Instruction::HeaderLen(at),
        _ => return Ok(None),
    }))
}

fn operand(code: u16, k: u32) -> Operand {
    const X: u16 = 8;
    if code & X == 0 {
        Operand::Constant(k)
    } else {
        Operand::X
    }
}

fn compute(code: u16, k: u32) -> Result<Instruction, Errno> {
    let operand = operand(code, k);
    let compute = match code & !8 {
        0x04 => Compute::Add,
        0x14 => Compute::Sub,
        0x24 => Compute::Mul,
        0x34 => Compute::Div,
        0x94 => Compute::Mod,
        0x44 => Compute::Or,
        0x54 => Compute::And,
        0x64 => Compute::Left,
        0x74 => Compute::Right,
        0xa4 => Compute::Xor,
        _ => return Err(EINVAL.why("an instruction that such filters do not have")),
    };
    match (compute, operand) {
        (Compute::Div | Compute::Mod, Operand::Constant(0)) => {
            Err(EINVAL.why("a division by zero"))
        }
        (Compute::Left | Compute::Right, Operand::Constant(WORD_BITS..)) => {
            Err(EINVAL.why("a shift by more than a word"))
        }
        _ => Ok(Instruction::Compute(compute, operand)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Program, SockFilter};

    fn accepted(code: &[(u16, u8, u8, u32)]) -> bool {
        let code: Vec<_> = code
            .iter()
            .map(|&(code, jt, jf, k)| SockFilter { code, jt, jf, k })
            .collect();
        Program::decode(&code, Dialect::Calls).is_ok()
    }

    const RET: (u16, u8, u8, u32) = (0x06, 0, 0, 0);

    #[test]
    fn lengths_and_ends() {
        assert!(accepted(&[RET]));
        assert!(!accepted(&[]));
        assert!(accepted(&[RET; 4096]));
        assert!(!accepted(&[RET; 4097]));
        assert!(!accepted(&[RET, (0x00, 0, 0, 1)]));
    }

    #[test]
    fn loads_stay_inside_the_data() {
        for (offset, good) in [
            (0, true),
            (60, true),
            (64, false),
            (2, false),
            (u32::MAX, false),
        ] {
            assert_eq!(accepted(&[(0x20, 0, 0, offset), RET]), good, "{offset}");
        }
        // Halves and bytes are for sockets.
        assert!(!accepted(&[(0x28, 0, 0, 0), RET]));
        assert!(!accepted(&[(0x30, 0, 0, 0), RET]));
    }

    #[test]
    fn jumps_stay_inside_the_program() {
        assert!(accepted(&[(0x05, 0, 0, 0), RET]));
        assert!(!accepted(&[(0x05, 0, 0, 1), RET]));
        assert!(!accepted(&[(0x05, 0, 0, u32::MAX), RET]));
        assert!(accepted(&[(0x15, 1, 0, 7), RET, RET]));
        assert!(!accepted(&[(0x15, 2, 0, 7), RET, RET]));
    }

    #[test]
    fn arithmetic_is_checked() {
        assert!(!accepted(&[(0x34, 0, 0, 0), RET]));
        assert!(accepted(&[(0x3c, 0, 0, 0), RET]));
        assert!(accepted(&[(0x64, 0, 0, 31), RET]));
        assert!(!accepted(&[(0x64, 0, 0, 32), RET]));
        // A remainder is for sockets.
        assert!(!accepted(&[(0x94, 0, 0, 3), RET]));
    }

    #[test]
    fn scratch_memory_is_written_first() {
        assert!(!accepted(&[(0x60, 0, 0, 3), RET]));
        assert!(accepted(&[(0x02, 0, 0, 3), (0x60, 0, 0, 3), RET]));
        assert!(!accepted(&[(0x02, 0, 0, 16), RET]));
        // One of two ways goes round the store.
        assert!(!accepted(&[
            (0x15, 0, 1, 0),
            (0x02, 0, 0, 3),
            (0x60, 0, 0, 3),
            RET
        ]));
    }
}
