//! Images made from programs of this machine: no registry is asked.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{IMAGE, cli, docker, docker_command};

/// Makes the image that the scenes share.
pub(super) fn import_image(socket: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for folder in ["bin", "etc", "tmp", "root"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(which("busybox"), root.join("bin/busybox")).unwrap();
    for applet in [
        "sh", "cat", "echo", "sleep", "ls", "stty", "wc", "true", "id", "head", "seq",
    ] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    for program in ["curl", &cli()] {
        let program = which(program);
        let name = program.file_name().unwrap();
        fs::copy(&program, root.join("bin").join(name)).unwrap();
        copy_libraries(&program, root);
    }

    // Whoever mounts the gate into a container finds its libraries there.
    copy_libraries(Path::new(env!("CARGO_BIN_EXE_quaygate")), root);

    let mut tar = Command::new("tar")
        .args(["--create", "--file=-", "--directory"])
        .arg(root)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let import = docker_command(socket)
        .args(["import", "-", IMAGE])
        .stdin(tar.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(tar.wait().unwrap().success());
    assert!(
        import.status.success(),
        "{}",
        String::from_utf8_lossy(&import.stderr)
    );
}

/// Makes an image of busybox alone, with these applets: next to nothing to copy.
pub(crate) fn import_small_image(engine: &Path, image: &str, applets: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let root: PathBuf = dir.path().join("root");
    for folder in ["bin", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(which("busybox"), root.join("bin/busybox")).unwrap();
    for applet in applets {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    let tar = dir.path().join("image.tar");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&tar)
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    let command = r#"CMD ["true"]"#;
    docker(
        engine,
        &["import", "--change", command, tar.to_str().unwrap(), image],
    )
    .ok();
}

fn which(program: &str) -> PathBuf {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    assert!(
        !path.trim().is_empty(),
        "`{program}` is not here; scripts/test installs it"
    );
    fs::canonicalize(path.trim()).unwrap()
}

fn copy_libraries(program: &Path, root: &Path) {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for library in listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let place = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(library, place).unwrap();
    }
}
