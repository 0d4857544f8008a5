//! From a profile to classic BPF, bpf(4).
//!
//! The numbers of calls fall into stretches that are treated alike; a binary search finds
//! the stretch, so that a filter takes few steps however long the profile is.

use std::collections::BTreeMap;

/// (code, jt, jf, k).
type Instruction = (u16, u8, u8, u32);

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Places in `struct seccomp_data`, bytes.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xc000_003e;
/// Set in the numbers of calls with 32-bit pointers.
const X32: u32 = 0x4000_0000;
/// What libseccomp does with another architecture's calls.
const BAD_ARCHITECTURE: u32 = libc::SECCOMP_RET_KILL_THREAD;

/// What becomes of calls.
#[derive(Debug)]
pub(super) struct Profile {
    /// Of those that no rule is about.
    pub(super) default: u32,
    /// By number: the first rule that applies holds.
    pub(super) calls: BTreeMap<u32, Vec<Rule>>,
    /// Of those with numbers above one.
    pub(super) beyond: Option<(u32, u32)>,
    /// Calls with 32-bit pointers are treated as the others.
    pub(super) x32: bool,
}

/// A result for calls whose arguments meet all conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) result: u32,
}

/// `argument & mask` compared with a value, both as 64-bit numbers without sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// 0..=5.
    pub(super) arg: u32,
    pub(super) comparison: Comparison,
    pub(super) value: u64,
    pub(super) mask: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    AtLeast,
    Greater,
}

/// Numbers from `first` on, up to the next stretch.
struct Stretch<'a> {
    first: u32,
    rules: &'a [Rule],
    otherwise: u32,
}

impl Profile {
    pub(super) fn compile(&self) -> Vec<Instruction> {
        let mut code = vec![
            (LOAD, 0, 0, ARCH),
            (EQUAL, 1, 0, X86_64),
            (RETURN, 0, 0, BAD_ARCHITECTURE),
            (LOAD, 0, 0, NUMBER),
        ];
        if self.x32 {
            code.push((AND, 0, 0, !X32));
        } else {
            code.push((AT_LEAST, 0, 1, X32));
            code.push((RETURN, 0, 0, BAD_ARCHITECTURE));
        }
        code.extend(search(&self.stretches()));
        code
    }

    fn stretches(&self) -> Vec<Stretch<'_>> {
        let mut list: Vec<Stretch<'_>> = Vec::new();
        let mut add = |first, rules, otherwise| {
            let same =
                |before: &Stretch<'_>| before.rules == rules && before.otherwise == otherwise;
            if !list.last().is_some_and(same) {
                list.push(Stretch {
                    first,
                    rules,
                    otherwise,
                });
            }
        };
        let mut next = 0;
        for (&number, rules) in &self.calls {
            if number > next {
                add(next, &[][..], self.default);
            }
            match rules.split_first() {
                Some((only, _)) if only.conditions.is_empty() => add(number, &[], only.result),
                _ => add(number, rules, self.default),
            }
            next = number.saturating_add(1);
        }
        match self.beyond {
            Some((last, newer)) => {
                if last >= next {
                    add(next, &[], self.default);
                }
                add(last.saturating_add(1), &[], newer);
            }
            None => add(next, &[], self.default),
        }
        list
    }
}

/// Code that finds the stretch of the number in A and does what it says.
fn search(stretches: &[Stretch<'_>]) -> Vec<Instruction> {
    let (low, high) = match stretches {
        [] => return Vec::new(),
        [only] => return answer(only.rules, only.otherwise),
        many => many.split_at(many.len() / 2),
    };
    let (first, low, high) = (
        high.first().map_or(0, |stretch| stretch.first),
        search(low),
        search(high),
    );
    let mut code = match u8::try_from(low.len()) {
        Ok(over) => vec![(AT_LEAST, over, 0, first)],
        Err(_) => {
            let over = u32::try_from(low.len()).unwrap_or(u32::MAX);
            vec![(AT_LEAST, 0, 1, first), (JUMP, 0, 0, over)]
        }
    };
    code.extend(low);
    code.extend(high);
    code
}

fn answer(rules: &[Rule], otherwise: u32) -> Vec<Instruction> {
    let mut code = Vec::new();
    for rule in rules {
        code.extend(attempt(rule));
    }
    code.push((RETURN, 0, 0, otherwise));
    code
}

/// Where a comparison leads.
#[derive(Clone, Copy)]
enum To {
    /// The next step.
    Next,
    /// The condition holds.
    Holds,
    /// It does not: the rule ends.
    Fails,
}

enum Step {
    Plain(u16, u32),
    Branch(u16, u32, To, To),
}

/// Returns the rule's result if all conditions hold, else goes on behind it.
fn attempt(rule: &Rule) -> Vec<Instruction> {
    let conditions: Vec<Vec<Step>> = rule.conditions.iter().map(Condition::steps).collect();
    // One more for the return.
    let end = conditions.iter().map(Vec::len).sum::<usize>() + 1;
    let mut code: Vec<Instruction> = Vec::new();
    let mut begin = 0;
    for steps in conditions {
        begin += steps.len();
        for step in steps {
            let at = code.len();
            // Six conditions of six steps: always short.
            let over = |place: usize| u8::try_from(place - at - 1).unwrap_or(u8::MAX);
            let place = |to| match to {
                To::Next => 0,
                To::Holds => over(begin),
                To::Fails => over(end),
            };
            code.push(match step {
                Step::Plain(op, k) => (op, 0, 0, k),
                Step::Branch(op, k, yes, no) => (op, place(yes), place(no), k),
            });
        }
    }
    code.push((RETURN, 0, 0, rule.result));
    code
}

/// The lower and the upper half.
fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    )
}

impl Condition {
    fn steps(&self) -> Vec<Step> {
        use Step::Branch;
        use To::{Fails, Holds, Next};
        let low_at = ARGUMENTS + 8 * self.arg;
        let (low, high) = halves(self.value);
        let (low_mask, high_mask) = halves(self.mask);
        let load = |at, mask| {
            let and = (mask != u32::MAX).then_some(Step::Plain(AND, mask));
            std::iter::once(Step::Plain(LOAD, at)).chain(and)
        };
        // What the upper halves decide, then what the lower ones do.
        let (upper, lower) = match self.comparison {
            Comparison::Equal => (
                vec![Branch(EQUAL, high, Next, Fails)],
                Branch(EQUAL, low, Holds, Fails),
            ),
            Comparison::NotEqual => (
                vec![Branch(EQUAL, high, Next, Holds)],
                Branch(EQUAL, low, Fails, Holds),
            ),
            Comparison::Greater => (
                vec![
                    Branch(GREATER, high, Holds, Next),
                    Branch(EQUAL, high, Next, Fails),
                ],
                Branch(GREATER, low, Holds, Fails),
            ),
            Comparison::AtLeast => (
                vec![
                    Branch(GREATER, high, Holds, Next),
                    Branch(EQUAL, high, Next, Fails),
                ],
                Branch(AT_LEAST, low, Holds, Fails),
            ),
            Comparison::Less => (
                vec![
                    Branch(GREATER, high, Fails, Next),
                    Branch(EQUAL, high, Next, Holds),
                ],
                Branch(AT_LEAST, low, Fails, Holds),
            ),
            Comparison::AtMost => (
                vec![
                    Branch(GREATER, high, Fails, Next),
                    Branch(EQUAL, high, Next, Holds),
                ],
                Branch(GREATER, low, Fails, Holds),
            ),
        };
        let upper = load(low_at + 4, high_mask).chain(upper);
        upper.chain(load(low_at, low_mask)).chain([lower]).collect()
    }
}
