//! What client and server agree on: where things stand in the shared region ([`layout`])
//! and what is said in them ([`request`]). Both sides run the same binary, so there is no
//! version to negotiate; but neither believes what the other wrote.

pub(crate) mod layout;
pub(crate) mod name;
mod patience;
pub(crate) mod request;
mod ring;

pub use layout::{ClientEnd, REGION_SIZE, ServerEnd, channel};
pub(crate) use patience::Patience;
pub(crate) use ring::{Ring, state};
