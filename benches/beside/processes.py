"""Processes: starting and ending the ones that are ours, their CPU clocks, memory, descriptors, CPUs."""
import os, resource, signal, socket, subprocess, time


def listing(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def raise_open_files():
    """As many descriptors as the hard limit allows, for everything that is started from here. Returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def tree(pid):
    """A process and all below it."""
    out, i = [pid], 0
    while i < len(out):
        for task in listing(f"/proc/{out[i]}/task"):
            try:
                out += [int(x) for x in open(f"/proc/{out[i]}/task/{task}/children").read().split()]
            except OSError:
                pass
        i += 1
    return out


def cpu_seconds(pid):
    """CPU time of the whole tree in nanosecond resolution (the process's CPU clock: all threads, living and dead)."""
    total = 0.0
    for p in tree(pid) if pid else []:
        try:
            total += time.clock_gettime((~p << 3) | 2)
        except OSError:
            pass
    return total


def kernel_ticks(pid):
    """(ticks in user space, ticks in the kernel) of the whole tree."""
    user = kernel = 0
    for p in tree(pid) if pid else []:
        try:
            fields = open(f"/proc/{p}/stat").read().rpartition(")")[2].split()
            user, kernel = user + int(fields[11]), kernel + int(fields[12])
        except OSError:
            pass
    return user, kernel


def memory(pid):
    rss = pss = peak = threads = fds = 0
    for p in tree(pid) if pid else []:
        try:
            for line in open(f"/proc/{p}/status"):
                word, *rest = line.split()
                if word == "VmRSS:": rss += int(rest[0])
                if word == "VmHWM:": peak += int(rest[0])
                if word == "Threads:": threads += int(rest[0])
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"): pss += int(line.split()[1])
            fds += len(listing(f"/proc/{p}/fd"))
        except OSError:
            pass
    return dict(rss_kib=rss, pss_kib=pss, peak_kib=peak, threads=threads, fds=fds)


def pin(pid, cpus):
    for p in tree(pid):
        for task in listing(f"/proc/{p}/task"):
            try:
                os.sched_setaffinity(int(task), cpus)
            except OSError:
                pass


def stolen():
    """(time that the hypervisor took, all time), in ticks."""
    fields = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return fields[7], sum(fields)


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
            return True
        except OSError:
            return False


class Process:
    """A server that is ours, from its socket's first accept to its end."""

    def __init__(self, name, argv, sock, work, cpus=None):
        self.name, self.sock = name, sock
        errors = f"{work}/{name}.err"
        own = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        with open(errors, "ab") as log:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True, preexec_fn=own)
        end = time.time() + 5
        while time.time() < end:
            if self.p.poll() is not None:
                raise RuntimeError(f"{name} exited {self.p.returncode}: " + open(errors).read()[-600:])
            if accepts(sock):
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"{name}: {sock} did not come up")

    @property
    def pid(self):
        return self.p.pid

    def alive(self):
        return self.p.poll() is None

    def stop(self):
        ours = tree(self.p.pid)
        for kind, patience in ((signal.SIGTERM, 1), (signal.SIGKILL, 2)):
            for p in reversed(ours):
                try:
                    os.kill(p, kind)
                except OSError:
                    pass
            try:
                self.p.wait(patience)
            except subprocess.TimeoutExpired:
                pass
