//! Requests to walk with: recorded ones, bent.

use serde_json::Value;

/// Numbers that look random and are the same every time.
pub(super) struct Dice(u64);

/// What exists in the engine.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) containers: Vec<String>,
    pub(super) exec: String,
    pub(super) image: String,
    pub(super) volume: String,
    pub(super) network: String,
}

/// What one connection sends.
pub(super) struct Step {
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) requests: usize,
    /// Each piece is sent when something was answered to the one before.
    pub(super) waits: bool,
    pub(super) half_closes: bool,
}

pub(super) struct Walker<'n> {
    dice: Dice,
    names: &'n Names,
    recorded: Vec<Request>,
}

#[derive(Clone)]
struct Request {
    method: String,
    target: String,
    version: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    ends: &'static str,
}

/// Requests that must not get through, whatever they are hidden in. `@` is a container.
const CHANGES: &[(&str, &str)] = &[
    ("POST", "/containers/@/kill"),
    ("POST", "/containers/@/stop?t=0"),
    ("POST", "/containers/@/pause"),
    ("POST", "/containers/@/restart?t=0"),
    ("POST", "/containers/@/rename?name=walked"),
    ("POST", "/containers/@/start"),
    ("POST", "/containers/@/resize?h=1&w=1"),
    ("POST", "/containers/@/attach?stream=1&stdin=1"),
    ("POST", "/containers/@/update"),
    ("DELETE", "/containers/@?force=1&v=1"),
    ("POST", "/containers/prune"),
    ("POST", "/volumes/create"),
    ("DELETE", "/volumes/@v"),
    ("POST", "/volumes/prune"),
    ("POST", "/networks/create"),
    ("DELETE", "/networks/@n"),
    ("POST", "/networks/prune"),
    ("POST", "/images/@i/tag?repo=walked"),
    ("DELETE", "/images/@i?force=1"),
    (
        "POST",
        "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D",
    ),
    ("POST", "/commit?container=@"),
    ("POST", "/exec/@e/start"),
    ("POST", "/exec/@e/resize?h=1&w=1"),
    ("PUT", "/containers/@/archive?path=/tmp"),
    ("GET", "/containers/@/archive?path=/bin"),
    ("GET", "/containers/@/export"),
    ("GET", "/containers/@/attach/ws?stdin=1&stream=1"),
    ("POST", "/swarm/init"),
    ("POST", "/build"),
    ("POST", "/images/load"),
    ("POST", "/session"),
];

/// Header lines that may change what a request is.
const ODD_HEADERS: &[(&str, &str)] = &[
    ("Content-Length", "0"),
    ("Content-Length", "5"),
    ("Content-Length", "+5"),
    ("Content-Length", "5, 5"),
    ("Content-Length", ""),
    ("content-length", "0005"),
    ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "gzip, chunked"),
    ("Transfer-Encoding", "xchunked"),
    ("Transfer-Encoding", "identity"),
    ("transfer-encoding ", "chunked"),
    ("Host", "other"),
    ("Connection", "close"),
    ("Connection", "keep-alive, Upgrade, Content-Length"),
    ("Upgrade", "tcp"),
    ("Upgrade", "h2c"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Expect", "100-continue"),
    ("Expect", "200-ok"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Original-URL", "/containers/prune"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", "application/json"),
    ("Content-Encoding", "gzip"),
    ("Trailer", "Content-Length"),
    ("TE", "trailers"),
    ("X_Odd", "1"),
    ("Cookie", "a\tb"),
    ("X", " folded\r\n Content-Length: 7"),
    ("X", "v\nTransfer-Encoding: chunked"),
    ("X", "v\rContent-Length: 3"),
    ("Ho\0st", "x"),
];

/// Pieces that a path may be bent with.
const BENDS: &[(&str, &str)] = &[
    ("/", "//"),
    ("/", "/./"),
    ("/", "/x/../"),
    ("/", "%2f"),
    ("/", "%2F"),
    ("/", "\\"),
    ("/containers", "/%63ontainers"),
    ("/containers", "/CONTAINERS"),
    ("/json", "/json/"),
    ("/json", "/start"),
    ("/json", "/json%00"),
    ("/json", "/kill#/json"),
    ("/json", "/kill;/json"),
    ("/json", "/archive?path=/&x=/json"),
    ("/json", "/json?signal=KILL"),
    ("/json", "/web/start/json"),
    ("/v1.", "/V1."),
    ("/v1.", "/v1.41/v1."),
    ("/v1.41", "/v1.41."),
    ("/v1.41", "/v1.999"),
    ("/v1.41", "/v1.12"),
    ("/v1.41", ""),
    ("?", "?a;b&"),
    ("?", "%3f"),
    ("?", "#"),
    ("?", "??"),
    ("=", "=%"),
    ("=", "==1&"),
    ("&", ";"),
];

// === impl Dice ===

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

// === impl Walker ===

impl<'n> Walker<'n> {
    pub(super) fn new(dice: Dice, names: &'n Names) -> Self {
        let recorded = include_str!("../../data/traces.jsonl")
            .lines()
            .map(|line| Request::recorded(&serde_json::from_str(line).unwrap()))
            .chain(
                include_str!("../../data/targets.txt")
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .filter_map(|line| {
                        let mut words = line.split_whitespace().skip(1);
                        Some(Request::plain(words.next()?, words.next()?))
                    }),
            )
            .collect();
        Self {
            dice,
            names,
            recorded,
        }
    }

    /// What the next connection sends.
    pub(super) fn step(&mut self) -> Step {
        let requests = 1 + self.dice.below(4);
        let mut pieces: Vec<Vec<u8>> = (0..requests).map(|_| self.request()).collect();
        let waits = self.dice.once_in(2);
        if !waits && self.dice.once_in(2) {
            pieces = vec![pieces.concat()];
        }
        if self.dice.once_in(6) {
            let last = pieces.len() - 1;
            self.bend_bytes(&mut pieces[last]);
        }
        Step {
            pieces,
            requests,
            waits,
            half_closes: !self.dice.once_in(4),
        }
    }

    fn request(&mut self) -> Vec<u8> {
        let mut request = match self.dice.below(10) {
            // What is allowed must be on the way too, or nothing ever reaches the engine.
            0..=2 => self.change(),
            3..=5 => self.read(),
            _ => {
                let recorded = self.recorded.len();
                self.recorded[self.dice.below(recorded)].clone()
            }
        };
        self.rename(&mut request);
        if !self.dice.once_in(3) {
            for _ in 0..=self.dice.below(3) {
                self.bend(&mut request);
            }
        }
        let smuggled = if self.dice.once_in(5) {
            let mut hidden = self.change();
            self.rename(&mut hidden);
            hidden.bytes()
        } else {
            Vec::new()
        };
        request.hiding(&smuggled, &mut self.dice)
    }

    fn change(&mut self) -> Request {
        let (method, target) = *self.dice.of(CHANGES);
        Request::plain(method, target)
    }

    fn read(&mut self) -> Request {
        let target = *self.dice.of(&[
            "/_ping",
            "/version",
            "/info",
            "/containers/json?all=1",
            "/v1.41/containers/@/json",
            "/containers/@/changes",
            "/containers/@/stats?stream=0",
            "/images/json",
            "/images/@i/json",
            "/networks",
            "/networks/@n",
            "/volumes",
            "/volumes/@v",
            "/events?since=1&until=2",
        ]);
        Request::plain("GET", target)
    }

    /// Puts the names of things that exist into a target.
    fn rename(&mut self, request: &mut Request) {
        let container = self.dice.of(&self.names.containers).clone();
        let target = request
            .target
            .replace("@v", &self.names.volume)
            .replace("@n", &self.names.network)
            .replace("@i", &self.names.image)
            .replace("@e", &self.names.exec)
            .replace('@', &container);
        let mut segments: Vec<&str> = target.split('/').collect();
        if let Some(at) = segments.iter().position(|segment| {
            ["containers", "exec", "images", "volumes", "networks"].contains(segment)
        }) && segments.get(at + 1).is_some_and(|name| {
            !["json", "create", "prune", "load", "get", "search"]
                .iter()
                .any(|word| name.starts_with(word))
        }) {
            let (name, query) = segments[at + 1]
                .find('?')
                .map_or((segments[at + 1], ""), |mark| {
                    segments[at + 1].split_at(mark)
                });
            let name = match segments[at] {
                "containers" if !self.names.containers.iter().any(|known| known == name) => {
                    container
                }
                "exec" => self.names.exec.clone(),
                "volumes" => self.names.volume.clone(),
                "networks" => self.names.network.clone(),
                "images" => self.names.image.clone(),
                _ => name.to_owned(),
            };
            let name = name + query;
            segments[at + 1] = &name;
            request.target = segments.join("/");
            return;
        }
        request.target = target;
    }

    /// One change to the request's meaning.
    fn bend(&mut self, request: &mut Request) {
        match self.dice.below(12) {
            0 => {
                let methods = [
                    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "Post",
                    "CONNECT", "TRACE", "PRI", "GET\t", "",
                ];
                (*self.dice.of(&methods)).clone_into(&mut request.method);
            }
            1..=3 => {
                let (from, to) = *self.dice.of(BENDS);
                request.target = request.target.replacen(from, to, 1 + self.dice.below(2));
            }
            4 => self.bend_target(request),
            5..=7 => {
                let (name, value) = *self.dice.of(ODD_HEADERS);
                let at = self.dice.below(request.headers.len() + 1);
                request.headers.insert(at, (name.into(), value.into()));
            }
            8 => {
                if !request.headers.is_empty() {
                    let at = self.dice.below(request.headers.len());
                    request.headers.remove(at);
                }
            }
            9 => {
                let versions = [
                    "HTTP/1.1",
                    "HTTP/1.0",
                    "HTTP/2.0",
                    "HTTP/1.2",
                    "http/1.1",
                    "HTTP/1.1 ",
                    "",
                ];
                (*self.dice.of(&versions)).clone_into(&mut request.version);
            }
            10 => request.ends = *self.dice.of(&["\n", "\r\n", "\r\r\n", "\r\n "]),
            _ => request.chunked = !request.chunked,
        }
    }

    fn bend_target(&mut self, request: &mut Request) {
        let target = &request.target;
        request.target = match self.dice.below(5) {
            0 => format!("http://docker{target}"),
            1 => format!("http:{target}"),
            2 => format!("{target}?{}", "x=1&".repeat(self.dice.below(50))),
            3 => format!("/v1.41{target}"),
            _ => {
                // Any one byte, percent-encoded.
                let at = self.dice.below(target.len());
                match (target.get(..at), target.get(at..=at), target.get(at + 1..)) {
                    (Some(head), Some(byte), Some(tail)) => {
                        format!("{head}%{:02x}{tail}", byte.as_bytes()[0])
                    }
                    _ => target.clone(),
                }
            }
        };
    }

    /// A change that knows nothing of requests.
    fn bend_bytes(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.dice.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.dice.below(bytes.len());
            let any = u8::try_from(self.dice.below(256)).unwrap();
            match self.dice.below(5) {
                0 => bytes[at] = any,
                1 => bytes.insert(at, any),
                2 => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                _ => bytes.insert(at, *self.dice.of(b"\r\n \t:/%?#;\0")),
            }
        }
    }
}

// === impl Request ===

impl Request {
    fn plain(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: vec![("Host".to_owned(), "docker".to_owned())],
            body: Vec::new(),
            chunked: false,
            ends: "\r\n",
        }
    }

    fn recorded(trace: &Value) -> Self {
        let text = |key: &str| trace[key].as_str().unwrap_or_default();
        let mut request = Self::plain(text("method"), text("target"));
        request.headers = trace["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let word = |at: usize| pair[at].as_str().unwrap_or_default().to_owned();
                (word(0), word(1))
            })
            .filter(|(name, _)| {
                !["content-length", "transfer-encoding"]
                    .contains(&name.to_ascii_lowercase().as_str())
            })
            .collect();
        let body = &trace["body"];
        request.chunked = body["framing"] == "chunked";
        let document = &body["json"];
        request.body = if document.is_null() {
            vec![b'.'; usize::try_from(body["size"].as_u64().unwrap_or(0).min(4096)).unwrap()]
        } else {
            serde_json::to_vec(document).unwrap()
        };
        request
    }

    fn bytes(&self) -> Vec<u8> {
        self.written(None)
    }

    /// The request on the wire, with other bytes where a careless reader takes them for a request.
    fn hiding(&self, hidden: &[u8], dice: &mut Dice) -> Vec<u8> {
        if hidden.is_empty() {
            return self.bytes();
        }
        let mut carrier = self.clone();
        match dice.below(4) {
            // In the body, whole.
            0 => carrier.body = hidden.to_vec(),
            // Behind a body that is shorter than it says, or longer.
            1 => {
                carrier.body = hidden.to_vec();
                carrier.chunked = false;
                return carrier.written(Some(dice.below(hidden.len() + 40)));
            }
            // In a chunk whose size is written oddly.
            2 => {
                carrier.chunked = true;
                carrier.body = hidden.to_vec();
                let mut out = carrier.head(None);
                let size = *dice.of(&["0;x=y", "0x10", "00000000000000000010", " 5", "5 ", "-1"]);
                out.extend(format!("{size}\r\n").bytes());
                out.extend(hidden);
                out.extend(b"\r\n0\r\n\r\n");
                return out;
            }
            // Behind an upgrade.
            _ => {
                carrier
                    .headers
                    .push(("Connection".into(), "Upgrade".into()));
                carrier.headers.push(("Upgrade".into(), "tcp".into()));
                let mut out = carrier.bytes();
                out.extend(hidden);
                return out;
            }
        }
        carrier.bytes()
    }

    fn written(&self, length: Option<usize>) -> Vec<u8> {
        let mut out = self.head(length);
        if self.chunked {
            for chunk in self.body.chunks(700) {
                out.extend(format!("{:x}\r\n", chunk.len()).bytes());
                out.extend(chunk);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\n\r\n");
        } else {
            out.extend(&self.body);
        }
        out
    }

    fn head(&self, length: Option<usize>) -> Vec<u8> {
        let mut lines = vec![format!("{} {} {}", self.method, self.target, self.version)];
        lines.extend(
            self.headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        if self.chunked {
            lines.push("Transfer-Encoding: chunked".to_owned());
        } else if let Some(length) = length {
            lines.push(format!("Content-Length: {length}"));
        } else if !self.body.is_empty() || self.method == "POST" {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        let mut out = lines.join(self.ends);
        out.push_str(self.ends);
        out.push_str(self.ends);
        out.into_bytes()
    }
}
