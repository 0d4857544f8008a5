//! A case: one row of a suite.

use std::time::Duration;

use crate::compare::Normalise;
use crate::roots::Root;

/// What a case runs, as the arguments of the container's process.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// A script for `bash -c`.
    Bash(&'static str),
    /// A script for `sh -c`.
    Sh(&'static str),
    /// A program for `python3 -c`.
    Python(&'static str),
    /// A program for `perl -e`.
    Perl(&'static str),
    /// The arguments themselves.
    Args(&'static [&'static str]),
}

impl Program {
    /// The argument vector.
    #[must_use]
    pub fn args(self) -> Vec<String> {
        let args: &[&str] = match self {
            Program::Bash(script) => &["/bin/bash", "-c", script],
            Program::Sh(script) => &["/bin/sh", "-c", script],
            Program::Python(program) => &["/usr/bin/python3", "-u", "-c", program],
            Program::Perl(program) => &["/usr/bin/perl", "-e", program],
            Program::Args(args) => args,
        };
        args.iter().map(|&arg| arg.to_owned()).collect()
    }
}

/// A row: a program over a root, and what of its result is compared beside stdout and the
/// exit status, which always are.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// `family/what`, unique in its suite.
    pub name: &'static str,
    /// The directory it runs over.
    pub root: Root,
    /// What runs.
    pub program: Program,
    /// What its standard input holds.
    pub stdin: &'static str,
    /// User and group id of the process.
    pub user: u32,
    /// Whether stderr must be equal too.
    pub stderr_compared: bool,
    /// What is blurred on both sides before comparing.
    pub normalise: &'static [Normalise],
    /// The exit status it has natively: a row whose script is broken must not pass.
    pub exits: i32,
    /// When a run counts as hung. A guard, never a measurement.
    pub guard: Duration,
}

impl Case {
    const fn new(name: &'static str, root: Root, program: Program) -> Self {
        Case {
            name,
            root,
            program,
            stdin: "",
            user: 0,
            stderr_compared: true,
            normalise: &[],
            exits: 0,
            guard: Duration::from_secs(120),
        }
    }

    /// A bash script over the Debian root.
    #[must_use]
    pub const fn bash(name: &'static str, script: &'static str) -> Self {
        Case::new(name, Root::Debian, Program::Bash(script))
    }

    /// A Python program over the Debian root.
    #[must_use]
    pub const fn python(name: &'static str, program: &'static str) -> Self {
        Case::new(name, Root::Debian, Program::Python(program))
    }

    /// A Perl program over the Debian root.
    #[must_use]
    pub const fn perl(name: &'static str, program: &'static str) -> Self {
        Case::new(name, Root::Debian, Program::Perl(program))
    }

    /// A shell script over the busybox root.
    #[must_use]
    pub const fn busybox(name: &'static str, script: &'static str) -> Self {
        Case::new(name, Root::Busybox, Program::Sh(script))
    }

    /// An argument vector over the Debian root.
    #[must_use]
    pub const fn args(name: &'static str, args: &'static [&'static str]) -> Self {
        Case::new(name, Root::Debian, Program::Args(args))
    }

    /// The same with this standard input.
    #[must_use]
    pub const fn stdin(mut self, text: &'static str) -> Self {
        self.stdin = text;
        self
    }

    /// The same as this user and group.
    #[must_use]
    pub const fn user(mut self, id: u32) -> Self {
        self.user = id;
        self
    }

    /// The same without a look at stderr.
    #[must_use]
    pub const fn ignore_stderr(mut self) -> Self {
        self.stderr_compared = false;
        self
    }

    /// The same, ending natively with this status.
    #[must_use]
    pub const fn exits(mut self, status: i32) -> Self {
        self.exits = status;
        self
    }

    /// The same with these details blurred.
    #[must_use]
    pub const fn normalise(mut self, with: &'static [Normalise]) -> Self {
        self.normalise = with;
        self
    }

    /// The same with a longer guard.
    #[must_use]
    pub const fn guard_seconds(mut self, seconds: u64) -> Self {
        self.guard = Duration::from_secs(seconds);
        self
    }
}
