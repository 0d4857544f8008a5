//! bundle.md; config.md: version, root, annotations, extensibility.

use serde_json::json;

use super::bench::{Bench, Outcome, ensure, same};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "bundle.md",
        "config.json MUST reside in the root of the bundle directory and MUST be named config.json",
        |b| {
            std::fs::create_dir_all(b.path("c")).map_err(|e| e.to_string())?;
            b.create("c", "c")?.refused()?;
            b.created("c", "true")
        },
    ),
    row(
        "config.md#specification-version",
        "ociVersion MUST be in SemVer v2.0.0 format",
        |b| {
            for version in ["", "one", "1", "1.2", "1.2.x"] {
                b.refuses(|c| c["ociVersion"] = json!(version))?;
            }
            for version in ["1.0.0", "1.0.2-dev", "1.2.0+x"] {
                b.run("true", |c| c["ociVersion"] = json!(version))?;
            }
            Ok(())
        },
    ),
    row(
        "config.md#root",
        "A directory MUST exist at the path declared by the field",
        |b| {
            b.refuses(|c| c["root"]["path"] = json!("nonexistent"))?;
            let file = std::env::current_exe().map_err(|e| e.to_string())?;
            b.refuses(|c| c["root"]["path"] = json!(file)).map(drop)
        },
    ),
    row(
        "config.md#root",
        "If readonly is true then the root filesystem MUST be read-only inside the container",
        |b| {
            let out = b.run("touch /x 2>/dev/null || echo refused", |_| ())?;
            same("touch", out, "refused")
        },
    ),
    row(
        "config.md#hostname",
        "hostname specifies the container's hostname as seen by processes running inside the container",
        |b| {
            same(
                "hostname",
                b.run("hostname", |c| c["hostname"] = json!("boxy"))?,
                "boxy",
            )
        },
    ),
    row(
        "config.md#domainname",
        "domainname specifies the container's domainname as seen by processes running inside the container",
        |b| {
            let script = "cat /proc/sys/kernel/domainname";
            let out = b.run(script, |c| c["domainname"] = json!("there"))?;
            same("domainname", out, "there")
        },
    ),
    row(
        "config.md#annotations",
        "Annotations MUST be a key-value map",
        |b| b.refuses(|c| c["annotations"] = json!(["a"])).map(drop),
    ),
    row(
        "config.md#annotations",
        "Keys MUST NOT be an empty string",
        |b| {
            b.refuses(|c| c["annotations"] = json!({ "": "a" }))
                .map(drop)
        },
    ),
    row("config.md#annotations", "Values MUST be strings", |b| {
        b.refuses(|c| c["annotations"] = json!({ "a": 1 }))
            .map(drop)
    }),
    row(
        "config.md#annotations",
        "Runtimes MUST handle unknown annotation keys like any other unknown property",
        |b| {
            let out = b.run("echo on", |c| {
                c["annotations"] = json!({ "org.example.unknown": "x", "empty": "" });
            })?;
            same("output", out, "on")
        },
    ),
    row(
        "config.md#extensibility",
        "Runtimes MAY log unknown properties but MUST otherwise ignore them",
        |b| {
            let out = b.run("echo on", |c| {
                c["unknown"] = json!({ "a": 1 });
                c["process"]["unknown"] = json!(true);
                c["linux"]["unknown"] = json!([]);
            })?;
            same("output", out, "on")
        },
    ),
    row(
        "config.md#valid-values",
        "Runtimes MUST generate an error when invalid or unsupported values are encountered",
        invalid,
    ),
];

fn invalid(b: &Bench) -> Outcome {
    b.refuses(|c| c["hostname"] = json!("x".repeat(65)))?;
    b.refuses(|c| c["process"]["args"] = json!([]))?;
    b.refuses(|c| c["process"]["user"]["uid"] = json!(-1))?;
    b.refuses(|c| c["process"]["user"]["umask"] = json!(0o10_000))?;
    b.refuses(|c| c["linux"]["namespaces"] = json!([{ "type": "nothing" }]))?;
    b.refuses(|c| c["linux"]["rootfsPropagation"] = json!("sideways"))?;
    b.write("c.json", "")?;
    std::fs::create_dir_all(b.path("c")).map_err(|e| e.to_string())?;
    b.write("c/config.json", "{")?;
    let said = b.create("c", "c")?.refused()?;
    ensure(said.err.contains("config.json"), said.err)
}
