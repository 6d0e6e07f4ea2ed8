"""Who is compared. A peer is a function (folder, listen, upstream) -> argv; None is no proxy at all."""
import os, shlex

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RIG = HERE + "/rig/target/release"
LOAD = RIG + "/loadgen"


def haproxy(threads):
    def argv(folder, listen, upstream):
        text = open(f"{HERE}/conf/haproxy-tuned.cfg").read()
        for key, value in dict(listen=listen, upstream=upstream, nbthread=threads).items():
            text = text.replace("{" + key + "}", str(value))
        path = f"{folder}/haproxy.cfg"
        with open(path, "w") as out:
            out.write(text)
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", path]
    return argv


def command(line):
    """Any command with {listen}, {upstream} and {dir} in it."""
    def argv(folder, listen, upstream):
        into = lambda word: word.replace("{listen}", listen).replace("{upstream}", upstream).replace("{dir}", folder)
        return [into(word) for word in shlex.split(line)]
    return argv


def gate(binary, *more, policy=HERE + "/policy.toml"):
    """quaygate as a user runs it: audit to a file, defaults otherwise."""
    return lambda folder, listen, upstream: [
        binary, "run", policy, "--listen", listen, "--docker", "unix://" + upstream,
        "--runtime-dir", folder, "--audit", folder + "/audit.jsonl", *more]


PEERS = {
    "direct": None,                                               # no proxy: the ceiling
    "l4": lambda folder, listen, upstream: [RIG + "/l4", listen, upstream],  # copies bytes, parses nothing
    "haproxy-tuned": haproxy(2),                                  # the strongest HAProxy for the same policy
    "haproxy-tuned1": haproxy(1),                                 # ... on one thread
}
SETS = {"default": list(PEERS), "all": list(PEERS)}
