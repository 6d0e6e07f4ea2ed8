//! Users and groups by name, read from `/etc/passwd` and `/etc/group` as plain files.
//!
//! A static binary has no NSS: LDAP, systemd-homed and the like are not asked. A name that is only
//! known there is an error that says so, never a guess.

use std::fs;

use super::BindError;

/// Which file to look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/passwd",
            Self::Group => "/etc/group",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::User => "owner",
            Self::Group => "group",
        }
    }
}

/// The number of a user or group.
pub(super) fn look_up(kind: Kind, name: &str) -> Result<u32, BindError> {
    let (file, key) = (kind.file(), kind.key());
    match fs::read(file) {
        Ok(bytes) => {
            find(&String::from_utf8_lossy(&bytes), name).ok_or_else(|| BindError::NoSuchName {
                key,
                name: name.to_owned(),
                file,
            })
        }
        Err(cause) => Err(BindError::NoNames {
            key,
            name: name.to_owned(),
            file,
            cause,
        }),
    }
}

/// passwd(5) and group(5) agree on the first three fields: name, password, number.
fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name))
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    })
}

/// The name that `/etc/group` has for a number; only for messages.
pub fn group_name(gid: u32) -> Option<String> {
    let bytes = fs::read(Kind::Group.file()).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\n# comment\ndocker:x:998:me\nbroken\nodd:x:many:\n";

    #[test]
    fn a_name_is_found_by_its_whole_first_field() {
        assert_eq!(find(GROUPS, "docker"), Some(998));
        assert_eq!(find(GROUPS, "dock"), None);
        assert_eq!(find(GROUPS, "broken"), None);
        assert_eq!(find(GROUPS, "odd"), None);
        assert_eq!(find(GROUPS, ""), None);
    }

    #[test]
    fn root_is_zero_on_every_system() {
        assert_eq!(look_up(Kind::User, "root").unwrap(), 0);
        assert_eq!(look_up(Kind::Group, "root").unwrap(), 0);
        assert_eq!(group_name(0).as_deref(), Some("root"));
    }

    #[test]
    fn an_unknown_name_says_where_it_was_looked_for() {
        let error = look_up(Kind::Group, "no-such-group")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/etc/group") && error.contains("group = \"no-such-group\""),
            "{error}"
        );
    }
}
