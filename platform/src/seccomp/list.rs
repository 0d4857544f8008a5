//! Rows of a filter.

/// A host call that is allowed, and why.
#[derive(Clone, Copy, Debug)]
pub struct Allow {
    /// Linux's name of the call.
    pub call: &'static str,
    /// What needs it.
    pub reason: &'static str,
    /// Tests of its arguments that must all hold. Several rows for one call are
    /// alternatives.
    pub tests: &'static [Test],
}

/// A row without conditions on the arguments.
#[must_use]
#[allow(non_snake_case, reason = "rows read as a table: Allow(call, reason)")]
pub const fn Allow(call: &'static str, reason: &'static str) -> Allow {
    Allow {
        call,
        reason,
        tests: &[],
    }
}

impl Allow {
    /// Only where every test of the arguments holds.
    #[must_use]
    pub const fn when(self, tests: &'static [Test]) -> Allow {
        Allow { tests, ..self }
    }

    /// The call's number; `None` for a name that Linux has not.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        number(self.call)
    }

    /// True if a call with these arguments is what the row allows.
    #[must_use]
    pub fn covers(&self, number: i64, args: &[u64; 6]) -> bool {
        self.number() == Some(number) && self.tests.iter().all(|test| test.holds(args))
    }
}

/// A test of one argument. 32-bit arguments are compared in their low half only: Linux
/// ignores the rest.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// Which argument, 0..6.
    pub arg: u8,
    /// Bits that are compared.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
}

/// Names an argument in a test: `Arg(1).is(FUTEX_WAIT)`.
#[derive(Clone, Copy, Debug)]
pub struct Arg(pub u8);

impl Arg {
    /// The low 32 bits are `value`.
    #[must_use]
    #[allow(
        clippy::cast_sign_loss,
        reason = "the register holds the number's bits"
    )]
    pub const fn is(self, value: i32) -> Test {
        self.masked(0xffff_ffff, value as u32 as u64)
    }

    /// The low 32 bits are the number of a request, ioctl(2).
    #[must_use]
    pub const fn is_request(self, value: u32) -> Test {
        self.masked(0xffff_ffff, value as u64)
    }

    /// All 64 bits are `value`.
    #[must_use]
    pub const fn is_long(self, value: u64) -> Test {
        self.masked(u64::MAX, value)
    }

    /// None of `bits` is set.
    #[must_use]
    pub const fn has_none_of(self, bits: u64) -> Test {
        self.masked(bits, 0)
    }

    /// The bits of `mask` are as in `value`.
    #[must_use]
    pub const fn masked(self, mask: u64, value: u64) -> Test {
        Test {
            arg: self.0,
            mask,
            value,
        }
    }
}

impl Test {
    /// True for these arguments.
    #[must_use]
    pub fn holds(&self, args: &[u64; 6]) -> bool {
        args.get(usize::from(self.arg))
            .is_some_and(|arg| arg & self.mask == self.value)
    }
}

/// The number of a call by its name.
fn number(name: &str) -> Option<i64> {
    let row = syscalls::TABLE.iter().find(|row| row.name == name)?;
    i64::try_from(row.number).ok()
}

/// The name of a call by its number.
pub(super) fn name(number: i64) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    let row = syscalls::TABLE.iter().find(|row| row.number == number)?;
    Some(row.name)
}
