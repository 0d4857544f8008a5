//! Network name spaces, network_namespaces(7).
//!
//! A socket belongs for good to the one that it was made in.

use std::sync::Arc;

use super::inet::{Network, Registry, Stack};
use super::netlink::NetlinkPorts;
use super::unix::{AbstractNames, UnixSocket};
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::sysctl::Sysctls;

/// What the sockets of a group of processes share.
pub struct NetNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    /// All Unix sockets that were made here.
    pub(crate) unix: Registry<UnixSocket>,
    /// Abstract names of Unix sockets.
    pub abstract_names: AbstractNames,
    /// Numbers of netlink sockets.
    pub netlink: NetlinkPorts,
    /// What sockets of the internet share.
    pub internet: Arc<Stack>,
    /// Settings below `net`.
    pub sysctls: Arc<Sysctls>,
}

impl NetNamespace {
    /// That of the first process.
    pub(crate) fn first(internet: &Arc<Stack>, sysctls: &Arc<Sysctls>) -> Arc<Self> {
        Arc::new(NetNamespace {
            id: NamespaceId::first(Kind::Net),
            user: UserNamespace::default(),
            unix: Registry::default(),
            abstract_names: AbstractNames::default(),
            netlink: NetlinkPorts::default(),
            internet: internet.clone(),
            sysctls: sysctls.clone(),
        })
    }

    /// A new one: nothing but a loopback interface that is down.
    #[must_use]
    pub fn new(user: &UserNamespace) -> Arc<Self> {
        let sysctls = Arc::new(Sysctls::default());
        Arc::new(NetNamespace {
            id: NamespaceId::default(),
            user: user.clone(),
            unix: Registry::default(),
            abstract_names: AbstractNames::default(),
            netlink: NetlinkPorts::default(),
            internet: Stack::new(Network::down(), sysctls.clone()),
            sysctls,
        })
    }
}
