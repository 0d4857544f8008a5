//! The processor that the sandbox runs on, as proc and sysfs show it.

mod cache;
mod features;
mod sets;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use platform::host::clock;
use platform::host::cpu::{Leaf, cpuid};

pub use cache::{Cache, CacheKind};
pub use sets::{list, mask};

/// What does not differ from one processor to the next.
pub struct Processor {
    /// `GenuineIntel`, `AuthenticAMD`.
    pub vendor: String,
    /// Family.
    pub family: u32,
    /// Model.
    pub model: u32,
    /// Stepping.
    pub stepping: u32,
    /// Model name.
    pub name: String,
    /// Highest standard leaf of CPUID.
    pub level: u32,
    /// Features as Linux names them, separated by spaces.
    pub features: String,
    /// Bytes in a cache line.
    pub line: u32,
    /// Bits of physical addresses.
    pub physical_bits: u32,
    /// Bits of virtual addresses.
    pub virtual_bits: u32,
    /// Caches of one processor, as it sees them.
    pub caches: Vec<Cache>,
    /// Rate of the time stamp counter, kHz.
    pub khz: u64,
}

/// A point of time on both clocks, to measure the counter's rate from.
static START: OnceLock<(Instant, u64)> = OnceLock::new();

fn start() -> (Instant, u64) {
    *START.get_or_init(|| (Instant::now(), clock::tsc()))
}

/// Makes [`Processor::get`] quicker when it is called some time later.
pub fn prepare() {
    start();
}

/// Over less, the measured rate would be wrong by more than a thousandth.
const LEAST: Duration = Duration::from_millis(2);

fn measured_khz() -> u64 {
    if let Some(hz) = clock::tsc_rate() {
        return hz / 1000;
    }
    let (instant, counter) = start();
    if let Some(left) = LEAST.checked_sub(instant.elapsed()) {
        std::thread::sleep(left);
    }
    let cycles = clock::tsc().saturating_sub(counter);
    let ns = u64::try_from(instant.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let khz = u128::from(cycles) * 1_000_000 / u128::from(ns.max(1));
    u64::try_from(khz).unwrap_or(0)
}

/// Characters that registers hold.
fn text(registers: &[u32]) -> String {
    let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&bytes);
    text.trim_matches(|c: char| c == '\0' || c == ' ')
        .to_owned()
}

impl Processor {
    /// This machine's.
    pub fn get() -> &'static Processor {
        static FOUND: OnceLock<Processor> = OnceLock::new();
        FOUND.get_or_init(Processor::find)
    }

    /// True for AMD's and its relatives.
    #[must_use]
    pub fn is_amd(&self) -> bool {
        matches!(&*self.vendor, "AuthenticAMD" | "HygonGenuine")
    }

    fn find() -> Processor {
        let first = cpuid(0, 0);
        let vendor = text(&[first.ebx, first.edx, first.ecx]);
        let Leaf { eax, ebx, .. } = cpuid(1, 0);
        let (base_family, base_model) = ((eax >> 8) & 0xf, (eax >> 4) & 0xf);
        let family = if base_family == 0xf {
            base_family + ((eax >> 20) & 0xff)
        } else {
            base_family
        };
        let model = if base_family >= 6 {
            base_model | ((eax >> 12) & 0xf0)
        } else {
            base_model
        };
        let name: Vec<u32> = (0x8000_0002..=0x8000_0004)
            .map(|leaf| cpuid(leaf, 0))
            .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
            .collect();
        let sizes = cpuid(0x8000_0008, 0).eax;
        let bits = |bits, default| if bits == 0 { default } else { bits };
        Processor {
            family,
            model,
            stepping: eax & 0xf,
            name: text(&name),
            level: first.eax,
            features: features::names(),
            line: bits(((ebx >> 8) & 0xff) * 8, 64),
            physical_bits: bits(sizes & 0xff, 36),
            virtual_bits: bits((sizes >> 8) & 0xff, 48),
            caches: cache::find(&vendor),
            khz: measured_khz(),
            vendor,
        }
    }

    /// The size that /proc/cpuinfo shows, KiB.
    #[must_use]
    pub fn cache_kib(&self) -> u64 {
        // Of AMD's, Linux shows the second level; of others the last.
        let shown = |cache: &&Cache| !self.is_amd() || cache.level == 2;
        let last = self.caches.iter().filter(shown).max_by_key(|c| c.level);
        last.map_or(0, |cache| cache.bytes / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::Processor;

    #[test]
    fn agrees_with_the_host() {
        let Ok(host) = std::fs::read_to_string("/proc/cpuinfo") else {
            return;
        };
        let field = |name: &str| {
            let line = host.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(": "))
                .map_or("", |(_, value)| value)
        };
        let own = Processor::get();
        assert_eq!(own.vendor, field("vendor_id"));
        assert_eq!(own.name, field("model name"));
        assert_eq!(own.family.to_string(), field("cpu family"));
        assert_eq!(own.model.to_string(), field("model\t"));
        assert_eq!(format!("{} KB", own.cache_kib()), field("cache size"));
        let mhz: f64 = field("cpu MHz").parse().unwrap_or(0.0);
        let bogo: f64 = field("bogomips").parse().unwrap_or(0.0);
        let khz = own.khz as f64;
        assert!(
            (khz / 1000.0 - bogo / 2.0).abs() < mhz / 50.0,
            "{khz} kHz, {mhz} MHz"
        );
        // What is shown here is there on the host; not all of the host's is shown.
        let flags: Vec<&str> = field("flags").split(' ').collect();
        let own: Vec<&str> = own.features.split(' ').collect();
        assert!(own.contains(&"sse2") && own.contains(&"fpu"));
        let unknown: Vec<_> = own.iter().filter(|f| !flags.contains(f)).collect();
        assert!(unknown.len() < 8, "{unknown:?}");
        let missed: Vec<_> = flags.iter().filter(|f| !own.contains(f)).collect();
        assert!(missed.len() < 16, "{missed:?}");
    }
}
