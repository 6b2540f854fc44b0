"""Writes benches/peers/RESULTS.md (to standard output) from what benches/peers/run has measured in the directory named."""

import json
import os
import sys


def quantile(values, part):
    """Between the two values that lie nearest."""
    values = sorted(values)
    place = (len(values) - 1) * part
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def spread(values):
    return [quantile(values, part) for part in (0.5, 0.2, 0.8)]


class Run:
    """One `hopcart bench --json`."""

    def __init__(self, directory, name):
        with open(f"{directory}/{name}.json", encoding="utf-8") as file:
            self.json = json.load(file)
        self.targets = {target["name"]: target for target in self.json["targets"]}

    def values(self, target, figure):
        return [round[figure] for round in self.targets[target]["perRound"]]

    def ratio(self, one, other, figures=("cpuTotalUs", "cpuTotalUs")):
        """Median, p20 and p80 of the ratios within each round."""
        pairs = zip(self.values(one, figures[0]), self.values(other, figures[1]))
        return spread([a / b for a, b in pairs if a and b])


def cell(ratio):
    return "{:.2f} ({:.2f}..{:.2f})".format(*ratio)


def us(value):
    return f"{value:.1f} µs" if value < 1000 else f"{value / 1000:.2f} ms"


def table(columns, rows):
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def saturation(run, *others):
    """What each target reached: req/s and CPU, and how that compares with some of them."""
    rows = []
    for name, target in run.targets.items():
        serving = run.values(name, "cpuServingUs")
        total = run.values(name, "cpuTotalUs")
        rows.append(
            [
                name,
                f"{quantile(run.values(name, 'perSecond'), 0.5):,.0f}",
                us(quantile(serving, 0.5)),
                "{:.1f} ({:.1f}..{:.1f}) µs".format(*spread(total)),
                *(cell(run.ratio(name, other)) for other in others),
                f"{target['generatorBusy'] * 100:.0f} %",
            ]
        )
    compared = [f"total × {other}" for other in others]
    return table(["", "req/s", "CPU/req serving", "CPU/req total", *compared, "generator busy"], rows)


def latency(run):
    rows = []
    for name, target in run.targets.items():
        at = target["latencyUs"]
        rows.append([name, *(us(at[part]) for part in ("p50", "p90", "p99", "p999", "max")), str(target["unsent"])])
    return table(["", "p50", "p90", "p99", "p99.9", "longest", "not sent in time"], rows)


def idle(directory):
    """Bytes a connection, by server and filling."""
    found = {}
    with open(f"{directory}/idle.txt", encoding="ascii") as file:
        for line in file:
            name, before, after, number = line.split()
            found[name] = (int(after) - int(before)) * 1024 / int(number)
    return found


def clicks(run):
    """Requests that Hopcart answered in all rounds, warm-ups not among them."""
    return sum(run.values("hopcart", "requests"))


def verdict(value, bound, is_most):
    return "yes" if (value <= bound if is_most else value >= bound) else "**no**"


def goals(keep_alive, connections, tls, idle_bytes):
    """The rows of what must be shown: what, ratio, must, goal, whether at most or at least is asked."""
    serving = ("cpuServingUs", "cpuSliceUs")
    capacity = ("cpuSliceUs", "cpuServingUs")
    rows = [
        ("CPU per redirect, keep-alive, × floor: serving", keep_alive.ratio("hopcart", "floor", serving), 1.4, 1.25, True),
        ("the same: total", keep_alive.ratio("hopcart", "floor"), 1.6, 1.4, True),
        ("capacity × nginx `return 302`: serving", keep_alive.ratio("nginx-const", "hopcart", capacity), 1.1, 1.2, False),
        ("the same: total", keep_alive.ratio("nginx-const", "hopcart"), 0.95, 1.1, False),
        ("capacity × nginx map + cookie + log: total", keep_alive.ratio("nginx-map", "hopcart"), 1.4, 1.7, False),
        ("new connection × nginx default: total", connections.ratio("nginx-const", "hopcart"), 1.15, 1.35, False),
        ("new connection × nginx deferred: total", connections.ratio("nginx-deferred", "hopcart"), 1.0, 1.1, False),
        ("new TLS 1.3 connection, CPU × bare rustls: total", tls.ratio("hopcart", "floor-tls"), 1.10, 1.05, True),
        ("new TLS 1.3 connection × nginx: total", tls.ratio("nginx-tls", "hopcart"), 2.0, 2.5, False),
    ]
    for what, ratio, must, goal, is_most in rows:
        sign = "≤" if is_most else "≥"
        reached = [verdict(ratio[0], bound, is_most) for bound in (must, goal)]
        yield [what, cell(ratio), f"{sign} {must:g}", reached[0], f"{sign} {goal:g}", reached[1]]
    kept = idle_bytes["hopcart-first"]
    must, goal = verdict(kept, 6_000, True), verdict(kept, 1_000, True)
    yield ["idle keep-alive connection", f"{kept:,.0f} bytes", "≤ 6,000", must, "≤ 1,000", goal]


def main():
    directory = sys.argv[1]
    with open(f"{directory}/facts.txt", encoding="utf-8") as file:
        facts = dict(line.rstrip("\n").split("=", 1) for line in file)
    names = ("fresh", "keep-alive", "zipf", "connections", "tls", "latency")
    fresh, keep_alive, zipf, connections, tls, rate = (Run(directory, name) for name in names)
    idle_bytes = idle(directory)
    setting = {name: os.environ[name] for name in ("LINKS", "RIVALS", "ROUNDS", "SLICE", "RATE", "IDLE", "CONNECTIONS")}
    settings = " ".join(f"{name}={value}" for name, value in setting.items())
    lines = [
        "# Hopcart beside its peers",
        "",
        f"Written by `{facts['command']}` on {facts['date']} ({settings}).",
        "",
        f"Machine: {facts['cpu']}, {facts['memory']}, {facts['kernel']}; load {facts['load']}. Servers on core "
        f"{os.environ['SERVER_CPU']}, the generator (`hopcart bench`) on core {os.environ['BENCH_CPU']}, over loopback.",
        "",
        f"Versions: {facts['hopcart']} ({facts['rustc']}; built: {facts['built']}); nginx {facts['nginx']}; HAProxy {facts['haproxy']}; Caddy "
        f"{facts['caddy']}; OpenSSL {facts['openssl']}, which nginx and HAProxy use: newer ones are said to be quicker.",
        "",
        "Requests as the browser inside a social app sends them (12 headers, about 550 bytes), slugs drawn evenly. "
        f"Hopcart serves {int(setting['LINKS']):,} links with everything on: click id, signed cookie, the click log synced "
        f"to disk. nginx-map has {int(setting['RIVALS']):,} links (lower case: plain strings in its map match in any "
        "case), an id, a cookie and a buffered log; haproxy and caddy-map have as many and look up alone (Caddy's map is "
        "walked from the top); nginx-const, caddy-const and the floors answer everybody the same. The listeners wait for "
        "the first bytes (TCP_DEFER_ACCEPT), but for nginx-const's, Caddy's and, for new connections, floor's.",
        "",
        "CPU is the time of every thread of a server (user and system) for each request; total counts what is "
        "done between slices and until a server has nothing left to do as well (clicks are written, sums are kept), and gives "
        "each round its part of it; serving = Hopcart's edge threads within the slice, without those that write clicks. Ratios are medians of the ratios within each round, with p20 and "
        "p80; capacity is the inverse of CPU. Requests a second are a lower bound where the generator was busy.",
        "",
        "Before all of it Hopcart has taken the clicks of a fresh server, told of below, which fill what it remembers within "
        "bounds; the others keep nothing of a follower.",
        "",
        "## What must be shown",
        "",
        *table(["figure", "reached", "must", "", "goal", ""], goals(keep_alive, connections, tls, idle_bytes)),
        "## The first clicks of a fresh server",
        "",
        f"Keep-alive, before anything else: {clicks(fresh):,} clicks fill what Hopcart remembers (sums that wait, sled's "
        "pages, the follows of the last moments), in memory that the system hands out for the first time and zeroes first: "
        "on a virtual machine whose host takes free memory back, that can be dear. Serving: "
        f"{cell(fresh.ratio('hopcart', 'floor', ('cpuServingUs', 'cpuSliceUs')))} × floor.",
        "",
        *saturation(fresh, "floor"),
        "## Keep-alive, as fast as it goes",
        "",
        *saturation(keep_alive, "floor", "nginx-const"),
        "## The same with slugs drawn by Zipf's law",
        "",
        "As followers come: few links take most of the clicks.",
        "",
        *saturation(zipf, "floor", "nginx-const"),
        "## A connection for each request",
        "",
        *saturation(connections, "floor-deferred", "nginx-deferred"),
        "## A TLS 1.3 connection for each request",
        "",
        "P-256, X25519, AES-128-GCM, no resumption.",
        "",
        *saturation(tls, "floor-tls", "nginx-tls"),
        f"## Latency at {int(setting['RATE']):,} requests a second",
        "",
        "From the moment that a request was due. The tail is the machine's scheduling more than any server.",
        "",
        *latency(rate),
        "## Idle connections",
        "",
        f"Memory of its own that {int(setting['IDLE']):,} connections add to a fresh server after one request each, in bytes a "
        "connection; again = the same a second time, when what the first left behind is used again. nginx has a pool for "
        "all that it may ever have, made when it starts, which is not counted.",
        "",
        *table(["", "bytes"], [[name, f"{value:,.0f}"] for name, value in idle_bytes.items()]),
    ]
    print("\n".join(lines).rstrip())


main()
