//! Sets of processors as text; bit 0 is the first.

use crate::fs::synth::put;

/// Words of 32 bits, highest first, separated by commas: as many as `cpus` take.
#[must_use]
pub fn mask(set: u64, cpus: u32) -> String {
    let (high, low) = (set >> 32, set & u64::from(u32::MAX));
    if cpus > 32 {
        format!("{high:x},{low:08x}")
    } else {
        format!("{low:x}")
    }
}

/// `0-3,5`.
#[must_use]
pub fn list(set: u64) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < u64::BITS {
        let rest = set >> at;
        if rest == 0 {
            break;
        }
        let start = at + rest.trailing_zeros();
        let last = start + (set >> start).trailing_ones() - 1;
        let comma = if text.is_empty() { "" } else { "," };
        if start == last {
            put!(text, "{comma}{start}");
        } else {
            put!(text, "{comma}{start}-{last}");
        }
        at = last + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{list, mask};

    #[test]
    fn processor_sets() {
        assert_eq!((mask(1, 1), mask(3, 2)), ("1".into(), "3".into()));
        assert_eq!(mask(0xffff_ffff, 32), "ffffffff");
        assert_eq!(mask(0x1_ffff_ffff, 33), "1,ffffffff");
        assert_eq!(mask(1, 64), "0,00000001");
        assert_eq!(
            (list(0), list(1), list(3)),
            ("".into(), "0".into(), "0-1".into())
        );
        assert_eq!(list(0b1011_0110), "1-2,4-5,7");
        assert_eq!(list(u64::MAX), "0-63");
    }
}
