//! Requests that real clients sent to real engines, and what they were answered.
//!
//! One line of `tests/data/traces.jsonl` is one exchange; tests/data/README.md tells where they
//! come from.

use serde::Deserialize;
use serde_json::Value;

/// One recorded exchange.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trace {
    /// Client and engine: `cli28.2-engine20.10`.
    pub(crate) src: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) resp_headers: Vec<(String, String)>,
    pub(crate) resp: ResponseBody,
    /// `101` or `200-hijack` when the exchange became a tunnel.
    pub(crate) via: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RequestBody {
    pub(crate) framing: String,
    pub(crate) size: usize,
    pub(crate) json: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResponseBody {
    pub(crate) framing: String,
    pub(crate) size: usize,
}

/// All of them.
pub(crate) fn all() -> Vec<Trace> {
    include_str!("../../data/traces.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

impl Trace {
    /// The payload: the recorded document, or as many bytes as were sent (at most 64 KiB).
    pub(crate) fn payload(&self) -> Vec<u8> {
        match &self.body {
            None => Vec::new(),
            Some(RequestBody {
                json: Some(json), ..
            }) => serde_json::to_vec(json).unwrap(),
            Some(RequestBody { size, .. }) => vec![b'.'; (*size).min(64 * 1024)],
        }
    }

    /// The request on the wire, framed as it was recorded.
    pub(crate) fn request(&self) -> Vec<u8> {
        let payload = self.payload();
        let chunked = self
            .body
            .as_ref()
            .is_some_and(|body| body.framing == "chunked");
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            let value = if name.eq_ignore_ascii_case("content-length") {
                payload.len().to_string()
            } else {
                value.clone()
            };
            out.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        out.extend(b"\r\n");
        out.extend(if chunked && !payload.is_empty() {
            super::chunked(&payload)
        } else if chunked {
            b"0\r\n\r\n".to_vec()
        } else {
            payload
        });
        out
    }

    /// The answer on the wire, with a body of made-up bytes.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let size = self.resp.size.min(16 * 1024);
        let body = vec![b'#'; size];
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason).into_bytes();
        for (name, value) in &self.resp_headers {
            let value =
                if name.eq_ignore_ascii_case("content-length") && self.resp.framing == "length" {
                    size.to_string()
                } else {
                    value.clone()
                };
            out.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        out.extend(b"\r\n");
        match self.resp.framing.as_str() {
            "length" | "until-close" => out.extend(body),
            "chunked" if size == 0 => out.extend(b"0\r\n\r\n"),
            "chunked" => out.extend(super::chunked(&body)),
            _ => {}
        }
        out
    }

    /// The path and query without the version prefix.
    pub(crate) fn bare_target(&self) -> &str {
        match self
            .target
            .strip_prefix("/v1.")
            .and_then(|rest| rest.find('/'))
        {
            Some(slash) => &self.target[4 + slash..],
            None => &self.target,
        }
    }
}
