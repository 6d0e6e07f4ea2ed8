//! One client connection: request after request, each judged by itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::exchange::Next;
use super::identity::{self, Accepted};
use super::refuse::Refusal;
use super::seat::Seat;
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
}

/// A client, and the engine's connection that belongs to it alone.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) serving: Arc<Serving>,
    pub(super) caller: Caller,
    pub(super) client: End,
    pub(super) engine: Option<End>,
    accepted: Accepted,
    identity: Option<Arc<Client>>,
    seat: Option<Arc<Seat>>,
}

impl Connection {
    pub(super) fn new(
        serving: Arc<Serving>,
        stream: UnixStream,
        caller: Caller,
        seat: Option<Arc<Seat>>,
    ) -> Self {
        Self {
            serving,
            caller,
            client: End::new(Socket::Unix(stream)),
            engine: None,
            accepted: Accepted::now(),
            identity: None,
            seat,
        }
    }

    /// Carries requests until one side is done.
    pub(super) async fn serve(mut self) {
        while !self.serving.shared.draining() {
            match self.exchange().await {
                Next::Request => {}
                Next::Close => break,
            }
        }
    }

    /// Answers that there is no room, and closes.
    pub(super) async fn turn_away(mut self) {
        let refusal = Refusal::full(self.serving.policy.limits().connections);
        self.answer(&refusal).await;
    }

    /// Waits for the first bytes of a request, for as long as it takes. `None`: the client is done.
    pub(super) async fn first_bytes(&mut self) -> Option<Buffer> {
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

    /// Adds the next bytes of a head. `Err` carries nothing when the client left in the middle.
    pub(super) async fn more(
        &mut self,
        held: &mut Buffer,
        deadline: Instant,
    ) -> Result<(), Option<Refusal>> {
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
                Ok(())
            }
            Ok(_) => Err(None),
            Err(_) => Err(Some(Refusal::slow_head())),
        }
    }

    /// Who this is, for a record; looked up once per connection.
    pub(super) fn identity(&mut self) -> Arc<Client> {
        let accepted = self.accepted;
        let caller = self.caller;
        Arc::clone(
            self.identity
                .get_or_insert_with(|| Arc::new(identity::identify(&caller, accepted))),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::UnixStream;

    use super::{Connection, Serving};
    use crate::audit::Audit;
    use crate::diag::Source;
    use crate::engine::EngineState;
    use crate::facts::Caller;
    use crate::policy::Policy;
    use crate::proxy::Shared;
    use crate::proxy::dial::Address;
    use crate::proxy::limits::Limits;

    #[tokio::test]
    async fn a_connection_costs_less_than_two_kibibytes() {
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
        };
        let (_client, stream) = UnixStream::pair().unwrap();

        let task = Connection::new(Arc::new(serving), stream, Caller::default(), None).serve();

        let size = size_of_val(&task);
        assert!(size < 2048, "{size} bytes per connection");
    }
}
