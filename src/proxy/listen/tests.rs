use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;

use super::*;

fn socket(mode: u32) -> Socket {
    Socket {
        path: None,
        mode,
        owner: None,
        group: None,
        peer_uids: None,
    }
}

fn bind_one(path: &Path, socket: &Socket) -> Result<Listening, BindError> {
    bind_all(&[Plan { path, socket }])
        .map(|mut all| all.pop().unwrap())
        .map_err(|mut all| all.pop().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_bound_socket_has_its_mode_and_passable_parents_and_is_connected_to() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bits) in [("a", 0o660), ("b", 0o600), ("c", 0o666)] {
        let path = dir.path().join(name).join("deep").join("docker.sock");

        let listening = bind_one(&path, &socket(bits)).unwrap();

        assert_eq!(mode(&path), bits);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o755);
        let _client = UnixStream::connect(&path).unwrap();
        listening.listener.accept().unwrap();
        assert_eq!(
            listening.listener.accept().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }
}

#[test]
fn the_file_goes_when_the_gate_goes_unless_it_is_another_gates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");

    drop(bind_one(&path, &socket(0o660)).unwrap());
    assert!(!path.exists(), "our own file is removed");

    let first = bind_one(&path, &socket(0o660)).unwrap();
    fs::remove_file(&path).unwrap();
    let second = bind_one(&path, &socket(0o660)).unwrap();
    drop(first);
    assert!(
        UnixStream::connect(&path).is_ok(),
        "the other gate's file stays"
    );
    drop(second);
}

#[test]
fn a_stale_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let stale = fs::metadata(&path).unwrap().ino();

    let listening = bind_one(&path, &socket(0o660)).unwrap();

    let _client = UnixStream::connect(&path).unwrap();
    listening.listener.accept().unwrap();
    drop(listening);
    assert!(stale > 0 && !path.exists());
}

#[test]
fn a_live_socket_is_left_alone_and_hears_not_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let live = UnixListener::bind(&path).unwrap();

    let refused = bind_one(&path, &socket(0o660)).unwrap_err();

    assert!(matches!(refused, BindError::Live { .. }), "{refused}");
    let (mut knocked, _) = live.accept().unwrap();
    assert_eq!(knocked.read(&mut [0; 8]).unwrap(), 0);
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn only_sockets_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink(at("file"), at("link")).unwrap();

    for (name, obstacle) in [
        ("file", Obstacle::File),
        ("directory", Obstacle::Directory),
        ("link", Obstacle::Symlink),
    ] {
        let refused = bind_one(&at(name), &socket(0o660)).unwrap_err();
        assert!(
            matches!(refused, BindError::InTheWay { what, .. } if what == obstacle),
            "{refused}"
        );
        assert!(fs::symlink_metadata(at(name)).is_ok());
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"precious");
}

#[test]
fn all_sockets_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
    fs::write(&bad, "").unwrap();
    let socket = socket(0o660);

    let failures = bind_all(&[
        Plan {
            path: &good,
            socket: &socket,
        },
        Plan {
            path: &bad,
            socket: &socket,
        },
    ])
    .unwrap_err();

    assert_eq!(failures.len(), 1);
    assert!(!good.exists(), "the good socket is taken back");
}

#[test]
fn one_path_under_two_spellings_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let socket = socket(0o660);
    let (first, second) = (real.join("s"), link.join("s"));

    let failures = bind_all(&[
        Plan {
            path: &first,
            socket: &socket,
        },
        Plan {
            path: &second,
            socket: &socket,
        },
    ])
    .unwrap_err();

    assert!(
        matches!(failures[..], [BindError::Taken { .. }]),
        "{failures:?}"
    );
    assert!(!first.exists());
}

#[test]
fn a_path_of_107_bytes_fits_and_one_of_108_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let room = LONGEST_PATH - dir.path().as_os_str().len() - 1;

    assert!(bind_one(&dir.path().join("x".repeat(room)), &socket(0o660)).is_ok());
    let refused = bind_one(&dir.path().join("x".repeat(room + 1)), &socket(0o660)).unwrap_err();
    assert!(
        matches!(refused, BindError::TooLong { bytes: 108, .. }),
        "{refused}"
    );
}

#[test]
fn owner_and_group_are_set_by_number_and_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (uid, gid) = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    let own = Socket {
        owner: Some(Principal::Id(uid)),
        group: Some(Principal::Id(gid)),
        ..socket(0o660)
    };
    drop(bind_one(&path, &own).unwrap());

    let given = Socket {
        owner: Some(Principal::Name("root".into())),
        group: Some(Principal::Id(65_534)),
        ..socket(0o660)
    };
    match bind_one(&path, &given) {
        Ok(_listening) => {
            let there = fs::metadata(&path).unwrap();
            assert_eq!((there.uid(), there.gid()), (0, 65_534));
            assert_eq!(mode(&path), 0o660);
        }
        Err(refused) => {
            assert_ne!(uid, 0, "root may give sockets away: {refused}");
            assert!(matches!(refused, BindError::Ownership { .. }), "{refused}");
            assert!(!path.exists());
        }
    }
}
