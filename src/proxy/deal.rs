//! Which thread carries a new connection.
//!
//! One thread takes in the connections of all sockets. It carries a few itself: to wake another core costs
//! more than their calls do. What comes beyond goes to the thread that carries fewest, and stays there, so
//! that many clients find all threads at work, however they came.

use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::identity::Accepted;
use crate::wire::socket::Socket;

/// How many connections the thread that takes them in carries before it deals any out.
const FEW: usize = 40;

/// A connection that was taken in.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) stream: OwnedFd,
    pub(super) accepted: Accepted,
    pub(super) burden: Burden,
}

/// How many connections a thread carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(Arc<AtomicUsize>);

/// A connection's part in a thread's load, until it is dropped.
#[derive(Debug)]
pub(super) struct Burden(Load);

/// Where the connections of one socket come from, for one thread.
#[derive(Debug)]
pub(super) enum Arrivals {
    /// From the socket; some go on to other threads.
    Door(Door),
    /// From the thread that takes them in.
    Dealt(UnboundedReceiver<Newcomer>),
}

/// A listening socket, and the threads behind it.
#[derive(Debug)]
pub(super) struct Door {
    listener: Socket,
    own: Load,
    others: Vec<(Load, UnboundedSender<Newcomer>)>,
}

/// Divides a socket's connections among as many threads as there are loads, the first of which takes them in.
pub(super) fn deal(listener: UnixListener, loads: &[Load]) -> Vec<Arrivals> {
    let ways = loads.iter().skip(1).map(|load| {
        let (to, from) = unbounded_channel();
        ((load.clone(), to), Arrivals::Dealt(from))
    });
    let (others, dealt): (_, Vec<_>) = ways.unzip();
    let door = Door {
        listener: Socket::fresh(listener.into()),
        own: loads.first().cloned().unwrap_or_default(),
        others,
    };
    std::iter::once(Arrivals::Door(door)).chain(dealt).collect()
}

impl Arrivals {
    /// The next connection; `None` if it was another thread's. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Newcomer>> {
        match self {
            Self::Door(door) => {
                let stream = poll_fn(|cx| door.listener.poll_accept(cx)).await?;
                Ok(door.deal(stream, Accepted::now()))
            }
            Self::Dealt(from) => match from.recv().await {
                Some(newcomer) => Ok(Some(newcomer)),
                // Nobody takes connections in any more.
                None => pending().await,
            },
        }
    }
}

impl Door {
    /// Passes a connection on, or gives it back to be carried here.
    ///
    /// INVARIANT: no more are on their way to a thread than are carried here, since they count there.
    fn deal(&self, stream: OwnedFd, accepted: Accepted) -> Option<Newcomer> {
        let own = self.own.carried();
        let lightest = self.others.iter().min_by_key(|(load, _)| load.carried());
        match lightest.filter(|(load, _)| own >= FEW && own > load.carried()) {
            None => Some(self.own.burden(stream, accepted)),
            Some((load, way)) => match way.send(load.burden(stream, accepted)) {
                Ok(()) => None,
                // That thread is gone.
                Err(SendError(back)) => Some(self.own.burden(back.stream, accepted)),
            },
        }
    }
}

impl Load {
    /// Adds a connection.
    pub(super) fn burden(&self, stream: OwnedFd, accepted: Accepted) -> Newcomer {
        self.0.fetch_add(1, Ordering::Relaxed);
        Newcomer {
            stream,
            accepted,
            burden: Burden(self.clone()),
        }
    }

    fn carried(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Burden {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn doors(threads: usize) -> (Door, Vec<UnboundedReceiver<Newcomer>>, Vec<Load>) {
        let loads: Vec<_> = (0..threads).map(|_| Load::default()).collect();
        let (listener, _peer) = UnixStream::pair().unwrap();
        let mut arrivals = deal(OwnedFd::from(listener).into(), &loads).into_iter();
        let Some(Arrivals::Door(door)) = arrivals.next() else {
            panic!("the first takes connections in");
        };
        let dealt = arrivals.map(|arrivals| match arrivals {
            Arrivals::Dealt(from) => from,
            Arrivals::Door(_) => panic!("only the first takes connections in"),
        });
        (door, dealt.collect(), loads)
    }

    fn connection(door: &Door) -> Option<Newcomer> {
        let (stream, _peer) = UnixStream::pair().unwrap();
        door.deal(stream.into(), Accepted::now())
    }

    fn carried(loads: &[Load]) -> Vec<usize> {
        loads.iter().map(Load::carried).collect()
    }

    #[test]
    fn the_first_few_stay_and_the_rest_goes_to_whoever_carries_fewest() {
        let (door, mut dealt, loads) = doors(3);

        let mut here: Vec<_> = (0..FEW).map(|_| connection(&door).unwrap()).collect();
        assert_eq!(carried(&loads), [FEW, 0, 0]);

        for _ in 0..2 * FEW {
            assert!(connection(&door).is_none());
            for from in &mut dealt {
                here.extend(from.try_recv());
            }
        }
        assert_eq!(carried(&loads), [FEW, FEW, FEW]);

        here.extend(connection(&door));
        assert_eq!(carried(&loads), [FEW + 1, FEW, FEW]);
        drop(here);
        assert_eq!(carried(&loads), [0, 0, 0]);
    }

    #[test]
    fn a_thread_that_takes_nothing_gets_no_more_than_the_first_carries() {
        let (door, dealt, loads) = doors(2);
        let here: Vec<_> = (0..10 * FEW).filter_map(|_| connection(&door)).collect();

        assert_eq!(here.len(), 5 * FEW);
        assert_eq!(carried(&loads), [5 * FEW, 5 * FEW]);
        drop(dealt);
        let mut after: Vec<_> = (0..4).filter_map(|_| connection(&door)).collect();
        assert_eq!(after.len(), 4, "the other thread is gone");
        assert_eq!(carried(&loads), [5 * FEW + 4, 0]);
        after.clear();
        assert_eq!(carried(&loads), [here.len(), 0]);
    }

    #[test]
    fn one_thread_carries_everything() {
        let (door, _, loads) = doors(1);
        let here: Vec<_> = (0..3 * FEW).map(|_| connection(&door).unwrap()).collect();

        assert_eq!(carried(&loads), [here.len()]);
    }
}
