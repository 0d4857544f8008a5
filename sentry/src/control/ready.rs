//! A start whose caller wants to know when the program says that it is ready, sd_notify(3).

use std::sync::Arc;

use super::attend::Bell;
use super::message::Answer;
use super::wire::Connection;
use crate::boot::{Attended, Container, Ear};

/// Starts it. What it says once the caller has heard enough, or has gone, is refused.
pub(super) fn start(container: &Container, connection: &Connection) -> Answer {
    let ear = container.ear();
    if !container.start() {
        return Answer::Failed("it is started already".to_owned());
    }
    if connection.send(&Answer::Done, &[]).is_err() {
        return Answer::Ready(None);
    }
    let line = ear.and_then(|ear| listen(container, connection, &ear));
    Answer::Ready(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
}

fn listen(container: &Container, connection: &Connection, ear: &Ear) -> Option<Vec<u8>> {
    let bell = Bell::new().inspect_err(|errno| log::error!("control socket: {errno}"));
    let bell = Arc::new(bell.ok()?);
    let _registrations = [ear.tell(bell.clone()), container.tell(bell.clone())];
    loop {
        // What it has said before its end counts.
        let ended = container.has_ended();
        if let Some(line) = ear.ready() {
            return Some(line);
        }
        if ended {
            return None;
        }
        let [_, gone] = bell.wait(connection)?;
        if gone {
            return None;
        }
    }
}
