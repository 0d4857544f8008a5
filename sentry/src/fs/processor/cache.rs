//! Caches, from CPUID's deterministic cache parameters.

use platform::host::cpu::cpuid;

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Data.
    Data,
    /// Instructions.
    Instruction,
    /// Both.
    Unified,
}

impl CacheKind {
    /// As sysfs names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CacheKind::Data => "Data",
            CacheKind::Instruction => "Instruction",
            CacheKind::Unified => "Unified",
        }
    }
}

/// A cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 is the nearest.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Size.
    pub bytes: u64,
    /// Bytes in a line.
    pub line: u32,
    /// Ways of associativity.
    pub ways: u32,
    /// Number of sets.
    pub sets: u32,
}

/// No processor has more.
const MOST: u32 = 8;

/// All caches, nearest first.
pub(super) fn find(vendor: &str) -> Vec<Cache> {
    let leaf = if vendor == "GenuineIntel" {
        4
    } else {
        0x8000_001d
    };
    let mut caches = Vec::new();
    for index in 0..MOST {
        let found = cpuid(leaf, index);
        let kind = match found.eax & 0x1f {
            1 => CacheKind::Data,
            2 => CacheKind::Instruction,
            3 => CacheKind::Unified,
            _ => break,
        };
        let line = (found.ebx & 0xfff) + 1;
        let partitions = ((found.ebx >> 12) & 0x3ff) + 1;
        let ways = (found.ebx >> 22) + 1;
        let sets = found.ecx.saturating_add(1);
        let bytes = [line, partitions, ways, sets]
            .iter()
            .fold(1_u64, |product, &n| product.saturating_mul(n.into()));
        caches.push(Cache {
            level: (found.eax >> 5) & 7,
            kind,
            bytes,
            line,
            ways,
            sets,
        });
    }
    caches
}
