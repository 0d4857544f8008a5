//! `runsk --version`.
//!
//! containerd's go-runc reads the first line only if it begins with "runc version ", and
//! Docker takes what stands before "version" for the runtime's name. So the first line
//! says "runc", and the version's build metadata says what it really is: a semantic
//! version that callers can compare.

use crate::spec::OCI_VERSION;

pub(super) fn text() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("runc version {version}+runsk\ncommit: {version}\nspec: {OCI_VERSION}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn go_runc_can_parse_it() {
        let text = super::text();
        let mut lines = text.lines();
        let first = lines.next().and_then(|l| l.strip_prefix("runc version "));
        assert!(first.is_some_and(|version| version.ends_with("+runsk")));
        assert!(lines.next().is_some_and(|l| l.starts_with("commit: ")));
        assert!(lines.next().is_some_and(|l| l.starts_with("spec: 1.")));
    }
}
