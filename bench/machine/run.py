#!/usr/bin/env python3
"""What kills, replacements and many rollouts cost on one machine: real processes, real requests.

    cargo build --release -p serin-cli -p ml-portfolio
    bench/machine/run.py [kills] [replacements] [rollouts]

Prints one line per figure. Everything it starts it stops; loads are bounded in rate and time.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, "target", "release")
SERIN = os.path.join(BIN, "serin")
EXAMPLE = os.path.join(ROOT, "examples", "ml-portfolio")
TICKS = os.sysconf("SC_CLK_TCK")


def serin(state, *args, check=True):
    done = subprocess.run([SERIN, "--state", state, *args], capture_output=True, text=True)
    if check and done.returncode != 0:
        sys.exit(f"serin {' '.join(args)}: {done.stderr}")
    return done.stdout


def status(state):
    return json.loads(serin(state, "status", "-o", "json"))


def control_pid(state):
    """The control process of a state folder."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
        except OSError:
            continue
        if b"up" in command and state.encode() in command:
            return int(pid)
    return None


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def until(what, condition, seconds=120, pause=0.1):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(pause)


def healthy(state):
    views = status(state)
    return bool(views) and all(v["phase"] == "Healthy" and v["promoted"] for v in views)


class Load:
    """Requests to the three services until stopped."""

    def __init__(self, state, rate):
        address = json.loads(serin(state, "info", "-o", "json"))["router"]
        self.process = subprocess.Popen(
            [os.path.join(BIN, "model-service"), "load", "--router", address, "--rate", str(rate), "--json"],
            stdout=subprocess.PIPE, text=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        summary = json.loads(self.process.communicate()[0])
        sent = sum(s["sent"] for s in summary["services"])
        bad = sum(sum(n for code, n in s["statuses"].items() if not code.startswith("2")) for s in summary["services"])
        failed = sum(sum(s["failures"].values()) for s in summary["services"])
        return sent, bad, failed


def up(state, speed, *args):
    serin(state, "up", *args, "--detach", "--listen", "127.0.0.1:0", "--speed", str(speed))


def kills():
    with tempfile.TemporaryDirectory() as folder:
        state = os.path.join(folder, "s")
        up(state, 10, EXAMPLE)
        until("the first versions", lambda: healthy(state))
        load = Load(state, 300)
        serin(state, "deploy", "bankchurn", "v3.2.0")
        gone = []
        for _ in range(20):
            time.sleep(0.7)
            os.kill(control_pid(state), signal.SIGKILL)
            began = time.time()
            time.sleep(0.3)
            # It goes on with the address the router kept.
            serin(state, "up", "--detach")
            gone.append(time.time() - began)
        until("the promotion", lambda: healthy(state))
        sent, bad, failed = load.stop()
        serin(state, "down")
        print(f"20 kill -9 of the control process: {sent} requests, {bad} answered with an error, {failed} failed; "
              f"back after {sorted(gone)[len(gone) // 2]:.2f} s (median, 0.3 s of it waiting); the update was promoted")


def replacements():
    with tempfile.TemporaryDirectory() as folder:
        state = os.path.join(folder, "s")
        up(state, 50, EXAMPLE)
        until("the first versions", lambda: healthy(state))
        load = Load(state, 300)
        replaced, versions = 0, ["v3.2.0", "v3.1.0"]
        while replaced < 100:
            serin(state, "deploy", "all", versions[replaced // 6 % 2])
            serin(state, "promote", "all", "--full")
            until("a promotion", lambda: healthy(state))
            # The old members leave after their delay of 30 s on the clock.
            until("the old members", lambda: all(p["size"] == 0 and not p["members"] or p["role"] == "stable"
                                                 for v in status(state) for p in v["pools"]))
            replaced += 6
        sent, bad, failed = load.stop()
        serin(state, "down")
        print(f"{replaced} processes replaced: {sent} requests, {bad} answered with an error, {failed} failed")


ROLLOUT = """apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: r{n}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: r{n}}}}}
  template:
    metadata: {{labels: {{app: r{n}}}}}
    spec: {{containers: [{{name: c, image: "sleeper:v1"}}]}}
  strategy:
    canary:
      steps: [{{setWeight: 50}}, {{pause: {{duration: 20s}}}}]
---
"""


def rollouts():
    for count in (250, 500, 1000):
        with tempfile.TemporaryDirectory() as folder:
            app, state = os.path.join(folder, "app"), os.path.join(folder, "s")
            os.mkdir(app)
            with open(os.path.join(app, "all.yaml"), "w") as file:
                file.writelines(ROLLOUT.format(n=n) for n in range(count))
            with open(os.path.join(app, "serin.yaml"), "w") as file:
                file.write("images: [{image: sleeper, command: [sleep, infinity]}]\n")
            began = time.time()
            up(state, 1, app)
            until("the first versions", lambda: healthy(state))
            first = time.time() - began
            pid = control_pid(state)
            time.sleep(3)
            before, wall = cpu_seconds(pid), time.time()
            time.sleep(20)
            idle = (cpu_seconds(pid) - before) / (time.time() - wall)
            before = cpu_seconds(pid)
            serin(state, "deploy", "all", "v2")
            # The pause takes 20 s; asking all the while would cost more than the updates do.
            time.sleep(25)
            until("the updates", lambda: healthy(state), 300, 2)
            spent = cpu_seconds(pid) - before
            print(f"{count} rollouts: up in {first:.1f} s, idle {100 * idle:.1f} % of a core ({1e6 * idle / count:.0f} us/s each), "
                  f"an update of all {spent:.2f} s CPU ({1e3 * spent / count:.1f} ms each), PSS {rss_mib(pid):.1f} MiB")
            serin(state, "down")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["kills", "replacements", "rollouts"]
    for name in wanted:
        {"kills": kills, "replacements": replacements, "rollouts": rollouts}[name]()
