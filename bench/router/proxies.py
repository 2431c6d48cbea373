"""The processes of the benchmark: nginx as proxy, Serin's proxy, and the model services behind both."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "bench/work/router"
STANDALONE = Path(os.environ.get("STANDALONE", ROOT / "target/release/examples/standalone"))
ANSWERS = Path(os.environ.get("ANSWERS", ROOT / "target/release/examples/answers"))
MODELS = {"stable": 19801, "canary": 19802}
# By a header, and by fields of the request and of the answer that the load has.
SLICES = [
    {"name": "type", "header": "content-type"},
    {"name": "segment", "request_field": "$.segment"},
    {"name": "model", "answer_field": "$.model"},
]


def http_get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def tree(pid):
    """A process and its descendants."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text().split()]
    return found


class Process:
    """A server of the benchmark, pinned to one processor."""

    def __init__(self, name, port, command, cpu):
        self.name, self.port = name, port
        log = open(WORK / f"{name}.log", "w")
        self.process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)], stdout=log, stderr=log)
        deadline = time.time() + 10
        while time.time() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} does not listen, see {WORK / f'{name}.log'}")

    def times_s(self):
        """User and system seconds so far."""
        user = system = 0
        for pid in tree(self.process.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            user += int(fields[11])
            system += int(fields[12])
        return user / os.sysconf("SC_CLK_TCK"), system / os.sysconf("SC_CLK_TCK")

    def cpu_s(self):
        return sum(self.times_s())

    def pss_mib(self):
        """Memory, with shared pages divided by their users."""
        kib = 0
        for pid in tree(self.process.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        return kib / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


NGINX = """
worker_processes 1;
daemon off;
pid {work}/{name}.pid;
error_log {work}/{name}.err warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {work}/{name}-body; proxy_temp_path {work}/{name}-proxy;
  fastcgi_temp_path {work}/{name}-fcgi; uwsgi_temp_path {work}/{name}-uwsgi; scgi_temp_path {work}/{name}-scgi;
  keepalive_requests 100000000; keepalive_timeout 75s; tcp_nodelay on;
{http}
}}
"""


def nginx(name, http):
    path = WORK / f"{name}.conf"
    path.write_text(NGINX.format(work=WORK, name=name, http=http))
    return ["nginx", "-c", path, "-p", WORK]


class Models(Process):
    """The model services behind the proxies: both versions in one process that does nothing but answer, with one of two classes. It is
    cheaper than either proxy, so that the proxy in front of it is what is busy."""

    def __init__(self, cpu):
        services = [f"127.0.0.1:{port}={version}" for version, port in MODELS.items()]
        super().__init__("models", MODELS["canary"], [ANSWERS, *services], cpu)

    def requests(self):
        """Requests answered so far, by version."""
        return [int(http_get(port, "/requests")) for port in MODELS.values()]


class Nginx(Process):
    """nginx with a split by weight. It records nothing per version."""

    def __init__(self, cpu, canary=20, mirror=False):
        super().__init__("nginx", 19811, nginx("nginx", self.http(canary, mirror)), cpu)

    @staticmethod
    def http(canary, mirror=False):
        split = {0: "* stable;", 100: "* canary;"}.get(canary, f"{canary}% canary; * stable;")
        upstreams = "".join(
            f"upstream {v} {{ server 127.0.0.1:{p}; keepalive 128; keepalive_requests 100000000; }}\n"
            for v, p in MODELS.items()
        )
        copy = "mirror /copy; mirror_request_body on;" if mirror else ""
        return f"""
  split_clients "$request_id" $version {{ {split} }}
  {upstreams}
  server {{
    listen 127.0.0.1:19811 reuseport;
    location = /copy {{
      internal; proxy_pass http://canary$request_uri; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
    location / {{
      {copy}
      proxy_pass http://$version; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
    }}
  }}"""

    def set_canary(self, canary):
        command = nginx("nginx", self.http(canary))
        subprocess.run([*map(str, command), "-s", "reload"], check=True, capture_output=True)


class Serin(Process):
    """Serin's proxy with latency histograms and prediction capture on, as always."""

    PORT = 19812

    def __init__(self, cpu, canary=20, workers=1, mirror=False, slices=(), name="serin", port=PORT):
        self.mirror, self.slices = mirror, slices
        self.socket = WORK / f"{name}.sock"
        self.version = 1
        table = WORK / f"{name}.json"
        table.write_text(json.dumps(self.table(canary)))
        super().__init__(name, port, self.command(table, workers, port), cpu)
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(str(self.socket))
        self.lines = self.control.makefile("r")

    def command(self, table, workers, port):
        return [STANDALONE, f"127.0.0.1:{port}", self.socket, table, workers]

    def table(self, canary):
        def group(version, weight):
            address = f"127.0.0.1:{MODELS[version]}"
            return {"version": version, "weight": weight, "endpoints": [{"id": f"{version}-0", "address": address}]}

        groups = [group("stable", 100 - canary), group("canary", canary)]
        split = {"groups": groups}
        if self.mirror:
            copies = {"name": "all", "version": "canary", "endpoints": groups[1]["endpoints"], "unsafe_methods": True}
            split["mirrors"] = [{**copies, "matches": [{}], "percent": 100}]
        route = {"name": "bench/pets", "split": split, "prediction": "$.prediction"}
        if self.slices:
            route["slices"] = list(self.slices)
        return {"version": self.version, "routes": [route]}

    def ask(self, request):
        self.control.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self.lines.readline())

    def set_canary(self, canary):
        self.version += 1
        answer = self.ask({"op": "set_table", "table": self.table(canary)})
        assert answer == {"version": self.version}, answer

    def counts(self):
        """Answers and predictions so far, by version."""
        versions = self.ask({"op": "stats"})["stats"]["versions"]
        return {c["version"]: (c["by_class"]["success"], sum(c["predictions"].values())) for c in versions}

    def copies(self):
        """Copies answered, and those dropped by reason."""
        mirrors = self.ask({"op": "stats"})["stats"]["mirrors"]
        return [(m["counts"]["by_class"], m["dropped"]) for m in mirrors]

    def pairs(self):
        """Pairs by which of their answers were bad, and those that are incomplete by reason."""
        pairs = self.ask({"op": "stats"})["stats"]["pairs"]
        return [(p["errors"], p.get("incomplete", {})) for p in pairs if sum(p["errors"].values())]
