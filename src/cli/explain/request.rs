//! A request as a person writes it.

use crate::docker::ApiVersion;

/// Method and target, as they would stand on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// What was made of a URL, where that surprises.
    pub(super) remark: Option<String>,
}

impl Request {
    /// Reads `'METHOD /path'`, also as words of their own, also with `HTTP/1.1` behind, or a path or
    /// URL alone, which is a GET.
    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let whole = words.join(" ");
        let mut words: Vec<&str> = whole.split_ascii_whitespace().collect();
        if words.len() > 1 && words.last().is_some_and(|last| last.starts_with("HTTP/1.")) {
            words.pop();
        }
        let (method, written) = match words[..] {
            [target] => ("GET", target),
            [method, target] => (method, target),
            _ => {
                return Err(format!(
                    "`{whole}` is not one request: write 'METHOD /path?query' in quotes, with blanks as %20"
                ));
            }
        };
        let (target, remark) = target(written)?;
        Ok(Self {
            method: method.to_owned(),
            target,
            remark,
        })
    }
}

/// The target that curl would send.
fn target(written: &str) -> Result<(String, Option<String>), String> {
    if written.starts_with('/') || written.starts_with("https:") {
        return Ok((written.to_owned(), None));
    }
    let Some(rest) = written.strip_prefix("http:") else {
        return Err(format!(
            "`{written}` is not a path: did you mean `/{written}`?"
        ));
    };
    // curl takes one to three slashes after the scheme, and what follows them as the host
    // (lib/urlapi.c), so that `http:/v1.41/info` asks the host v1.41 for `/info`.
    let after = rest.trim_start_matches('/');
    let (host, path) = after
        .find('/')
        .map_or((after, "/"), |slash| after.split_at(slash));
    let version = host
        .strip_prefix('v')
        .is_some_and(|rest| ApiVersion::parse(rest).is_some());
    let remark = version.then(|| {
        format!("curl takes `{host}` for the host, and sends the path `{path}` without version")
    });
    Ok((path.to_owned(), remark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(String, String), String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Request::read(&words).map(|request| (request.method, request.target))
    }

    #[test]
    fn a_request_is_read_as_people_write_it() {
        let is = |method: &str, target: &str| Ok((method.to_owned(), target.to_owned()));
        for (words, request) in [
            (
                &["POST /containers/create?name=x"][..],
                is("POST", "/containers/create?name=x"),
            ),
            (
                &["POST", "/containers/create"],
                is("POST", "/containers/create"),
            ),
            (&["GET /info HTTP/1.1"], is("GET", "/info")),
            (&["/containers/json"], is("GET", "/containers/json")),
            (&["http://localhost/v1.41/info"], is("GET", "/v1.41/info")),
            (&["http:/v1.41/info"], is("GET", "/info")),
            (&["HEAD http://d/_ping"], is("HEAD", "/_ping")),
            (&["get /info"], is("get", "/info")),
            (&["GET /a/../b"], is("GET", "/a/../b")),
        ] {
            assert_eq!(read(words), request, "{words:?}");
        }
    }

    #[test]
    fn what_is_not_one_request_is_refused_with_what_to_write() {
        assert!(
            read(&["containers/json"])
                .unwrap_err()
                .contains("did you mean `/containers/json`?")
        );
        assert!(read(&["GET /a /b"]).unwrap_err().contains("in quotes"));
        assert!(read(&[""]).unwrap_err().contains("METHOD"));
    }

    #[test]
    fn what_curl_makes_of_a_version_is_said() {
        let remark = |target: &str| Request::read(&[target.to_owned()]).unwrap().remark;
        assert!(
            remark("http:/v1.41/info")
                .unwrap()
                .contains("takes `v1.41` for the host")
        );
        assert_eq!(remark("http://v/info"), None);
        assert_eq!(remark("http://localhost/v1.41/info"), None);
    }
}
