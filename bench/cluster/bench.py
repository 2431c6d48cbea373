#!/usr/bin/env python3
"""Serin's controller and Argo's on the same API server, one after the other, each on a cluster of its own.

    bench/cluster/bench.py                 the whole report (about half an hour), as Markdown
    bench/cluster/bench.py --idle 200 --busy 20 --seconds 20 serin

The node is simulated (kwok), so what is measured is the control plane alone. Every request of the controller under test is
counted from the API server's audit log; memory and processor time are the kernel's, of the controller's process. Times from a
change to a write are the server's own: between the audited requests of whoever changed and of the controller.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
E2E = ROOT / "e2e"
NAMESPACES = 10
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def rollout(name, namespace, version, routed):
    labels = {"app": name}
    strategy = {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "steps": [{"setWeight": 20}, {"pause": {"duration": "10s"}}, {"setWeight": 50}, {"pause": {"duration": "10s"}}],
    }
    if routed:
        strategy |= {
            "stableService": f"{name}-stable",
            "canaryService": f"{name}-canary",
            "scaleDownDelaySeconds": 5,
            "trafficRouting": {"nginx": {"stableIngress": name}},
        }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "model", "image": f"model:{version}"}]},
            },
            "strategy": {"canary": strategy},
        },
    }


def beside(name, namespace):
    """The services and the Ingress of a routed rollout."""
    service = lambda role: {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{name}-{role}", "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]},
    }
    backend = {"service": {"name": f"{name}-stable", "port": {"name": "http"}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": f"{name}.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    }
    return [service("stable"), service("canary"), ingress]


class Cluster:
    def __init__(self, folder):
        self.dir = folder
        self.env = os.environ | {"SERIN_E2E_DIR": str(folder)}
        self.env.pop("KUBECONFIG", None)

    def up(self):
        command = [E2E / "cluster/up", "--nodes", "kwok", "--audit", "--no-images", "--dir", self.dir]
        subprocess.run(command, check=True, env=self.env, stdout=subprocess.DEVNULL)
        return self

    def down(self):
        subprocess.run([E2E / "cluster/down"], env=self.env, check=False, stdout=subprocess.DEVNULL)

    def kubectl(self, *words, given=None):
        command = [E2E / "kubectl", *words]
        done = subprocess.run(command, env=self.env, input=given, text=True, stdout=subprocess.PIPE, check=True)
        return done.stdout

    def apply(self, objects):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)

    def rollouts(self):
        return json.loads(self.kubectl("get", "rollouts", "-A", "-o", "json"))["items"]

    def healthy(self):
        return sum(one.get("status", {}).get("phase") == "Healthy" for one in self.rollouts())

    def wait(self, what, holds, bound):
        end = time.time() + bound
        while time.time() < end:
            if holds():
                return
            time.sleep(1)
        raise SystemExit(f"{what}: not within {bound} s")

    def audit(self):
        path = self.dir / "log/audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Controller:
    """One under test, inside the cluster's network."""

    def __init__(self, kind, cluster):
        self.kind, self.cluster = kind, cluster
        self.user = {"serin": "controller", "argo": "argo"}[kind]
        self.log = open(cluster.dir / f"log/{kind}.log", "a")

    def start(self):
        config = self.cluster.dir / f"pki/{self.user}.kubeconfig"
        if self.kind == "serin":
            words = [ROOT / "target/release/serin", "controller", "--kubeconfig", config]
        else:
            built = subprocess.check_output([E2E / "cluster/build", "--path", "argo-controller"], text=True, env=self.cluster.env)
            binary = next(p for p in pathlib.Path(built.strip()).iterdir() if p.is_file())
            words = [binary, "--kubeconfig", config]
        env = self.cluster.env | {"POD_NAMESPACE": "default", "KUBECONFIG": str(config)}
        self.process = subprocess.Popen([E2E / "enter", *words], env=env, stdout=self.log, stderr=self.log)
        # `enter` becomes the program, by way of nsenter, which forks into the process namespace.
        time.sleep(0.5)
        self.pid = self.find()
        return self

    def find(self):
        wanted = "target/release/serin" if self.kind == "serin" else "controller"
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            if wanted in command and "enter" not in command:
                return pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            todo += [int(child) for child in children]
        raise SystemExit(f"{self.kind} ended: see {self.log.name}")

    def stop(self, kill=signal.SIGKILL):
        os.kill(self.pid, kill)
        self.process.wait()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, what="VmRSS"):
        """MiB; `RssAnon` is what of it is no file, which is to say neither program nor libraries."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1]) / 1024

    def calls(self, since):
        """Requests since a moment, by verb and kind."""
        counted = collections.Counter()
        for event in self.cluster.audit():
            if event["user"]["username"] == self.user and moment(event) >= since and event["stage"] != "ResponseStarted":
                what = event.get("objectRef", {})
                if what.get("resource") == "leases":
                    counted["lease"] += 1
                    continue
                name = what.get("resource", "?") + ("/" + what["subresource"] if "subresource" in what else "")
                counted[f"{event['verb']} {name}"] += 1
        return counted


def moment(event):
    return datetime.datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def measure(kind, folder, idle, busy, seconds):
    cluster = Cluster(folder).up()
    controller = None
    try:
        said = {}
        for n in range(NAMESPACES):
            cluster.kubectl("create", "namespace", f"team-{n}")
        place = lambda i: (f"model-{i}", f"team-{i % NAMESPACES}")
        for begin in range(0, idle, 100):
            objects = []
            for i in range(begin, min(begin + 100, idle)):
                if i < busy:
                    objects += beside(*place(i))
                objects.append(rollout(*place(i), 1, i < busy))
            cluster.apply(objects)
        begun = time.time()
        controller = Controller(kind, cluster).start()
        cluster.wait("all are installed", lambda: cluster.healthy() == idle, 1200)
        said["install"] = time.time() - begun
        time.sleep(30)  # what is left of it

        begun, cpu = time.time(), controller.cpu()
        time.sleep(seconds)
        time.sleep(2)  # the audit log is written in batches
        said["idle_cpu"] = (controller.cpu() - cpu) / seconds
        said["idle_memory"] = controller.memory()
        said["idle_anonymous"] = controller.memory("RssAnon")
        said["idle_calls"] = controller.calls(begun)

        begun, cpu = time.time(), controller.cpu()
        cluster.apply([rollout(*place(i), 2, True) for i in range(busy)])
        done = lambda: sum(
            one["status"].get("phase") == "Healthy" and one["spec"]["template"]["spec"]["containers"][0]["image"] == "model:2"
            for one in cluster.rollouts()
        ) == busy
        cluster.wait("all are promoted", done, 900)
        said["busy_seconds"] = time.time() - begun
        time.sleep(10)
        said["busy_cpu"] = controller.cpu() - cpu
        said["busy_memory"] = controller.memory()
        said["busy_anonymous"] = controller.memory("RssAnon")
        said["busy_calls"] = controller.calls(begun)
        said |= latencies(cluster, controller.user, begun)

        controller.stop()
        time.sleep(1)
        begun = time.time()
        controller.start()
        cluster.apply([rollout(*place(idle - 1), 3, idle - 1 < busy)])
        new = lambda: [
            event
            for event in cluster.audit()
            if event["user"]["username"] == controller.user
            and event["verb"] == "create"
            and event.get("objectRef", {}).get("resource") == "replicasets"
            and moment(event) >= begun
        ]
        cluster.wait("it works again", lambda: bool(new()), 300)
        said["restart"] = moment(new()[0]) - begun
        time.sleep(10)
        said["restart_memory"] = controller.memory()
        said["restart_anonymous"] = controller.memory("RssAnon")
        return said
    finally:
        if controller is not None and controller.process.poll() is None:
            controller.stop()
        cluster.down()


def latencies(cluster, user, since):
    """Seconds from the change of a rollout to the first ReplicaSet and to the first weight of its canary Ingress."""
    changed, made, weighed = {}, {}, {}
    for event in cluster.audit():
        what = event.get("objectRef", {})
        at = moment(event)
        if at < since or event.get("responseStatus", {}).get("code", 0) >= 300:
            continue
        key = (what.get("namespace"), what.get("name", ""))
        who = event["user"]["username"]
        if who == "admin" and what.get("resource") == "rollouts" and event["verb"] in ("patch", "update"):
            changed.setdefault(key, at)
        elif who == user and event["verb"] == "create" and what.get("resource") == "replicasets":
            made.setdefault((key[0], key[1].rsplit("-", 1)[0]), at)
        elif who == user and event["verb"] in ("patch", "update") and what.get("resource") == "ingresses":
            name = key[1].removesuffix("-canary")
            weighed.setdefault((key[0], name[: (len(name) - 1) // 2]), at)
    spread = lambda later: [later[key] - at for key, at in changed.items() if key in later]
    first, second = spread(made), spread(weighed)
    return {
        "to_replica_set": (quantile(first, 0.5), quantile(first, 0.95), len(first)),
        "to_ingress": (quantile(second, 0.5), quantile(second, 0.95), len(second)),
    }


ROWS = [
    ("resident memory, idle, MiB", lambda s: s["idle_memory"]),
    ("of this anonymous", lambda s: s["idle_anonymous"]),
    ("processor, idle, ms per second", lambda s: s["idle_cpu"] * 1000),
    ("API calls, idle, a minute, leases apart", lambda s: s["idle_per_minute"]),
    ("seconds to install all", lambda s: s["install"]),
    ("processor seconds for the updates", lambda s: s["busy_cpu"]),
    ("resident memory after them, MiB", lambda s: s["busy_memory"]),
    ("of this anonymous", lambda s: s["busy_anonymous"]),
    ("API calls for the updates, leases apart", lambda s: sum(n for verb, n in s["busy_calls"].items() if verb != "lease")),
    ("of these writes", lambda s: sum(n for v, n in s["busy_calls"].items() if v.split()[0] in WRITES)),
    ("seconds until all are promoted", lambda s: s["busy_seconds"]),
    ("change to first ReplicaSet, s, median", lambda s: s["to_replica_set"][0]),
    ("change to first ReplicaSet, s, 95 %", lambda s: s["to_replica_set"][1]),
    ("change to canary Ingress, s, median", lambda s: s["to_ingress"][0]),
    ("change to canary Ingress, s, 95 %", lambda s: s["to_ingress"][1]),
    ("kill to first new ReplicaSet, s", lambda s: s["restart"]),
    ("resident memory of that process, MiB", lambda s: s["restart_memory"]),
    ("of this anonymous", lambda s: s["restart_anonymous"]),
]
WRITES = {"create", "update", "patch", "delete"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--idle", type=int, default=1000, help="rollouts in all")
    arguments.add_argument("--busy", type=int, default=100, help="of these updated at once, routed by nginx")
    arguments.add_argument("--seconds", type=int, default=60, help="idle time that is measured")
    arguments.add_argument("--dir", type=pathlib.Path, default=ROOT / "target/e2e/bench")
    arguments.add_argument("--json", type=pathlib.Path, help="write the raw figures there")
    arguments.add_argument("kinds", nargs="*", default=["serin", "argo"], help="serin, argo")
    options = arguments.parse_args()
    if "serin" in options.kinds:
        subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "serin-cli"], cwd=ROOT, check=True)
    if "argo" in options.kinds:
        subprocess.run([E2E / "cluster/build", "argo-controller"], check=True, stdout=sys.stderr)
    said = {}
    for kind in options.kinds:
        print(f"measures {kind}", file=sys.stderr)
        said[kind] = measure(kind, options.dir.resolve(), options.idle, options.busy, options.seconds)
        idle = sum(n for verb, n in said[kind]["idle_calls"].items() if verb != "lease")
        said[kind]["idle_per_minute"] = idle * 60 / options.seconds
    if options.json:
        options.json.write_text(json.dumps(said, indent=1))
    print(f"{options.idle} rollouts, {options.busy} updated at once\n")
    print("| | " + " | ".join(options.kinds) + (" | ratio |" if len(options.kinds) == 2 else " |"))
    print("|---" * (len(options.kinds) + 1 + (len(options.kinds) == 2)) + "|")
    for title, of in ROWS:
        values = [of(said[kind]) for kind in options.kinds]
        cells = [f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}" for value in values]
        if len(values) == 2:
            cells.append(f"{values[0] / values[1]:.3f}" if values[1] else "-")
        print(f"| {title} | " + " | ".join(cells) + " |")
    for kind in options.kinds:
        calls = said[kind]["busy_calls"].most_common()
        print(f"\n{kind}, calls for the updates: " + ", ".join(f"{n} {verb}" for verb, n in calls))


if __name__ == "__main__":
    main()
