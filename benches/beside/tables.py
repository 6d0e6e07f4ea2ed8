"""What was measured, as Markdown."""
from .single import PARTS


def wrong(r):
    return f" (err {r['errors']}, bad {r['bad_status']})" if r.get("errors") or r.get("bad_status") else ""


def table(title, rows, columns, figure):
    """`figure(row, column)` -> text, or None where there is nothing; rows and columns without any are left out."""
    cells = {(r, c): figure(r, c) for r in rows for c in columns}
    rows = [r for r in rows if any(cells[r, c] for c in columns)]
    columns = [c for c in columns if any(cells[r, c] for r in rows)]
    if not rows: return ""
    out = [f"\n### {title}\n", "| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    out += [f"| {r} | " + " | ".join(cells[r, c] or "–" for c in columns) + " |" for r in rows]
    return "\n".join(out) + "\n"


def rounds(median, names, order):
    """One table per thing that is looked at."""
    def of(key, write):
        def figure(name, scenario):
            r = median.get(name, {}).get(scenario)
            if r is None: return None
            if "error" in r: return "FAIL: " + " ".join(r["error"].split())[:50].replace("|", "/")
            return write(r) + wrong(r) if r.get(key) is not None else None
        return figure

    def times(key, peer):
        def figure(name, scenario):
            r, base = median.get(name, {}).get(scenario, {}), median.get(peer, {}).get(scenario, {})
            return f"{r[key] / base[key]:.2f}" if r.get(key) and base.get(key) else None
        return figure

    requests = [s for s in order if s.startswith(("list", "ping", "conn", "deny", "pin", "one")) and "hijack" not in s]
    out = [table("Requests/s", names, requests, of("rps", lambda r: f"{r['rps'] / 1000:.1f}k")),
           table("Proxy CPU µs/request", names, requests, of("cpu_us_per_req", lambda r: f"{r['cpu_us_per_req']:.2f}"))]
    for peer in ("haproxy-tuned1", "l4"):
        proxies = [n for n in names if n != "direct"]
        out += [table(f"CPU per request, times {peer}", proxies, requests, times("cpu_us_per_req", peer)),
                table(f"Requests/s, times {peer}", proxies, requests, times("rps", peer))]
    out += [table("Latency p50 / p99 µs", names, requests, of("rps", lambda r: f"{r['p50_us']:.0f} / {r['p99_us']:.0f}")),
            table("Bulk MB/s (proxy CPU s per GiB)", names, ["down", "down4", "up", "uplen"], of("mb_per_s", lambda r: f"{r['mb_per_s']:.0f} ({r['cpu_s_per_gib']:.2f})")),
            table("Hijacked stream: round trip p50 / p99 µs, CPU µs per round trip (hijack: 101 Upgrade; hijack200: without Upgrade)", names, ["hijack", "one_hijack", "pin_hijack", "hijack200"], of("rtts", hijacked)),
            idle(median, names)]
    return "".join(out)


def hijacked(r):
    end = "half-close ok"
    if r["echo_got"] != r["echo_sent"]: end = f"HALF-CLOSE LOSES DATA ({r['echo_got']:.0f} of {r['echo_sent']:.0f})"
    elif r["half_close_eof"] != "clean": end = "NO EOF AFTER HALF-CLOSE"
    return f"{r['p50_us']:.1f} / {r['p99_us']:.1f}, cpu {r.get('cpu_us_per_rtt', 0):.1f}; echo {r['echo_mb_per_s']:.0f} MB/s; {end}"


def idle(median, names):
    columns = {"ready": lambda r: f"{r['ready']:.0f}",
               "RSS MiB start → idle": lambda r: f"{r['start_rss_kib'] / 1024:.1f} → {r['rss_kib'] / 1024:.1f}",
               "PSS MiB start → idle": lambda r: f"{r['start_pss_kib'] / 1024:.1f} → {r['pss_kib'] / 1024:.1f}",
               "peak MiB": lambda r: f"{r['peak_kib'] / 1024:.1f}",
               "KiB RSS per stream": lambda r: f"{(r['rss_kib'] - r['start_rss_kib']) / max(1, r['ready']):.1f}"}
    def figure(name, column):
        r = median.get(name, {}).get("idle1000")
        if r is None or name == "direct": return None
        return "FAIL" if "error" in r or "rss_kib" not in r else columns[column](r)
    return table("1,000 idle /events streams", names, list(columns), figure)


def single(figures):
    """Tables of what was measured once."""
    out = ""
    s = figures.get("start50")
    if s: out += "\n### Start to listening, 50 policies\n\n" + (f"FAIL: {s['error']}\n" if "error" in s else f"{s['ms']:.1f} ms (median of {s['runs']}; {s['ms_min']:.1f} to {s['ms_max']:.1f})\n")
    if "threads" in figures: out += "\n### Threads\n" + by_setting(figures["threads"])
    if "targets" in figures: out += "\n### Rules about certain objects\n" + by_setting(figures["targets"])
    if "syscalls" in figures: out += "\n### System calls per request\n" + syscalls(figures["syscalls"])
    if "profile" in figures: out += "\n### Where the CPU time goes\n" + profile(figures["profile"])
    pure = figures.get("pure")
    if pure: out += "\n### The pure parts\n" + nanoseconds(pure)
    return out


def by_setting(figures):
    """What was asked for down, in which setting across."""
    if "error" in figures: return f"\nFAIL: {figures['error']}\n"
    def figure(what, where):
        r = figures[what].get(where)
        if r is None: return None
        if "error" in r: return "FAIL"
        if "rps" in r: return f"{r['rps'] / 1000:.1f}k/s, p50 {r['p50_us']:.0f}, p99 {r['p99_us']:.0f} µs, CPU {r['cpu_us_per_req']:.2f} µs{wrong(r)}"
        return f"{r['mb_per_s']:.0f} MB/s, CPU {r['cpu_s_per_gib']:.2f} s/GiB"
    columns = [c for by in figures.values() for c in by]
    columns = [c for i, c in enumerate(columns) if c not in columns[:i]]
    return table("", list(figures), columns, figure).replace("\n### \n", "")


def syscalls(figures):
    if "error" in figures: return f"\nNot counted: {figures['error']}\n"
    out = ["", "| | | in all | which |", "|---|---|---|---|"]
    for what, by in figures.items():
        for name, calls in by.items():
            if "error" in calls: out.append(f"| {what} | {name} | FAIL | {calls['error'][:80]} |"); continue
            which = ", ".join(f"{call} {n:.2f}" for call, n in calls.items() if n >= 0.05)
            out.append(f"| {what} | {name} | {sum(calls.values()):.1f} | {which} |")
    return "\n".join(out) + "\n"


def in_kernel(median, names):
    """Where the CPU time of a proxy goes."""
    def figure(name, scenario):
        r = median.get(name, {}).get(scenario)
        if name == "direct" or not r or r.get("kernel_pct") is None: return None
        return f"{r['cpu_us_per_req']:.2f} µs, {r['kernel_pct']:.0f} % of it in the kernel"
    return table("", names, ["list_c64", "ping_c64", "deny_c64", "connreq_c10"], figure).replace("\n### \n", "")


def beside(median, subject):
    """The short table of the README; HAProxy on one thread is 1."""
    rows = {"CPU per request, 64 connections, 2 KiB list": ("list_c64", "cpu_us_per_req"), "requests per second, the same": ("list_c64", "rps"),
            "requests per second, the proxy alone on one core": ("pin_c64", "rps"),
            "CPU per refusal, audit record included": ("deny_c64", "cpu_us_per_req"), "CPU per GiB downloaded": ("down", "cpu_s_per_gib"),
            "CPU per GiB uploaded": ("up", "cpu_s_per_gib"), "requests per second, a connection for each": ("connreq_c10", "rps"),
            "memory with 1,000 idle event streams": ("idle1000", "rss_kib")}
    out = ["| | quaygate | HAProxy, one thread | a byte copier that parses nothing |", "|---|---|---|---|"]
    for what, (scenario, key) in rows.items():
        found = [median.get(n, {}).get(scenario, {}).get(key) for n in (subject, "haproxy-tuned1", "l4")]
        if key == "rss_kib": words = [f"{v / 1024:.1f} MiB" if v else "–" for v in found]
        else: words = [f"{v / found[1]:.2f}" if v and found[1] else "–" for v in found]
        out.append(f"| {what} | " + " | ".join(words) + " |")
    return "\n".join(out) + "\n"


def profile(figures):
    if "error" in figures: return f"\nNot measured: {figures['error']}\n"
    figure = lambda part, what: f"{figures[what][part]:.1f} %"
    text = table("", list(PARTS), list(figures), figure).replace("\n### \n", "")
    for part, label in PARTS.items(): text = text.replace(f"| {part} |", f"| {label} |")
    return text


LABELS = {"head": "reading the head of a list request", "call": "its path and query",
          "decide_list": "deciding about a list", "decide_restart": "deciding about a restart, which one of them is for",
          "json": "reading the JSON of a create body (2.0 KiB)", "judge_a_create_body": "judging that body, reading included"}


def nanoseconds(figures):
    if "error" in figures: return f"\nFAIL: {figures['error']}\n"
    out = ["", "| | median |", "|---|---|"]
    place = list(LABELS).index
    for name, ns in sorted(figures.items(), key=lambda kv: place(kv[0].partition("/")[0]) if kv[0].partition("/")[0] in LABELS else 99):
        bench, _, grants = name.partition("/")
        label = LABELS.get(bench, bench) + (f", {int(grants):,} grants" if grants.isdigit() else "")
        out.append(f"| {label} | {ns:,.0f} ns |" if ns < 10_000 else f"| {label} | {ns / 1e3:,.1f} µs |")
    return "\n".join(out) + "\n"
