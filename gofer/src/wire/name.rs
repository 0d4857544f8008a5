//! Names of directory entries.

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENAMETOOLONG};

/// Longest name, bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// Lets only pass what names an entry of a directory and nothing else: `EINVAL` for an
/// empty name, `.`, `..` and one with `/` or NUL, `ENAMETOOLONG`.
pub(crate) fn check(name: &[u8]) -> Result<(), Errno> {
    if name.len() > NAME_MAX {
        return Err(ENAMETOOLONG);
    }
    if matches!(name, b"" | b"." | b"..") || name.iter().any(|&b| b == b'/' || b == 0) {
        return Err(EINVAL.why("not a name of a directory entry"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use syscalls::errno::{EINVAL, ENAMETOOLONG};

    #[test]
    fn names() {
        for good in [&b"a"[..], b"...", b".a", b"..b", &[0xff; 255]] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in [&b""[..], b".", b"..", b"/", b"a/b", b"a\0", b"../x"] {
            assert_eq!(check(bad), Err(EINVAL));
        }
        assert_eq!(check(&[b'a'; 256]), Err(ENAMETOOLONG));
    }
}
