#!/usr/bin/env python3
"""How soon bad versions go back on the live router, and how many requests of users fail until then.

    cargo build --release -p serin-cli
    bench/verdicts/live.py                     # all cells, about twenty minutes
    bench/verdicts/live.py --cells errors --rates 100 --runs 5 --minutes 5
    bench/verdicts/live.py --table runs.jsonl  # the table of runs that were logged with --log

Starts one `serin up` at real speed with a rollout for each lane of a cell: members are real HTTP processes (this script with --serve) that
behave as their version's tag says, requests arrive at random (Poisson) through the router. A run deploys the version of the cell and ends with its
abort, its promotion or the limit. Loads are bounded; whatever it starts it stops, by process id.
"""

import argparse
import asyncio
import collections
import dataclasses
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 120.0       # seconds after the first canary answer within which a bad version must be caught
PATIENCE = 300.0    # the same for versions that are to be promoted on evidence
CONNECTIONS = 64    # of a lane; arrivals beyond them are skipped, and counted
OUTAGE = (10.0, 30.0)   # seconds after the first canary answer at which both versions begin to fail, and for how long
SILENT = 45.0       # seconds that a version without any traffic is watched


@dataclasses.dataclass(frozen=True)
class Cell:
    """A kind of version, and what judges it. Versions are written as their tag: errors in thousandths, the 95th percentile of the latency
    in milliseconds (0: at once), the share of one prediction in percent."""

    name: str
    metric: str
    canary: str
    rate: int
    stable: str = "e5-l0-p20"
    lanes: int = 1
    outage: bool = False
    good: bool = False
    limit: float = LIMIT


def cells():
    errors, latency = "serin.dev/compare: {tolerance: 1pt}", "serin.dev/compare: {outcome: latency, tolerance: 20%}"
    drift = "serin.dev/drift: {tolerance: 3pt}"
    for rate in (20, 100):
        for percent in (3, 6, 10, 20, 50):
            lanes = 4 if (percent, rate) == (3, 20) else 2 if percent <= (6 if rate == 20 else 3) else 1
            yield Cell(f"errors {percent}%", errors, f"e{10 * percent}-l0-p20", rate, lanes=lanes)
        yield Cell("latency x2", latency, "e0-l60-p20", rate, stable="e0-l30-p20")
        yield Cell("drift 20>35%", drift, "e0-l0-p35", rate, stable="e0-l0-p20", lanes=2 if rate == 20 else 1)
        yield Cell("healthy", errors, "e5-l0-p20", rate, lanes=3 if rate == 20 else 1, good=True, limit=PATIENCE)
        yield Cell("outage", errors, "e5-l0-p20", rate, outage=True, limit=OUTAGE[0] + OUTAGE[1] + 20)
    yield Cell("no traffic", errors, "e500-l0-p20", 0, limit=SILENT)


# A member: a version that answers as its tag says.


class Member:
    def __init__(self, tag, name, outage):
        errors, latency, share = tag.split(".")[0].split("-")
        self.errors, self.p95, self.share = int(errors[1:]) / 1000, int(latency[1:]) / 1000, int(share[1:]) / 100
        self.random, self.lock, self.outage = random.Random(name), threading.Lock(), outage

    def answer(self, path):
        """Status and body of a request, after the time that it takes."""
        if path == b"/health":
            return b"200 OK", b'{"status":"ok"}'
        with self.lock:
            failed, chosen, slow = self.random.random(), self.random.random(), self.random.gauss(0, 1)
        if self.p95:
            # Log-normal with half of the 95th percentile as its median.
            time.sleep(self.p95 * math.exp(math.log(2) * (slow / 1.645 - 1)))
        if failed < self.errors + (0.6 if os.path.exists(self.outage) else 0):
            return b"500 Internal Server Error", b'{"error":"injected"}'
        return b"200 OK", b'{"prediction":"%s"}' % (b"yes" if chosen < self.share else b"no")

    def converse(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, client.makefile("rb") as lines:
            while first := lines.readline():
                while lines.readline() not in (b"\r\n", b""):
                    pass
                status, body = self.answer(first.split(b" ")[1])
                head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
                client.sendall(head + body)

    def serve(self, port):
        with socket.create_server(("127.0.0.1", port)) as listener:
            while True:
                threading.Thread(target=self.attend, args=(listener.accept()[0],), daemon=True).start()

    def attend(self, client):
        try:
            self.converse(client)
        except OSError:
            pass    # the router left


# The users: requests at random times over connections that are kept.


class Connection(asyncio.Protocol):
    def __init__(self, load):
        self.load, self.data, self.transport, self.asked = load, b"", None, False

    def connection_made(self, transport):
        self.transport = transport

    def ask(self):
        self.asked = True
        self.transport.write(self.load.request)

    def data_received(self, data):
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.lower().split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
        if len(body) >= int(fields.get(b"content-length", b"0")):
            self.data, self.asked = b"", False
            self.load.answered(int(lines[0].split(b" ")[1]), fields.get(b"x-serin-version", b"").decode())
            self.load.free.append(self)

    def connection_lost(self, _):
        self.load.open -= 1
        self.load.broken += self.asked
        if self in self.load.free:
            self.load.free.remove(self)


class Load:
    """Requests to one rollout, answers counted by version."""

    def __init__(self, router, host, rate, seed):
        self.router, self.rate, self.random = router, rate, random.Random(seed)
        self.request = f"GET /predict HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.free, self.open, self.broken, self.skipped = [], 0, 0, 0
        self.answers, self.failures, self.first, self.stable = collections.Counter(), collections.Counter(), None, None

    def watch(self, stable):
        """Forgets what was counted; versions other than this one are the canary from now on."""
        self.stable, self.first, self.broken, self.skipped = stable, None, 0, 0
        self.answers.clear()
        self.failures.clear()

    def answered(self, status, version):
        self.answers[version] += 1
        self.failures[version] += status >= 500
        if self.first is None and self.stable and version not in ("", self.stable):
            self.first = time.monotonic()

    def of_canary(self, counter):
        return sum(n for version, n in counter.items() if version not in ("", self.stable))

    async def run(self):
        if not self.rate:
            return
        due = time.monotonic()
        while True:
            due += self.random.expovariate(self.rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.send()

    async def send(self):
        if self.free:
            return self.free.pop().ask()
        if self.open >= CONNECTIONS:
            self.skipped += 1
            return
        self.open += 1
        try:
            _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(self), *self.router)
        except OSError:
            self.open -= 1
            self.broken += 1
            return
        connection.ask()


# A lane: one rollout, run after run.


class Lane:
    def __init__(self, plan):
        self.cell, self.name = Cell(**plan["cell"]), plan["name"]
        self.serin, self.state, self.status = plan["serin"], plan["state"], plan["status"]
        self.end, self.runs, self.outage = plan["end"], plan["runs"], plan["outage"]
        self.load = Load(plan["router"], f"{self.name}.local", self.cell.rate, plan["seed"])

    async def command(self, *arguments):
        process = await asyncio.create_subprocess_exec(
            self.serin, "--state", self.state, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, errors = await process.communicate()
        return process.returncode, errors.decode()

    async def view(self):
        """What `serin status --output json` prints, from the read-only listener. A control process that is too busy to answer is asked again."""
        while not (text := await self.ask()):
            await asyncio.sleep(0.2)
        view = json.loads(text)
        return view[0] if isinstance(view, list) else view

    async def ask(self):
        reader, writer = await asyncio.open_connection(*self.status)
        path = f"/api/v1/rollouts/default/{self.name}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: status\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def until(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition(view := await self.view()):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: {view['phase']}, {view['message']}")
            await asyncio.sleep(0.2)
        return view

    async def play(self):
        await self.until(lambda v: v["phase"] == "Healthy" and v["promoted"])
        load = asyncio.create_task(self.load.run())
        await asyncio.sleep(10 * self.load.random.random())
        for run in range(self.runs):
            if time.time() + self.cell.limit + 20 > self.end:
                break
            await asyncio.sleep(3)
            print(json.dumps(await self.one(f"{self.cell.canary}.{run + 1}")), flush=True)
        load.cancel()

    async def one(self, tag):
        """Deploys this version and follows it to its end."""
        before = await self.until(lambda v: v["promoted"] and v["phase"] == "Healthy")
        self.load.watch(next(p["hash"] for p in before["pools"] if p["role"] == "stable"))
        began = time.monotonic()
        code, said = await self.command("deploy", self.name, tag)
        if code != 0:
            raise RuntimeError(said)
        verdict, seconds, view = await self.verdict(began)
        result = {"cell": self.cell.name, "rate": self.cell.rate, "tag": tag, "verdict": verdict, "seconds": seconds}
        if verdict == "aborted":
            # Until all requests are back with stable; those under way count as well.
            view = await self.until(lambda v: v["weight"]["actual"] == 0)
            await asyncio.sleep(0.5)
        result |= {
            "answers": self.load.of_canary(self.load.answers), "failed": self.load.of_canary(self.load.failures),
            "all": sum(self.load.answers.values()), "broken": self.load.broken, "skipped": self.load.skipped,
            "ready": None if self.load.first is None else self.load.first - began, "standing": standing(view)}
        if verdict != "promoted":
            code, said = await self.command("rollback", self.name, "--wait")
            if code != 0:
                raise RuntimeError(said)
        return result

    async def verdict(self, began):
        """How the version ended, seconds after its first answer, and the view of it."""
        while True:
            view, now = await self.view(), time.monotonic()
            first = self.load.first if self.cell.rate else began
            seconds = 0.0 if first is None else now - first
            self.fail_both(seconds)
            if view["aborted"]:
                return "aborted", seconds, view
            if self.cell.good and first is not None and (view["stepIndex"] or 0) >= 2:
                await self.until(lambda v: v["promoted"] and v["phase"] == "Healthy")
                return "promoted", seconds, view
            if seconds > self.cell.limit:
                return "limit", seconds, view
            if first is None and now - began > 60:
                raise TimeoutError(f"{self.name}: no answer of the canary")
            await asyncio.sleep(0.3)

    def fail_both(self, seconds):
        if self.cell.outage and OUTAGE[0] < seconds < sum(OUTAGE):
            open(self.outage, "w").close()
        elif os.path.exists(self.outage):
            os.unlink(self.outage)


def standing(view):
    for run in view["runs"][:1]:
        for metric in run["metrics"]:
            return metric.get("standing")
    return None


# The machine: manifests, `serin up`, and its lanes.

ROLLOUT = """apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: {name}
  annotations: {{serin.dev/prediction: $.prediction, serin.dev/advance: {advance}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: model
          image: registry.test/{name}:{stable}.0
          ports: [{{name: http, containerPort: 8000}}]
          readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 1}}
  strategy:
    canary:
      stableService: {name}-stable
      canaryService: {name}-canary
      scaleDownDelaySeconds: 1
      abortScaleDownDelaySeconds: 1
      trafficRouting: {{nginx: {{stableIngress: {name}}}}}
      analysis: {{templates: [{{templateName: {name}}}]}}
      steps:
        - setWeight: 20
        - pause: {{duration: 1000h}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {name}}}
spec:
  metrics:
    - name: verdict
      provider: {{plugin: {{{metric}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}-stable}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: http}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}-canary}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: http}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec:
  rules:
    - host: {name}.local
      http:
        paths:
          - {{path: /, pathType: Prefix, backend: {{service: {{name: {name}-stable, port: {{number: 80}}}}}}}}
"""


def write_manifests(folder, lanes, seed):
    app = os.path.join(folder, "app")
    os.mkdir(app)
    images = []
    for name, cell in lanes:
        advance = "evidence" if cell.good else "time"
        with open(os.path.join(app, f"{name}.yaml"), "w") as file:
            text = ROLLOUT.format(name=name, stable=cell.stable, metric=cell.metric, advance=advance)
            file.write(text if cell.good else text.replace(", serin.dev/advance: time", ""))
        command = [sys.executable, "-S", os.path.abspath(__file__), "--serve", "{port}", "{tag}", f"{seed} {{name}}", outage(folder, name)]
        images.append({"image": f"*/{name}", "command": command})
    with open(os.path.join(app, "serin.yaml"), "w") as file:
        json.dump({"router": {"listen": "127.0.0.1:0"}, "images": images}, file)
    return app


def outage(folder, name):
    return os.path.join(folder, f"outage-{name}")


def address(text):
    host, port = text.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def run(options, lanes):
    """Plays the lanes; yields their runs as they end."""
    folder = tempfile.mkdtemp(prefix="serin-verdicts-")
    state, status = os.path.join(folder, "state"), f"127.0.0.1:{free_port()}"
    serin = [options.serin, "--state", state]
    children = []
    try:
        app = write_manifests(folder, lanes, options.seed)
        subprocess.run([*serin, "up", app, "--detach", "--speed", "1", "--status", status], check=True, stdout=subprocess.DEVNULL)
        info = json.loads(subprocess.run([*serin, "info", "-o", "json"], check=True, capture_output=True, text=True).stdout)
        end = time.time() + 60 * options.minutes
        for number, (name, cell) in enumerate(lanes):
            plan = {"cell": dataclasses.asdict(cell), "name": name, "serin": options.serin, "state": state, "end": end,
                    "runs": options.runs, "router": address(info["router"]), "status": address(status),
                    "outage": outage(folder, name), "seed": f"{options.seed} {number}"}
            command = [sys.executable, os.path.abspath(__file__), "--lane", json.dumps(plan)]
            children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        yield from gather(children)
    finally:
        for child in children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            child.wait()
        subprocess.run([*serin, "down"], check=False, stdout=subprocess.DEVNULL)
        if options.keep:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def gather(children):
    """The lines of all children, in the order in which they come."""
    lines = collections.deque()
    readers = [threading.Thread(target=lambda c=c: lines.extend(c.stdout), daemon=True) for c in children]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers) or lines:
        while lines:
            yield json.loads(lines.popleft())
        time.sleep(0.2)


# The table.


def figures(values):
    """Mean with its standard error, median and 95th percentile."""
    if not values:
        return "-"
    ordered, n = sorted(values), len(values)
    mean = sum(values) / n
    if n == 1:
        return f"{mean:.1f}"
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    median, high = ordered[(n - 1) // 2], ordered[min(n - 1, math.ceil(0.95 * n) - 1)]
    return f"{mean:.1f} ± {error:.1f} ({median:.1f}, {high:.1f})"


def table(runs):
    groups = collections.defaultdict(list)
    for one in runs:
        groups[one["cell"], one["rate"]].append(one)
    order = {(c.name, c.rate): n for n, c in enumerate(cells())}
    yield "| version | rps | runs | rolled back | promoted | failed when decided | failed in all | seconds | canary answers |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for key in sorted(groups, key=lambda k: order.get(k, 99)):
        group = groups[key]
        ended = [one for one in group if one["verdict"] != "limit"]
        count = collections.Counter(one["verdict"] for one in group)
        decided = [one["standing"]["canary"]["bad"] for one in group if one["verdict"] == "aborted" and one["standing"]]
        judged = figures(decided) if "errors" in key[0] else "-"
        columns = [judged, figures([one["failed"] for one in group]), figures([one["seconds"] for one in ended]),
                   figures([one["answers"] for one in group])]
        yield f"| {key[0]} | {key[1]} | {len(group)} | {count['aborted']} | {count['promoted']} | {' | '.join(columns)} |"
    yield ""
    yield "Mean ± standard error (median, 95th percentile). Failed: answers of the canary, as the verdict counted them and as users got them until all"
    yield "requests were back with stable; seconds of the runs that ended with a verdict, from the first answer of the canary."
    yield (f"{len(runs)} runs, {sum(one['all'] for one in runs)} answers; "
           f"{sum(one['broken'] for one in runs)} requests broken, {sum(one['skipped'] for one in runs)} arrivals skipped.")


def main():
    if sys.argv[1:2] == ["--serve"]:
        port, tag, name, file = sys.argv[2:]
        return Member(tag, name, file).serve(int(port))
    if sys.argv[1:2] == ["--lane"]:
        return asyncio.run(Lane(json.loads(sys.argv[2])).play())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serin", default=os.path.join(ROOT, "target", "release", "serin"))
    parser.add_argument("--cells", default="", help="only cells whose names begin with one of these, with commas between")
    parser.add_argument("--rates", default="", help="only these rates")
    parser.add_argument("--runs", type=int, default=20, help="at most so many runs of a lane")
    parser.add_argument("--minutes", type=float, default=20, help="no run lasts beyond this")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--log", help="append each run to this file, a line of JSON each")
    parser.add_argument("--table", help="print the table of a log, and run nothing")
    parser.add_argument("--json", action="store_true", help="print the runs as JSON instead of the table")
    parser.add_argument("--keep", action="store_true", help="leave the folder with manifests, state and logs")
    options = parser.parse_args()
    options.serin = os.path.abspath(options.serin)
    if options.table:
        runs = [json.loads(line) for line in open(options.table)]
    else:
        names, rates = tuple(options.cells.split(",")), options.rates.split(",")
        wanted = [c for c in cells() if c.name.startswith(names) and (rates == [""] or str(c.rate) in rates)]
        lanes = [(f"c{n}-{lane}", cell) for n, cell in enumerate(wanted) for lane in range(cell.lanes)]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        runs = []
        for one in run(options, lanes):
            runs.append(one)
            print(f"{one['cell']:14} {one['rate']:4} {one['verdict']:9} {one['seconds']:6.1f} s {one['failed']:4} failed", file=sys.stderr)
            if options.log:
                with open(options.log, "a") as log:
                    print(json.dumps(one), file=log)
    print(json.dumps(runs) if options.json else "\n".join(table(runs)))


if __name__ == "__main__":
    main()
