//! What is read from the stream, and what ends it.

use std::sync::Mutex;

use super::{AskError, Event, Fate, LONGEST_LINE, Lapse, Lines, Watcher, seconds};
use crate::docker::operation::ObjectKind;

/// Writes down what it hears.
#[derive(Default)]
struct Scribe(Mutex<Vec<(ObjectKind, Fate, String)>>);

impl Watcher for Scribe {
    fn heard(&self, event: Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        heard.push((event.kind, event.fate, event.id.to_owned()));
    }
    async fn compare(&self) -> Result<(), AskError> {
        Ok(())
    }
    fn caught_up(&self) {}
    fn lapsed(&self) {}
}

fn line(kind: &str, action: &str, id: &str) -> String {
    format!(
        "{{\"status\":\"x\",\"Type\":\"{kind}\",\"Action\":\"{action}\",\"Actor\":{{\"ID\":\"{id}\",\
         \"Attributes\":{{\"name\":\"w\",\"a\\nb\":\"\"}}}},\"scope\":\"local\",\"time\":1}}\n"
    )
}

#[test]
fn what_is_gone_or_renamed_is_told_and_all_else_is_not() {
    use ObjectKind::{Container, Image, Network, Volume};
    let scribe = Scribe::default();
    let mut lines = Lines::default();
    for (kind, action) in [
        ("container", "start"),
        ("container", "destroy"),
        ("container", "exec_create: sh -c x"),
        ("container", "rename"),
        ("network", "connect"),
        ("network", "destroy"),
        ("volume", "mount"),
        ("volume", "destroy"),
        ("image", "pull"),
        ("image", "delete"),
        ("image", "untag"),
        ("daemon", "reload"),
        ("something", "destroy"),
    ] {
        let text = line(kind, action, &format!("id-{action}"));
        lines.take(text.as_bytes(), &scribe).unwrap();
    }
    let heard = scribe.0.into_inner().unwrap();
    let heard: Vec<_> = heard.iter().map(|(k, f, id)| (*k, *f, &**id)).collect();
    assert_eq!(
        heard,
        [
            (Container, Fate::Gone, "id-destroy"),
            (Container, Fate::Renamed, "id-rename"),
            (Network, Fate::Gone, "id-destroy"),
            (Volume, Fate::Gone, "id-destroy"),
            (Image, Fate::Gone, "id-delete"),
            (Image, Fate::Renamed, "id-untag"),
        ]
    );
}

#[test]
fn lines_come_in_any_pieces() {
    let text = line("volume", "destroy", "a") + "\r\n\n" + &line("volume", "destroy", "b");
    for size in 1..text.len() {
        let scribe = Scribe::default();
        let mut lines = Lines::default();
        for piece in text.as_bytes().chunks(size) {
            lines.take(piece, &scribe).unwrap();
        }
        assert_eq!(scribe.0.into_inner().unwrap().len(), 2, "pieces of {size}");
        assert!(lines.0.is_empty());
    }
}

#[test]
fn a_line_that_cannot_be_read_ends_the_stream() {
    for text in [
        "x\n",
        "{}\n",
        "[]\n",
        "{\"Type\":\"volume\",\"Action\":\"destroy\"}\n",
        "{\"Type\":\"volume\",\"Action\":\"destroy\",\"Actor\":{}}\n",
        "{\"Type\":\"volume\",\"Action\":\"destroy\",\"Actor\":{\"ID\":1}}\n",
        "{\"message\":\"no\"}\n",
    ] {
        let scribe = Scribe::default();
        let ended = Lines::default().take(text.as_bytes(), &scribe);
        assert!(matches!(ended, Err(Lapse::Line)), "{text}");
        assert!(scribe.0.into_inner().unwrap().is_empty(), "{text}");
    }
    let endless = vec![b' '; LONGEST_LINE + 1];
    let ended = Lines::default().take(&endless, &Scribe::default());
    assert!(matches!(ended, Err(Lapse::Line)));
}

#[test]
fn a_date_is_read_as_http_writes_it() {
    assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    for other in [
        "",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(seconds(other), None, "{other}");
    }
}
