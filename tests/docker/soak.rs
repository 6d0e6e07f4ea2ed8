//! Five minutes of what docs/soak.md did for an hour.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "takes five minutes and starts a Docker engine: scripts/test"]
fn five_minutes_of_mixed_load_leak_nothing_and_lose_no_call() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/soak");
    let logs = tempfile::tempdir().unwrap();

    let minutes = std::env::var("QUAYGATE_TEST_SOAK_MINUTES").unwrap_or_else(|_| "5".to_owned());
    let soak = Command::new(script)
        .arg(minutes)
        .arg(logs.path())
        .env("QUAYGATE", env!("CARGO_BIN_EXE_quaygate"))
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&soak.stdout);
    let complaints = String::from_utf8_lossy(&soak.stderr);
    assert!(soak.status.success(), "{said}\n{complaints}");
    assert!(said.contains("verdict: passed"), "{said}\n{complaints}");
    eprintln!("{said}");
}
