//! `#!` lines, execve(2) "Interpreter scripts".

use syscalls::Errno;
use syscalls::errno::ENOEXEC;

/// How much of a file's start decides what it is, bytes.
pub(super) const HEAD: usize = 256;

/// An interpreter line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The interpreter's path.
    pub(super) interpreter: Vec<u8>,
    /// The rest of the line, if there is one.
    pub(super) argument: Option<Vec<u8>>,
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn ends_word(byte: u8) -> bool {
    is_blank(byte) || byte == 0
}

/// Reads the line at the start of `head`, a file's first bytes, zeros after its end;
/// `None` if it is no script. `ENOEXEC` if no interpreter is named, or its name may be
/// cut off.
pub(super) fn parse(head: &[u8; HEAD]) -> Result<Option<Script>, Errno> {
    let Some(rest) = head.strip_prefix(b"#!") else {
        return Ok(None);
    };
    // The last byte never counts: 255 bytes make the longest line.
    let rest = rest.get(..HEAD - 3).unwrap_or_default();
    let line = match rest.iter().position(|&b| b == b'\n') {
        Some(end) => rest.get(..end).unwrap_or_default(),
        None => {
            let start = rest.iter().position(|&b| !is_blank(b)).ok_or(ENOEXEC)?;
            let words = rest.get(start..).unwrap_or_default();
            if !words.iter().any(|&b| ends_word(b)) {
                return Err(ENOEXEC);
            }
            rest
        }
    };
    let start = line.iter().position(|&b| !is_blank(b)).ok_or(ENOEXEC)?;
    let end = line
        .iter()
        .rposition(|&b| !is_blank(b))
        .map_or(0, |at| at + 1);
    let line = line.get(start..end).unwrap_or_default();
    let name_end = line
        .iter()
        .position(|&b| ends_word(b))
        .unwrap_or(line.len());
    let (name, after) = line.split_at(name_end);
    if name.is_empty() {
        return Err(ENOEXEC);
    }
    // A NUL ends the line.
    let argument = match after.first() {
        Some(&blank) if is_blank(blank) => {
            let start = after.iter().position(|&b| !is_blank(b));
            let text = start
                .and_then(|start| after.get(start..))
                .unwrap_or_default();
            let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
            text.get(..end).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    Ok(Some(Script {
        interpreter: name.to_vec(),
        argument: argument.map(<[u8]>::to_vec),
    }))
}

#[cfg(test)]
mod tests {
    use super::{HEAD, Script, parse};
    use syscalls::Errno;
    use syscalls::errno::ENOEXEC;

    fn head(text: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..text.len()].copy_from_slice(text);
        head
    }

    /// Interpreter and argument.
    type Line = (Vec<u8>, Option<Vec<u8>>);

    fn parsed(text: &[u8]) -> Result<Option<Line>, Errno> {
        let script = parse(&head(text))?;
        Ok(script.map(
            |Script {
                 interpreter,
                 argument,
             }| (interpreter, argument),
        ))
    }

    fn script(interpreter: &str, argument: Option<&str>) -> Option<Line> {
        Some((interpreter.into(), argument.map(Into::into)))
    }

    #[test]
    fn lines() {
        assert_eq!(parsed(b"\x7fELF"), Ok(None));
        assert_eq!(parsed(b"#!/bin/sh\n"), Ok(script("/bin/sh", None)));
        assert_eq!(parsed(b"#!/bin/sh"), Ok(script("/bin/sh", None)));
        assert_eq!(
            parsed(b"#! \t/usr/bin/env  python3 -u \t\nx"),
            Ok(script("/usr/bin/env", Some("python3 -u")))
        );
        assert_eq!(parsed(b"#!/a\0b c\n"), Ok(script("/a", None)));
        assert_eq!(parsed(b"#!/a b\0c\n"), Ok(script("/a", Some("b"))));
        assert_eq!(parsed(b"#!\n"), Err(ENOEXEC));
        assert_eq!(parsed(b"#! \t \n"), Err(ENOEXEC));
        assert_eq!(parsed(b"#!"), Err(ENOEXEC));
        assert_eq!(parsed(&[&b"#!"[..], &[b' '; 254]].concat()), Err(ENOEXEC));
    }

    #[test]
    fn lines_that_are_cut_off() {
        let long = [&b"#!/"[..], &[b'a'; 253]].concat();
        assert_eq!(parsed(&long), Err(ENOEXEC));
        // 255 bytes with the end of the line are the most.
        let mut just = [&b"#!/"[..], &[b'a'; 251], b"\n"].concat();
        assert_eq!(
            parsed(&just),
            Ok(script(&format!("/{}", "a".repeat(251)), None))
        );
        just.insert(3, b'a');
        assert_eq!(parsed(&just), Err(ENOEXEC));
        // A cut-off argument is taken as it is.
        let argument = [&b"#!/a "[..], &[b'b'; 251]].concat();
        assert_eq!(parsed(&argument), Ok(script("/a", Some(&"b".repeat(250)))));
    }
}
