//! Messages of D-Bus: its specification's "Message Protocol", as much as is needed.
//! Little-endian.

/// A value with a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    U64(u64),
    Text(String),
    Bytes(Vec<u8>),
    U32s(Vec<u32>),
    Texts(Vec<String>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Value::Bool(_) => "b",
            Value::U64(_) => "t",
            Value::Text(_) => "s",
            Value::Bytes(_) => "ay",
            Value::U32s(_) => "au",
            Value::Texts(_) => "as",
        }
    }
}

/// A property of a unit.
pub(crate) type Property = (&'static str, Value);

/// Bytes that are aligned as the specification has it.
#[derive(Debug, Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.u32(value.into());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.u32(length(text.len()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        match value {
            Value::Bool(value) => self.bool(*value),
            Value::U64(value) => {
                self.align(8);
                self.0.extend(value.to_le_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.array(1, |body| body.0.extend(bytes)),
            Value::U32s(list) => self.array(4, |body| list.iter().for_each(|n| body.u32(*n))),
            Value::Texts(list) => self.array(4, |body| list.iter().for_each(|t| body.text(t))),
        }
    }

    /// An array of what is aligned to `align`. Its length does not count the padding before
    /// the first.
    fn array(&mut self, align: usize, fill: impl FnOnce(&mut Self)) {
        self.u32(0);
        let at = self.0.len();
        self.align(align);
        let start = self.0.len();
        fill(self);
        let len = length(self.0.len() - start).to_le_bytes();
        if let Some(place) = self.0.get_mut(at - len.len()..at) {
            place.copy_from_slice(&len);
        }
    }

    /// a(sv)
    pub(super) fn properties(&mut self, list: &[Property]) {
        self.array(8, |body| {
            for (name, value) in list {
                body.align(8);
                body.text(name);
                body.variant(value);
            }
        });
    }

    /// An empty a(sa(sv)): no further units.
    pub(super) fn no_units(&mut self) {
        self.array(8, |_| {});
    }
}

/// Nothing that we send is near the limit.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A method to call.
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) method: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: Body,
}

const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
const VERSION: u8 = 1;

/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

impl Call<'_> {
    /// The message.
    pub(super) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut message = Body(vec![b'l', METHOD_CALL, 0, VERSION]);
        message.u32(length(self.body.0.len()));
        message.u32(serial);
        message.array(8, |header| {
            let mut field = |code: u8, kind: &str, text: &str| {
                header.align(8);
                header.0.push(code);
                header.signature(kind);
                match kind {
                    "g" => header.signature(text),
                    _ => header.text(text),
                }
            };
            field(PATH, "o", self.path);
            field(DESTINATION, "s", self.destination);
            field(INTERFACE, "s", self.interface);
            field(MEMBER, "s", self.method);
            if !self.signature.is_empty() {
                field(SIGNATURE, "g", self.signature);
            }
        });
        message.align(8);
        message.0.extend(&self.body.0);
        message.0
    }
}

/// The fixed part of a header: how long the rest is.
pub(super) const FIXED: usize = 16;

/// What came, as far as it matters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(super) error: Option<String>,
    /// The first text of the body: an error's explanation.
    pub(super) text: Option<String>,
}

/// How many bytes follow the fixed part; `None` for what is no message, or too long a one.
pub(super) fn rest(fixed: &[u8; FIXED]) -> Option<usize> {
    /// The specification's limit for all of it.
    const MOST: usize = 1 << 27;
    let mut reader = Reader { all: fixed, at: 4 };
    let body = reader.u32()?;
    reader.at = 12;
    let fields = reader.u32()?.checked_next_multiple_of(8)?;
    let rest = usize::try_from(body.checked_add(fields)?).ok()?;
    (fixed.first() == Some(&b'l') && rest <= MOST).then_some(rest)
}

/// Reads a whole message.
pub(super) fn decode(message: &[u8]) -> Option<Incoming> {
    let mut reader = Reader {
        all: message,
        at: 12,
    };
    let mut incoming = Incoming {
        kind: *message.get(1)?,
        ..Incoming::default()
    };
    let mut signature = String::new();
    let end = usize::try_from(reader.u32()?).ok()?.checked_add(FIXED)?;
    while reader.at < end {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.signature()?.as_str()) {
            (REPLY_SERIAL, "u") => incoming.reply_to = reader.u32(),
            (ERROR_NAME, "s") => incoming.error = reader.text(),
            (SIGNATURE, "g") => signature = reader.signature()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.u32()?),
            _ => return None,
        }
    }
    reader.align(8);
    if signature.starts_with('s') {
        incoming.text = reader.text();
    }
    Some(incoming)
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.all.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(len)?;
        let bytes = self.all.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4);
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.u32()?).ok()?;
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.byte()?;
        Some(text)
    }

    fn signature(&mut self) -> Option<String> {
        let len = self.byte()?;
        let text = String::from_utf8_lossy(self.take(len.into())?).into_owned();
        self.byte()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Call, Value, decode, rest};

    /// Written by hand after the specification.
    #[test]
    fn a_call_byte_for_byte() {
        let mut body = Body::default();
        body.text("a");
        body.properties(&[("P", Value::U64(2))]);
        let call = Call {
            destination: "d",
            path: "/",
            interface: "i",
            method: "m",
            signature: "sa(sv)",
            body,
        };
        let expected = b"l\x01\0\x01\x28\0\0\0\x07\0\0\0\x4c\0\0\0\
            \x01\x01o\0\x01\0\0\0/\0\0\0\0\0\0\0\
            \x06\x01s\0\x01\0\0\0d\0\0\0\0\0\0\0\
            \x02\x01s\0\x01\0\0\0i\0\0\0\0\0\0\0\
            \x03\x01s\0\x01\0\0\0m\0\0\0\0\0\0\0\
            \x08\x01g\0\x06sa(sv)\0\0\0\0\0\
            \x01\0\0\0a\0\0\0\x18\0\0\0\0\0\0\0\
            \x01\0\0\0P\0\x01t\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0";
        let message = call.encode(7);
        assert_eq!(message, expected);
        let fixed = message.first_chunk().expect("a header");
        assert_eq!(rest(fixed), Some(message.len() - 16));
    }

    #[test]
    fn errors_are_read() {
        let message = b"l\x03\x01\x01\x08\0\0\0\x02\0\0\0\x1f\0\0\0\
            \x05\x01u\0\x07\0\0\0\
            \x04\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x08\x01g\0\x01s\0\0\
            \x03\0\0\0why\0";
        let incoming = decode(message).expect("a message");
        assert_eq!((incoming.kind, incoming.reply_to), (3, Some(7)));
        assert_eq!(incoming.error.as_deref(), Some("a.b"));
        assert_eq!(incoming.text.as_deref(), Some("why"));
        for cut in 0..message.len() {
            // No part of it is taken for something else, and none is fatal.
            let _ = decode(&message[..cut]);
        }
    }
}
