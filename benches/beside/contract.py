"""What was promised, and what this run measured: one line per metric, from the medians."""
from dataclasses import dataclass
from typing import Callable


@dataclass
class Metric:
    name: str
    value: Callable            # figures -> a number, or (a number, how it is written)
    must: tuple = None         # ("≤", number); none: it is shown beside the one above, and nothing is promised
    goal: tuple = None
    unit: str = ""
    digits: int = 2


class NotMeasured(Exception):
    pass


class Failed(Exception):
    pass


class Figures:
    """Medians by proxy and scenario, figures measured once by name."""

    def __init__(self, median, single, subject, dead=()):
        self.median, self.single, self.subject, self.dead = median, single, subject, dead

    def of(self, who, scenario, key):
        r = self.median.get(who or self.subject, {}).get(scenario)
        if (who or self.subject) in self.dead: raise Failed(f"{who or self.subject} did not start")
        if r is None: raise NotMeasured
        if "error" in r: raise Failed(f"{who or self.subject}: {r['error']}")
        if r.get("errors") or r.get("bad_status"): raise Failed(f"{who or self.subject}: {r['errors']} errors, {r['bad_status']} wrong answers")
        if r.get(key) is None: raise NotMeasured
        return r[key]

    def ratio(self, scenario, key, peer):
        return self.of(None, scenario, key) / self.of(peer, scenario, key)

    def minus(self, scenario, key, peer):
        return self.of(None, scenario, key) - self.of(peer, scenario, key)

    def one(self, name, *keys):
        r = self.single.get(name)
        if r is None: raise NotMeasured
        if "error" in r: raise Failed(r["error"])
        for key in keys:
            if key not in r: raise NotMeasured
            r = r[key]
        return r


CPU, RPS, GIB, H1 = "cpu_us_per_req", "rps", "cpu_s_per_gib", "haproxy-tuned1"


def best_haproxy(f):
    return f.of(None, "list_c64", RPS) / max(f.of("haproxy-tuned", "list_c64", RPS), f.of(H1, "list_c64", RPS))


def recorded(scenario):
    return lambda f: f.of(f.subject + "-all", scenario, CPU) - f.of(None, scenario, CPU)


def per_stream(f):
    return (f.of(None, "idle1000", "rss_kib") - f.of(None, "idle1000", "start_rss_kib")) / f.of(None, "idle1000", "ready")


def streams(f):
    s = f.one("streams9000")
    words = f"{s['ready']:,}; descriptors {s['start']['fds']} → {s['first']['open']['fds']:,} → {s['second']['after']['fds']}; " \
            f"MiB {s['start']['rss_kib'] / 1024:.1f} → {s['first']['open']['rss_kib'] / 1024:.1f} → {s['first']['after']['rss_kib'] / 1024:.1f}, " \
            f"and once more → {s['second']['after']['rss_kib'] / 1024:.1f}"
    if s["leak"]: raise Failed("something stays: " + words)
    return s["ready"], words + (f" ({s['files']:,} descriptors are allowed here)" if s["ready"] < 9000 else "")


def deciding(grants):
    return lambda f: max(f.one("pure", f"{bench}/{grants}") for bench in ("decide_list", "decide_restart"))


def size(f):
    b = f.one("binary")
    if not b["static"]: raise Failed("it is linked dynamically")
    return b["stripped_mib"], f"static, {b['stripped_mib']:.2f} MiB; {b['shipped_mib']:.2f} MiB as shipped, with names of functions"


def at_most(must, goal=None): return dict(must=("≤", must), goal=("≤", goal) if goal is not None else None)
def at_least(must, goal=None): return dict(must=("≥", must), goal=("≥", goal) if goal is not None else None)


CONTRACT = [
    Metric("CPU per request, 64 connections, 2 KiB list, × haproxy-tuned1", lambda f: f.ratio("list_c64", CPU, H1), **at_most(.75, .55)),
    Metric("the same × l4", lambda f: f.ratio("list_c64", CPU, "l4"), **at_most(2.0, 1.4)),
    Metric("the same with `--audit-allowed all`: more by", recorded("list_c64"), **at_most(1.5, .8), unit=" µs"),
    Metric("and with the proxy alone on one core", recorded("pin_c64"), **at_most(1.5, .8), unit=" µs"),
    Metric("requests/s, the proxy alone on one core, × haproxy-tuned1", lambda f: f.ratio("pin_c64", RPS, H1), **at_least(1.25, 1.45)),
    Metric("the same × l4", lambda f: f.ratio("pin_c64", RPS, "l4"), **at_least(.70, .95)),
    Metric("requests/s, 64 connections, × the better HAProxy", best_haproxy, **at_least(1.15, 1.5)),
    Metric("p50 at one connection, all on one core, above l4", lambda f: f.minus("one_c1", "p50_us", "l4"), **at_most(5, 2), unit=" µs", digits=1),
    Metric("the same, the proxy alone on one core", lambda f: f.minus("pin_c1", "p50_us", "l4"), unit=" µs", digits=1),
    Metric("the same, free to move between cores", lambda f: f.minus("list_c1", "p50_us", "l4"), **at_most(5, 2), unit=" µs", digits=1),
    Metric("denial, record included (floods summed): CPU", lambda f: f.of(None, "deny_c64", CPU), **at_most(4, 2.6), unit=" µs"),
    Metric("denials per second", lambda f: f.of(None, "deny_c64", RPS) / 1e3, **at_least(180), unit="k", digits=0),
    Metric("connection per request: requests/s × haproxy-tuned1", lambda f: f.ratio("connreq_c10", RPS, H1), **at_least(.65, .85)),
    Metric("and with the proxy alone on one core", lambda f: f.ratio("pin_connreq", RPS, H1), **at_least(.65, .85)),
    Metric("200 KiB list, CPU × haproxy-tuned1", lambda f: f.ratio("list200k_c10", CPU, H1), **at_most(.7, .5)),
    Metric("download, CPU s/GiB", lambda f: f.of(None, "down", GIB), **at_most(.22, .13)),
    Metric("download, CPU × haproxy-tuned1", lambda f: f.ratio("down", GIB, H1), **at_most(.75)),
    Metric("upload, chunked, CPU s/GiB", lambda f: f.of(None, "up", GIB), **at_most(.22, .13)),
    Metric("upload, chunked, CPU × haproxy-tuned1", lambda f: f.ratio("up", GIB, H1), **at_most(.75)),
    Metric("upload with Content-Length, CPU s/GiB", lambda f: f.of(None, "uplen", GIB), **at_most(.22, .08)),
    Metric("upload with Content-Length, CPU × haproxy-tuned1", lambda f: f.ratio("uplen", GIB, H1), **at_most(.75)),
    Metric("hijacked stream, round trip p50, all on one core, above l4", lambda f: f.minus("one_hijack", "p50_us", "l4"), **at_most(3, 1), unit=" µs", digits=1),
    Metric("the same, the proxy alone on one core", lambda f: f.minus("pin_hijack", "p50_us", "l4"), unit=" µs", digits=1),
    Metric("the same, free to move between cores", lambda f: f.minus("hijack", "p50_us", "l4"), **at_most(3, 1), unit=" µs", digits=1),
    Metric("hijacked stream, CPU per round trip × l4", lambda f: f.ratio("hijack", "cpu_us_per_rtt", "l4"), **at_most(1.4, 1.1)),
    Metric("memory at the start, RSS", lambda f: f.of(None, "idle1000", "start_rss_kib") / 1024, **at_most(8, 4), unit=" MiB", digits=1),
    Metric("memory per idle stream", per_stream, **at_most(4, 3), unit=" KiB", digits=1),
    Metric("open streams on one process, nothing left afterwards", streams, must=("≥", 9000), digits=0),
    Metric("start to listening, 50 policies", lambda f: f.one("start50", "ms"), **at_most(10, 4), unit=" ms", digits=1),
    Metric("deciding, 20 grants", deciding(20), **at_most(300, 120), unit=" ns", digits=0),
    Metric("deciding, 1,000 grants", deciding(1000), **at_most(1000, 200), unit=" ns", digits=0),
    Metric("judging a typical create body", lambda f: f.one("pure", "judge_a_create_body") / 1e3, **at_most(50, 15), unit=" µs", digits=1),
    Metric("binary", size, **at_most(6, 4), unit=" MiB"),
]


def meets(value, bound):
    return value <= bound[1] if bound[0] == "≤" else value >= bound[1]


def judge(metric, figures):
    """(value or None, how it is written, mark)"""
    try:
        value = metric.value(figures)
    except (NotMeasured, ZeroDivisionError):
        return None, "–", "not measured"
    except Failed as error:
        return None, " ".join(str(error).split())[:160].replace("|", "/"), "**FAIL**"
    except (KeyError, TypeError, ValueError) as error:
        return None, f"cannot be computed: {error!r}", "**FAIL**"
    value, words = value if isinstance(value, tuple) else (value, f"{value:,.{metric.digits}f}{metric.unit}")
    if not metric.must: return value, words, ""
    if not meets(value, metric.must): return value, words, "**missed**"
    return value, words, "goal" if metric.goal and meets(value, metric.goal) else "must"


def lines(figures):
    out = ["| metric | measured | must | goal | reached |", "|---|---|---|---|---|"]
    bound = lambda b, m: "" if b is None else f"{b[0]} {b[1]:,}{m.unit}"
    for m in CONTRACT:
        _, words, mark = judge(m, figures)
        out.append(f"| {m.name} | {words} | {bound(m.must, m)} | {bound(m.goal, m)} | {mark} |")
    return "\n".join(out) + "\n"


def data(figures):
    return [dict(zip(("metric", "value", "written", "reached"), (m.name, *judge(m, figures)))) for m in CONTRACT]
