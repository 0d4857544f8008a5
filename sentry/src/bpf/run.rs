//! Running a filter.

use super::program::{Compute, Fetch, Instruction, MEMORY, Operand, Program, Test};

impl Program {
    /// What the program returns; `load` gives what it looks at. `None` as soon as `load`
    /// does not know it.
    pub(crate) fn run(&self, load: impl Fn(Fetch) -> Option<u32>) -> Option<u32> {
        /// What Linux returns where a division fails.
        const FAILED: u32 = 0;
        let code = self.instructions();
        let (mut a, mut x) = (0_u32, 0_u32);
        let mut memory = [0_u32; MEMORY];
        let mut at = 0;
        // Jumps go forward and the last instruction returns, so that this ends.
        while let Some(instruction) = code.get(at) {
            at += 1;
            match *instruction {
                Instruction::Fetch(what) => a = load(what)?,
                Instruction::FetchX(what) => x = load(what)?,
                Instruction::FetchIndexed { at, size } => {
                    let at = x.checked_add(at)?;
                    a = load(Fetch::Packet { at, size })?;
                }
                Instruction::HeaderLen(at) => x = (load(Fetch::Packet { at, size: 1 })? & 15) * 4,
                Instruction::Load(value) => a = value,
                Instruction::LoadX(value) => x = value,
                Instruction::LoadMemory(word) => a = memory[usize::from(word) % MEMORY],
                Instruction::LoadXMemory(word) => x = memory[usize::from(word) % MEMORY],
                Instruction::Store(word) => memory[usize::from(word) % MEMORY] = a,
                Instruction::StoreX(word) => memory[usize::from(word) % MEMORY] = x,
                Instruction::Compute(compute, operand) => {
                    let Some(result) = compute.apply(a, operand.value(x)) else {
                        return Some(FAILED);
                    };
                    a = result;
                }
                Instruction::Negate => a = a.wrapping_neg(),
                Instruction::ToX => x = a,
                Instruction::ToA => a = x,
                Instruction::Jump(place) => at = usize::from(place),
                Instruction::Branch {
                    test,
                    operand,
                    yes,
                    no,
                } => {
                    let place = if test.holds(a, operand.value(x)) {
                        yes
                    } else {
                        no
                    };
                    at = usize::from(place);
                }
                Instruction::Return(value) => return Some(value),
                Instruction::ReturnA => return Some(a),
            }
        }
        Some(FAILED)
    }
}

impl Operand {
    fn value(self, x: u32) -> u32 {
        match self {
            Operand::Constant(value) => value,
            Operand::X => x,
        }
    }
}

impl Compute {
    /// `None` for a division by zero. Shifts count modulo the word's width.
    fn apply(self, a: u32, b: u32) -> Option<u32> {
        Some(match self {
            Compute::Add => a.wrapping_add(b),
            Compute::Sub => a.wrapping_sub(b),
            Compute::Mul => a.wrapping_mul(b),
            Compute::Div => return a.checked_div(b),
            Compute::Mod => return a.checked_rem(b),
            Compute::And => a & b,
            Compute::Or => a | b,
            Compute::Xor => a ^ b,
            Compute::Left => a.wrapping_shl(b),
            Compute::Right => a.wrapping_shr(b),
        })
    }
}

impl Test {
    fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Test::Equal => a == b,
            Test::Greater => a > b,
            Test::AtLeast => a >= b,
            Test::AnyBit => a & b != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::Dialect;
    use super::{Fetch, Program};
    use syscalls::abi::task::SockFilter;

    fn run(code: &[(u16, u8, u8, u32)], data: &[u32]) -> Option<u32> {
        let code: Vec<_> = code
            .iter()
            .map(|&(code, jt, jf, k)| SockFilter { code, jt, jf, k })
            .collect();
        let program = Program::decode(&code, Dialect::Calls).unwrap();
        program.run(|what| match what {
            Fetch::Word(word) => data.get(usize::from(word)).copied(),
            _ => None,
        })
    }

    #[test]
    fn branches() {
        let code = [
            (0x20, 0, 0, 0),
            (0x15, 0, 1, 39),
            (0x06, 0, 0, 1),
            (0x06, 0, 0, 2),
        ];
        assert_eq!(run(&code, &[39]), Some(1));
        assert_eq!(run(&code, &[40]), Some(2));
        assert_eq!(run(&code, &[]), None);
    }

    #[test]
    fn arithmetic() {
        // A = (word 0 / X) with X = word 1, divided by zero ends with 0.
        let code = [
            (0x20, 0, 0, 4),
            (0x07, 0, 0, 0),
            (0x20, 0, 0, 0),
            (0x3c, 0, 0, 0),
            (0x16, 0, 0, 0),
        ];
        assert_eq!(run(&code, &[42, 5]), Some(8));
        assert_eq!(run(&code, &[42, 0]), Some(0));
        let shift = [
            (0x20, 0, 0, 4),
            (0x07, 0, 0, 0),
            (0x20, 0, 0, 0),
            (0x6c, 0, 0, 0),
            (0x16, 0, 0, 0),
        ];
        assert_eq!(run(&shift, &[3, 33]), Some(6));
        let memory = [
            (0x20, 0, 0, 0),
            (0x02, 0, 0, 15),
            (0x84, 0, 0, 0),
            (0x61, 0, 0, 15),
            (0x0c, 0, 0, 0),
            (0x16, 0, 0, 0),
        ];
        assert_eq!(run(&memory, &[9]), Some(0));
    }
}
