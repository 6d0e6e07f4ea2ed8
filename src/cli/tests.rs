//! Help is a promise too: every verb's opens with an example that works.

use clap::CommandFactory;

use super::*;

fn help(verb: &str) -> String {
    let mut command = Arguments::command();
    command.build();
    if verb.is_empty() {
        return command.render_help().to_string();
    }
    command
        .find_subcommand_mut(verb)
        .unwrap()
        .render_help()
        .to_string()
}

#[test]
fn every_verb_of_this_version_is_there_and_none_of_a_later_one() {
    let command = Arguments::command();
    let verbs: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    assert_eq!(
        verbs,
        ["run", "check", "explain", "show", "health", "sweep", "demo"]
    );
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn every_help_opens_with_an_example_that_the_parser_takes() {
    let command = Arguments::command();
    for verb in command.get_subcommands() {
        let help = help(verb.get_name());
        let example = help
            .lines()
            .next()
            .unwrap()
            .strip_prefix("Example: ")
            .unwrap();
        let words = example.split(' ').map(|word| word.trim_matches('\''));
        // The quoted request of `explain` is one word for a shell.
        let parsed = Arguments::try_parse_from(words);
        assert!(parsed.is_ok(), "{example}: {parsed:?}");
    }
}

#[test]
fn the_help_of_quaygate() {
    insta::assert_snapshot!(help(""), @r#"
    Example: quaygate run traefik
             quaygate demo

    The gate between containers and Docker: each service gets its own socket with its own small policy

    Usage: quaygate <COMMAND>

    Commands:
      run      Serve each policy on a Unix socket of its own, and let through what it allows
      check    Read policies, run their own tests, and say in plain words what they hand out
      explain  The decision for one request: the rule that allows it, or why not and the line to add
      show     Every operation of the Docker API under a policy: allowed, conditional, refused, and its risk
      health   Whether the running gate answers and can reach Docker: exit code 0 if both, 1 if not
      sweep    Remove what was created through a policy's socket and is still there
      demo     Show a gate at work: allowed and refused calls, and what the audit log says about them

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 done, 1 the answer is no, 2 usage or unreadable input, 3 could not start, 70 a bug
    "#);
}

#[test]
fn the_help_of_run() {
    insta::assert_snapshot!(help("run"), @r#"
    Example: quaygate run traefik ./policies/ci.toml

    Serve each policy on a Unix socket of its own, and let through what it allows

    Usage: quaygate run [OPTIONS] <POLICY>...

    Arguments:
      <POLICY>...  Policies: files, directories of files, or names of built-in ones

    Options:
          --docker <ADDRESS>       Where Docker listens: unix:///path or tcp://host:port [default: $DOCKER_HOST, else unix:///var/run/docker.sock]
          --runtime-dir <DIR>      Sockets are DIR/<policy>/docker.sock [default: /run/quaygate, or $XDG_RUNTIME_DIR/quaygate when not root]
          --state-dir <DIR>        Where it is remembered what was created through the sockets of policies with `own`, in DIR/<policy> [default: /var/lib/quaygate, or $XDG_STATE_HOME/quaygate when not root]
          --listen <PATH>          The path of the one socket, when there is one policy
          --audit <OUTPUT>         Where audit records go: stdout, stderr or a file [default: stdout]
          --audit-allowed <WHICH>  Which allowed calls are recorded: all, changes (also streams and tunnels) or none; refusals always are [default: changes]
          --log <FORMAT>           How operational logs look, on standard error; RUST_LOG filters them [default: text] [possible values: text, json]
          --threads <N>            How many threads carry calls; 2 by default, and 1 where there is one core
      -h, --help                   Print help (see more with '--help')

    A POLICY with a `/` or ending in `.toml` is a file or a directory of such files; any other word
    is a built-in policy (`quaygate show` lists them). A service mounts the directory of its socket
    and gets DOCKER_HOST=unix:///…; the exact lines are printed at start.
    "#);
}

#[test]
fn the_help_of_check() {
    insta::assert_snapshot!(help("check"), @r#"
    Example: quaygate check traefik

    Read policies, run their own tests, and say in plain words what they hand out

    Usage: quaygate check [OPTIONS] <POLICY>...

    Arguments:
      <POLICY>...  Policies: files, directories of files, or names of built-in ones

    Options:
          --max-grade <GRADE>  Say no to policies that are worse than this: `read-only`, `changes`, `powers` or `root`
          --format <FORMAT>    How the answer is written [default: text] [possible values: text, json]
      -h, --help               Print help (see more with '--help')

    Exit code 0 if every policy loads (warnings and all) and none is worse than --max-grade, 1 if one has errors or is worse, 2 if one cannot be read.
    "#);
}

#[test]
fn the_help_of_explain() {
    insta::assert_snapshot!(help("explain"), @r#"
    Example: quaygate explain traefik 'POST /containers/create?name=web'

    The decision for one request: the rule that allows it, or why not and the line to add

    Usage: quaygate explain [OPTIONS] <POLICY> <REQUEST>...

    Arguments:
      <POLICY>      A policy file or the name of a built-in policy
      <REQUEST>...  The request: 'METHOD /path?query', or a path or URL alone, which is a GET as with curl

    Options:
          --body <FILE>      A file with the request's JSON body, or `-` for standard input
          --given <FACT>     A fact about the object that the request names: name=…, label=KEY=VALUE, image=…, project=… or own=true; about the container in a connect's body: connect.container.name=… and so on
          --uid <N>          The user id of the caller [default: one that the policy lets in]
          --gid <N>          The group id of the caller
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
      -h, --help             Print help (see more with '--help')

    Exit code 0 if the request is allowed, 1 if it is refused or if that depends on what was not told.
    "#);
}

#[test]
fn the_help_of_show() {
    insta::assert_snapshot!(help("show"), @r#"
    Example: quaygate show traefik

    Every operation of the Docker API under a policy: allowed, conditional, refused, and its risk

    Usage: quaygate show [OPTIONS] [POLICY]

    Arguments:
      [POLICY]  A policy file or the name of a built-in policy

    Options:
          --toml             Print the policy itself: a start for one of your own
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
      -h, --help             Print help (see more with '--help')

    Without a policy: the policies that come with quaygate.
    "#);
}

#[test]
fn the_help_of_health() {
    insta::assert_snapshot!(help("health"), @r#"
    Example: quaygate health

    In compose:
      healthcheck:
        test: ["CMD", "quaygate", "health"]

    Whether the running gate answers and can reach Docker: exit code 0 if both, 1 if not

    Usage: quaygate health [OPTIONS] [POLICY]...

    Arguments:
      [POLICY]...  Only the gates of these policies [default: every socket in the runtime directory]

    Options:
          --socket <PATH>      Only the gate at this socket; may be repeated
          --docker <ADDRESS>   Where Docker listens, as for `run`
          --runtime-dir <DIR>  Where sockets are, as for `run`
          --format <FORMAT>    How the answer is written [default: text] [possible values: text, json]
      -h, --help               Print help (see more with '--help')

    Each gate is sent GET /_ping through its socket; any answer counts, also a refusal (which the
    audit log then shows). Docker is asked directly.
    "#);
}

#[test]
fn the_help_of_sweep() {
    insta::assert_snapshot!(help("sweep"), @r#"
    Example: quaygate sweep docker-run --dry-run

    In a container:
      docker exec gate quaygate sweep docker-run

    Remove what was created through a policy's socket and is still there

    Usage: quaygate sweep [OPTIONS] <POLICY>

    Arguments:
      <POLICY>  A policy file or the name of a built-in policy

    Options:
          --dry-run           Say what would be removed, and remove nothing
          --docker <ADDRESS>  Where Docker listens, as for `run`
          --state-dir <DIR>   Where it is remembered what was created, as for `run`
          --format <FORMAT>   How the answer is written [default: text] [possible values: text, json]
      -h, --help              Print help (see more with '--help')

    Containers go with force and with their anonymous volumes, then networks, then volumes. Policies whose rules say
    `target.own` remember what was created; nothing else is ever removed.

    Exit codes: 0 done, 1 something could not be removed, 2 usage or unreadable input, 3 Docker cannot be reached
    "#);
}

#[test]
fn the_help_of_demo() {
    insta::assert_snapshot!(help("demo"), @r#"
    Example: quaygate demo

    Show a gate at work: allowed and refused calls, and what the audit log says about them

    Usage: quaygate demo [OPTIONS]

    Options:
          --docker <ADDRESS>  Where Docker listens, as for `run`
      -h, --help              Print help

    Uses the real Docker if it can be reached, only reading from it, and else a small engine of its
    own. Ends by itself and leaves nothing behind.
    "#);
}
