//! Mount options.

use std::fmt::Write;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use crate::task::Credentials;
use crate::vfs::Mode;

/// See tmpfs(5).
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes; `None`: half of the memory.
    pub size: Option<u64>,
    /// Of the root directory.
    pub mode: Mode,
    /// Of the root directory.
    pub uid: u32,
    /// Of the root directory.
    pub gid: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            size: None,
            mode: Mode::from_raw(0o1777),
            uid: 0,
            gid: 0,
        }
    }
}

/// "64k", "10M", "1g": bytes.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Options {
    /// From mount(2)'s data, for `creds`; `total` is the sandbox's memory for sizes in
    /// percent.
    /// Options that do not matter here (nr_inodes, huge, mpol, inode64 …) are accepted.
    pub fn parse<'a>(
        data: impl Iterator<Item = &'a str>,
        total: u64,
        creds: &Credentials,
    ) -> Result<Self, Errno> {
        let mut options = Options {
            uid: creds.uid.fs,
            gid: creds.gid.fs,
            ..Options::default()
        };
        for option in data.filter(|o| !o.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "size" => {
                    let percent = value.strip_suffix('%').map(str::parse::<u64>);
                    let bytes = match percent {
                        Some(percent) => percent.ok().and_then(|p| (total / 100).checked_mul(p)),
                        None => size(value),
                    };
                    options.size = Some(bytes.ok_or(EINVAL)?);
                }
                "nr_blocks" => options.size = size(value).and_then(|n| n.checked_mul(4096)),
                "mode" => {
                    options.mode =
                        Mode::from_raw(u32::from_str_radix(value, 8).map_err(|_| EINVAL)?)
                }
                "uid" => {
                    let uid = value.parse().map_err(|_| EINVAL)?;
                    options.uid = creds.user.kernel_uid(uid).ok_or(EINVAL)?;
                }
                "gid" => {
                    let gid = value.parse().map_err(|_| EINVAL)?;
                    options.gid = creds.user.kernel_gid(gid).ok_or(EINVAL)?;
                }
                _ => log::debug!("tmpfs: option {option} has no effect"),
            }
        }
        // size=0 means no limit of its own.
        options.size = options.size.filter(|&bytes| bytes != 0);
        Ok(options)
    }

    /// As /proc/mounts shows them.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        if let Some(bytes) = self.size {
            // Writing to a string does not fail.
            let _ = write!(text, ",size={}k", bytes / 1024);
        }
        if self.mode != Mode::from_raw(0o1777) {
            let _ = write!(text, ",mode={:o}", self.mode.bits());
        }
        if self.uid != 0 {
            let _ = write!(text, ",uid={}", self.uid);
        }
        if self.gid != 0 {
            let _ = write!(text, ",gid={}", self.gid);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Options};

    #[test]
    fn options_parse_and_show() {
        let parse = |text: &str| Options::parse(text.split(','), 1 << 30, &Credentials::default());
        let options = parse("size=65536k,mode=755,uid=5,nr_inodes=4k").expect("valid");
        assert_eq!(options.size, Some(64 << 20));
        assert_eq!(options.shown(), ",size=65536k,mode=755,uid=5");
        assert_eq!(
            parse("size=50%").expect("valid").size,
            Some((1 << 30) / 100 * 50)
        );
        assert!(parse("size=huge").is_err());
        assert!(parse("mode=9").is_err());
        assert_eq!(parse("").expect("valid").shown(), "");
    }
}
