//! Events for containerd, in the order in which they happened.
//!
//! They go to the socket that containerd listens on. While it is being restarted they wait:
//! this program outlives it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use containerd_shim::event::Event;
use containerd_shim::protos::shim::event::Envelope;
use containerd_shim::protos::shim::events::ForwardRequest;
use containerd_shim::protos::ttrpc::context;
use containerd_shim::protos::{Client, EventsClient};
use containerd_shim::util::{connect, convert_to_any, timestamp};
use parking_lot::{Condvar, Mutex};

/// Events that may wait; what is more is lost.
const WAITING: usize = 4096;
/// How long containerd may take to accept an event.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between attempts to reach it.
const PAUSE: Duration = Duration::from_millis(200);

/// Where events are put.
#[derive(Clone)]
pub(crate) struct Events {
    namespace: String,
    queue: SyncSender<ForwardRequest>,
    unsent: Arc<Unsent>,
}

/// How many events have not reached containerd yet.
#[derive(Default)]
struct Unsent {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Events {
    /// For the daemon that listens at `address`, a path.
    pub(crate) fn new(address: String, namespace: String) -> Self {
        let (queue, events) = sync_channel(WAITING);
        let unsent = Arc::new(Unsent::default());
        let sent = Arc::clone(&unsent);
        std::thread::spawn(move || send_all(&address, &events, &sent));
        Events {
            namespace,
            queue,
            unsent,
        }
    }

    pub(crate) fn publish(&self, event: impl Event) {
        let topic = event.topic();
        let (Ok(event), Ok(now)) = (convert_to_any(Box::new(event)), timestamp()) else {
            log::error!("event {topic}: it cannot be told");
            return;
        };
        let mut envelope = Envelope::new();
        envelope.set_timestamp(now);
        envelope.set_namespace(self.namespace.clone());
        envelope.set_topic(topic);
        envelope.set_event(event);
        let mut request = ForwardRequest::new();
        request.set_envelope(envelope);
        self.unsent.add();
        if let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) =
            self.queue.try_send(request)
        {
            self.unsent.remove();
            log::error!("event {} is lost: too many wait", lost.envelope().topic);
        }
    }

    /// Waits until all are sent, but not for long.
    pub(crate) fn flush(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        let mut count = self.unsent.count.lock();
        while *count > 0 {
            if self.unsent.fewer.wait_until(&mut count, end).timed_out() {
                log::warn!("{count} events did not reach containerd");
                return;
            }
        }
    }
}

impl Unsent {
    fn add(&self) {
        *self.count.lock() += 1;
    }

    fn remove(&self) {
        let mut count = self.count.lock();
        *count = count.saturating_sub(1);
        self.fewer.notify_all();
    }
}

fn send_all(address: &str, events: &Receiver<ForwardRequest>, unsent: &Unsent) {
    let mut client = None;
    for event in events {
        let topic = &event.envelope().topic;
        loop {
            // The daemon that this connection led to may be gone.
            let old = client.take();
            let retry_at_once = old.is_some();
            match send(old, address, &event) {
                Ok(connected) => {
                    client = Some(connected);
                    break;
                }
                Err(reason) => log::debug!("event {topic}: {reason}"),
            }
            if !retry_at_once {
                std::thread::sleep(PAUSE);
            }
        }
        unsent.remove();
    }
}

/// Sends one, by a new connection if there is none; the connection.
fn send(
    client: Option<EventsClient>,
    address: &str,
    event: &ForwardRequest,
) -> Result<EventsClient, String> {
    let connect = || -> containerd_shim::Result<EventsClient> {
        Ok(EventsClient::new(Client::new(connect(address)?)?))
    };
    let client = client.map_or_else(connect, Ok);
    let client = client.map_err(|error| error.to_string())?;
    client
        .forward(context::with_duration(PATIENCE), event)
        .map_err(|error| error.to_string())?;
    Ok(client)
}
