//! Tests of the program `runsk` from outside.
#![forbid(unsafe_code)]

mod errors;
mod jail;
mod sandbox;
