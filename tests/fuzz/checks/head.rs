//! Whatever is read as a head can be written and reads the same again; pieces change nothing.
//!
//! The first byte of the input says where the head is cut in two.

use quaygate::wire::head::{RequestHead, ResponseHead, Scan, read_request, read_response};
use quaygate::wire::write::{self, Connection};

/// One input.
pub fn check(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let cut = bytes.len() * usize::from(*first) / 256;
    request(bytes, cut);
    response(bytes, cut, first % 2 == 0);
}

fn request(bytes: &[u8], cut: usize) {
    let whole = read_request(bytes);
    let mut scan = Scan::default();
    let pieces = match scan.request(&bytes[..cut]) {
        Ok(None) => scan.request(bytes),
        early => early,
    };
    match (&whole, &pieces) {
        (Err(_), Err(_)) => {}
        _ => assert_eq!(format!("{whole:?}"), format!("{pieces:?}")),
    }
    if let Ok(Some((head, end))) = whole {
        assert!(end <= bytes.len());
        let written = write_request(&head);
        let (again, end) = read_request(&written).unwrap().unwrap();
        assert_eq!(end, written.len());
        assert_eq!(
            (
                again.method(),
                again.target(),
                again.body(),
                again.upgrade()
            ),
            (head.method(), head.target(), head.body(), head.upgrade()),
        );
        assert_eq!(again.content_type(), head.content_type());
        assert_eq!(write_request(&again), written);
    }
}

fn response(bytes: &[u8], cut: usize, to_head: bool) {
    let whole = read_response(bytes, to_head);
    let mut scan = Scan::default();
    let pieces = match scan.response(&bytes[..cut], to_head) {
        Ok(None) => scan.response(bytes, to_head),
        early => early,
    };
    match (&whole, &pieces) {
        (Err(_), Err(_)) => {}
        _ => assert_eq!(format!("{whole:?}"), format!("{pieces:?}")),
    }
    if let Ok(Some((head, end))) = whole {
        assert!(end <= bytes.len());
        let written = write_response(&head);
        let (again, end) = read_response(&written, to_head).unwrap().unwrap();
        assert_eq!(end, written.len());
        assert_eq!(
            (again.status(), again.reason(), again.body()),
            (head.status(), head.reason(), head.body()),
        );
        assert_eq!(write_response(&again), written);
    }
}

fn write_request(head: &RequestHead<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let connection = head
        .upgrade()
        .map_or(Connection::KeepAlive, Connection::Upgrade);
    write::request(
        &mut out,
        head.method(),
        |out| out.extend_from_slice(head.target().as_bytes()),
        head.headers(),
        head.body(),
        connection,
        head.expects_continue(),
    );
    out
}

fn write_response(head: &ResponseHead<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let (status, reason) = (head.status(), head.reason());
    write::response(
        &mut out,
        status,
        reason,
        head.headers(),
        head.body(),
        Connection::KeepAlive,
    );
    out
}
