//! Bulk streams: what goes round through a pipe arrives as it was sent, and ends as it would without.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{JoinHandle, spawn};

use rustix::net::sockopt::socket_send_buffer_size;

use super::*;
use crate::wire::framing::RequestBody;
use crate::wire::socket::Stream;

#[tokio::test]
async fn only_the_sink_of_a_bulk_stream_is_given_more_room() {
    let (sink, mut peer) = pair();
    let fd = sink.fd().unwrap();
    let room = || socket_send_buffer_size(fd).unwrap();
    let before = room();
    let mut flow = Flow::new();
    let mut carry = |bytes: usize| {
        let mut left = bytes;
        while left > 0 {
            let some = left.min(4096);
            flow.pass(&sink, &[0; 4096][..some]).unwrap();
            assert!(flow.is_clear());
            peer.read_exact(&mut [0; 4096][..some]).unwrap();
            left -= some;
        }
    };

    carry(1024 * 1024 - 1);
    assert_eq!(room(), before);
    carry(1);

    // A machine may allow no more than its default, or have more by default.
    let allowed = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap();
    let allowed = 2 * allowed.trim().parse::<usize>().unwrap().min(LARGE);
    assert_eq!(room(), before.max(allowed));
}

#[tokio::test]
async fn long_bodies_go_round_and_arrive_as_they_were_sent() {
    let length = 5 * BULK;
    for (body, wire) in [
        (RequestBody::Length(length), payload(length)),
        // As Docker's clients and dockerd send what is large.
        (RequestBody::Chunked, chunks(&[32 * 1024; 160])),
        // Whole, cut and in pieces when they come to a pipe's end.
        (
            RequestBody::Chunked,
            chunks(&[1_000_003, 65_536, 3_000_001]),
        ),
    ] {
        let (flow, ended, arrived) = carry(body, wire.clone()).await;

        assert!(matches!(ended, Ok(())), "{ended:?}");
        assert!(flow.pipe.is_some(), "{body:?} was copied");
        assert_eq!(flow.written, wide(wire.len()));
        assert!(arrived == wire, "{body:?} arrived as something else");
    }
}

#[tokio::test]
async fn long_bodies_go_round_to_and_from_an_engine_behind_tcp() {
    for is_up in [true, false] {
        let (near, near_peer) = pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far_peer, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let far = Socket::from(Stream::Tcp(far.try_into().unwrap()));
        let wire = chunks(&[32 * 1024; 160]);

        let (flow, ended, arrived) = if is_up {
            between(
                Flow::new(),
                RequestBody::Chunked,
                wire.clone(),
                (near, near_peer),
                (far, far_peer),
            )
            .await
        } else {
            between(
                Flow::new(),
                RequestBody::Chunked,
                wire.clone(),
                (far, far_peer),
                (near, near_peer),
            )
            .await
        };

        assert!(matches!(ended, Ok(())), "{ended:?}");
        assert!(arrived == wire, "up: {is_up}");
        assert!(
            flow.pipe.is_some(),
            "up: {is_up} {:?} {}",
            flow.course,
            flow.written
        );
    }
}

#[tokio::test]
async fn long_and_short_chunks_take_turns() {
    let sizes: Vec<usize> = (0..600)
        .map(|at| match at % 7 {
            0 => 200_000,
            1 | 2 => 1,
            3 => LONG_CHUNK - 1,
            4 => LONG_CHUNK,
            5 => 50,
            _ => 40_000,
        })
        .collect();
    let wire = chunks(&sizes);

    let (flow, ended, arrived) = carry(RequestBody::Chunked, wire.clone()).await;

    assert!(matches!(ended, Ok(())), "{ended:?}");
    assert!(flow.pipe.is_some());
    assert!(arrived == wire);
}

#[tokio::test]
async fn short_chunks_are_copied() {
    let wire = chunks(&vec![100; 30_000]);

    let (flow, ended, arrived) = carry(RequestBody::Chunked, wire.clone()).await;

    assert!(matches!(ended, Ok(())), "{ended:?}");
    assert!(flow.pipe.is_none());
    assert!(arrived == wire);
}

#[tokio::test]
async fn bytes_beyond_a_long_body_stay_behind() {
    for (body, mut wire) in [
        (RequestBody::Length(3 * BULK), payload(3 * BULK)),
        (RequestBody::Chunked, chunks(&[100_000; 30])),
    ] {
        let (mut source, mut peer) = end();
        let (mut sink, reader) = pair();
        let reader = reading(reader);
        let until = wire.len();
        wire.extend_from_slice(b"GET /next");
        let sender = spawn(move || peer.write_all(&wire).map(|()| (peer, wire)));
        let mut meter = Meter::request(body);
        let mut flow = Flow::new();

        poll_fn(|cx| flow.poll_body(cx, &mut source, &mut meter, &mut sink))
            .await
            .unwrap();
        drop(sink);

        let (peer, wire) = sender.join().unwrap().unwrap();
        assert!(reader.join().unwrap() == wire[..until]);
        while source.inbox.len() < 9 {
            poll_fn(|cx| source.poll_fill(cx, 64)).await.unwrap();
        }
        assert_eq!(source.inbox.bytes(), b"GET /next");
        drop(peer);
    }
}

#[tokio::test]
async fn a_long_body_that_stops_early_looks_cut_and_what_came_is_passed_on() {
    let mut wire = payload(3 * BULK);
    wire.truncate(wire.len() - 1);

    let (flow, ended, arrived) = carry(RequestBody::Length(3 * BULK), wire.clone()).await;

    assert!(matches!(ended, Err(Broken::Cut)), "{ended:?}");
    assert!(flow.pipe.is_some());
    assert!(arrived == wire);
}

#[tokio::test]
async fn nothing_between_long_chunks_passes_unread() {
    let right = chunks(&[100_000; 30]);
    let line = b"186a0\r\n";
    let (last, _) = right
        .windows(line.len())
        .enumerate()
        .rfind(|(_, window)| window == line)
        .unwrap();
    for (wrong, bad) in [
        (&b"186a0;x\r\n"[..], BadFraming::Extension),
        (b"186a0\n", BadFraming::LineEnd),
        (b"x\r\n", BadFraming::Size),
    ] {
        let mut wire = right.clone();
        wire.splice(last..last + line.len(), wrong.iter().copied());

        let (flow, ended, arrived) = carry(RequestBody::Chunked, wire.clone()).await;

        assert!(
            matches!(ended, Err(Broken::Framing(said)) if said == bad),
            "{ended:?}"
        );
        assert!(flow.pipe.is_some());
        assert!(arrived.len() <= last, "nothing of the line went on");
        assert!(wire.starts_with(&arrived));
    }
}

#[tokio::test]
async fn where_the_kernel_will_not_splice_long_bodies_are_copied() {
    let mut flow = Flow::new();
    flow.pipe = Some(Pipe::barred());
    let wire = payload(3 * BULK);

    let (flow, ended, arrived) =
        carry_through(flow, RequestBody::Length(3 * BULK), wire.clone()).await;

    assert!(matches!(ended, Ok(())), "{ended:?}");
    assert_eq!(flow.course, Course::Barred);
    assert!(arrived == wire);
}

#[tokio::test]
async fn a_sink_that_goes_away_is_noticed_with_payload_on_its_way_round() {
    let (mut source, mut peer) = end();
    let (mut sink, mut reader) = pair();
    let sender = spawn(move || peer.write_all(&payload(64 * BULK)).is_err());
    let left = spawn(move || {
        let mut taken = vec![0; 3 << 20];
        reader.read_exact(&mut taken).unwrap();
    });
    let mut meter = Meter::request(RequestBody::Length(64 * BULK));
    let mut flow = Flow::new();

    let ended = poll_fn(|cx| flow.poll_body(cx, &mut source, &mut meter, &mut sink)).await;

    assert!(matches!(ended, Err(Broken::Sink)), "{ended:?}");
    assert!(flow.pipe.is_some());
    left.join().unwrap();
    drop(source);
    assert!(sender.join().unwrap(), "the sender is told");
}

const LONG_CHUNK: usize = 16 * 1024;

/// Sends a body through a flow: the flow, how it ended, and what arrived.
async fn carry(body: RequestBody, wire: Vec<u8>) -> (Flow, Result<(), Broken>, Vec<u8>) {
    carry_through(Flow::new(), body, wire).await
}

async fn carry_through(
    flow: Flow,
    body: RequestBody,
    wire: Vec<u8>,
) -> (Flow, Result<(), Broken>, Vec<u8>) {
    between(flow, body, wire, pair(), pair()).await
}

/// From a source to a sink, each given with the peer that writes to it or reads from it.
async fn between(
    mut flow: Flow,
    body: RequestBody,
    wire: Vec<u8>,
    (source, mut writer): (Socket, impl Write + Send + 'static),
    (mut sink, reader): (Socket, impl Read + Send + 'static),
) -> (Flow, Result<(), Broken>, Vec<u8>) {
    let mut source = End::new(source);
    let reader = reading(reader);
    // In pieces that fit nothing, and nothing more after them.
    let sender = spawn(move || {
        wire.chunks(77_777)
            .all(|piece| writer.write_all(piece).is_ok())
    });
    let mut meter = Meter::request(body);

    let ended = poll_fn(|cx| flow.poll_body(cx, &mut source, &mut meter, &mut sink)).await;

    drop((source, sink));
    sender.join().unwrap();
    (flow, ended, reader.join().unwrap())
}

fn reading(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut arrived = Vec::new();
        let mut room = vec![0; 50_000];
        while let Ok(count @ 1..) = from.read(&mut room) {
            arrived.extend_from_slice(&room[..count]);
        }
        arrived
    })
}

fn end() -> (End, UnixStream) {
    let (socket, peer) = pair();
    (End::new(socket), peer)
}

fn pair() -> (Socket, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Socket::from(Stream::Unix(ours.try_into().unwrap())), peer)
}

/// Bytes whose order can be told.
fn payload(length: u64) -> Vec<u8> {
    let words = (0..length.div_ceil(4)).map(|at| u32::try_from(at).unwrap());
    let mut bytes: Vec<u8> = words
        .flat_map(|at| at.wrapping_mul(0x9E37_79B1).to_le_bytes())
        .collect();
    bytes.truncate(usize::try_from(length).unwrap());
    bytes
}

fn chunks(sizes: &[usize]) -> Vec<u8> {
    let all = payload(wide(sizes.iter().sum()));
    let mut rest = &all[..];
    let mut wire = Vec::new();
    for size in sizes {
        let (chunk, after) = rest.split_at(*size);
        rest = after;
        wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}
