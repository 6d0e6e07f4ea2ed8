# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_quaygate_global_optspecs
    string join \n h/help V/version
end

function __fish_quaygate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_quaygate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_quaygate_using_subcommand
    set -l cmd (__fish_quaygate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c quaygate -n "__fish_quaygate_needs_command" -s h -l help -d 'Print help'
complete -c quaygate -n "__fish_quaygate_needs_command" -s V -l version -d 'Print version'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "run" -d 'Serve each policy on a Unix socket of its own, and let through what it allows'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "check" -d 'Read policies, run their own tests, and say in plain words what they hand out'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "explain" -d 'The decision for one request: the rule that allows it, or why not and the line to add'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "show" -d 'Every operation of the Docker API under a policy: allowed, conditional, refused, and its risk'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "health" -d 'Whether the running gate answers and can reach Docker: exit code 0 if both, 1 if not'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "sweep" -d 'Remove what was created through a policy\'s socket and is still there'
complete -c quaygate -n "__fish_quaygate_needs_command" -f -a "demo" -d 'Show a gate at work: allowed and refused calls, and what the audit log says about them'
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l docker -d 'Where Docker listens: unix:///path or tcp://host:port [default: $DOCKER_HOST, else unix:///var/run/docker.sock]' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l runtime-dir -d 'Sockets are DIR/<policy>/docker.sock [default: /run/quaygate, or $XDG_RUNTIME_DIR/quaygate when not root]' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l state-dir -d 'Where it is remembered what was created through the sockets of policies with `own`, in DIR/<policy> [default: /var/lib/quaygate, or $XDG_STATE_HOME/quaygate when not root]' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l listen -d 'The path of the one socket, when there is one policy' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l audit -d 'Where audit records go: stdout, stderr or a file' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l audit-allowed -d 'Which allowed calls are recorded: all, changes (also streams and tunnels) or none; refusals always are' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l log -d 'How operational logs look, on standard error; RUST_LOG filters them' -r -f -a "text\t'For people'
json\t'One JSON object per line'"
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -l threads -d 'How many threads carry calls; 2 by default, and 1 where there is one core' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand check" -l max-grade -d 'Say no to policies that are worse than this: `read-only`, `changes`, `powers` or `root`' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand check" -l format -d 'How the answer is written' -r -f -a "text\t'For people'
json\t'For programs: one JSON document with a versioned schema'"
complete -c quaygate -n "__fish_quaygate_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -l body -d 'A file with the request\'s JSON body, or `-` for standard input' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -l given -d 'A fact about the object that the request names: name=…, label=KEY=VALUE, image=…, project=… or own=true; about the container in a connect\'s body: connect.container.name=… and so on' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -l uid -d 'The user id of the caller [default: one that the policy lets in]' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -l gid -d 'The group id of the caller' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -l format -d 'How the answer is written' -r -f -a "text\t'For people'
json\t'For programs: one JSON document with a versioned schema'"
complete -c quaygate -n "__fish_quaygate_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand show" -l format -d 'How the answer is written' -r -f -a "text\t'For people'
json\t'For programs: one JSON document with a versioned schema'"
complete -c quaygate -n "__fish_quaygate_using_subcommand show" -l toml -d 'Print the policy itself: a start for one of your own'
complete -c quaygate -n "__fish_quaygate_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand health" -l socket -d 'Only the gate at this socket; may be repeated' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand health" -l docker -d 'Where Docker listens, as for `run`' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand health" -l runtime-dir -d 'Where sockets are, as for `run`' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand health" -l format -d 'How the answer is written' -r -f -a "text\t'For people'
json\t'For programs: one JSON document with a versioned schema'"
complete -c quaygate -n "__fish_quaygate_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand sweep" -l docker -d 'Where Docker listens, as for `run`' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand sweep" -l state-dir -d 'Where it is remembered what was created, as for `run`' -r -F
complete -c quaygate -n "__fish_quaygate_using_subcommand sweep" -l format -d 'How the answer is written' -r -f -a "text\t'For people'
json\t'For programs: one JSON document with a versioned schema'"
complete -c quaygate -n "__fish_quaygate_using_subcommand sweep" -l dry-run -d 'Say what would be removed, and remove nothing'
complete -c quaygate -n "__fish_quaygate_using_subcommand sweep" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quaygate -n "__fish_quaygate_using_subcommand demo" -l docker -d 'Where Docker listens, as for `run`' -r
complete -c quaygate -n "__fish_quaygate_using_subcommand demo" -s h -l help -d 'Print help'
