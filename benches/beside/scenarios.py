"""What is measured in every round: the load, how often, and for whom."""
from dataclasses import dataclass, field

LIST, PING, BIG, DENY = "/v1.41/containers/json", "/_ping", "/v1.41/containers/json?all=1", "/v1.41/info"


@dataclass
class Scenario:
    argv: list
    rounds: int = 99        # at most; what the contract names is measured in every round
    slices: int = 1         # a round's load comes in so many pieces, one proxy's after the other's
    cores: str = ""         # "apart": the proxy alone on CPU 1, stub and generator on CPU 0; "one": all of them on CPU 0
    denies: bool = False    # nothing to see where nothing is denied
    kind: str = "rps"


# What hangs most on which cores the kernel chose, for as long as it keeps to its choice: more choices say more.
SLICES = 4


def requests(secs, conns, path, *more, warmup=.2):
    return ["rps", "--conns", str(conns), "--secs", str(secs), "--warmup", str(warmup), "--path", path, *more]


def scenarios(secs, gib):
    r = lambda conns, path, *more, slices=1, **kw: Scenario(requests(secs / slices, conns, path, *more, warmup=.2 if slices == 1 else .1), slices=slices, **kw)
    hijack = lambda echo, slices=1, **kw: Scenario(["hijack", "--count", "20000", "--secs", str(max(secs, .5) / slices), "--bytes", str(echo // slices)], slices=slices, kind="hijack", **kw)
    size = int(gib * (1 << 30))
    return {
        "list_c1": r(1, LIST, slices=SLICES),
        "list_c64": r(64, LIST),
        "pin_c64": r(64, LIST, cores="apart"),
        "one_c1": r(1, LIST, cores="one"),
        "pin_c1": r(1, LIST, slices=2, cores="apart"),
        "deny_c64": r(64, DENY, "--expect", "403", denies=True),
        "connreq_c10": r(10, PING, "--close", slices=SLICES),
        "pin_connreq": r(10, PING, "--close", cores="apart"),
        "list200k_c10": r(10, BIG),
        "down": Scenario(["download", "--path", f"/v1.41/images/b{size}/get"], kind="bulk"),
        "up": Scenario(["upload", "--bytes", str(size)], kind="bulk"),
        "uplen": Scenario(["upload", "--bytes", str(size), "--len"], kind="bulk"),
        "hijack": hijack(size // 4, slices=SLICES),
        "one_hijack": hijack(1 << 20, cores="one"),
        "pin_hijack": hijack(1 << 20, slices=2, cores="apart"),
        "list_c10": r(10, LIST, rounds=1),
        "list_c256": r(256, LIST, rounds=1),
        "ping_c64": r(64, PING, rounds=1),
        "down4": Scenario(["download", "--path", f"/v1.41/images/b{size // 4}/get", "--conns", "4"], rounds=1, kind="bulk"),
        "hijack200": Scenario(["hijack", "--no-upgrade", "--count", "2000", "--secs", "0.3", "--bytes", "1048576"], rounds=1, kind="hijack"),
        "idle1000": Scenario(["idle", "--conns", "1000", "--hold", "0.5"], kind="idle", rounds=1),
    }


# What is measured once beside the rounds: `single.py` and `curves.py`.
SINGLE = "start50 streams9000 binary pure syscalls profile threads targets".split()
CURVES = "by_connections by_load".split()
QUICK = "list_c1 one_c1 pin_c1 list_c64 pin_c64 deny_c64 connreq_c10 pin_connreq list200k_c10 down up uplen hijack one_hijack pin_hijack idle1000 start50 streams9000 binary syscalls".split()
