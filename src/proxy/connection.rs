//! One client connection: request after request, each judged by itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Shared;
use super::deal::{Burden, Newcomer};
use super::exchange::Next;
use super::identity::{self, Accepted};
use super::refuse::Refusal;
use super::seat::{House, Seat};
use crate::audit::{Audit, Client};
use crate::facts::Caller;
use crate::policy::Policy;
use crate::wire::buffer::Buffer;
use crate::wire::head::MAX_HEAD;
use crate::wire::relay::End;
use crate::wire::socket::Socket;

/// One gate at work: its policy, and what all gates share.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) policy: Arc<Policy>,
    /// The audit log, bound to this policy.
    pub(super) audit: Audit,
    pub(super) shared: Arc<Shared>,
    /// What this socket's other threads share.
    pub(super) house: Arc<House>,
}

/// A client, and the engine's connection that belongs to it alone.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) serving: Arc<Serving>,
    /// Who it is, as far as anybody asked.
    caller: Option<Caller>,
    pub(super) client: End,
    pub(super) engine: Option<End>,
    accepted: Accepted,
    identity: Option<Arc<Client>>,
    seat: Option<Arc<Seat>>,
    _burden: Burden,
    /// How many pieces of the present request's head and body were no more than crumbs.
    crumbs: u32,
}

impl Serving {
    /// How many connections this socket takes at a time.
    pub(super) fn places(&self) -> usize {
        let policy = self.policy.limits().connections;
        policy.min(self.shared.limits.connections)
    }
}

impl Connection {
    pub(super) fn new(serving: Arc<Serving>, newcomer: Newcomer, seat: Option<Arc<Seat>>) -> Self {
        let Newcomer {
            stream,
            accepted,
            burden,
        } = newcomer;
        Self {
            serving,
            caller: None,
            client: End::new(Socket::fresh(stream)),
            engine: None,
            accepted,
            identity: None,
            seat,
            _burden: burden,
            crumbs: 0,
        }
    }

    /// Carries requests until one side is done.
    pub(super) async fn serve(mut self) {
        while !self.serving.shared.draining() {
            match self.exchange().await {
                // Requests that came in one piece need no wake-up in between; everybody else gets
                // a turn all the same, clients of other sockets above all.
                Next::Request if !self.client.inbox.is_empty() => yield_now().await,
                Next::Request => {}
                Next::Close => break,
            }
        }
    }

    /// Answers the first request with why there is no place, and closes. An answer that comes before
    /// the request would be no answer to it: clients drop such a connection without a word.
    pub(super) async fn turn_away(mut self) {
        let patience = self.serving.shared.limits.linger;
        if let Ok(Some(_request)) = timeout(patience, self.first_bytes()).await {
            let refusal = self.no_place();
            self.refuse(refusal).await;
        }
    }

    /// Waits for the right to keep one more body in memory.
    pub(super) async fn keep_body(
        &self,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        match timeout_at(deadline, self.serving.house.keep_body()).await {
            Ok(Some(permit)) => Ok(permit),
            Ok(None) | Err(_) => Err(Refusal::bodies_full()),
        }
    }

    /// Waits for the first bytes of a request, for as long as it takes. `None`: the client is done.
    pub(super) async fn first_bytes(&mut self) -> Option<Buffer> {
        self.crumbs = 0;
        if self.client.inbox.is_empty() && !self.client.ended {
            if let Some(seat) = &self.seat {
                seat.idle();
            }
            poll_fn(|cx| {
                // The engine has nothing to say between requests: its end, or an answer nobody
                // asked for, makes its connection useless.
                if let Some(engine) = &mut self.engine
                    && engine.poll_fill(cx, 1).is_ready()
                {
                    self.engine = None;
                }
                self.client.poll_fill(cx, MAX_HEAD).map(drop)
            })
            .await;
            if !self.seat.as_ref().is_none_or(|seat| seat.busy()) {
                return None;
            }
        }
        let held = std::mem::take(&mut self.client.inbox);
        (!held.is_empty()).then_some(held)
    }

    /// Adds the next bytes of a head, or of a body that is read here. `Err` carries nothing when the
    /// client left in the middle.
    ///
    /// SECURITY: hundreds of clients that send byte after byte would keep this thread busy with
    /// wake-ups, at the expense of the other sockets' clients. Who goes on sending crumbs is looked
    /// after more and more rarely; they gather meanwhile, in the kernel.
    pub(super) async fn more(
        &mut self,
        held: &mut Buffer,
        deadline: Instant,
    ) -> Result<(), Option<Refusal>> {
        if let Some(pause) = pause(self.crumbs) {
            sleep_until(deadline.min(Instant::now() + pause)).await;
        }
        let read = timeout_at(
            deadline,
            poll_fn(|cx| {
                let Some(room) = held.room(MAX_HEAD + 1) else {
                    return Poll::Ready(Ok(0));
                };
                self.client.socket.poll_read(cx, room)
            }),
        )
        .await;
        match read {
            Ok(Ok(count)) if count > 0 => {
                held.filled(count);
                self.crumbs += u32::from(count < CRUMB);
                Ok(())
            }
            Ok(_) => Err(None),
            Err(_) => Err(Some(Refusal::slow_head())),
        }
    }

    /// Asks the kernel who connected. It recorded that when they did, and says the same at any time.
    pub(super) fn know_caller(&mut self) -> &Caller {
        self.caller
            .get_or_insert_with(|| identity::caller(self.client.socket.peer()))
    }

    /// Who it is; nobody, if nobody asked.
    pub(super) fn caller(&self) -> &Caller {
        const UNASKED: &Caller = &Caller {
            uid: None,
            gid: None,
            pid: None,
        };
        self.caller.as_ref().unwrap_or(UNASKED)
    }

    /// Who this is, for a record; looked up once per connection.
    pub(super) fn identity(&mut self) -> Arc<Client> {
        let accepted = self.accepted;
        let caller = *self.know_caller();
        Arc::clone(
            self.identity
                .get_or_insert_with(|| Arc::new(identity::identify(&caller, accepted))),
        )
    }
}

/// A piece of a head or body that is smaller than any program's buffer. More bytes than the kernel
/// queues of a client that writes them one by one (some hundred), so that being slow to look does
/// not make a meal of crumbs.
const CRUMB: usize = 1024;

/// As many crumbs are read as soon as they come. Clients send a head in one to three pieces; who
/// types one by hand does not notice what comes after these.
const PATIENCE: u32 = 4;

/// How long to wait before reading on, after so many crumbs. Not to the point, so that those who
/// began together do not come back together.
fn pause(crumbs: u32) -> Option<Duration> {
    let doublings = crumbs.checked_sub(PATIENCE)?.min(6);
    let pause = Duration::from_millis(10 << doublings);
    let odd = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.subsec_micros() % 1024);
    Some(pause + pause.saturating_mul(odd) / 1024)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::{Connection, Serving};
    use crate::audit::Audit;
    use crate::diag::Source;
    use crate::engine::EngineState;
    use crate::policy::Policy;
    use crate::proxy::Shared;
    use crate::proxy::deal::Load;
    use crate::proxy::dial::Address;
    use crate::proxy::identity::Accepted;
    use crate::proxy::limits::Limits;

    #[test]
    fn a_connection_costs_less_than_two_kibibytes() {
        let source = Source::new("test.toml", "allow = [\"GET /_ping\"]");
        let policy = Policy::parse("test", &source).unwrap().policy;
        let docker = Address::Unix("/nowhere".into());
        let shared = Shared::new(
            docker,
            EngineState::default(),
            Audit::silent(),
            Limits::default(),
        );
        let serving = Serving {
            policy: Arc::new(policy),
            audit: Audit::silent(),
            shared: Arc::new(shared),
            house: Arc::default(),
        };
        let (_client, stream) = UnixStream::pair().unwrap();
        let newcomer = Load::default().burden(stream.into(), Accepted::now());

        let task = Connection::new(Arc::new(serving), newcomer, None).serve();

        let size = size_of_val(&task);
        assert!(size < 2048, "{size} bytes per connection");
    }
}
