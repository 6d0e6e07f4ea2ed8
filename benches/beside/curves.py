"""How things grow: with connections, with offered load, with rules; measured here, drawn by `svg.py`."""
from .scenarios import LIST, requests
from .single import guarded, middle
from .svg import Chart, Series

CONNECTIONS = (1, 4, 16, 64, 256, 1024)
LOADS = (5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 120_000)
GRANTS = (10, 100, 1_000, 10_000)
WHO = {"quaygate": 0, "l4": 1, "haproxy-tuned1": 2, "haproxy-tuned": 3}


@guarded
def by_connections(rig, names, secs, rounds):
    """Requests/s, latency and memory with so many connections under load; ascending, in a process that starts fresh."""
    seen = {}
    for turn in range(rounds):
        for name in (names if turn % 2 == 0 else names[::-1]):
            rig.start(name)
            for conns in CONNECTIONS:
                if rig.late(): break
                r = rig.cell(name, requests(secs, conns, LIST), f"conns {conns}", sample=True)
                seen.setdefault(name, {}).setdefault(str(conns), []).append(r)
            rig.end(name)
    return {name: {x: middle(rs) for x, rs in by.items()} for name, by in seen.items()}


@guarded
def by_load(rig, names, secs, rounds):
    """Latency at an offered load: an open loop, counted from the moment a request was due."""
    seen = {}
    for turn in range(rounds):
        for load in LOADS:
            for name in (names if turn % 2 == 0 else names[::-1]):
                if rig.late(): break
                r = rig.cell(name, requests(secs, 64, LIST, "--rate", str(load)), f"load {load}")
                seen.setdefault(name, {}).setdefault(str(load), []).append(r)
    return {name: {x: middle(rs) for x, rs in by.items()} for name, by in seen.items()}


def points(by, key, scale=1.0, keep=lambda x, r: True):
    """What of a curve could be measured."""
    out = []
    for x, r in (by or {}).items():
        if "error" not in r and r.get(key) is not None and keep(int(x), r):
            out.append((int(x), r[key] * scale))
    return sorted(out)


def pictures(single):
    """File name -> SVG of what this run measured; a curve without points is not drawn."""
    conns, load, pure = (single.get(k) or {} for k in ("by_connections", "by_load", "pure"))
    charts = {
        "throughput.svg": Chart("Requests per second against connections", "connections, keep-alive, 2 KiB list", "thousand requests/s",
                                [Series(n, c, points(conns.get(n), "rps", 1e-3)) for n, c in WHO.items()], xlog=True),
        "memory.svg": Chart("Memory against connections under load", "connections, keep-alive, 2 KiB list", "resident MiB",
                            [Series(n, c, points(conns.get(n), "rss_kib", 1 / 1024)) for n, c in WHO.items()], xlog=True),
        "latency.svg": Chart("Latency against offered load", "thousand requests offered per second, 64 connections", "µs from due to answered",
                             [Series(n + which, c, [(x / 1e3, y) for x, y in points(load.get(n), key, keep=carried)], dashed=dashed)
                              for n, c in WHO.items() if n != "haproxy-tuned" for key, which, dashed in (("p50_us", " p50", False), ("p99_us", " p99", True))], ylog=True),
        "rules.svg": Chart("Deciding against the number of grants", "grants in the policy", "ns per decision",
                           [Series(label, c, [(n, pure[f"{bench}/{n}"]) for n in GRANTS if f"{bench}/{n}" in pure])
                            for bench, label, c in (("decide_list", "GET /containers/json", 0), ("decide_restart", "POST /containers/web-N/restart, one grant among as many", 1))], xlog=True),
    }
    return {name: chart.svg() for name, chart in charts.items() if chart.drawn()}


def carried(x, r):
    """Beyond saturation a queue grows for as long as one looks: no latency to speak of."""
    return r["rps"] >= 0.97 * x
