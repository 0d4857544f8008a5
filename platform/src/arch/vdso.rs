//! The vDSO's code: clocks read without entering the kernel.
//!
//! The code runs in application address spaces. It finds the page with the clocks'
//! parameters, [`TimeData`], at a fixed distance below itself ([`DISTANCE`]) and needs
//! nothing else: no stack, no relocation. Whatever it cannot answer, it asks the kernel
//! by the system call that it stands for.

use std::arch::global_asm;
use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Parameters of the clocks, as the code reads them. Who changes them makes `sequence`
/// odd first and even afterwards, larger than before.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeData {
    /// Odd while the rest changes.
    pub sequence: u32,
    /// [`Self::HAS_CPU`].
    pub flags: u32,
    /// Counter at which `base_ns` was the time.
    pub base_tsc: u64,
    /// Counts after `base_tsc` for which the parameters hold; 0: they never do.
    pub valid: u64,
    /// Nanoseconds in a count, times 2^32.
    pub rate: u64,
    /// `CLOCK_MONOTONIC` at `base_tsc`, nanoseconds.
    pub base_ns: u64,
    /// Bit n: clock n is answered here.
    pub clocks: u32,
    /// Processors that the application may see; at least 1.
    pub cpus: u32,
    /// What to add to `CLOCK_MONOTONIC` for each clock, nanoseconds.
    pub offsets: [u64; CLOCKS],
}

/// Clock ids are below.
pub const CLOCKS: usize = 12;

/// The code starts so many bytes after [`TimeData`]: a page for that, and one for the
/// headers of the image that the code is a part of.
pub const DISTANCE: u64 = 0x2000;

impl TimeData {
    /// RDTSCP tells the processor's number (in the low twelve bits, as Linux has it).
    pub const HAS_CPU: u32 = 1;
}

/// A function of the vDSO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name without the prefix `__vdso_`.
    pub name: &'static str,
    /// Where it starts in [`code`], bytes.
    pub start: usize,
    /// How long it is, bytes.
    pub len: usize,
}

global_asm!(
    r#"
    .pushsection .rodata.runsk_vdso, "a", @progbits
    .balign 64
    .globl runsk_vdso_start, runsk_vdso_end, runsk_vdso_table
    .hidden runsk_vdso_start, runsk_vdso_end, runsk_vdso_table
runsk_vdso_start:

    // Time of clock \clock in rax, r8 the parameters. Goes to \fallback if it cannot.
    // Changes rcx, rdx, r10, r11.
    .macro vdso_now clock, fallback
    mov r11d, \clock
77:
    mov r10d, [r8 + {sequence}]
    test r10d, 1
    jnz \fallback
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, [r8 + {base_tsc}]
    cmp rax, [r8 + {valid}]
    jae \fallback
    mul qword ptr [r8 + {rate}]
    shrd rax, rdx, 32
    add rax, [r8 + {base_ns}]
    add rax, [r8 + {offsets} + r11 * 8]
    cmp r10d, [r8 + {sequence}]
    jne 77b
    .endm

    // rax nanoseconds to rdx seconds and rax the rest. Changes rcx.
    .macro vdso_split
    mov rcx, rax
    shr rax, 9
    // 2^75 / 5^9, rounded up: a division by 10^9 without dividing.
    movabs rdx, 0x44b82fa09b5a53
    mul rdx
    shr rdx, 11
    imul rax, rdx, 1000000000
    sub rcx, rax
    mov rax, rcx
    .endm

    // r8 to the parameters; goes to \fallback unless clock edi is answered here.
    .macro vdso_clock fallback
    lea r8, [rip + runsk_vdso_start - {distance}]
    cmp edi, {clocks_max}
    jae \fallback
    mov eax, [r8 + {clocks}]
    bt eax, edi
    jnc \fallback
    .endm

    .balign 16
runsk_vdso_clock_gettime:
    vdso_clock 8f
    vdso_now edi, 8f
    vdso_split
    mov [rsi], rdx
    mov [rsi + 8], rax
    xor eax, eax
    ret
8:  mov eax, 228
    syscall
    ret

    .balign 16
runsk_vdso_gettimeofday:
    test rdi, rdi
    jz 7f
    lea r8, [rip + runsk_vdso_start - {distance}]
    vdso_now 0, 8f
    vdso_split
    mov [rdi], rdx
    // Below 10^9: times 2^38 / 1000, rounded up.
    imul rax, rax, 274877907
    shr rax, 38
    mov [rdi + 8], rax
7:  test rsi, rsi
    jz 6f
    mov qword ptr [rsi], 0
6:  xor eax, eax
    ret
8:  mov eax, 96
    syscall
    ret

    .balign 16
runsk_vdso_time:
    lea r8, [rip + runsk_vdso_start - {distance}]
    vdso_now 0, 8f
    vdso_split
    mov rax, rdx
    test rdi, rdi
    jz 6f
    mov [rdi], rax
6:  ret
8:  mov eax, 201
    syscall
    ret

    .balign 16
runsk_vdso_clock_getres:
    vdso_clock 8f
    test rsi, rsi
    jz 6f
    // The coarse clocks, 5 and 6, claim a tick.
    lea ecx, [rdi - 5]
    mov eax, 1
    mov edx, 4000000
    cmp ecx, 1
    cmovbe eax, edx
    mov qword ptr [rsi], 0
    mov [rsi + 8], rax
6:  xor eax, eax
    ret
8:  mov eax, 229
    syscall
    ret

    .balign 16
runsk_vdso_getcpu:
    lea r8, [rip + runsk_vdso_start - {distance}]
    test dword ptr [r8 + {flags}], {has_cpu}
    jz 8f
    rdtscp
    mov eax, ecx
    and eax, 0xfff
    xor edx, edx
    mov ecx, [r8 + {cpus}]
    div ecx
    test rdi, rdi
    jz 7f
    mov [rdi], edx
7:  test rsi, rsi
    jz 6f
    mov dword ptr [rsi], 0
6:  xor eax, eax
    ret
8:  mov eax, 309
    syscall
    ret

runsk_vdso_end:

    .balign 4
runsk_vdso_table:
    .4byte runsk_vdso_clock_gettime - runsk_vdso_start
    .4byte runsk_vdso_gettimeofday - runsk_vdso_start
    .4byte runsk_vdso_time - runsk_vdso_start
    .4byte runsk_vdso_clock_getres - runsk_vdso_start
    .4byte runsk_vdso_getcpu - runsk_vdso_start
    .4byte runsk_vdso_end - runsk_vdso_start
    .popsection
    "#,
    sequence = const offset_of!(TimeData, sequence),
    flags = const offset_of!(TimeData, flags),
    base_tsc = const offset_of!(TimeData, base_tsc),
    valid = const offset_of!(TimeData, valid),
    rate = const offset_of!(TimeData, rate),
    base_ns = const offset_of!(TimeData, base_ns),
    clocks = const offset_of!(TimeData, clocks),
    cpus = const offset_of!(TimeData, cpus),
    offsets = const offset_of!(TimeData, offsets),
    clocks_max = const CLOCKS,
    distance = const DISTANCE,
    has_cpu = const TimeData::HAS_CPU,
);

/// Names, in the order of the table that ends the code.
const NAMES: [&str; 5] = [
    "clock_gettime",
    "gettimeofday",
    "time",
    "clock_getres",
    "getcpu",
];

unsafe extern "C" {
    static runsk_vdso_start: u8;
    static runsk_vdso_table: [u32; NAMES.len() + 1];
}

fn table() -> [usize; NAMES.len() + 1] {
    // SAFETY: the assembly above defines this many constants there.
    let table = unsafe { runsk_vdso_table };
    table.map(|offset| offset as usize)
}

/// The instructions. They work at any address [`DISTANCE`] bytes above a [`TimeData`].
#[must_use]
pub fn code() -> &'static [u8] {
    let len = table()[NAMES.len()];
    let start = &raw const runsk_vdso_start;
    // SAFETY: the assembly above puts so many constant bytes there.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// The functions in [`code`].
#[must_use]
pub fn functions() -> Vec<Function> {
    let table = table();
    let ends = table.iter().skip(1);
    let places = table.iter().zip(ends);
    let functions = NAMES.into_iter().zip(places);
    functions
        .map(|(name, (&start, &end))| Function {
            name,
            start,
            len: end - start,
        })
        .collect()
}

/// True if the processor has RDTSCP (CPUID 0x8000_0001, EDX bit 27).
#[must_use]
#[allow(unused_unsafe, reason = "safe in newer toolchains")]
pub fn has_rdtscp() -> bool {
    use std::arch::x86_64::__cpuid;
    // SAFETY: CPUID is there on every x86-64.
    let leaf = unsafe { __cpuid(0x8000_0001) };
    leaf.edx & (1 << 27) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::tsc;

    /// The code, made executable above its parameters.
    struct Loaded {
        memory: *mut u8,
    }

    const SIZE: usize = 0x4000;

    impl Loaded {
        fn new() -> Self {
            let prot = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: a new mapping.
            let memory = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, prot, flags, -1, 0) };
            assert_ne!(memory, libc::MAP_FAILED);
            let memory: *mut u8 = memory.cast();
            let code = code();
            // SAFETY: the mapping is longer than the distance and the code.
            let to = unsafe { memory.add(usize::try_from(DISTANCE).unwrap()) };
            // SAFETY: as above.
            unsafe { to.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
            Loaded { memory }
        }

        fn set(&self, data: &TimeData) {
            // SAFETY: the mapping starts with room for the parameters.
            unsafe { self.memory.cast::<TimeData>().write(*data) }
        }

        fn call(&self, name: &str, args: [usize; 3]) -> i64 {
            let function = functions().into_iter().find(|f| f.name == name).unwrap();
            let at = usize::try_from(DISTANCE).unwrap() + function.start;
            // SAFETY: the functions lie in the mapping.
            let entry = unsafe { self.memory.add(at) };
            // SAFETY: the code is there, follows the C convention and takes three words
            // at most; callers give it valid pointers.
            let entry: extern "C" fn(usize, usize, usize) -> i64 =
                unsafe { std::mem::transmute(entry) };
            entry(args[0], args[1], args[2])
        }

        fn time(&self, name: &str, clock: usize) -> [u64; 2] {
            let mut time = [u64::MAX; 2];
            let to = std::ptr::from_mut(&mut time) as usize;
            let args = if name == "gettimeofday" {
                [to, 0, 0]
            } else {
                [clock, to, 0]
            };
            assert_eq!(self.call(name, args), 0);
            time
        }
    }

    impl Drop for Loaded {
        fn drop(&mut self) {
            // SAFETY: mapped by `new`, used no more.
            unsafe { libc::munmap(self.memory.cast(), SIZE) };
        }
    }

    fn fixed(ns: u64) -> TimeData {
        let mut data = TimeData {
            base_tsc: tsc(),
            valid: u64::MAX,
            base_ns: ns,
            clocks: 0b11,
            cpus: 1,
            ..TimeData::default()
        };
        data.offsets[0] = 1_000_000_000_000_000_000;
        data
    }

    #[test]
    fn times_are_split_exactly() {
        let vdso = Loaded::new();
        for ns in [
            0,
            1,
            999_999_999,
            1_000_000_000,
            1_999_999_999,
            123_456_789_012_345_678,
            4_000_000_000_999_999_999,
        ] {
            vdso.set(&fixed(ns));
            let time = vdso.time("clock_gettime", 1);
            assert_eq!(time, [ns / 1_000_000_000, ns % 1_000_000_000]);
            let real = ns + 1_000_000_000_000_000_000;
            let time = vdso.time("clock_gettime", 0);
            assert_eq!(time, [real / 1_000_000_000, real % 1_000_000_000]);
            let time = vdso.time("gettimeofday", 0);
            assert_eq!(time, [real / 1_000_000_000, real / 1000 % 1_000_000]);
            let seconds = vdso.call("time", [0; 3]);
            assert_eq!(seconds, i64::try_from(real / 1_000_000_000).unwrap());
        }
        assert_eq!(vdso.time("clock_getres", 1), [0, 1]);
    }

    #[test]
    fn counts_become_nanoseconds() {
        let vdso = Loaded::new();
        let mut data = fixed(0);
        // Half a nanosecond for a count; a second ago.
        data.rate = 1 << 31;
        data.base_tsc = tsc() - 2_000_000_000;
        vdso.set(&data);
        let [sec, ns] = vdso.time("clock_gettime", 1);
        assert_eq!(sec, 1);
        assert!(ns < 500_000_000, "{ns}");
    }

    #[test]
    fn what_is_not_known_is_asked() {
        let vdso = Loaded::new();
        let host = |clock| {
            let time = nix::time::clock_gettime(nix::time::ClockId::from_raw(clock)).unwrap();
            time.tv_sec()
        };
        let near = |clock: i32| {
            let clock_arg = usize::try_from(clock).unwrap();
            let [sec, _] = vdso.time("clock_gettime", clock_arg);
            (host(clock) - i64::try_from(sec).unwrap()).abs() <= 1
        };
        let mut data = fixed(77);
        data.valid = 0;
        vdso.set(&data);
        assert!(near(1));
        assert!(near(0));
        data = fixed(77);
        data.sequence = 1;
        vdso.set(&data);
        assert!(near(1));
        data.sequence = 2;
        data.clocks = 0;
        vdso.set(&data);
        assert!(near(1));
        let mut time = [0u64; 2];
        let to = std::ptr::from_mut(&mut time) as usize;
        assert_eq!(vdso.call("clock_gettime", [99, to, 0]), -22);
        assert_eq!(vdso.call("clock_getres", [99, to, 0]), -22);
        let mut cpu = [u32::MAX; 2];
        let to = std::ptr::from_mut(&mut cpu) as usize;
        assert_eq!(vdso.call("getcpu", [to, 0, 0]), 0);
        assert_ne!(cpu[0], u32::MAX);
        if has_rdtscp() {
            data.flags = TimeData::HAS_CPU;
            vdso.set(&data);
            assert_eq!(vdso.call("getcpu", [to, to + 4, 0]), 0);
            assert_eq!(cpu, [0, 0]);
        }
    }
}
