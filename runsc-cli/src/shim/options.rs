//! What containerd is told to tell the shim.
//!
//! `BinaryName`, `Root`, `SystemdCgroup` and `ShimCgroup` mean what they mean for containerd's
//! own shim. A client hands them over as `containerd.runc.v1.Options`. containerd's Kubernetes
//! service hands over the same table as text, or names a file that holds it:
//! `runtimeoptions.v1.Options`.

use std::path::{Path, PathBuf};

use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::protobuf::{CodedInputStream, Message};
use containerd_shim::protos::shim::oci;
use serde::{Deserialize, Serialize};

use super::fault::{Answer, Context, invalid};

/// The file in the bundle that keeps them for `delete`.
const FILE: &str = "runsk-options.json";
/// Where containers are kept, by namespace of containerd, if nothing is said.
const ROOT: &str = "/run/containerd/runsk";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Options {
    /// The command `runsk`, a name or a path.
    pub(crate) binary_name: String,
    /// Directory for the state of containers.
    pub(crate) root: String,
    /// Have systemd make the control groups.
    pub(crate) systemd_cgroup: bool,
    /// Control group for the shim itself, below each hierarchy's top.
    pub(crate) shim_cgroup: String,
    /// Further flags of every command, before its name.
    pub(crate) runtime_args: Vec<String>,
}

impl Options {
    /// From what containerd sends; nothing at all means none.
    pub(crate) fn new(sent: &Any) -> Answer<Self> {
        match sent.type_url.rsplit('/').next().unwrap_or_default() {
            "" => Ok(Options::default()),
            "containerd.runc.v1.Options" => {
                let sent = oci::Options::parse_from_bytes(&sent.value);
                Ok(sent.context("the runtime's options")?.into())
            }
            "runtimeoptions.v1.Options" => generic(&sent.value),
            other => Err(invalid(format_args!("options of type {other}"))),
        }
    }

    pub(crate) fn keep(&self, bundle: &Path) -> Answer<()> {
        let text = serde_json::to_vec(self).context(FILE)?;
        std::fs::write(bundle.join(FILE), text).context(FILE)
    }

    /// Those that were kept; none if there are none.
    pub(crate) fn kept(bundle: &Path) -> Self {
        let text = std::fs::read(bundle.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The directory for containers of one of containerd's namespaces.
    pub(crate) fn root(&self, namespace: &str) -> PathBuf {
        let root = if self.root.is_empty() {
            ROOT
        } else {
            &self.root
        };
        Path::new(root).join(namespace)
    }
}

impl From<oci::Options> for Options {
    fn from(sent: oci::Options) -> Self {
        Options {
            binary_name: sent.binary_name,
            root: sent.root,
            systemd_cgroup: sent.systemd_cgroup,
            shim_cgroup: sent.shim_cgroup,
            runtime_args: Vec::new(),
        }
    }
}

/// `runtimeoptions.v1.Options`: its fields are `type_url`, `config_path` and `config_body`.
fn generic(bytes: &[u8]) -> Answer<Options> {
    const WHAT: &str = "the runtime's options";
    const PATH: u32 = 2;
    const BODY: u32 = 3;
    let (mut path, mut body) = (String::new(), Vec::new());
    let mut input = CodedInputStream::from_bytes(bytes);
    while let Some(tag) = input.read_raw_tag_or_eof().context(WHAT)? {
        let value = input.read_bytes().context(WHAT)?;
        match tag >> 3 {
            PATH => path = String::from_utf8(value).context(WHAT)?,
            BODY => body = value,
            _ => {}
        }
    }
    let text = match (body.is_empty(), path.is_empty()) {
        (true, true) => return Ok(Options::default()),
        (true, false) => std::fs::read_to_string(&path).context(&path)?,
        (false, _) => String::from_utf8(body).context(WHAT)?,
    };
    toml_edit::de::from_str(&text).context(if path.is_empty() { WHAT } else { &path })
}

#[cfg(test)]
mod tests {
    use super::Options;
    use containerd_shim::protos::protobuf::Message;
    use containerd_shim::protos::protobuf::well_known_types::any::Any;
    use containerd_shim::protos::shim::oci;

    fn any(kind: &str, value: Vec<u8>) -> Any {
        Any {
            type_url: kind.to_owned(),
            value,
            ..Any::default()
        }
    }

    #[test]
    fn as_containerd_s_own_shim_takes_them() {
        let sent = oci::Options {
            binary_name: "/bin/runsk".to_owned(),
            systemd_cgroup: true,
            ..oci::Options::default()
        };
        let sent = any(
            "containerd.runc.v1.Options",
            sent.write_to_bytes().expect("bytes"),
        );
        let options = Options::new(&sent).expect("valid");
        assert_eq!(options.binary_name, "/bin/runsk");
        assert!(options.systemd_cgroup);
        assert_eq!(
            options.root("k8s.io"),
            std::path::Path::new("/run/containerd/runsk/k8s.io")
        );
    }

    #[test]
    fn as_text() {
        let text = "BinaryName = \"r\"\nRoot = \"/x\"\nRuntimeArgs = [\"--debug\"]\n";
        let mut bytes = vec![0x1a, u8::try_from(text.len()).expect("short")];
        bytes.extend(text.as_bytes());
        let options = Options::new(&any("types/runtimeoptions.v1.Options", bytes)).expect("valid");
        assert_eq!(options.binary_name, "r");
        assert_eq!(options.runtime_args, ["--debug"]);
        assert_eq!(options.root("n"), std::path::Path::new("/x/n"));
        let broken = any("runtimeoptions.v1.Options", vec![0x1a, 1, b'=']);
        assert!(Options::new(&broken).is_err());
    }

    #[test]
    fn none_and_unknown_ones() {
        assert_eq!(
            Options::new(&Any::default()).expect("none"),
            Options::default()
        );
        assert!(Options::new(&any("other.Options", Vec::new())).is_err());
    }
}
