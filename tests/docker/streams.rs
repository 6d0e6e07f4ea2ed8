//! Bytes that flow: run, attach, exec, logs, events.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::stage::{
    Background, Container, Gate, IMAGE, WORKER, docker, docker_with_input, engine, name,
    on_terminal,
};

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn run_without_input_shows_everything() {
    let gate = Gate::before(engine(), WORKER);

    // The client half-closes right after the 101, before a byte of output.
    for _ in 0..5 {
        let run = docker(
            &gate.socket(),
            &[
                "run",
                "--rm",
                IMAGE,
                "sh",
                "-c",
                "seq 1 1000; echo oops >&2",
            ],
        );
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            (run.out.lines().count(), run.err.as_str()),
            (1000, "oops\n")
        );
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn run_with_input_ends_when_the_input_does() {
    let gate = Gate::before(engine(), WORKER);

    let hi = docker_with_input(
        &gate.socket(),
        &["run", "--rm", "-i", IMAGE, "cat"],
        b"hi\n",
    );
    assert_eq!((hi.code, hi.out.as_str()), (0, "hi\n"));

    let much = vec![b'x'; 3_000_000];
    let count = docker_with_input(
        &gate.socket(),
        &["run", "--rm", "-i", IMAGE, "wc", "-c"],
        &much,
    );
    assert_eq!((count.code, count.out.trim()), (0, "3000000"));
    let back = docker_with_input(&gate.socket(), &["run", "--rm", "-i", IMAGE, "cat"], &much);
    assert_eq!((back.code, back.out.len()), (0, 3_000_000));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn exit_codes_come_through() {
    let container = Container::running("codes", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), WORKER);

    for code in [0, 1, 5, 42] {
        let exit = format!("exit {code}");
        assert_eq!(
            docker(&gate.socket(), &["run", "--rm", IMAGE, "sh", "-c", &exit]).code,
            code
        );
        assert_eq!(
            docker(&gate.socket(), &["exec", &container.0, "sh", "-c", &exit]).code,
            code
        );
    }
    let missing = docker(&gate.socket(), &["run", "--rm", IMAGE, "/nosuch"]);
    assert_eq!(missing.code, 127, "{missing:?}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn exec_on_a_terminal_follows_its_size() {
    let container = Container::running("terminal", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), WORKER);

    let steps = [
        "expect=#",
        r"until=stty size\n::24 80",
        r"size=30x100::stty size\n::30 100",
        r"size=50x132::stty size\n::50 132",
        r"send=exit 7\n",
    ];
    let exec = on_terminal(&gate.socket(), &steps, &["exec", "-it", &container.0, "sh"]);

    assert_eq!(exec.code, 7, "{exec:?}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn run_on_a_terminal_works() {
    let gate = Gate::before(engine(), WORKER);

    let steps = ["expect=#", r"until=stty size\n::24 80", r"send=exit 3\n"];
    let run = on_terminal(&gate.socket(), &steps, &["run", "--rm", "-it", IMAGE, "sh"]);

    assert_eq!(run.code, 3, "{run:?}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn exec_with_input_ends_when_the_input_does() {
    let container = Container::running("input", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), WORKER);

    let much = vec![b'y'; 3_000_000];
    let count = docker_with_input(
        &gate.socket(),
        &["exec", "-i", &container.0, "wc", "-c"],
        &much,
    );

    assert_eq!((count.code, count.out.trim()), (0, "3000000"));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn followed_logs_come_line_by_line_and_end_with_the_container() {
    let script = "for i in 1 2 3; do echo line $i; sleep 1; done";
    let container = Container::running("logs", &[], &["sh", "-c", script]);
    let gate = Gate::before(engine(), WORKER);

    let mut logs = Background::docker(&gate.socket(), &["logs", "-f", &container.0]);
    logs.wait_for("line 1");
    assert_eq!(logs.wait_exit(), 0);

    assert_eq!(logs.said(), "line 1\nline 2\nline 3\n");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn attached_output_comes_without_input() {
    let script = "while true; do echo tick; sleep 1; done";
    let container = Container::running("attach", &[], &["sh", "-c", script]);
    let gate = Gate::before(engine(), WORKER);

    let attached = Background::docker(&gate.socket(), &["attach", "--no-stdin", &container.0]);

    attached.wait_for("tick\ntick\n");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn started_container_takes_the_input_it_was_started_with() {
    let gate = Gate::before(engine(), WORKER);
    let container = Container(name("start"));
    docker(
        &gate.socket(),
        &["create", "-i", "--name", &container.0, IMAGE, "cat"],
    )
    .ok();

    let said = docker_with_input(
        &gate.socket(),
        &["start", "-ai", &container.0],
        b"over the wall\n",
    );

    assert_eq!((said.code, said.out.as_str()), (0, "over the wall\n"));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn events_after_a_long_silence_still_come() {
    // Longer than any deadline in the code.
    const SILENCE: Duration = Duration::from_secs(45);
    let gate = Gate::before(engine(), WORKER);
    let name = name("late");
    let filter = format!("container={name}");
    let events = Background::docker(
        &gate.socket(),
        &["events", "--filter", &filter, "--format", "{{.Action}}"],
    );

    let end = Instant::now() + SILENCE;
    while Instant::now() < end {
        std::thread::park_timeout(end - Instant::now());
    }
    assert_eq!(events.said(), "");
    docker(
        &gate.socket(),
        &["run", "--rm", "--name", &name, IMAGE, "true"],
    )
    .ok();

    for action in ["create", "start", "die", "destroy"] {
        events.wait_for(action);
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn attach_without_upgrade_carries_both_ways() {
    let container = Container(name("hijack"));
    docker(
        engine(),
        &["create", "-i", "--name", &container.0, IMAGE, "cat"],
    )
    .ok();
    docker(engine(), &["start", &container.0]).ok();
    let gate = Gate::before(engine(), WORKER);

    let mut stream = gate.connect();
    write!(
        stream,
        "POST /v1.41/containers/{}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n",
        container.0
    )
    .unwrap();
    let mut seen = Vec::new();
    let head = read_until(&mut stream, &mut seen, b"\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    stream.write_all(b"hi there\n").unwrap();
    // One frame of the multiplexed stream: type 1 (stdout), length 9, bytes.
    let frame = read_until(&mut stream, &mut seen, b"hi there\n");
    assert!(frame.ends_with("hi there\n"), "{frame:?}");
    stream.shutdown(Shutdown::Write).unwrap();

    // The end of its input ends `cat`, which ends the container and the stream.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(docker(engine(), &["wait", &container.0]).ok().trim(), "0");
}

fn read_until(stream: &mut impl Read, seen: &mut Vec<u8>, needle: &[u8]) -> String {
    let mut byte = [0];
    while !seen.ends_with(needle) {
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "the end after {:?}",
            String::from_utf8_lossy(seen)
        );
        seen.push(byte[0]);
    }
    String::from_utf8_lossy(&std::mem::take(seen)).into_owned()
}
