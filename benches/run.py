#!/usr/bin/env python3
"""Side-by-side rig for Docker socket proxies over Unix sockets. See README.md."""
import argparse, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
RIG = HERE + "/rig/target/release"
LOAD = RIG + "/loadgen"

# ---------------------------------------------------------------- peers
def fill(name, d, **kw):
    s = open(f"{HERE}/conf/{name}").read()
    for k, v in kw.items(): s = s.replace("{" + k + "}", str(v))
    p = f"{d}/{name}"; open(p, "w").write(s); return p
def haproxy(conf, nt):
    return lambda d, l, u: (["/usr/sbin/haproxy", "-W", "-db", "-f", fill(conf, d, listen=l, upstream=u, nbthread=nt)], {})
def l4(d, l, u):
    return [RIG + "/l4", l, u], {}
PEERS = {
    "direct": None,                                   # no proxy at all: the ceiling
    "l4": l4,                                         # copies bytes, parses nothing: the physical reference for a proxy
    "haproxy-tuned": haproxy("haproxy-tuned.cfg", 2),  # the strongest HAProxy for the same policy, two threads
    "haproxy-tuned1": haproxy("haproxy-tuned.cfg", 1), # ... one thread
}
SETS = {
    "default": "direct l4 haproxy-tuned haproxy-tuned1".split(),
    "all": [k for k in PEERS],
}

# ---------------------------------------------------------------- scenarios: (name, loadgen mode, args, pinned)
LIST, PING, BIG, DENY = "/v1.41/containers/json", "/_ping", "/v1.41/containers/json?all=1", "/v1.41/info"
def scenarios(secs, gib):
    r = lambda c, p, *x: ["rps", "--conns", str(c), "--secs", str(secs), "--warmup", "0.2", "--path", p, *x]
    b = int(gib * (1 << 30))
    return {
        "list_c1": (r(1, LIST), 0), "list_c10": (r(10, LIST), 0), "list_c64": (r(64, LIST), 0), "list_c256": (r(256, LIST), 0),
        "ping_c64": (r(64, PING), 0), "list200k_c10": (r(10, BIG), 0),
        "connreq_c10": (r(10, PING, "--close"), 0), "deny_c64": (r(64, DENY, "--expect", "403"), 0),
        "pin_c64": (r(64, LIST), 1),
        "down": (["download", "--path", f"/v1.41/images/b{b}/get"], 0), "down4": (["download", "--path", f"/v1.41/images/b{b//4}/get", "--conns", "4"], 0),
        "up": (["upload", "--bytes", str(b)], 0), "uplen": (["upload", "--bytes", str(b), "--len"], 0),
        "hijack": (["hijack", "--count", "20000", "--secs", str(max(secs, .5)), "--bytes", str(b // 4)], 0),
        "hijack200": (["hijack", "--no-upgrade", "--count", "2000", "--secs", "0.3", "--bytes", "1048576"], 0),
        "idle1000": (["idle", "--conns", "1000", "--hold", "0.7"], 0),
    }
QUICK = "list_c1 list_c64 ping_c64 connreq_c10 deny_c64 down up hijack idle1000".split()

# ---------------------------------------------------------------- process helpers
def kids(pid):
    out = [pid]; i = 0
    while i < len(out):
        for t in ls(f"/proc/{out[i]}/task"):
            try: out += [int(x) for x in open(f"/proc/{out[i]}/task/{t}/children").read().split()]
            except OSError: pass
        i += 1
    return out
def steal():
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]; return f[7], sum(f)
def ls(p):
    try: return os.listdir(p)
    except OSError: return []
def cpu_s(pid):
    """CPU seconds of the whole process tree, ns resolution (process CPU clock, all threads, living and dead)."""
    s = 0.0
    for p in kids(pid):
        try: s += time.clock_gettime((~p << 3) | 2)
        except OSError: pass
    return s
def mem(pid):
    rss = pss = peak = 0; th = fds = 0
    for p in kids(pid):
        try:
            for l in open(f"/proc/{p}/status"):
                if l.startswith("VmRSS"): rss += int(l.split()[1])
                if l.startswith("VmHWM"): peak += int(l.split()[1])
                if l.startswith("Threads"): th += int(l.split()[1])
            for l in open(f"/proc/{p}/smaps_rollup"):
                if l.startswith("Pss:"): pss += int(l.split()[1])
            fds += len(ls(f"/proc/{p}/fd"))
        except OSError: pass
    return dict(rss_kib=rss, pss_kib=pss, peak_kib=peak, threads=th, fds=fds)
def pin(pid, cpus):
    for p in kids(pid):
        for t in ls(f"/proc/{p}/task"):
            try: os.sched_setaffinity(int(t), cpus)
            except OSError: pass
class Proc:
    def __init__(s, name, argv, env, sock, work):
        s.name, s.sock = name, sock
        s.log = open(f"{work}/{name}.err", "ab")
        s.p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=s.log, stdin=subprocess.DEVNULL, env={**os.environ, **env}, start_new_session=True)
        t = time.time()
        while time.time() - t < 5:
            if s.p.poll() is not None: raise RuntimeError(f"{name} exited {s.p.returncode}: " + open(f"{work}/{name}.err").read()[-600:])
            try:
                k = socket.socket(socket.AF_UNIX); k.connect(sock); k.close(); return
            except OSError: time.sleep(0.02)
        s.stop(); raise RuntimeError(f"{name}: socket {sock} did not come up")
    def stop(s):
        pids = kids(s.p.pid)
        for p in reversed(pids):
            try: os.kill(p, signal.SIGTERM)
            except OSError: pass
        try: s.p.wait(1)
        except subprocess.TimeoutExpired: pass
        for p in pids:
            try: os.kill(p, signal.SIGKILL)
            except OSError: pass
        try: s.p.wait(2)
        except subprocess.TimeoutExpired: pass

def run_load(sock, argv, proxy_pid, stub_pid, pinned, timeout):
    a = [LOAD, argv[0], "--sock", sock] + argv[1:]
    pre = (lambda: os.sched_setaffinity(0, {0})) if pinned else None
    c0 = cpu_s(proxy_pid) if proxy_pid else 0; s0 = cpu_s(stub_pid); t0 = time.time(); st0 = steal()
    p = subprocess.Popen(a, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pre)
    killer = threading.Timer(timeout, p.kill); killer.start()
    res, extra = None, {}
    try:
        for line in p.stdout:
            o = json.loads(line)
            m = o.get("mark")
            if m == "start": c0 = cpu_s(proxy_pid) if proxy_pid else 0; s0 = cpu_s(stub_pid)
            elif m == "rtt_done":
                c1 = cpu_s(proxy_pid) if proxy_pid else 0
                extra["cpu_us_per_rtt"] = (c1 - c0) * 1e6 / max(1, o["count"]); c0 = c1
            elif m == "ready":
                time.sleep(0.2)
                if proxy_pid: extra.update(mem(proxy_pid))
                extra["ready"] = o["ready"]; extra["open_secs"] = o["open_secs"]
            else: res = o
    finally: killer.cancel()
    p.wait(); c1 = cpu_s(proxy_pid) if proxy_pid else 0; s1 = cpu_s(stub_pid)
    if res is None: return {"error": "no result (timeout or crash): " + p.stderr.read()[-200:]}
    if "error" in res: return res
    res.update(extra); st1 = steal(); res["steal_pct"] = round(100 * (st1[0] - st0[0]) / max(1, st1[1] - st0[1]), 1)
    if "requests" in res:
        res["cpu_us_per_req"] = (c1 - c0) * 1e6 / max(1, res["requests"]); res["stub_us_per_req"] = (s1 - s0) * 1e6 / max(1, res["requests"])
    if "bytes" in res: res["cpu_s_per_gib"] = (c1 - c0) / max(1, res["bytes"]) * (1 << 30)
    return res

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--candidate", action="append", default=[], metavar="'[name=]CMD ... {listen} {upstream}'", help="product under test; {listen} and {upstream} become Unix socket paths, {dir} a scratch folder; may be repeated")
    ap.add_argument("--peers", default="default", help="comma list, or one of: " + ", ".join(SETS) + "; add + to extend the default")
    ap.add_argument("--scenarios", default="", help="comma list")
    ap.add_argument("--quick", action="store_true"); ap.add_argument("--full", action="store_true")
    ap.add_argument("--rounds", type=int); ap.add_argument("--secs", type=float); ap.add_argument("--gib", type=float)
    ap.add_argument("--budget", type=float, help="seconds; no new cell starts after it (quick 55, full 580)")
    ap.add_argument("--json", help="write raw and median results here"); ap.add_argument("--md", help="write the tables here too"); ap.add_argument("--list", action="store_true")
    a = ap.parse_args()
    if a.list: print("\n".join(PEERS)); return
    rounds = a.rounds or (1 if a.quick else 3); secs = a.secs or (0.35 if a.quick else 1.0); gib = a.gib or (0.5 if a.quick else 1.0)
    budget = a.budget or (52 if a.quick else 570)
    names = []
    for x in a.peers.split(","):
        if x.startswith("+"): names = names or list(SETS["default"]); names.append(x[1:])
        else: names += SETS.get(x, [x] if x else [])
    names = [n for i, n in enumerate(names) if n not in names[:i]]
    for i, c in enumerate(a.candidate):
        head = c.split(" ", 1)[0]; nm = f"candidate{i+1 if i else ''}"
        if "=" in head and "/" not in head.split("=")[0]: nm, c = c.split("=", 1)
        import shlex
        PEERS[nm] = (lambda cc: lambda d, l, u: ([x.replace("{listen}", l).replace("{upstream}", u).replace("{dir}", d) for x in shlex.split(cc)], {}))(c)
        names.insert(0, nm)
    sc = scenarios(secs, gib); want = [x for x in (a.scenarios.split(",") if a.scenarios else (QUICK if a.quick else list(sc))) if x]
    if not os.path.exists(LOAD): subprocess.check_call(["cargo", "build", "--release", "--locked", "--manifest-path", HERE + "/rig/Cargo.toml", "--target-dir", HERE + "/rig/target"])
    work = tempfile.mkdtemp(prefix="dsb"); t0 = time.time()
    up = work + "/up.sock"; stub = Proc("stub", [RIG + "/stub", "--listen", up], {}, up, work)
    raw, procs, dead = {}, {}, {}
    def start(n):
        d = f"{work}/{n}"; os.makedirs(d, exist_ok=True); l = f"{d}/p.sock"
        argv, env = PEERS[n](d, l, up)
        return Proc(n, argv, env, l, work)
    try:
        for n in names:
            if PEERS[n] is None: continue
            try: procs[n] = start(n)
            except Exception as e: dead[n] = str(e); print(f"!! {n}: {e}", file=sys.stderr)
        live = [n for n in names if n not in dead]; cut = False
        idle_first = [s for s in want if s == "idle1000"]; rest = [s for s in want if s != "idle1000"]
        for n in live:
            if idle_first and time.time() - t0 < budget:   # fresh processes: memory at rest, then 1,000 idle streams
                if n in procs: procs[n].stop(); procs[n] = start(n); time.sleep(0.1)
                m0 = mem(procs[n].p.pid) if n in procs else {}
                r = run_load(procs[n].sock if n in procs else up, sc["idle1000"][0], procs[n].p.pid if n in procs else 0, stub.p.pid, 0, 20)
                r.update({"start_rss_kib": m0.get("rss_kib", 0), "start_pss_kib": m0.get("pss_kib", 0)})
                raw.setdefault(n, {}).setdefault("idle1000", []).append(r)
                if n in procs: procs[n].stop(); procs[n] = start(n)
        for rd in range(rounds):
            for s in rest:
                argv, pinned = sc[s]
                for n in (live if rd % 2 == 0 else live[::-1]):
                    if s.startswith("deny") and (n == "direct" or n.startswith("l4")): continue   # nothing there denies
                    if time.time() - t0 > budget: cut = True; break
                    p = procs.get(n)
                    if p and p.p.poll() is not None:
                        raw.setdefault(n, {}).setdefault(s, []).append({"error": "proxy died"})
                        try: procs[n] = p = start(n)
                        except Exception: continue
                    if pinned: pin(stub.p.pid, {0}); p and pin(p.p.pid, {1})
                    r = run_load(p.sock if p else up, argv, p.p.pid if p else 0, stub.p.pid, pinned, secs * 3 + 25)
                    if pinned: pin(stub.p.pid, set(range(os.cpu_count()))); p and pin(p.p.pid, set(range(os.cpu_count())))
                    raw.setdefault(n, {}).setdefault(s, []).append(r)
                    print(f"[{time.time()-t0:6.1f}s] r{rd+1} {s:12} {n:22} " + brief(r), file=sys.stderr)
        for n in live:
            if n in procs: raw.setdefault(n, {})["_end"] = [mem(procs[n].p.pid)]
    finally:
        for p in list(procs.values()) + [stub]: p.stop()
        shutil.rmtree(work, ignore_errors=True)
    med = median_all(raw); md = tables(med, names, want, dead, rounds, time.time() - t0, cut)
    print(md)
    if a.md: open(a.md, "w").write(md)
    if a.json: json.dump({"median": med, "raw": raw, "dead": dead, "cut_by_budget": cut, "argv": sys.argv, "kernel": os.uname().release, "cpus": os.cpu_count()}, open(a.json, "w"), indent=1)
    bad = [n for n in dead]
    sys.exit(1 if bad else 0)
def brief(r):
    if "error" in r: return "ERROR " + r["error"][:90]
    if "rps" in r: return f"{r['rps']:9.0f} rps p50 {r['p50_us']:8.1f} p99 {r['p99_us']:8.1f} cpu {r['cpu_us_per_req']:6.2f} us/req steal {r['steal_pct']}%" + (f" ERR {r['errors']} BAD {r['bad_status']} {r['first_error']}" if r["errors"] or r["bad_status"] else "")
    if "mb_per_s" in r: return f"{r['mb_per_s']:8.0f} MB/s cpu {r['cpu_s_per_gib']:.3f} s/GiB"
    if "rtts" in r: return f"rtt p50 {r['p50_us']:.1f} p99 {r['p99_us']} us, echo {r['echo_mb_per_s']} MB/s, half-close {r['half_close_eof']} got {r['echo_got']}/{r['echo_sent']}"
    return json.dumps(r)[:150]
def median_all(raw):
    out = {}
    for n, ss in raw.items():
        for s, rs in ss.items():
            good = [r for r in rs if "error" not in r]
            if not good: out.setdefault(n, {})[s] = {"error": rs[-1]["error"]}; continue
            m = {"runs": len(good)}
            for k in good[0]:
                v = [r.get(k) for r in good]
                m[k] = statistics.median(v) if all(isinstance(x, (int, float)) for x in v) else v[-1]
            for k in ("errors", "bad_status"):
                if k in m: m[k] = sum(r[k] for r in good)
            if "rps" in m: m["rps_min"], m["rps_max"] = min(r["rps"] for r in good), max(r["rps"] for r in good)
            out.setdefault(n, {})[s] = m
    return out
def tables(med, names, want, dead, rounds, secs, cut):
    o = [f"Medians of {rounds} interleaved round(s); {secs:.0f} s in all{'; CUT SHORT BY BUDGET' if cut else ''}; {os.cpu_count()} CPUs; kernel {os.uname().release}\n"]
    def tab(title, cols):
        cols = [c for c in cols if c[1] in want]
        if not cols: return
        o.append(f"\n### {title}\n\n| | " + " | ".join(c[0] for c in cols) + " |\n|---|" + "---|" * len(cols))
        for n in names:
            row = []
            for _, s, f in cols:
                r = med.get(n, {}).get(s)
                if n in dead or r is None: row.append("-"); continue
                if "error" in r: row.append("FAIL: " + r["error"][:40]); continue
                row.append(f(r) + ("" if not r.get("errors") and not r.get("bad_status") else f" (err {r['errors']}, bad {r['bad_status']})"))
            o.append(f"| {n} | " + " | ".join(row) + " |")
    R = [x for x in want if x.startswith(("list", "ping", "conn", "deny", "pin"))]
    k = lambda v: f"{v/1000:.1f}k"
    tab("Requests/s", [(s, s, lambda r: k(r["rps"])) for s in R])
    tab("Proxy CPU us/request", [(s, s, lambda r: f"{r['cpu_us_per_req']:.2f}") for s in R])
    for ref in ("haproxy-tuned1", "l4"):
        base = med.get(ref, {})
        ratio = lambda key, s: lambda r: f"{r[key] / base[s][key]:.2f}" if base.get(s, {}).get(key) else "-"
        if ref in names and ref not in dead:
            tab(f"CPU per request, times {ref}", [(s, s, ratio("cpu_us_per_req", s)) for s in R])
            tab(f"Requests/s, times {ref}", [(s, s, ratio("rps", s)) for s in R])
    tab("Latency p50 / p99 us", [(s, s, lambda r: f"{r['p50_us']:.0f} / {r['p99_us']:.0f}") for s in R])
    tab("Bulk MB/s (proxy CPU s per GiB)", [(s, s, lambda r: f"{r['mb_per_s']:.0f} ({r['cpu_s_per_gib']:.2f})") for s in ("down", "down4", "up", "uplen")])
    hj = lambda r: f"{r['p50_us']:.1f} / {r['p99_us']:.1f}, cpu {r.get('cpu_us_per_rtt', 0):.1f}; echo {r['echo_mb_per_s']:.0f} MB/s; " + ("half-close ok" if r["half_close_eof"] == "clean" and r["echo_got"] == r["echo_sent"] else (f"HALF-CLOSE LOSES DATA ({r['echo_got']:.0f} of {r['echo_sent']:.0f})" if r["echo_got"] != r["echo_sent"] else "NO EOF AFTER HALF-CLOSE"))
    tab("Hijacked stream: RTT p50 / p99 us, CPU us per round trip", [("101 Upgrade", "hijack", hj), ("200 raw (no Upgrade)", "hijack200", hj)])
    tab("1,000 idle /events streams", [("ready", "idle1000", lambda r: f"{r['ready']:.0f}"), ("RSS MiB start -> idle", "idle1000", lambda r: f"{r['start_rss_kib']/1024:.1f} -> {r.get('rss_kib', 0)/1024:.1f}"), ("PSS MiB start -> idle", "idle1000", lambda r: f"{r['start_pss_kib']/1024:.1f} -> {r.get('pss_kib', 0)/1024:.1f}"), ("peak MiB", "idle1000", lambda r: f"{r.get('peak_kib', 0)/1024:.1f}"), ("KiB RSS/stream", "idle1000", lambda r: f"{(r.get('rss_kib', 0)-r['start_rss_kib'])/max(1,r['ready']):.1f}")])
    for n, e in dead.items(): o.append(f"\n{n} did not start: {e}")
    return "\n".join(o) + "\n"
if __name__ == "__main__": main()
