//! Known gaps: `tests/expected-failures.txt`, one a line, each with its cause.
//!
//! `case | platform | cause`; `*` at the end of a case, or as a platform, stands for anything.
//! A case that is listed and passes fails the suite, so that the list stays true.

use std::sync::OnceLock;

/// One line of the list.
#[derive(Debug)]
struct Gap {
    case: String,
    platform: String,
    cause: String,
}

/// Why this case (or `case#section`) is expected to fail on this platform, if it is.
///
/// # Panics
/// When the list has a line that is not of its form.
#[must_use]
pub fn cause(case: &str, platform: &str) -> Option<&'static str> {
    static GAPS: OnceLock<Vec<Gap>> = OnceLock::new();
    let gaps = GAPS.get_or_init(|| {
        parse(include_str!("../expected-failures.txt")).unwrap_or_else(|line| {
            panic!("expected-failures.txt: not `case | platform | cause`: {line}")
        })
    });
    gaps.iter()
        .find(|gap| matches(&gap.case, case) && matches(&gap.platform, platform))
        .map(|gap| gap.cause.as_str())
}

fn parse(text: &str) -> Result<Vec<Gap>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.splitn(3, '|').map(|field| field.trim().to_owned());
            match (fields.next(), fields.next(), fields.next()) {
                (Some(case), Some(platform), Some(cause)) if !cause.is_empty() => Ok(Gap {
                    case,
                    platform,
                    cause,
                }),
                _ => Err(line.to_owned()),
            }
        })
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{matches, parse};

    #[test]
    fn lines() {
        let gaps = parse("# c\n\na/b | ptrace | no | pipes\n").expect("well formed");
        assert_eq!((gaps.len(), gaps[0].cause.as_str()), (1, "no | pipes"));
        assert!(parse("a/b | ptrace").is_err());
        assert!(parse("a/b | ptrace |").is_err());
    }

    #[test]
    fn patterns() {
        assert!(matches("a/*", "a/b") && matches("*", "x") && matches("a", "a"));
        assert!(!matches("a", "ab") && !matches("b/*", "a/b"));
    }
}
