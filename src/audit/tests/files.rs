//! Promises about where lines go.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::*;

fn once(path: &Path) -> io::Result<()> {
    let (audit, writer) = Audit::start(Output::File(path.to_owned()), Keep::All)?;
    close(&audit, READ);
    writer.finish();
    Ok(())
}

#[test]
fn a_log_file_is_made_for_its_owner_and_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");

    once(&path).unwrap();
    once(&path).unwrap();

    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o7777 & !0o640,
        0,
        "no more than rw-r-----: {mode:o}"
    );
    assert_eq!(lines(&fs::read(&path).unwrap()).len(), 2);
}

#[test]
fn a_torn_last_line_is_ended_before_the_first_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, "{\"v\":1,\"kin").unwrap();

    once(&path).unwrap();

    let text = fs::read_to_string(&path).unwrap();
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"v\":1,\"kin");
    assert_eq!(lines(rest.as_bytes()).len(), 1);
}

#[test]
fn a_log_that_cannot_be_opened_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |path: &Path| {
        let error = once(path).unwrap_err().to_string();
        error.replace(dir.path().to_str().unwrap(), "@@DIR@@")
    };

    insta::assert_snapshot!(shown(&dir.path().join("absent/audit.jsonl")), @"cannot open the audit log @@DIR@@/absent/audit.jsonl: its directory does not exist; create it, or name another file");
    insta::assert_snapshot!(shown(dir.path()), @"cannot open the audit log @@DIR@@: it is a directory; name a file in it");
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    insta::assert_snapshot!(shown(&pipe), @"cannot open the audit log @@DIR@@/pipe: it is a pipe that nobody reads; start its reader first");
}

#[test]
fn a_pipe_that_is_read_takes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(fs::metadata(&pipe).unwrap().size() == 0);
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read(pipe).unwrap())
    };
    let (audit, writer) = loop {
        // The reader has to come first; until it does, opening fails.
        if let Ok(started) = Audit::start(Output::File(pipe.clone()), Keep::All) {
            break started;
        }
        std::thread::yield_now();
    };

    for _ in 0..2000 {
        close(&audit, READ);
    }
    writer.finish();

    assert_eq!(
        lines(&reader.join().unwrap()).len(),
        2000,
        "more than a pipe holds"
    );
}
