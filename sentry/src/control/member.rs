//! A further container of a pod, made from outside.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use gofer::Client;
use gofer::wire::ClientEnd;

use super::message::CreateRequest;
use super::server::{self, stdio};
use crate::boot::{Container, Member, Sandbox};
use crate::sync::{Level, Mutex};

/// Makes it, and starts to answer on its own socket; its name.
pub(super) fn create(
    sandbox: &Arc<Sandbox>,
    request: CreateRequest,
    fds: Vec<OwnedFd>,
) -> Result<(String, Arc<Container>), String> {
    let mut fds = fds.into_iter().peekable();
    let (Some(region), Some(socket), Some(listener)) = (fds.next(), fds.next(), fds.next()) else {
        return Err("the channel to its Gofer was not handed over".to_owned());
    };
    let oom_listener = fds.next_if(|_| request.oom_listener);
    let name = request.name;
    let made = Arc::new(Mutex::new(Level::Leaf, Weak::<Container>::new()));
    let broken = {
        let (made, name) = (made.clone(), name.clone());
        move || {
            log::error!("container {name}: Gofer broken pipe: it is gone");
            let container = made.lock().upgrade();
            if let Some(container) = container {
                container.kill();
            }
        }
    };
    let gofer = Client::connect(ClientEnd { region, socket }, broken);
    let member = Member {
        name: name.clone(),
        config: request.config,
        shared: request.shared,
        gofer: gofer.map_err(|errno| format!("the channel to its Gofer: {errno}"))?,
        stdio: stdio(request.terminal, fds)?,
    };
    let container = sandbox.add(member).map_err(|error| error.to_string())?;
    *made.lock() = Arc::downgrade(&container);
    if let Some(listener) = oom_listener {
        container.group().limits.set_oom_listener(listener);
    }
    let served = server::serve(sandbox.clone(), container.clone(), listener);
    if let Err(error) = served {
        container.kill();
        sandbox.remove(&name);
        return Err(format!("its control socket: {error}"));
    }
    Ok((name, container))
}
