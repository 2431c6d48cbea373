"""Router benchmark against nginx: `bench.py cpu` for processor time per request, `bench.py mirror` for the same with a copy of every
request sent to the canary, `bench.py shadow` for Serin with copies and nginx without, `bench.py slices` for Serin with and without three
slices, `bench.py changes` for weight changes under load.

The proxy has processor 0 to itself; load and model services share processor 1. Rounds are interleaved and every ratio is taken
within a round, so that whatever else the machine does hits both alike."""

import argparse
import http.client
import json
import os
import random
import re
import resource
import statistics
import subprocess
import time

from proxies import ROOT, SLICES, WORK, Models, Nginx, Serin

PROXY_CPU, LOAD_CPU = 0, 1
CONNECTIONS = 48


def wrk_command(proxy, seconds):
    script = ROOT / "bench/router/post.lua"
    url = f"http://127.0.0.1:{proxy.port}/predict"
    return ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]


def wrk_result(text):
    """Requests, requests per second, failed ones."""
    failed = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    failed += sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    requests, seconds = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    return int(requests), int(requests) / float(seconds), failed


def machine_cpu_s():
    fields = [int(f) for f in open("/proc/stat").readline().split()[1:]]
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / os.sysconf("SC_CLK_TCK")


def children_cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def sample(proxy, models, seconds):
    """One measurement, with the load that came from elsewhere in processors."""
    def reading():
        own = proxy.cpu_s() + models.cpu_s() + children_cpu_s()
        return proxy.times_s(), own, machine_cpu_s(), models.requests(), time.time()

    before = reading()
    text = subprocess.run(wrk_command(proxy, seconds), capture_output=True, text=True, check=True).stdout
    after = reading()
    requests, rate, failed = wrk_result(text)
    stable, canary = (b - a for a, b in zip(before[3], after[3]))
    wall = after[4] - before[4]
    user, system = (b - a for a, b in zip(before[0], after[0]))
    return {
        "proxy": proxy.name,
        "requests": requests,
        "rate": rate,
        "failed": failed,
        "cpu_s_100k": (user + system) / requests * 1e5,
        "user_s_100k": user / requests * 1e5,
        "foreign": (after[2] - before[2] - (after[1] - before[1])) / wall,
        "split": canary / (stable + canary),
        "pss_mib": proxy.pss_mib(),
    }


def spread(values):
    ordered = sorted(values)
    return f"{statistics.median(ordered):.3f} ({ordered[0]:.3f}-{ordered[-1]:.3f})"


def contestants(phase):
    """Two proxies; the ratio is that of the second to the first."""
    # With copies all users' requests go to the stable version, so that the canary's are the copies.
    copies = {"canary": 0, "mirror": True}
    match phase:
        case "mirror":
            return [Nginx(PROXY_CPU, **copies), Serin(PROXY_CPU, **copies)]
        case "shadow":
            return [Nginx(PROXY_CPU, canary=0), Serin(PROXY_CPU, **copies)]
        case "slices":
            return [Serin(PROXY_CPU, name="plain"), Serin(PROXY_CPU, slices=SLICES, port=Serin.PORT + 1)]
    return [Nginx(PROXY_CPU), Serin(PROXY_CPU)]


def cpu(rounds, seconds, phase):
    models = Models(LOAD_CPU)
    proxies = contestants(phase)
    samples = []
    try:
        for proxy in proxies:
            sample(proxy, models, 1)
        for number in range(rounds):
            for proxy in proxies if number % 2 else reversed(proxies):
                one = {"round": number, **sample(proxy, models, seconds)}
                samples.append(one)
                print(json.dumps(one), flush=True)
        answered = proxies[1].counts()
        copies, pairs = proxies[1].copies(), proxies[1].pairs()
    finally:
        for process in [*proxies, models]:
            process.stop()
    (WORK / "cpu.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples))
    print("\n| proxy | CPU s per 100k requests | of this user | requests/s | canary share (of 0.2) | PSS MiB | failed |")
    print("|---|---|---|---|---|---|---|")
    for proxy in proxies:
        mine = [s for s in samples if s["proxy"] == proxy.name]
        column = {key: [s[key] for s in mine] for key in mine[0] if key != "proxy"}
        print(
            f"| {proxy.name} | {spread(column['cpu_s_100k'])} | {spread(column['user_s_100k'])} | {statistics.median(column['rate']):.0f} "
            f"| {min(column['split']):.6f}-{max(column['split']):.6f} | {max(column['pss_mib']):.1f} | {sum(column['failed'])} |"
        )
    by_round = {}
    for s in samples:
        by_round.setdefault(s["round"], {})[s["proxy"]] = s
    first, second = (p.name for p in proxies)
    ratios = [r[second]["cpu_s_100k"] / r[first]["cpu_s_100k"] for r in by_round.values()]
    foreign = [max(p["foreign"] for p in r.values()) for r in by_round.values()]
    quiet = [ratio for ratio, load in zip(ratios, foreign) if load < 0.15]
    print(f"\nratio to {first} within a round: {spread(ratios)}, {len(ratios)} rounds; foreign load {spread(foreign)} processors")
    if quiet:
        print(f"of these the {len(quiet)} rounds with less than 0.15 processors of foreign load: {spread(quiet)}")
    assert all(answers == predictions for answers, predictions in answered.values()), answered
    print(f"predictions captured: all of {sum(a for a, _ in answered.values())}")
    if copies:
        print(f"copies answered, and dropped: {copies}; pairs: {pairs}")


def changes(proxy, models, count):
    """Changes the weight again and again under load; after every change the very next request must obey it."""
    seconds = 3600
    load = subprocess.Popen(wrk_command(proxy, seconds), stdout=subprocess.PIPE, text=True)
    probe = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    took, stale, probe_failed = [], 0, 0
    choice = random.Random(7)
    time.sleep(1)
    for number in range(count):
        canary = [0, 100][number % 2] if number % 4 < 2 else choice.randrange(1, 100)
        begun = time.perf_counter()
        proxy.set_canary(canary)
        took.append((time.perf_counter() - begun) * 1e3)
        try:
            probe.request("POST", "/predict", b"{}")
            answer = probe.getresponse()
            body = answer.read()
            if answer.status != 200:
                probe_failed += 1
            elif canary in (0, 100):
                stale += json.loads(body)["version"] != ("canary" if canary else "stable")
        except (OSError, http.client.HTTPException):
            probe_failed += 1
            probe.close()
    load.send_signal(2)
    requests, rate, failed = wrk_result(load.communicate()[0])
    took.sort()
    print(
        f"| {proxy.name} | {count} | {requests} | {failed + probe_failed} | {stale} "
        f"| {took[len(took) // 2]:.3f} | {took[-1]:.3f} | {rate:.0f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=["cpu", "mirror", "shadow", "slices", "changes"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--changes", type=int, default=1000)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    if options.phase != "changes":
        cpu(options.rounds, options.seconds, options.phase)
        return
    print("\n| proxy | changes | requests | failed | stale after the command returned | command ms, median | worst | requests/s |")
    print("|---|---|---|---|---|---|---|---|")
    models = Models(LOAD_CPU)
    try:
        for make, count in ((Serin, options.changes), (Nginx, max(20, options.changes // 20))):
            proxy = make(PROXY_CPU)
            try:
                changes(proxy, models, count)
            finally:
                proxy.stop()
    finally:
        models.stop()


if __name__ == "__main__":
    main()
