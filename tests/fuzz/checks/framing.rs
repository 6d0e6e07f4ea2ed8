//! Cutting a chunked body in two changes nothing, and the hint never reaches beyond its end.
//!
//! The first byte of the input says where the body is cut.

use quaygate::wire::framing::{Meter, RequestBody, collect};

/// One input.
pub fn check(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let (head, tail) = bytes.split_at(bytes.len() * usize::from(*first) / 256);

    let mut whole = Meter::request(RequestBody::Chunked);
    let mut payload = Vec::new();
    let taken = collect(&mut whole, bytes, &mut payload);

    let mut pieces = Meter::request(RequestBody::Chunked);
    let mut payload_of_pieces = Vec::new();
    let in_two = collect(&mut pieces, head, &mut payload_of_pieces).and_then(|before| {
        collect(&mut pieces, tail, &mut payload_of_pieces).map(|after| before + after)
    });

    assert_eq!(taken, in_two);
    assert_eq!(payload, payload_of_pieces);
    assert_eq!(whole.is_done(), pieces.is_done());
    assert_eq!(Meter::request(RequestBody::Chunked).take(bytes), taken);
    if let Ok(end) = taken
        && whole.is_done()
    {
        by_the_hint(&bytes[..end]);
    }
}

/// Reads a complete body in steps of what is certainly still to come.
fn by_the_hint(mut body: &[u8]) {
    let mut meter = Meter::request(RequestBody::Chunked);
    while !meter.is_done() {
        let hint = usize::try_from(meter.remaining_hint()).expect("a hint within the body");
        assert!(hint > 0 && hint <= body.len());
        assert_eq!(meter.take(&body[..hint]), Ok(hint));
        body = &body[hint..];
    }
    assert!(body.is_empty());
}
