//! Features by the names that Linux gives them.
//!
//! Left out: what applications cannot use here (virtualisation, memory protection keys,
//! shadow stacks, AMX, which takes a permission of its own).

use platform::host::clock;
use platform::host::cpu::{Leaf, cpuid};

/// Bits of one register, from bit 0; names are separated by spaces, "-" is a bit without
/// one.
struct Word {
    leaf: u32,
    subleaf: u32,
    register: fn(Leaf) -> u32,
    names: &'static str,
}

const fn eax(leaf: Leaf) -> u32 {
    leaf.eax
}

const fn ebx(leaf: Leaf) -> u32 {
    leaf.ebx
}

const fn ecx(leaf: Leaf) -> u32 {
    leaf.ecx
}

const fn edx(leaf: Leaf) -> u32 {
    leaf.edx
}

/// In the order of /proc/cpuinfo. What the processor does not tell but Linux knows comes
/// after the second.
const WORDS: [Word; 12] = [
    Word {
        leaf: 1,
        subleaf: 0,
        register: edx,
        names: "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn \
                clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
    },
    Word {
        leaf: 0x8000_0001,
        subleaf: 0,
        register: edx,
        names: "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt \
                pdpe1gb rdtscp - lm 3dnowext 3dnow",
    },
    Word {
        leaf: 1,
        subleaf: 0,
        register: ecx,
        names: "pni pclmulqdq dtes64 monitor ds_cpl - smx est tm2 ssse3 cid sdbg fma cx16 xtpr \
                pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave \
                - avx f16c rdrand hypervisor",
    },
    Word {
        leaf: 0x8000_0001,
        subleaf: 0,
        register: ecx,
        names: "lahf_lm cmp_legacy - extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch \
                osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core \
                perfctr_nb - bpext ptsc perfctr_llc mwaitx",
    },
    Word {
        leaf: 7,
        subleaf: 0,
        register: ebx,
        names: "fsgsbase tsc_adjust - bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx \
                rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt \
                avx512pf avx512er avx512cd sha_ni avx512bw avx512vl",
    },
    Word {
        leaf: 0xd,
        subleaf: 1,
        register: eax,
        names: "xsaveopt xsavec xgetbv1 xsaves",
    },
    Word {
        leaf: 7,
        subleaf: 1,
        register: eax,
        names: "- - - - avx_vnni avx512_bf16 - - - - - - - - - - - - - - - - - avx_ifma",
    },
    Word {
        leaf: 0x8000_0008,
        subleaf: 0,
        register: ebx,
        names: "clzero irperf xsaveerptr - rdpru - - - - wbnoinvd",
    },
    Word {
        leaf: 6,
        subleaf: 0,
        register: eax,
        names: "dtherm ida arat - pln - pts hwp",
    },
    Word {
        leaf: 7,
        subleaf: 0,
        register: ecx,
        names: "- avx512vbmi umip - - waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni \
                avx512_bitalg - avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect \
                cldemote - movdiri movdir64b",
    },
    Word {
        leaf: 0x8000_0007,
        subleaf: 0,
        register: ebx,
        names: "overflow_recov succor - smca",
    },
    Word {
        leaf: 7,
        subleaf: 0,
        register: edx,
        names: "- - - - fsrm - - - avx512_vp2intersect - md_clear - - - serialize - \
                tsxldtrk - - - - - - avx512_fp16",
    },
];

/// All that are there, separated by spaces.
pub(super) fn names() -> String {
    let mut all: Vec<&str> = Vec::new();
    for (index, word) in WORDS.iter().enumerate() {
        let bits = (word.register)(cpuid(word.leaf, word.subleaf));
        let names = word.names.split_ascii_whitespace().enumerate();
        all.extend(
            names
                .filter(|&(bit, name)| name != "-" && bits & (1 << bit) != 0)
                .map(|(_, name)| name),
        );
        if index == 1 {
            if clock::tsc_is_invariant() {
                all.push("constant_tsc");
            }
            all.extend(["rep_good", "nopl", "xtopology"]);
            if clock::tsc_is_invariant() {
                all.push("nonstop_tsc");
            }
            all.push("cpuid");
        }
    }
    all.join(" ")
}
