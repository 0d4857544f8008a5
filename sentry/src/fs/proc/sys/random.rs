//! Random UUIDs, random(4).

use std::sync::OnceLock;

use platform::host::random;
use syscalls::Errno;

use crate::fs::synth::put;

/// Identifies one start of the kernel. Made when somebody asks first.
#[derive(Debug, Default)]
pub struct BootId(OnceLock<String>);

impl BootId {
    /// A UUID that stays the same.
    pub fn text(&self) -> Result<&str, Errno> {
        if let Some(text) = self.0.get() {
            return Ok(text);
        }
        let new = uuid()?;
        Ok(self.0.get_or_init(|| new))
    }
}

/// A random UUID, version 4.
pub(super) fn uuid() -> Result<String, Errno> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        put!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{BootId, uuid};

    #[test]
    fn uuids_have_their_form() {
        let first = uuid().expect("the host has randomness");
        let parts: Vec<usize> = first.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(first.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&first.as_bytes()[19]));
        assert_ne!(Ok(first), uuid());
    }

    #[test]
    fn a_boot_has_one() {
        let boot = BootId::default();
        assert_eq!(boot.text(), boot.text());
    }
}
