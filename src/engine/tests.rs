use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const VERSION: &str = r#"{"Version":"20.10.24+dfsg1","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64","Components":[{"Name":"Engine"}]}"#;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Answers one request with these bytes and hangs up; gives back what was asked.
async fn play(mut engine: DuplexStream, answer: String) -> String {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        engine.read_exact(&mut byte).await.unwrap();
        asked.extend(byte);
    }
    engine.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(asked).unwrap()
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn ask_version(answer: String) -> (Result<EngineVersion, AskError>, String) {
    block_on(async {
        let (ours, engine) = duplex(256 * 1024);
        tokio::join!(version_on(ours), play(engine, answer))
    })
}

#[test]
fn the_version_is_asked_once_and_read() {
    let (version, asked) = ask_version(ok(VERSION));

    assert_eq!(
        version.unwrap(),
        EngineVersion {
            release: "20.10.24+dfsg1".into(),
            api: ApiVersion::new(1, 41),
            oldest_api: Some(ApiVersion::new(1, 12)),
            os: "linux".into(),
        }
    );
    assert_eq!(asked.lines().next(), Some("GET /version HTTP/1.1"));
    assert_eq!(
        asked.to_lowercase().matches("host: docker\r\n").count(),
        1,
        "{asked}"
    );
}

#[test]
fn an_engine_that_talks_nonsense_is_unknown_rather_than_guessed() {
    for (answer, wanted) in [
        (ok("{}"), "not what a Docker engine says"),
        (
            ok(r#"{"Version":"1","ApiVersion":"one","Os":"linux"}"#),
            "not what a Docker engine says",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "status 403",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), "not HTTP"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{".to_owned(),
            "broke off",
        ),
        (ok(&" ".repeat(LARGEST_ANSWER + 1)), "larger than"),
    ] {
        let (version, _) = ask_version(answer.clone());
        let error = version.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error} for {answer:.60}");
    }
}

#[test]
fn an_engine_that_never_answers_is_given_up() {
    let (ours, _engine) = duplex(1024);
    let soon = Duration::from_millis(20);
    let error = block_on(async {
        within(
            soon,
            converse(ours, Method::GET, "/version", LARGEST_ANSWER),
        )
        .await
    });
    assert!(matches!(error, Err(AskError::Slow(_))), "{error:?}");
}

#[test]
fn nothing_is_known_before_an_engine_answered() {
    let state = EngineState::default();
    assert_eq!((state.api(), state.ostype()), (None, None));

    let mut version = read_version(VERSION.as_bytes()).unwrap();
    state.clone().learn(&version);
    assert_eq!(
        (state.api(), state.ostype()),
        (Some(ApiVersion::new(1, 41)), Some("linux"))
    );

    version.os = "plan9".into();
    state.learn(&version);
    assert_eq!(state.ostype(), None);
}
