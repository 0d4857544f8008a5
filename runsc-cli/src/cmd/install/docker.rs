//! Docker's daemon.json: an entry below `runtimes`.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value, json};

use super::{Change, NAME, Wanted};
use crate::failure::{Context, Failure, Outcome};

const RUNTIMES: &str = "runtimes";
const DEFAULT: &str = "default-runtime";

/// What the text is to become.
pub(super) fn change(text: &str, wanted: Wanted<'_>) -> Outcome<Change> {
    let before: Map<String, Value> = match text.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).context("it is not a JSON object")?,
    };
    let mut after = before.clone();
    match wanted {
        Wanted::Installed(program) => {
            let program = program.to_str().ok_or_else(|| {
                Failure::new(format!("{}: JSON cannot hold this name", program.display()))
            })?;
            let runtimes = after.entry(RUNTIMES).or_insert_with(|| json!({}));
            let entry = object(runtimes)?.entry(NAME).or_insert_with(|| json!({}));
            // Arguments that somebody has added are kept.
            object(entry)?.insert("path".to_owned(), json!(program));
        }
        Wanted::Removed => {
            if after.get(DEFAULT).is_some_and(|default| default == NAME) {
                return Err(Failure::new(format!(
                    "{DEFAULT} is {NAME}: Docker would not start without it: choose another \
                     first"
                )));
            }
            if let Some(runtimes) = after.get_mut(RUNTIMES) {
                let runtimes = object(runtimes)?;
                let was_there = runtimes.shift_remove(NAME).is_some();
                if was_there && runtimes.is_empty() {
                    after.shift_remove(RUNTIMES);
                }
            }
        }
    }
    if after == before {
        return Ok(Change::None);
    }
    Ok(Change::To(pretty(&after, indent(text))?))
}

fn object(value: &mut Value) -> Outcome<&mut Map<String, Value>> {
    let not_one = || Failure::new(format!("{RUNTIMES}, or {NAME} in it, is not an object"));
    value.as_object_mut().ok_or_else(not_one)
}

/// As the text has it: the white space before its first entry.
fn indent(text: &str) -> &str {
    let mut lines = text.lines().skip(1);
    let line = lines.find(|line| line.trim_start().starts_with('"'));
    let indent = line.map_or(0, |line| line.len() - line.trim_start().len());
    line.and_then(|line| line.get(..indent))
        .filter(|indent| !indent.is_empty())
        .unwrap_or("    ")
}

fn pretty(map: &Map<String, Value>, indent: &str) -> Outcome<String> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = Serializer::with_formatter(&mut bytes, formatter);
    map.serialize(&mut serializer).context("JSON")?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| Failure::new(error.to_string()))
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
            "{\n    \"runtimes\": {\n        \"runsk\": {\n            \
             \"path\": \"/usr/bin/runsk\"\n        }\n    }\n}\n"
        );
        assert_eq!(changed(&text, installed()), None);
        assert_eq!(changed(&text, Wanted::Removed).as_deref(), Some("{}\n"));
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        let text = "{\n  \"z\": [\n    150\n  ],\n  \"a\": \"ä\",\n  \"runtimes\": {\n    \
                    \"other\": {\n      \"path\": \"o\"\n    }\n  },\n  \"b\": true\n}\n";
        let with = changed(text, installed()).expect("a change");
        assert!(with.contains("    \"runsk\": {\n      \"path\""), "{with}");
        assert!(with.starts_with("{\n  \"z\": ["), "{with}");
        let without = changed(&with, Wanted::Removed).expect("a change");
        assert_eq!(without, text);
        assert_eq!(changed(text, Wanted::Removed), None);
    }

    #[test]
    fn arguments_and_another_path() {
        let old = r#"{"runtimes": {"runsk": {"path": "/old", "runtimeArgs": ["--debug"]}}}"#;
        let text = changed(old, installed()).expect("a change");
        assert!(
            text.contains("/usr/bin/runsk") && text.contains("--debug"),
            "{text}"
        );
    }

    #[test]
    fn refusals() {
        let said = |text, wanted| change(text, wanted).expect_err(text).to_string();
        assert!(said("[1]", installed()).starts_with("it is not a JSON object"));
        assert!(said("{", installed()).starts_with("it is not a JSON object"));
        assert!(said(r#"{"runtimes": 5}"#, installed()).contains("not an object"));
        let default = r#"{"default-runtime": "runsk", "runtimes": {"runsk": {"path": "p"}}}"#;
        assert!(said(default, Wanted::Removed).contains("choose another first"));
    }
}
