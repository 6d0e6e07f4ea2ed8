//! Run settings: what the command line and the environment say, beyond the policies.
//!
//! Nothing here is guessed: an address that could be read in two ways is refused with the spelling
//! that was probably meant. What the environment says is read once, into [`Environment`], so that
//! everything below it is a function of values.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::audit::{Keep, Output};

use crate::proxy::dial::Address;
use crate::proxy::listen::LONGEST_PATH;

/// Where Docker listens unless told otherwise.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// Where the gate's sockets are unless told otherwise.
const RUNTIME_DIR: &str = "/run/quaygate";

/// Where the gate remembers what was created through its sockets, unless told otherwise.
const STATE_DIR: &str = "/var/lib/quaygate";

/// The port of `tcp://host`, as the docker CLI takes it.
const DOCKER_PORT: u16 = 2375;

/// What the environment of this process says.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `DOCKER_HOST`, unless empty.
    pub docker_host: Option<String>,
    /// `DOCKER_TLS_VERIFY` is set and not empty.
    pub docker_tls: bool,
    /// `XDG_RUNTIME_DIR`, unless empty or relative.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`, unless empty or relative.
    pub xdg_state_home: Option<PathBuf>,
    /// This process runs as root.
    pub root: bool,
}

impl Environment {
    /// Reads it from this process.
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let directory = |name: &str| {
            text(name)
                .map(PathBuf::from)
                .filter(|dir| dir.is_absolute())
        };
        Self {
            docker_host: text("DOCKER_HOST"),
            docker_tls: text("DOCKER_TLS_VERIFY").is_some(),
            xdg_runtime_dir: directory("XDG_RUNTIME_DIR"),
            xdg_state_home: directory("XDG_STATE_HOME"),
            root: rustix::process::geteuid().is_root(),
        }
    }
}

/// Everything `run` was told, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Docker listens.
    pub docker: Docker,
    /// Sockets are `<runtime dir>/<policy>/docker.sock`.
    pub runtime_dir: PathBuf,
    /// What policies with `own` remember is in `<state dir>/<policy>`.
    pub state_dir: PathBuf,
    /// The one socket's path, instead.
    pub listen: Option<PathBuf>,
    /// Where audit records go.
    pub audit: Output,
    /// Which allowed calls are recorded.
    pub keep: Keep,
    /// How operational logs look.
    pub log: LogFormat,
    /// How many threads carry calls.
    pub threads: NonZeroUsize,
}

/// Docker's address, and who named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Docker {
    /// The address.
    pub address: Address,
    /// Who named it.
    pub named_by: NamedBy,
}

/// Who named Docker's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `--docker`.
    Option,
    /// `DOCKER_HOST`.
    Environment,
    /// Nobody.
    Default,
}

impl Docker {
    /// `--docker`, else `DOCKER_HOST`, else Docker's own default.
    pub fn resolve(option: Option<&str>, environment: &Environment) -> Result<Self, AddressError> {
        let (text, named_by) = match (option, &environment.docker_host) {
            (Some(text), _) => (text, NamedBy::Option),
            (None, Some(text)) => (text.as_str(), NamedBy::Environment),
            (None, None) => (DOCKER_SOCKET, NamedBy::Default),
        };
        let address = parse_address(text).map_err(|problem| AddressError {
            text: text.to_owned(),
            named_by,
            problem,
        })?;
        if named_by == NamedBy::Environment
            && environment.docker_tls
            && matches!(address, Address::Tcp(_))
        {
            let problem = AddressProblem::Tls;
            return Err(AddressError {
                text: text.to_owned(),
                named_by,
                problem,
            });
        }
        Ok(Self { address, named_by })
    }
}

/// `--runtime-dir`, else `/run/quaygate` for root, else `$XDG_RUNTIME_DIR/quaygate`. A user without
/// one (a container with `user:`) gets the directory of root, which a volume may provide.
pub fn runtime_dir(option: Option<&Path>, environment: &Environment) -> PathBuf {
    match (option, &environment.xdg_runtime_dir) {
        (Some(dir), _) => std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
        (None, Some(xdg)) if !environment.root => xdg.join("quaygate"),
        (None, _) => PathBuf::from(RUNTIME_DIR),
    }
}

/// `--state-dir`, else `/var/lib/quaygate`, else `$XDG_STATE_HOME/quaygate` for a user who has one.
pub fn state_dir(option: Option<&Path>, environment: &Environment) -> PathBuf {
    match (option, &environment.xdg_state_home) {
        (Some(dir), _) => std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
        (None, Some(xdg)) if !environment.root => xdg.join("quaygate"),
        (None, _) => PathBuf::from(STATE_DIR),
    }
}

/// Where it is remembered what was created through a policy's socket.
pub fn memory_file(state_dir: &Path, policy: &str) -> PathBuf {
    state_dir.join(policy).join("made")
}

/// How operational logs look (`--log`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Reads `unix:///path`, `/path` or `tcp://host:port`.
fn parse_address(text: &str) -> Result<Address, AddressProblem> {
    if let Some(path) = text.strip_prefix("unix://") {
        return unix_address(path);
    }
    if let Some(authority) = text.strip_prefix("tcp://") {
        return tcp_address(authority);
    }
    match text.split_once("://") {
        Some((scheme, _)) => Err(AddressProblem::Scheme(scheme.to_owned())),
        None if text.starts_with('/') => unix_address(text),
        None => Err(AddressProblem::Bare),
    }
}

fn unix_address(path: &str) -> Result<Address, AddressProblem> {
    if !path.starts_with('/') {
        return Err(AddressProblem::Relative);
    }
    if path.len() > LONGEST_PATH {
        return Err(AddressProblem::TooLong(path.len()));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn tcp_address(rest: &str) -> Result<Address, AddressProblem> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    // An IPv6 address carries its colons in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.contains(['[', ']', ':']);
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#');
    if host.is_empty() || !(bracketed || plain) || host.contains(odd) {
        return Err(AddressProblem::Host);
    }
    let port = match port {
        None => DOCKER_PORT,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => return Err(AddressProblem::Port),
        },
    };
    Ok(Address::Tcp(format!("{host}:{port}")))
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    named_by: NamedBy,
    problem: AddressProblem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AddressProblem {
    Scheme(String),
    Bare,
    Relative,
    TooLong(usize),
    Host,
    Port,
    Tls,
}

impl std::error::Error for AddressError {}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.named_by {
            NamedBy::Environment => " (from DOCKER_HOST)",
            NamedBy::Option | NamedBy::Default => "",
        };
        write!(f, "cannot use the docker address `{}`{from}: ", self.text)?;
        match &self.problem {
            AddressProblem::Scheme(scheme) if scheme == "ssh" => f.write_str(
                "quaygate does not speak ssh; forward the socket (`ssh -L /tmp/d.sock:/var/run/docker.sock HOST`) and say `--docker unix:///tmp/d.sock`",
            ),
            AddressProblem::Scheme(scheme) => write!(
                f,
                "quaygate does not speak `{scheme}://`; it takes `unix:///path/docker.sock` or `tcp://host:port`"
            ),
            AddressProblem::Bare if self.text.is_empty() => {
                f.write_str("it is empty; say `unix:///var/run/docker.sock` or `tcp://host:port`")
            }
            AddressProblem::Bare if self.text.contains(':') => {
                write!(f, "for a host, say `tcp://{}`", self.text)
            }
            AddressProblem::Bare => f.write_str(
                "for a socket, say its whole path, as in `unix:///var/run/docker.sock`",
            ),
            AddressProblem::Relative => {
                f.write_str("the path after `unix://` must start with `/`, as in `unix:///var/run/docker.sock`")
            }
            AddressProblem::TooLong(bytes) => write!(
                f,
                "the path has {bytes} bytes, and the kernel takes {LONGEST_PATH}; use a shorter symbolic link to its directory"
            ),
            AddressProblem::Host => {
                f.write_str("say `tcp://host:port`, with an IPv6 address in brackets and nothing after the port")
            }
            AddressProblem::Port => f.write_str("the port must be a number from 1 to 65535"),
            AddressProblem::Tls => f.write_str(
                "DOCKER_TLS_VERIFY asks for TLS, which quaygate does not speak to Docker; mount the engine's Unix socket instead, or unset DOCKER_TLS_VERIFY if the network is yours alone",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Address, String> {
        Docker::resolve(Some(text), &Environment::default())
            .map(|docker| docker.address)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_that_docker_users_write_are_understood() {
        let unix = |path: &str| Ok(Address::Unix(path.into()));
        let tcp = |authority: &str| Ok(Address::Tcp(authority.into()));
        for (text, address) in [
            ("unix:///var/run/docker.sock", unix("/var/run/docker.sock")),
            (
                "/run/user/1000/docker.sock",
                unix("/run/user/1000/docker.sock"),
            ),
            ("tcp://engine:2376", tcp("engine:2376")),
            ("tcp://engine", tcp("engine:2375")),
            ("tcp://127.0.0.1:2375/", tcp("127.0.0.1:2375")),
            ("tcp://[::1]:2375", tcp("[::1]:2375")),
            ("tcp://[::1]", tcp("[::1]:2375")),
        ] {
            assert_eq!(resolve(text), address, "{text}");
        }
    }

    #[test]
    fn every_other_address_is_refused_with_what_to_write() {
        let refused: Vec<String> = [
            "ssh://me@host",
            "npipe:////./pipe/docker_engine",
            "localhost:2375",
            "unix://docker.sock",
            "tcp://",
            "tcp://:2375",
            "tcp://::1",
            "tcp://host:0",
            "tcp://host:+80",
            "tcp://host:99999",
            "tcp://host:2375/v1.41",
            "tcp://me@host:2375",
            "",
        ]
        .into_iter()
        .map(|text| resolve(text).unwrap_err())
        .collect();
        insta::assert_snapshot!(refused.join("\n"), @r#"
        cannot use the docker address `ssh://me@host`: quaygate does not speak ssh; forward the socket (`ssh -L /tmp/d.sock:/var/run/docker.sock HOST`) and say `--docker unix:///tmp/d.sock`
        cannot use the docker address `npipe:////./pipe/docker_engine`: quaygate does not speak `npipe://`; it takes `unix:///path/docker.sock` or `tcp://host:port`
        cannot use the docker address `localhost:2375`: for a host, say `tcp://localhost:2375`
        cannot use the docker address `unix://docker.sock`: the path after `unix://` must start with `/`, as in `unix:///var/run/docker.sock`
        cannot use the docker address `tcp://`: say `tcp://host:port`, with an IPv6 address in brackets and nothing after the port
        cannot use the docker address `tcp://:2375`: say `tcp://host:port`, with an IPv6 address in brackets and nothing after the port
        cannot use the docker address `tcp://::1`: say `tcp://host:port`, with an IPv6 address in brackets and nothing after the port
        cannot use the docker address `tcp://host:0`: the port must be a number from 1 to 65535
        cannot use the docker address `tcp://host:+80`: the port must be a number from 1 to 65535
        cannot use the docker address `tcp://host:99999`: the port must be a number from 1 to 65535
        cannot use the docker address `tcp://host:2375/v1.41`: the port must be a number from 1 to 65535
        cannot use the docker address `tcp://me@host:2375`: say `tcp://host:port`, with an IPv6 address in brackets and nothing after the port
        cannot use the docker address ``: it is empty; say `unix:///var/run/docker.sock` or `tcp://host:port`
        "#);
    }

    #[test]
    fn a_socket_path_over_107_bytes_is_refused() {
        let longest = format!("/{}", "x".repeat(106));
        assert!(resolve(&longest).is_ok());
        assert!(
            resolve(&format!("{longest}x"))
                .unwrap_err()
                .contains("108 bytes")
        );
    }

    #[test]
    fn the_option_wins_over_the_environment_and_the_environment_over_the_default() {
        let environment = Environment {
            docker_host: Some("unix:///e.sock".into()),
            ..Environment::default()
        };
        let who = |option, environment: &Environment| {
            let docker = Docker::resolve(option, environment).unwrap();
            (docker.address.to_string(), docker.named_by)
        };
        assert_eq!(
            who(Some("/o.sock"), &environment),
            ("unix:///o.sock".into(), NamedBy::Option)
        );
        assert_eq!(
            who(None, &environment),
            ("unix:///e.sock".into(), NamedBy::Environment)
        );
        assert_eq!(
            who(None, &Environment::default()),
            ("unix:///var/run/docker.sock".into(), NamedBy::Default)
        );
    }

    #[test]
    fn tls_that_was_asked_for_is_never_silently_left_out() {
        let mut environment = Environment {
            docker_host: Some("tcp://engine:2376".into()),
            docker_tls: true,
            ..Environment::default()
        };
        let refused = Docker::resolve(None, &environment).unwrap_err().to_string();
        assert!(
            refused.contains("(from DOCKER_HOST)") && refused.contains("TLS"),
            "{refused}"
        );

        environment.docker_tls = false;
        assert!(Docker::resolve(None, &environment).is_ok());
    }

    #[test]
    fn the_runtime_directory_follows_the_user() {
        let root = Environment {
            root: true,
            xdg_runtime_dir: Some("/run/user/0".into()),
            ..Environment::default()
        };
        let user = Environment {
            xdg_runtime_dir: Some("/run/user/1000".into()),
            ..Environment::default()
        };
        assert_eq!(runtime_dir(None, &root), Path::new("/run/quaygate"));
        assert_eq!(
            runtime_dir(None, &user),
            Path::new("/run/user/1000/quaygate")
        );
        assert_eq!(
            runtime_dir(None, &Environment::default()),
            Path::new("/run/quaygate")
        );
        assert_eq!(
            runtime_dir(Some(Path::new("/srv/g")), &user),
            Path::new("/srv/g")
        );
    }
}
