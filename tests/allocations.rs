//! How many heap blocks one call costs, end to end, and what each of them is.
//!
//! The gate runs in this process, on a thread of its own, as `quaygate run` runs it: audit to a file,
//! limits, the whole policy engine. Before it stands a client and behind it a stub of the engine, both
//! on plain threads with buffers on the stack, so that every block that is counted is the gate's. The
//! numbers do not depend on how fast the machine is; what is measured is counted, not timed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test prints what it counted, and says what went wrong by panicking"
)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dhat::{HeapStats, Profiler};
use quaygate::audit::{Audit, Keep, Output, Writer};
use quaygate::diag::Source;
use quaygate::engine::EngineState;
use quaygate::policy::Policy;
use quaygate::proxy::dial::Address;
use quaygate::proxy::limits::Limits;
use quaygate::proxy::{self, Gate, Shared};
use tempfile::TempDir;
use tokio::sync::oneshot;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

/// What a call may cost.
struct Case {
    what: &'static str,
    keep: Keep,
    request: &'static [u8],
    status: &'static [u8; 3],
    /// Blocks per call, and what each of them is. More is a regression; fewer is a reason to write
    /// the smaller number here.
    blocks: u64,
    are: &'static str,
}

const CASES: [Case; 7] = [
    Case {
        what: "a list",
        keep: Keep::Changes,
        request: b"GET /v1.45/containers/json?all=1 HTTP/1.1\r\nHost: d\r\nUser-Agent: Docker-Client/28\r\n\r\n",
        status: b"200",
        blocks: 0,
        are: "read, judged and forwarded in buffers of the thread; counted, not recorded",
    },
    Case {
        what: "a ping",
        keep: Keep::Changes,
        request: b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
        status: b"200",
        blocks: 0,
        are: "the same",
    },
    Case {
        what: "a call of a rule with a query condition",
        keep: Keep::Changes,
        request: b"GET /v1.45/containers/web/json?size=0 HTTP/1.1\r\nHost: d\r\n\r\n",
        status: b"200",
        blocks: 0,
        are: "a value without escapes is compared where it stands",
    },
    Case {
        what: "a list with filters",
        keep: Keep::Changes,
        request: b"GET /v1.45/images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D HTTP/1.1\r\nHost: d\r\n\r\n",
        status: b"200",
        blocks: 16,
        are: "JSON in a query: the escaped value is decoded when it is checked (4, growing), read as pairs and looked up by the rule (4 each), and parsed into a map of keys to values (4)",
    },
    Case {
        what: "a denial in a flood",
        keep: Keep::Changes,
        request: b"GET /v1.45/info HTTP/1.1\r\nHost: d\r\n\r\n",
        status: b"403",
        blocks: 6,
        are: "the message (1), the line that would allow it (3), the JSON around it (1), the answer (1); the records of a flood are counted and cost none",
    },
    Case {
        what: "a list that is recorded (--audit-allowed all)",
        keep: Keep::All,
        request: b"GET /v1.45/containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n",
        status: b"200",
        blocks: 3,
        are: "the record, its path, its query",
    },
    Case {
        what: "a change, with its two records",
        keep: Keep::Changes,
        request: b"POST /v1.45/containers/web/restart?t=5 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n",
        status: b"200",
        blocks: 5,
        are: "those 3, and path and query of the opening record",
    },
];

const POLICY: &str = r#"
allow = ["GET /_ping", "GET /containers/json"]

[[rule]]
allow = "GET /containers/{id}/json"
query.size = false

[[rule]]
allow = "GET /images/json"
query.filters.dangling = "true"

[[rule]]
allow = "POST /containers/{id}/restart"
query.t = '~[0-9]{1,2}'
"#;

/// Calls before counting: buffers of threads, pools and queues reach their size.
const WARM_UP: u64 = 500;
const COUNTED: u64 = 1000;
/// Blocks that may come once in a while, whatever is asked: a report of counted calls that became
/// due, a queue's next segment.
const STRAY: u64 = 200;

#[test]
fn a_call_costs_no_more_heap_blocks_than_are_named() {
    let over: Vec<_> = CASES.iter().filter_map(excess).collect();
    assert!(over.is_empty(), "{}", over.join("\n"));
}

/// What is wrong with a case, if something is.
fn excess(case: &Case) -> Option<String> {
    let places = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(case.what.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
        .with_extension("json");
    let profiler = Profiler::builder().testing().build();
    let blocks = count(case);
    drop(profiler);
    let Case {
        what,
        blocks: named,
        are,
        ..
    } = case;
    println!("{:6.3} blocks of {named}: {what}", per_call(blocks));
    if blocks <= named * COUNTED + STRAY {
        return None;
    }
    // Once more, for the places in the code; the whole run this time, warm-up included.
    let profiler = Profiler::builder()
        .file_name(&places)
        .trim_backtraces(Some(40))
        .build();
    count(case);
    drop(profiler);
    Some(format!(
        "{what}: {} blocks per call, and {named} are named: {are}. Where they come from: {}, for DHAT's viewer",
        per_call(blocks),
        places.display()
    ))
}

fn per_call(blocks: u64) -> f64 {
    f64::from(u32::try_from(blocks).unwrap()) / f64::from(u32::try_from(COUNTED).unwrap())
}

/// The blocks of [`COUNTED`] calls on one connection.
fn count(case: &Case) -> u64 {
    let setting = Setting::open(case.keep);
    let mut client = UnixStream::connect(setting.socket()).unwrap();
    for _ in 0..WARM_UP {
        ask(&mut client, case);
    }
    let before = HeapStats::get().total_blocks;
    for _ in 0..COUNTED {
        ask(&mut client, case);
    }
    let after = HeapStats::get().total_blocks;
    drop(client);
    setting.close();
    after - before
}

/// Sends the request and reads the whole answer; allocates nothing.
fn ask(client: &mut UnixStream, case: &Case) {
    client.write_all(case.request).unwrap();
    let mut answer = [0; 8192];
    let mut length = 0;
    while !is_whole(&answer[..length]) {
        let more = client.read(&mut answer[length..]).unwrap();
        assert!(more > 0, "{}: the gate closed the connection", case.what);
        length += more;
    }
    assert_eq!(&answer[9..12], case.status, "{}", case.what);
}

/// Knows the three framings that occur here: Docker's chunks and lengths, and the gate's own.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = find(answer, b"\r\n\r\n") else {
        return false;
    };
    let body = &answer[head + 4..];
    let Some(length) = find(&answer[..head], b"Content-Length: ") else {
        return body.ends_with(b"\r\n0\r\n\r\n");
    };
    let digits = answer[length + 16..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    body.len() == length
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}

/// A gate before a stub of the engine.
struct Setting {
    dir: TempDir,
    end: oneshot::Sender<()>,
    gate: thread::JoinHandle<()>,
    writer: Writer,
}

impl Setting {
    fn open(keep: Keep) -> Self {
        let dir = tempfile::Builder::new().prefix("qg").tempdir().unwrap();
        let engine = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&engine).unwrap();
        thread::spawn(move || serve(&listener));

        let output = Output::File(dir.path().join("audit.jsonl"));
        let (audit, writer) = Audit::start(output, keep).unwrap();
        let shared = Shared::new(
            Address::Unix(engine),
            EngineState::default(),
            audit,
            Limits::default(),
        );
        let gate = gate(&dir.path().join("gate.sock"));
        let (end, ended) = oneshot::channel::<()>();
        let gate = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(proxy::run(vec![gate], Arc::new(shared), async {
                let _told_or_gone = ended.await;
            }));
        });
        Self {
            dir,
            end,
            gate,
            writer,
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("gate.sock")
    }

    fn close(self) {
        self.end.send(()).unwrap();
        self.gate.join().unwrap();
        self.writer.finish();
    }
}

fn gate(socket: &Path) -> Gate {
    let source = Source::new("allocations.toml", POLICY);
    let policy = Policy::parse("allocations", &source)
        .expect("the policy is right")
        .policy;
    let listener = UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    Gate {
        policy: Arc::new(policy),
        listener,
    }
}

/// The engine: one connection after the other, every request answered from constant bytes.
fn serve(listener: &UnixListener) {
    let list = list();
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        let mut request = [0; 4096];
        let mut length = 0;
        while let Ok(more @ 1..) = connection.read(&mut request[length..]) {
            length += more;
            let head = &request[..length];
            if !head.ends_with(b"\r\n\r\n") {
                continue;
            }
            let answer = if find(head, b"/containers/json").is_some() {
                &*list
            } else {
                PING
            };
            if connection.write_all(answer).is_err() {
                break;
            }
            length = 0;
        }
    }
}

/// As dockerd answers a ping.
const PING: &[u8] = b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\n\
    Content-Type: text/plain; charset=utf-8\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
    Server: Docker/26.1.5 (linux)\r\nDate: Fri, 21 Nov 2025 22:05:00 GMT\r\n\r\nOK";

/// As dockerd answers a list: 2 KiB in one chunk.
fn list() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\n\
        Docker-Experimental: false\r\nOstype: linux\r\nServer: Docker/26.1.5 (linux)\r\n\
        Date: Fri, 21 Nov 2025 22:05:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("{head}800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800)).into_bytes()
}
