//! Why Docker cannot be reached, and the line that mends it.
//!
//! This is what people stumble over first (the group of the socket, a mount that is missing or
//! stale), so the socket is looked at and the answer is exact. What is seen is gathered in
//! [`Sight`] first, so that every answer can be tested without such a machine.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::text::{Style, Text, piece, plain};
use crate::engine::AskError;
use crate::proxy::dial::Address;
use crate::proxy::listen::group_name;

/// Who we are, as far as it matters to Docker's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Me {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    in_container: bool,
}

/// What is at Docker's path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    Missing,
    Hidden,
    Directory,
    NoSocket,
    Socket {
        mode: u32,
        uid: u32,
        gid: u32,
        group: Option<String>,
    },
}

/// Says what is wrong and what to do, in a few lines.
pub(super) fn trouble(address: &Address, error: &AskError) -> Text {
    let me = Me::look();
    let (why, advice) = match (address, error) {
        (Address::Unix(path), AskError::Connect(cause)) => {
            unix_trouble(path, cause, &Sight::look(path), &me)
        }
        (Address::Tcp(authority), AskError::Connect(cause)) => tcp_trouble(authority, cause),
        (_, AskError::Status(_) | AskError::Nonsense | AskError::Broken(_) | AskError::Body(_)) => {
            (
                error.to_string(),
                vec![
                "is that a Docker engine? if it is another proxy, it must let GET /version through"
                    .to_owned(),
            ],
            )
        }
        (_, AskError::Slow(_)) => (
            error.to_string(),
            vec!["the engine accepts connections but hangs: look at its log".to_owned()],
        ),
    };
    draw(address, &why, &advice)
}

fn draw(address: &Address, why: &str, advice: &[String]) -> Text {
    let mut text = Text::new();
    text.line([
        piece(Style::Careful, "warning"),
        plain(format_args!(": cannot reach Docker at {address}: {why}")),
    ]);
    for line in advice {
        text.say(format_args!("  {line}"));
    }
    text
}

fn unix_trouble(path: &Path, cause: &io::Error, sight: &Sight, me: &Me) -> (String, Vec<String>) {
    let shown = path.display();
    match sight {
        Sight::Missing => ("there is no such file".to_owned(), missing(path, me)),
        Sight::Hidden => (
            "permission denied on the way to it".to_owned(),
            vec![format!(
                "uid {} may not look into a directory above it: run as root, or give it search permission (`namei -l {shown}` shows which)",
                me.uid
            )],
        ),
        Sight::Directory => (
            "it is a directory".to_owned(),
            vec![
                "Docker makes an empty directory when a container mounts a path that does not exist:".to_owned(),
                format!("remove the container, `rmdir {shown}` on the host, start Docker, and try again"),
            ],
        ),
        Sight::NoSocket => (
            "it is not a socket".to_owned(),
            vec!["name Docker's socket with --docker unix:///path".to_owned()],
        ),
        Sight::Socket { mode, uid, gid, group } if cause.kind() == io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), denied((*mode, *uid, *gid), group.as_deref(), me))
        }
        Sight::Socket { .. } if cause.kind() == io::ErrorKind::ConnectionRefused => (
            "nobody listens there".to_owned(),
            refused(me),
        ),
        Sight::Socket { .. } => (crate::proxy::listen::kernel_words(cause), Vec::new()),
    }
}

fn missing(path: &Path, me: &Me) -> Vec<String> {
    let shown = path.display();
    if me.in_container {
        return vec![
            "mount it into this container:".to_owned(),
            format!("compose:     volumes: [\"/var/run/docker.sock:{shown}\"]"),
            format!("docker run:  -v /var/run/docker.sock:{shown}"),
        ];
    }
    vec![
        "is Docker installed and running (`systemctl status docker`)?".to_owned(),
        "a rootless engine has $XDG_RUNTIME_DIR/docker.sock: name it with --docker unix:///path"
            .to_owned(),
    ]
}

fn refused(me: &Me) -> Vec<String> {
    if me.in_container {
        return vec![
            "Docker is stopped, or was restarted and has a new socket, while the mounted file is still the old one:".to_owned(),
            "restart this container; to be spared that, mount the socket's directory instead of the file".to_owned(),
        ];
    }
    vec!["Docker is stopped: start it (`systemctl start docker`)".to_owned()]
}

/// The socket is there, and the file mode keeps us out.
fn denied((mode, uid, gid): (u32, u32, u32), group: Option<&str>, me: &Me) -> Vec<String> {
    let group = group.map_or_else(
        || format!("gid {gid}"),
        |name| format!("group `{name}` (gid {gid})"),
    );
    let who = format!("this process runs as uid {}, gid {}", me.uid, me.gid);
    if me.uid == 0 || me.uid == uid || me.gid == gid || me.groups.contains(&gid) {
        return vec![
            format!("the file mode {mode:04o} of uid {uid}, {group} would let it in ({who}), so something else refuses:"),
            "a user namespace (userns-remap: --userns=host), SELinux (--security-opt label=disable), or AppArmor".to_owned(),
        ];
    }
    if mode & 0o060 != 0o060 {
        return vec![
            format!("only its owner, uid {uid}, may connect (mode {mode:04o}); {who}"),
            format!("compose:     user: \"{uid}\""),
            format!("docker run:  --user {uid}"),
        ];
    }
    let mut advice = vec![
        format!("it belongs to {group} with mode {mode:04o}; {who}, not in that group"),
        format!("compose:     group_add: [\"{gid}\"]"),
        format!(
            "docker run:  --group-add {gid}    (or --user {}:{gid})",
            me.uid
        ),
    ];
    if !me.in_container {
        advice.push(format!("systemd:     SupplementaryGroups={gid}"));
    }
    advice
}

fn tcp_trouble(authority: &str, cause: &io::Error) -> (String, Vec<String>) {
    let advice = if cause.kind() == io::ErrorKind::ConnectionRefused {
        format!("does an engine listen on {authority} (dockerd -H tcp://…)?")
    } else {
        format!("is {authority} right, and reachable from here?")
    };
    (crate::proxy::listen::kernel_words(cause), vec![advice])
}

// === impl Me ===

impl Me {
    fn look() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default();
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: groups
                .into_iter()
                .map(rustix::process::Gid::as_raw)
                .collect(),
            in_container: in_container(),
        }
    }
}

/// Docker and Podman leave these marks; nothing is decided by them, only worded.
pub(super) fn in_container() -> bool {
    Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists()
}

// === impl Sight ===

impl Sight {
    fn look(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Self::Hidden,
            Err(_) => Self::Missing,
            Ok(found) if found.is_dir() => Self::Directory,
            Ok(found) if !found.file_type().is_socket() => Self::NoSocket,
            Ok(found) => Self::Socket {
                mode: found.mode() & 0o777,
                uid: found.uid(),
                gid: found.gid(),
                group: group_name(found.gid()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn me(in_container: bool) -> Me {
        Me {
            uid: 1000,
            gid: 1000,
            groups: Vec::new(),
            in_container,
        }
    }

    fn socket(mode: u32, gid: u32) -> Sight {
        let group = (gid == 999).then(|| "docker".to_owned());
        Sight::Socket {
            mode,
            uid: 0,
            gid,
            group,
        }
    }

    fn say(errno: Errno, sight: &Sight, me: &Me) -> String {
        let path = Path::new("/var/run/docker.sock");
        let (why, advice) = unix_trouble(path, &errno.into(), sight, me);
        draw(&Address::Unix(path.to_owned()), &why, &advice).draw(false)
    }

    #[test]
    fn a_socket_of_another_group_names_the_group_and_the_line_that_mends_it() {
        let (host, container) = (me(false), me(true));
        insta::assert_snapshot!(say(Errno::ACCESS, &socket(0o660, 999), &container), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: permission denied
          it belongs to group `docker` (gid 999) with mode 0660; this process runs as uid 1000, gid 1000, not in that group
          compose:     group_add: ["999"]
          docker run:  --group-add 999    (or --user 1000:999)
        "#);
        insta::assert_snapshot!(say(Errno::ACCESS, &socket(0o660, 998), &host), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: permission denied
          it belongs to gid 998 with mode 0660; this process runs as uid 1000, gid 1000, not in that group
          compose:     group_add: ["998"]
          docker run:  --group-add 998    (or --user 1000:998)
          systemd:     SupplementaryGroups=998
        "#);
        insta::assert_snapshot!(say(Errno::ACCESS, &socket(0o600, 0), &container), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: permission denied
          only its owner, uid 0, may connect (mode 0600); this process runs as uid 1000, gid 1000
          compose:     user: "0"
          docker run:  --user 0
        "#);
        let member = Me {
            groups: vec![999],
            ..me(true)
        };
        insta::assert_snapshot!(say(Errno::ACCESS, &socket(0o660, 999), &member), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: permission denied
          the file mode 0660 of uid 0, group `docker` (gid 999) would let it in (this process runs as uid 1000, gid 1000), so something else refuses:
          a user namespace (userns-remap: --userns=host), SELinux (--security-opt label=disable), or AppArmor
        "#);
        insta::assert_snapshot!(say(Errno::ACCESS, &Sight::Hidden, &host), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: permission denied on the way to it
          uid 1000 may not look into a directory above it: run as root, or give it search permission (`namei -l /var/run/docker.sock` shows which)
        "#);
    }

    #[test]
    fn a_socket_that_is_not_there_says_what_to_mount_or_start() {
        let (host, container) = (me(false), me(true));
        insta::assert_snapshot!(say(Errno::NOENT, &Sight::Missing, &container), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: there is no such file
          mount it into this container:
          compose:     volumes: ["/var/run/docker.sock:/var/run/docker.sock"]
          docker run:  -v /var/run/docker.sock:/var/run/docker.sock
        "#);
        insta::assert_snapshot!(say(Errno::NOENT, &Sight::Missing, &host), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: there is no such file
          is Docker installed and running (`systemctl status docker`)?
          a rootless engine has $XDG_RUNTIME_DIR/docker.sock: name it with --docker unix:///path
        "#);
        insta::assert_snapshot!(say(Errno::CONNREFUSED, &socket(0o660, 999), &container), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: nobody listens there
          Docker is stopped, or was restarted and has a new socket, while the mounted file is still the old one:
          restart this container; to be spared that, mount the socket's directory instead of the file
        "#);
        insta::assert_snapshot!(say(Errno::CONNREFUSED, &socket(0o660, 999), &host), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: nobody listens there
          Docker is stopped: start it (`systemctl start docker`)
        "#);
        insta::assert_snapshot!(say(Errno::CONNREFUSED, &Sight::Directory, &container), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: it is a directory
          Docker makes an empty directory when a container mounts a path that does not exist:
          remove the container, `rmdir /var/run/docker.sock` on the host, start Docker, and try again
        "#);
        insta::assert_snapshot!(say(Errno::CONNREFUSED, &Sight::NoSocket, &host), @r#"
        warning: cannot reach Docker at unix:///var/run/docker.sock: it is not a socket
          name Docker's socket with --docker unix:///path
        "#);
    }
}
