//! What a `Content-Type` says about a body.
//!
//! Docker reads a body as JSON only if it is called so, and a form's values override the query; both
//! decide what a body means, so both are told apart here, by the type and not by its spelling.

/// What a body is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`, in UTF-8.
    Json,
    /// One of the two form types, whatever its parameters.
    Form,
    /// Anything else.
    Other,
}

impl Media {
    /// Reads the value of a `Content-Type` field.
    ///
    /// ```
    /// # use quaygate::docker::media::Media;
    /// assert_eq!(Media::of(b"application/json; charset=utf-8"), Media::Json);
    /// assert_eq!(Media::of(b"text/plain"), Media::Other);
    /// ```
    pub fn of(written: &[u8]) -> Self {
        let mut parts = written.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        // SECURITY: of several types joined by a comma Go takes none, others the first.
        let first = name.split(|byte| *byte == b',').next().unwrap_or_default();
        let first = first.trim_ascii();
        if first.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
            || first
                .get(..10)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
        {
            return Self::Form;
        }
        let json = name.eq_ignore_ascii_case(b"application/json");
        let rest: Vec<&[u8]> = parts.collect();
        match rest[..] {
            [] if json => Self::Json,
            [parameter] if json && is_utf8(parameter) => Self::Json,
            _ => Self::Other,
        }
    }
}

/// `charset=utf-8`: what JSON is in any case (RFC 8259 §8.1), and what .NET clients write.
fn is_utf8(parameter: &[u8]) -> bool {
    [&b"charset=utf-8"[..], b"charset=\"utf-8\""]
        .iter()
        .any(|known| parameter.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::Media::{Form, Json, Other};
    use super::*;

    #[test]
    fn a_type_is_known_in_every_spelling_and_with_no_other_parameter() {
        for (written, expected) in [
            ("application/json", Json),
            ("Application/JSON", Json),
            ("application/json; charset=utf-8", Json),
            ("application/json;charset=UTF-8", Json),
            ("application/json ; charset=\"utf-8\"", Json),
            ("application/json; charset=utf-16", Other),
            ("application/json; charset=utf-8; x=y", Other),
            ("application/json;", Other),
            ("application/json, text/plain", Other),
            ("application/jsonx", Other),
            ("text/json", Other),
            ("application/x-tar", Other),
            ("", Other),
            ("application/x-www-form-urlencoded", Form),
            ("Application/X-WWW-Form-URLencoded ; charset=utf-8", Form),
            ("application/x-www-form-urlencoded, application/json", Form),
            ("multipart/form-data; boundary=x", Form),
            ("MULTIPART/mixed", Form),
        ] {
            assert_eq!(Media::of(written.as_bytes()), expected, "{written}");
        }
    }
}
