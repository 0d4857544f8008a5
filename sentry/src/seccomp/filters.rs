//! All filters of a thread, and what they say of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use syscalls::Errno;
use syscalls::abi::task::{
    AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SeccompData,
};
use syscalls::errno::ENOMEM;

use super::listener::Listener;
use crate::bpf::{Fetch, Program};

/// Upper half of a filter's result.
pub(super) const ACTION: u32 = 0xffff_0000;
pub(super) const ALLOW: u32 = SECCOMP_RET_ALLOW;

/// All programs of a thread together, instructions; each counts as some more.
const MAX_INSTRUCTIONS: usize = 1 << 15;
const PENALTY: usize = 4;
/// Numbers of calls for which is remembered whether they are always allowed.
const REMEMBERED: usize = 512;

/// One filter.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) program: Program,
    /// What it refuses is logged.
    pub(super) log: bool,
    /// Whom it leaves calls to.
    pub(super) listener: Option<Arc<Listener>>,
}

impl Drop for Filter {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abandon();
        }
    }
}

/// What is known of a number.
const UNKNOWN: u8 = 0;
/// Every filter allows the call without looking at more than its number.
const ALWAYS: u8 = 1;
const ASK: u8 = 2;

/// Filters, oldest first. They never change: one more makes a new list.
#[derive(Debug)]
pub(super) struct Filters {
    list: Vec<Arc<Filter>>,
    instructions: usize,
    known: [AtomicU8; REMEMBERED],
}

/// Lower is stricter; killing the process is below everything.
fn rank(result: u32) -> i32 {
    (result & ACTION).cast_signed()
}

impl Filters {
    /// `before` and one more; `ENOMEM` if they are too long together.
    pub(super) fn extend(before: Option<&Filters>, filter: Filter) -> Result<Arc<Self>, Errno> {
        let own = filter.program.len();
        let instructions = before.map_or(0, |b| b.instructions + PENALTY) + own;
        if instructions > MAX_INSTRUCTIONS {
            return Err(ENOMEM.why("seccomp filters"));
        }
        let mut list = before.map_or_else(Vec::new, |before| before.list.clone());
        list.push(Arc::new(filter));
        Ok(Arc::new(Filters {
            list,
            instructions,
            known: [const { AtomicU8::new(UNKNOWN) }; REMEMBERED],
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// True if one of them leaves calls to somebody.
    pub(super) fn have_listener(&self) -> bool {
        self.list.iter().any(|filter| filter.listener.is_some())
    }

    /// True if this is `other` or what `other` was made from.
    pub(super) fn is_ancestor_of(&self, other: &Filters) -> bool {
        let mut pairs = self.list.iter().zip(&other.list);
        self.count() <= other.count() && pairs.all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// What the strictest filter returns.
    pub(super) fn verdict(&self, data: &SeccompData) -> u32 {
        if self.always_allows(data.nr) {
            ALLOW
        } else {
            self.ask(data).0
        }
    }

    /// True if they allow a call whatever its arguments, and so much is remembered.
    pub(super) fn always_allows(&self, number: i32) -> bool {
        let known = usize::try_from(number)
            .ok()
            .and_then(|number| self.known.get(number));
        let Some(known) = known else { return false };
        match known.load(Ordering::Relaxed) {
            ALWAYS => true,
            ASK => false,
            _ => {
                let always = self.find_out(number);
                known.store(if always { ALWAYS } else { ASK }, Ordering::Relaxed);
                always
            }
        }
    }

    /// The strictest result, and the newest filter that gave it.
    pub(super) fn ask(&self, data: &SeccompData) -> (u32, Option<&Arc<Filter>>) {
        let words: [u32; 16] = zerocopy::transmute!(*data);
        let load = |what| match what {
            Fetch::Word(word) => words.get(usize::from(word)).copied(),
            _ => None,
        };
        let mut strictest = (ALLOW, None);
        for filter in self.list.iter().rev() {
            // Every word is there.
            let result = filter.program.run(load).unwrap_or(SECCOMP_RET_KILL_PROCESS);
            if rank(result) < rank(strictest.0) {
                strictest = (result, Some(filter));
            }
        }
        strictest
    }

    fn find_out(&self, number: i32) -> bool {
        let load = |what| match what {
            Fetch::Word(0) => Some(number.cast_unsigned()),
            Fetch::Word(1) => Some(AUDIT_ARCH_X86_64),
            _ => None,
        };
        let allows = |filter: &Arc<Filter>| {
            let result = filter.program.run(load);
            result.is_some_and(|result| result & ACTION == ALLOW)
        };
        self.list.iter().all(allows)
    }
}

#[cfg(test)]
mod tests {
    use super::{AUDIT_ARCH_X86_64, Filter, Filters, Program, SeccompData};
    use std::sync::Arc;
    use syscalls::abi::task::SockFilter;
    use syscalls::errno::ENOMEM;

    fn filter(code: &[(u16, u8, u8, u32)]) -> Filter {
        let code: Vec<_> = code
            .iter()
            .map(|&(code, jt, jf, k)| SockFilter { code, jt, jf, k })
            .collect();
        Filter {
            program: Program::decode(&code, crate::bpf::Dialect::Calls).unwrap(),
            log: false,
            listener: None,
        }
    }

    fn result(result: u32) -> Filter {
        filter(&[(0x06, 0, 0, result)])
    }

    fn call(nr: i32, first: u64) -> SeccompData {
        SeccompData {
            nr,
            arch: AUDIT_ARCH_X86_64,
            args: [first, 0, 0, 0, 0, 0],
            ..SeccompData::default()
        }
    }

    #[test]
    fn the_strictest_and_then_the_newest_holds() {
        let mut filters: Option<Arc<Filters>> = None;
        let mut verdicts = Vec::new();
        for value in [
            0x7ffc_0000,
            0x7ff0_0007,
            0x0005_0001,
            0x0005_0002,
            0x0003_0000,
            0,
            0x8000_0000,
            0x7fff_0000,
        ] {
            let more = Filters::extend(filters.as_deref(), result(value)).unwrap();
            verdicts.push(more.verdict(&call(39, 0)));
            filters = Some(more);
        }
        assert_eq!(
            verdicts,
            [
                0x7ffc_0000,
                0x7ff0_0007,
                0x0005_0001,
                0x0005_0002,
                0x0003_0000,
                0,
                0x8000_0000,
                0x8000_0000
            ]
        );
    }

    #[test]
    fn what_looks_at_arguments_is_not_remembered() {
        // Allowed for an even first argument, and for call 1.
        let code = [
            (0x20, 0, 0, 0),
            (0x15, 2, 0, 1),
            (0x20, 0, 0, 16),
            (0x45, 1, 0, 1),
            (0x06, 0, 0, 0x7fff_0000),
            (0x06, 0, 0, 0x0005_0001),
        ];
        let filters = Filters::extend(None, filter(&code)).unwrap();
        for _ in 0..2 {
            assert_eq!(filters.verdict(&call(0, 2)), 0x7fff_0000);
            assert_eq!(filters.verdict(&call(0, 3)), 0x0005_0001);
            assert_eq!(filters.verdict(&call(1, 3)), 0x7fff_0000);
            assert_eq!(filters.verdict(&call(-1, 3)), 0x0005_0001);
        }
    }

    #[test]
    fn together_they_are_bounded() {
        let long = || filter(&[(0x06, 0, 0, 0x7fff_0000); 4096]);
        let mut filters = Filters::extend(None, long()).unwrap();
        for _ in 0..6 {
            filters = Filters::extend(Some(&filters), long()).unwrap();
        }
        assert_eq!(Filters::extend(Some(&filters), long()).err(), Some(ENOMEM));
        let more = Filters::extend(Some(&filters), result(0)).unwrap();
        assert!(filters.is_ancestor_of(&more) && !more.is_ancestor_of(&filters));
    }
}
