#!/usr/bin/env python3
"""What a rule with a target costs: nothing asked, remembered, asked. See README.md."""
import argparse, os, subprocess, sys, time

sys.dont_write_bytecode = True

from beside.peers import HERE, LOAD
from beside.rig import Rig
from beside.single import middle

POLICY = """allow = ["GET /containers/{id}/changes"]

[[rule]]
allow = "GET /containers/{id}/json"
target.label = "traefik.enable=true"
"""
CASES = {
    "no target": "/v1.41/containers/app/changes",
    "remembered": f"/v1.41/containers/{'a' * 64}/json",
    "asked": "/v1.41/containers/app/json",
}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("gate", help="quaygate")
    ap.add_argument("--secs", type=float, default=1.0)
    ap.add_argument("--conns", type=int, default=64)
    ap.add_argument("--rounds", type=int, default=3)
    a = ap.parse_args()
    if not os.path.exists(LOAD):
        subprocess.check_call(["cargo", "build", "--release", "--locked", "--manifest-path", HERE + "/rig/Cargo.toml", "--target-dir", HERE + "/rig/target"])
    seen = {case: [] for case in CASES}

    def peer(folder, listen, upstream):
        policy = folder + "/lookups.toml"
        open(policy, "w").write(POLICY)
        return [a.gate, "run", policy, "--listen", listen, "--docker", "unix://" + upstream, "--runtime-dir", folder, "--audit", folder + "/audit.jsonl"]

    with Rig(600) as rig:
        gate = rig.start("quaygate", peer)
        time.sleep(1)  # until it hears the engine's events
        for turn in range(a.rounds):
            for case in list(CASES)[:: 1 if turn % 2 == 0 else -1]:
                load = ["rps", "--conns", str(a.conns), "--secs", str(a.secs), "--warmup", "0.2", "--path", CASES[case]]
                result = rig.load(gate, load, None, a.secs * 3 + 25, False)
                if "error" in result or result["errors"] or result["bad_status"]:
                    sys.exit(f"{case}: {result}")
                seen[case].append(result)
    print(f"Medians of {a.rounds} interleaved round(s), {a.conns} connections\n")
    print("| | requests/s | CPU us/request | p50 / p99 us |\n|---|---|---|---|")
    for case, results in seen.items():
        m = middle(results)
        print(f"| {case} | {m['rps'] / 1000:.1f}k | {m['cpu_us_per_req']:.2f} | {m['p50_us']:.0f} / {m['p99_us']:.0f} |")


if __name__ == "__main__":
    main()
