//! What an administrator changes at run time, sysctl(8): /proc/sys.
//!
//! Names and defaults stand where they are shown (`fs/proc/sys`); here is what differs
//! from the defaults. Who obeys a setting asks for it by its name.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use crate::sync::{Level, Mutex};

/// Changed settings by name, as `vm.swappiness`.
#[derive(Debug)]
pub struct Sysctls {
    numbers: Mutex<BTreeMap<&'static str, i64>>,
    texts: Mutex<BTreeMap<&'static str, Vec<u8>>>,
}

impl Default for Sysctls {
    fn default() -> Self {
        Sysctls {
            numbers: Mutex::new(Level::Leaf, BTreeMap::new()),
            texts: Mutex::new(Level::Leaf, BTreeMap::new()),
        }
    }
}

impl Sysctls {
    /// A number; `default` unless it was changed.
    pub fn number(&self, name: &str, default: i64) -> i64 {
        self.numbers.lock().get(name).copied().unwrap_or(default)
    }

    /// Changes a number, given as text; `EINVAL` for what is no number or not in `range`.
    pub fn set_number(
        &self,
        name: &'static str,
        text: &[u8],
        range: RangeInclusive<i64>,
    ) -> Result<(), Errno> {
        let number = parse(text).filter(|number| range.contains(number));
        self.numbers.lock().insert(name, number.ok_or(EINVAL)?);
        Ok(())
    }

    /// A text, without the newline that ends it when read; `default` unless it was changed.
    pub fn text(&self, name: &str, default: &str) -> Vec<u8> {
        let texts = self.texts.lock();
        texts
            .get(name)
            .map_or(default.as_bytes(), Vec::as_slice)
            .to_vec()
    }

    /// Changes a text: the first line of `text`, at most `max` bytes of it.
    pub fn set_text(&self, name: &'static str, text: &[u8], max: usize) {
        let text = first_line(text);
        let text = text.get(..max).unwrap_or(text);
        self.texts.lock().insert(name, text.to_vec());
    }
}

/// What stands before the first newline or NUL.
#[must_use]
pub fn first_line(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b'\n' || byte == 0)
        .next()
        .unwrap_or_default()
}

/// A number as the kernel reads one: decimal, octal after 0, hexadecimal after 0x, spaces
/// around it.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(rest), _) => (rest, 16),
        (None, Some(rest)) if !rest.is_empty() => (rest, 8),
        _ => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::{Sysctls, parse};

    #[test]
    fn numbers_as_the_kernel_reads_them() {
        let cases: [(&[u8], Option<i64>); 9] = [
            (b"60\n", Some(60)),
            (b"  -1 \n", Some(-1)),
            (b"0", Some(0)),
            (b"010", Some(8)),
            (b"0x1f\n", Some(31)),
            (b"", None),
            (b"1 2", None),
            (b"--1", None),
            (b"99999999999999999999", None),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), number, "{text:?}");
        }
    }

    #[test]
    fn defaults_hold_until_changed() {
        let sysctls = Sysctls::default();
        assert_eq!(sysctls.number("vm.swappiness", 60), 60);
        assert!(
            sysctls
                .set_number("vm.swappiness", b"201\n", 0..=200)
                .is_err()
        );
        assert_eq!(
            sysctls.set_number("vm.swappiness", b"10\n", 0..=200),
            Ok(())
        );
        assert_eq!(sysctls.number("vm.swappiness", 60), 10);
        sysctls.set_text("kernel.core_pattern", b"/tmp/core\nrest", 127);
        assert_eq!(sysctls.text("kernel.core_pattern", "core"), b"/tmp/core");
    }
}
