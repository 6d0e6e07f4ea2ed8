//! Where bodies end, held against a decoder too simple to be wrong.

use proptest::prelude::*;

use super::{BadFraming, Meter, RequestBody, ResponseBody, collect};

fn chunked() -> Meter {
    Meter::request(RequestBody::Chunked)
}

#[test]
fn canonical_chunks_end_where_they_end() {
    for body in [
        "0\r\n\r\n",
        "1\r\nx\r\n0\r\n\r\n",
        "a\r\n0123456789\r\nA\r\n0\r\n\r\n56789\r\n0\r\n\r\n",
        "0000000000000a\r\n0123456789\r\n000000000000000\r\n\r\n",
    ] {
        let mut meter = chunked();
        let stream = format!("{body}GET / HTTP/1.1\r\n");
        assert_eq!(meter.take(stream.as_bytes()), Ok(body.len()), "{body:?}");
        assert!(meter.is_done());
        assert_eq!(meter.take(b"more"), Ok(0));
    }
}

#[test]
fn chunks_that_two_readers_read_differently_are_refused() {
    for (bad, body, twin) in [
        (BadFraming::Size, "\r\n0\r\n\r\n", "0\r\n\r\n"),
        (BadFraming::Size, "x\r\n", "a\r\n"),
        (BadFraming::Size, " 1\r\n", "1\r\n"),
        (BadFraming::Size, "-1\r\n", "1\r\n"),
        (BadFraming::Size, "0x1\r\n", "01\r\n"),
        (BadFraming::Size, "1_0\r\n", "10\r\n"),
        (BadFraming::Size, "\n", "1\r\n"),
        (
            BadFraming::Size,
            "1000000000000000\r\n",
            "100000000000000\r\n",
        ),
        (
            BadFraming::Size,
            "0000000000000000\r\n",
            "000000000000000\r\n",
        ),
        (BadFraming::Extension, "1;a=b\r\nx\r\n", "1\r\nx\r\n"),
        (BadFraming::Extension, "1 \r\nx\r\n", "1\r\nx\r\n"),
        (BadFraming::Extension, "1\t\r\nx\r\n", "1\r\nx\r\n"),
        (BadFraming::Extension, "0;\n\r\n\r\n", "0\r\n\r\n"),
        (BadFraming::LineEnd, "1\nx\r\n", "1\r\nx\r\n"),
        (BadFraming::LineEnd, "1\rx\r\n", "1\r\nx\r\n"),
        (BadFraming::LineEnd, "1\r\r\nx\r\n", "1\r\nx\r\n"),
        (BadFraming::LineEnd, "0\n\n", "0\r\n\r\n"),
        (BadFraming::LineEnd, "0\r\n\n", "0\r\n\r\n"),
        (BadFraming::LineEnd, "0\r\n\rx", "0\r\n\r\n"),
        (BadFraming::LineEnd, "1\r\nx\rx", "1\r\nx\r\n"),
        (BadFraming::Overlong, "1\r\nxx\r\n", "2\r\nxx\r\n"),
        (BadFraming::Overlong, "1\r\nx\n", "1\r\nx\r\n"),
        (BadFraming::Trailer, "0\r\nA: b\r\n\r\n", "0\r\n\r\n"),
        (BadFraming::Trailer, "0\r\n0\r\n\r\n", "0\r\n\r\n"),
    ] {
        let mut meter = chunked();
        assert_eq!(meter.take(body.as_bytes()), Err(bad), "{body:?}");
        assert_eq!(meter.take(b"0\r\n\r\n"), Err(bad), "a mistake is for good");
        assert!(!meter.is_done() && !meter.may_end());
        assert_eq!(chunked().take(twin.as_bytes()), Ok(twin.len()), "{twin:?}");
    }
}

#[test]
fn lengths_are_counted() {
    let mut meter = Meter::request(RequestBody::Length(5));
    assert_eq!(meter.take(b"ab"), Ok(2));
    assert!(!meter.may_end());
    assert_eq!(meter.remaining_hint(), 3);
    assert_eq!(meter.take(b"cdefg"), Ok(3));
    assert!(meter.is_done() && meter.may_end());

    let mut longest = Meter::request(RequestBody::Length(u64::MAX));
    assert_eq!(longest.take(b"abc"), Ok(3));
    assert_eq!(longest.remaining_hint(), u64::MAX - 3);
}

#[test]
fn no_body_is_done_at_once() {
    for meter in [
        Meter::request(RequestBody::None),
        Meter::request(RequestBody::Length(0)),
        Meter::response(ResponseBody::Empty { declared: Some(9) }),
        Meter::response(ResponseBody::Length(0)),
    ] {
        let mut meter = meter;
        assert!(meter.is_done() && meter.may_end());
        assert_eq!(meter.take(b"x"), Ok(0));
    }
}

#[test]
fn until_eof_takes_everything_and_may_end_anywhere() {
    let mut meter = Meter::response(ResponseBody::UntilEof);
    assert!(meter.may_end() && !meter.is_done());
    assert_eq!(meter.take(b"0\r\n\r\n"), Ok(5));
    assert!(meter.may_end() && !meter.is_done());
}

#[test]
fn only_a_complete_chunked_body_may_end() {
    let body = b"1\r\nx\r\n0\r\n\r\n";
    let mut meter = chunked();
    for byte in body {
        assert!(!meter.may_end());
        assert_eq!(meter.take(&[*byte]), Ok(1));
    }
    assert!(meter.may_end());
}

/// The payload and length of a chunked body at the start of `bytes`, the plain way.
fn reference(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut payload = Vec::new();
    let mut at = 0;
    loop {
        let line_end = at + memchr::memmem::find(&bytes[at..], b"\r\n")?;
        let line = std::str::from_utf8(&bytes[at..line_end]).ok()?;
        let digits = (1..=15).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(line, 16).ok().filter(|_| digits)?;
        at = line_end + 2;
        if size == 0 {
            return bytes[at..]
                .starts_with(b"\r\n")
                .then_some((payload, at + 2));
        }
        let data_end = at.checked_add(size)?;
        payload.extend_from_slice(bytes.get(at..data_end)?);
        at = data_end + 2;
        if bytes.get(data_end..at)? != b"\r\n" {
            return None;
        }
    }
}

/// Chunked bodies, most of them right, some with a byte changed, something after them.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let chunk = prop::collection::vec(prop::sample::select(&b"0a\r\n;"[..]), 1..40);
    let change = prop::option::weighted(0.5, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec((chunk, 0..3_usize), 0..6), change).prop_map(|(chunks, change)| {
        let mut stream = Vec::new();
        for (data, zeros) in chunks {
            stream
                .extend_from_slice(format!("{}{:x}\r\n", "0".repeat(zeros), data.len()).as_bytes());
            stream.extend_from_slice(&data);
            stream.extend_from_slice(b"\r\n");
        }
        stream.extend_from_slice(b"0\r\n\r\nGET / HTTP/1.1\r\n");
        if let Some((at, byte)) = change {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_meter_agrees_with_the_plain_reading(
        stream in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(stream.len());
        let mut meter = chunked();
        let mut twin = meter;
        let (mut payload, mut total, mut from, mut broken) = (Vec::new(), 0, 0, false);
        for cut in cuts {
            let piece = &stream[from..cut];
            let taken = collect(&mut meter, piece, &mut payload);
            prop_assert_eq!(taken, twin.take(piece));
            match taken {
                Ok(taken) => total += taken,
                Err(_) => broken = true,
            }
            from = cut;
        }
        prop_assert_eq!(meter.is_done(), !broken && meter.may_end());
        match reference(&stream) {
            Some(expected) => prop_assert_eq!((payload, total), expected),
            None => prop_assert!(!meter.is_done()),
        }
    }

    /// What is skipped is payload and nothing else, however much of a run is skipped and read by turns.
    #[test]
    fn to_skip_a_run_is_to_read_it(
        stream in streams(),
        steps in prop::collection::vec((any::<bool>(), 1..40_usize), 1..60),
    ) {
        let (mut meter, mut twin) = (chunked(), chunked());
        let (mut payload, mut at) = (Vec::new(), 0);
        for (skips, most) in steps {
            let run = usize::try_from(meter.run()).unwrap();
            let most = most.min(stream.len() - at);
            let piece = if skips && run > 0 { &stream[at..at + most.min(run)] } else { &stream[at..at + most] };
            let taken = collect(&mut twin, piece, &mut payload);
            if skips && run > 0 {
                meter.skip(u64::try_from(piece.len()).unwrap());
                prop_assert_eq!(taken, Ok(piece.len()));
            } else {
                prop_assert_eq!(meter.take(piece), taken);
            }
            prop_assert_eq!(meter.remaining_hint(), twin.remaining_hint());
            prop_assert_eq!(meter.run(), twin.run());
            let Ok(taken) = taken else { break };
            at += taken;
        }
        prop_assert_eq!(meter.is_done(), twin.is_done());
    }

    #[test]
    fn reading_the_hint_never_reads_past_the_end(stream in streams()) {
        let Some((_, end)) = reference(&stream) else { return Ok(()) };
        let mut meter = chunked();
        let mut at = 0;
        while !meter.is_done() {
            let hint = usize::try_from(meter.remaining_hint()).unwrap();
            prop_assert!(hint > 0 && at + hint <= end);
            prop_assert_eq!(meter.take(&stream[at..at + hint]), Ok(hint));
            at += hint;
        }
        prop_assert_eq!(at, end);
    }
}
