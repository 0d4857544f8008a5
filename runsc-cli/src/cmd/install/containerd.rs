//! containerd's config.toml: a runtime of its Kubernetes service. (Other clients name a
//! runtime themselves.)

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::{Change, NAME, Wanted};
use crate::failure::{Failure, Outcome};

/// The program that containerd looks for.
pub(super) const SHIM: &str = "containerd-shim-runsk-v1";
const TYPE: &str = "io.containerd.runsk.v1";
const CONTAINERD: &str = "containerd";
const RUNTIMES: &str = "runtimes";
const TYPE_KEY: &str = "runtime_type";
/// For a file that says nothing yet; containerd 1 and 2 read it.
const VERSION: i64 = 2;

/// What the text is to become.
pub(super) fn change(text: &str, wanted: Wanted<'_>) -> Outcome<Change> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| Failure::new(format!("it is not TOML: {error}")))?;
    let is_new = document.is_empty();
    let version = match document.get("version") {
        None if is_new => VERSION,
        // containerd takes a file without it for one of the first version.
        None => 1,
        Some(version) => version
            .as_integer()
            .ok_or_else(|| Failure::new("version is not a number"))?,
    };
    let service = service(version)?;
    match wanted {
        Wanted::Installed(_) => {
            if is_new {
                document.insert("version", value(VERSION));
            }
            let mut table: &mut dyn TableLike = document.as_table_mut();
            for key in service.iter().chain(&[CONTAINERD, RUNTIMES]) {
                table = below(table, key)?;
            }
            let runtime = table
                .entry(NAME)
                .or_insert_with(|| Item::Table(Table::new()));
            let runtime = runtime
                .as_table_like_mut()
                .ok_or_else(|| not_a_table(NAME))?;
            if runtime.get(TYPE_KEY).and_then(Item::as_str) == Some(TYPE) {
                return Ok(Change::None);
            }
            runtime.insert(TYPE_KEY, value(TYPE));
        }
        Wanted::Removed => {
            if !remove(document.as_table_mut(), service)? {
                return Ok(Change::None);
            }
        }
    }
    Ok(Change::To(document.to_string()))
}

/// Where a version has the Kubernetes service.
fn service(version: i64) -> Outcome<&'static [&'static str]> {
    match version {
        1 => Ok(&["plugins", "cri"]),
        2 => Ok(&["plugins", "io.containerd.grpc.v1.cri"]),
        3 => Ok(&["plugins", "io.containerd.cri.v1.runtime"]),
        other => Err(Failure::new(format!(
            "version {other} is not known: 1, 2 and 3 are"
        ))),
    }
}

/// A table of this name; a new one is not written until something is in it.
fn below<'a>(table: &'a mut dyn TableLike, key: &str) -> Outcome<&'a mut dyn TableLike> {
    let new = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let item = table.entry(key).or_insert_with(new);
    item.as_table_like_mut().ok_or_else(|| not_a_table(key))
}

fn not_a_table(key: &str) -> Failure {
    Failure::new(format!("{key} is not a table"))
}

/// Whether there was anything to remove.
fn remove(document: &mut Table, service: &[&str]) -> Outcome<bool> {
    let mut table: &mut dyn TableLike = document;
    for key in service.iter().chain(&[CONTAINERD]) {
        table = match table.get_mut(key) {
            Some(item) => item.as_table_like_mut().ok_or_else(|| not_a_table(key))?,
            None => return Ok(false),
        };
    }
    const DEFAULT: &str = "default_runtime_name";
    if table.get(DEFAULT).and_then(Item::as_str) == Some(NAME) {
        return Err(Failure::new(format!(
            "{DEFAULT} is {NAME}: containerd would not start containers without it: choose \
             another first"
        )));
    }
    let runtimes = table.get_mut(RUNTIMES).and_then(Item::as_table_like_mut);
    Ok(runtimes.is_some_and(|runtimes| runtimes.remove(NAME).is_some()))
}

/// Whether our PATH has it; containerd's may be another one.
pub(super) fn shim_is_on_path() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(SHIM).is_file())
}

#[cfg(test)]
mod tests {
    use super::super::Wanted;
    use super::super::samples::{self, installed};
    use super::change;

    fn changed(text: &str, wanted: Wanted<'_>) -> Option<String> {
        samples::changed(change, text, wanted)
    }

    #[test]
    fn a_new_file() {
        let text = changed("", installed()).expect("a change");
        assert_eq!(
            text,
            "version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runsk]\n\
             runtime_type = \"io.containerd.runsk.v1\"\n"
        );
        assert_eq!(changed(&text, installed()), None);
        assert_eq!(
            changed(&text, Wanted::Removed).as_deref(),
            Some("version = 2\n")
        );
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        let text = "# mine\nversion = 2 # two\nroot   = '/var'\n\n[grpc]\n  address = \"/a\"\n\n\
                    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc] # c\n  \
                    runtime_type = \"io.containerd.runc.v2\"\n\n[debug]\n  level = \"info\"\n";
        let with = changed(text, installed()).expect("a change");
        assert!(with.contains("runtimes.runsk]\nruntime_type = \"io.containerd.runsk.v1\"\n"));
        assert!(
            with.contains("version = 2 # two\nroot   = '/var'"),
            "{with}"
        );
        assert_eq!(changed(&with, Wanted::Removed).as_deref(), Some(text));
        assert_eq!(changed(text, Wanted::Removed), None);
        assert_eq!(changed("", Wanted::Removed), None);
    }

    #[test]
    fn versions() {
        let three = changed("version = 3\n", installed()).expect("a change");
        assert!(
            three.contains("[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runsk]")
        );
        let one = changed("root = \"/r\"\n", installed()).expect("a change");
        assert!(
            one.contains("[plugins.cri.containerd.runtimes.runsk]"),
            "{one}"
        );
        assert!(!one.contains("version"), "{one}");
    }

    #[test]
    fn inline_tables() {
        let text = "version = 2\nplugins = { \"io.containerd.grpc.v1.cri\" = { x = 1 } }\n";
        let with = changed(text, installed()).expect("a change");
        assert_eq!(changed(&with, installed()), None);
    }

    #[test]
    fn refusals() {
        let said = |text, wanted| change(text, wanted).expect_err(text).to_string();
        assert!(said("= 5", installed()).starts_with("it is not TOML"));
        assert!(said("version = 9", installed()).contains("not known"));
        assert!(said("version = 2\nplugins = 5", installed()).contains("plugins is not a table"));
        let default = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n\
                       default_runtime_name = \"runsk\"\n";
        assert!(said(default, Wanted::Removed).contains("choose another first"));
    }
}
