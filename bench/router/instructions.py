"""Instructions of the proxy's own code per request, counted by callgrind: a measure that a busy machine does not change.

Waves of one request on each of 48 connections, so that the proxy finds as many events at once as under load. Prints the count per
request and the functions it is spent in. Needs valgrind, and symbols: build with CARGO_PROFILE_RELEASE_DEBUG=line-tables-only."""

import argparse
import socket
import subprocess
import time

from proxies import SLICES, STANDALONE, WORK, Models, Serin

BODY = '{"id":"req-000000","features":[5.1,3.5,1.4,0.2,6.7,3.0,5.2,2.3],"segment":"eu"}'
# What wrk sends.
REQUEST = (
    f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:19812\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()


def waves(clients, count):
    for _ in range(count):
        for client in clients:
            client.sendall(REQUEST)
        for client in clients:
            answer = b""
            while b"version" not in answer or not answer.endswith(b"}"):
                piece = client.recv(65536)
                assert piece, "the proxy closed"
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200"), answer


class Counted(Serin):
    """The proxy under callgrind."""

    def __init__(self, out, **options):
        self.out = out
        super().__init__(0, **options)

    def command(self, table, workers, port):
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.out}", "--separate-threads=no"]
        return ["valgrind", *options, STANDALONE, f"127.0.0.1:{port}", self.socket, table, workers]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waves", type=int, default=100)
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--mirror", action="store_true", help="with a copy of every request")
    parser.add_argument("--slices", action="store_true", help="with three slices")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    out = WORK / "callgrind.out"
    models = Models(1)
    proxy = Counted(out, canary=0 if options.mirror else 20, mirror=options.mirror, slices=SLICES if options.slices else ())
    try:
        clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(options.connections)]
        waves(clients, 10)
        control = ["callgrind_control", "-i"]
        subprocess.run([*control, "on", str(proxy.process.pid)], check=True, capture_output=True)
        waves(clients, options.waves)
        subprocess.run([*control, "off", str(proxy.process.pid)], check=True, capture_output=True)
        time.sleep(0.2)
    finally:
        for process in (proxy, models):
            process.stop()
    text = subprocess.run(
        ["callgrind_annotate", "--auto=no", "--threshold=97", str(out)], capture_output=True, text=True, check=True
    ).stdout
    requests = options.waves * options.connections
    for line in text.splitlines():
        count, rest = line.split("(", 1) if "(" in line else ("", line)
        count = count.strip().replace(",", "")
        if count.isdigit():
            print(f"{int(count) / requests:9.1f}  {rest.split(')', 1)[-1].strip()[:150]}")


if __name__ == "__main__":
    main()
