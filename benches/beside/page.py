"""docs/performance.md: what stands between the markers is written by a run, and by nothing else."""
import os, platform, re, subprocess


def machine():
    """The machine, without its name and without paths."""
    model, words = "unknown CPU", lambda *argv: first_line(argv)
    for line in open("/proc/cpuinfo"):
        if line.startswith(("model name", "Model")):
            model = line.split(":", 1)[1].strip()
            break
    memory = next((int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")), 0)
    virtual = "hypervisor" in open("/proc/cpuinfo").read()
    kernel = re.match(r"\d+\.\d+(\.\d+)?", os.uname().release)
    haproxy = re.search(r"\d+\.\d+(\.\d+)?", words("/usr/sbin/haproxy", "-v") or "")
    return {"CPU": f"{model}, {os.cpu_count()} CPUs" + (", a virtual machine" if virtual else ""), "memory": f"{memory / (1 << 20):.1f} GiB",
            "kernel": f"Linux {kernel[0] if kernel else '?'}, {platform.machine()}", "C library": " ".join(platform.libc_ver()),
            "Rust": (words("rustc", "-V") or "?").split(" (")[0], "HAProxy": haproxy[0] if haproxy else "missing",
            "engine": "a stub that answers as dockerd does, one thread, from memory"}


def first_line(argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=10).stdout.splitlines()[0]
    except (OSError, IndexError, subprocess.SubprocessError):
        return None


def machine_lines(commit=None):
    rows = {**machine(), **({"quaygate": commit} if commit else {})}
    return "| | |\n|---|---|\n" + "".join(f"| {k} | {v} |\n" for k, v in rows.items())


def indented(part, by):
    return "\n".join(by + line if line else "" for line in part.strip().splitlines())


def fill(text, parts):
    """Puts each part between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; a part without markers is an error."""
    for name, part in parts.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page has no place for `{name}`")
        # As deep as the marker stands: a part may belong to an item of a list.
        by = before[before.rfind("\n") + 1:]
        text = f"{before}{begin}\n\n{indented(part, by)}\n\n{by}{end}{after}"
    return text


def refill(path, parts):
    with open(path) as page:
        text = fill(page.read(), parts)
    with open(path, "w") as page:
        page.write(text)


def write(path, parts, pictures):
    refill(path, parts)
    folder = os.path.splitext(path)[0]
    os.makedirs(folder, exist_ok=True)
    for name, svg in pictures.items():
        with open(f"{folder}/{name}", "w") as out:
            out.write(svg)
