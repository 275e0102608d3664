"""The park's power flow: a year of a grid with twelve buses, and the same voltages as pandapower's."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np

from marketplace.settings import home
from services.gateways.power_flow import solve_power_flow
from services.rules.twin.network import Bus, Feeder, Injections, Network, Transformer, check_grid, injections
from tests.benchmarks.figures import Figure

STEPS, COMPARED = 35_040, 24
_STIFF = 1e9


def a_grid() -> Network:
    """Return six buses at 10 kV in a row, and a transformer to 0.4 kV at each of six."""
    ring = [Bus("10kV 0", 10.0), *(Bus(f"10kV {i}", 10.0) for i in range(1, 6))]
    low = [Bus(f"0.4kV {i}", 0.4, load_share=1 + i / 10, pv_share=1) for i in range(6)]
    cables = tuple(Feeder(f"cable {i}", f"10kV {i - 1}", f"10kV {i}", 0.4, 0.125, 0.1, 0.3, 400) for i in range(1, 6))
    stations = tuple(Transformer(f"T{i}", f"10kV {i}", f"0.4kV {i}", 1000, 0.06, 8, 1.2) for i in range(6))
    return Network((*ring, *low), stations, cables, battery_bus="0.4kV 5", wind_bus="10kV 5")


def bench_power_flow() -> list[Figure]:
    """Return the CPU of a year's check, and the largest difference to the peer's voltages."""
    random = np.random.default_rng(1)
    network = a_grid()
    flows = {
        name: random.uniform(low, high, STEPS)
        for name, low, high in (("load", 500, 4000), ("pv", 0, 2000), ("wind", 0, 500), ("battery", -500, 500))
    }
    began = time.process_time()
    taken = injections(network, flows)
    check_grid(network, solve_power_flow(network, taken), 0.25)
    seconds = time.process_time() - began
    year = Figure(
        "power flow, a year", f"{seconds:.2f} s", "< 2 s", f"CPU of {STEPS:,} steps x 12 buses, Newton's method"
    )
    return [year, _beside_the_peer(network, taken, seconds / STEPS)]


def _beside_the_peer(network: Network, taken: Injections, seconds: float) -> Figure:
    python = home() / "build" / "peers" / "bin" / "python"
    if not python.exists():
        return Figure("power flow, beside a peer", "–", "< 1e-6", "skipped: make peers has not been run")
    stiff = replace(network, short_circuit_mva=_STIFF)
    part = Injections(taken.p[:COMPARED], taken.q[:COMPARED])
    ours = solve_power_flow(stiff, part).voltage
    volts = {bus.name: bus.kv for bus in network.buses}
    case = {
        "buses": [asdict(bus) for bus in network.buses],
        "transformers": [
            asdict(item) | {"upper_kv": volts[item.upper], "lower_kv": volts[item.lower]}
            for item in network.transformers
        ],
        "feeders": [asdict(item) for item in network.feeders],
        "p_kw": part.p.tolist(),
        "q_kvar": part.q.tolist(),
    }
    script = str(home() / "tests" / "benchmarks" / "power_flow_peer.py")
    ended = subprocess.run(
        [str(python), script], input=json.dumps(case), capture_output=True, text=True, check=False, env={}
    )
    if ended.returncode:
        return Figure("power flow, beside a peer", "–", "< 1e-6", f"skipped: {ended.stderr.strip()[-200:]}")
    theirs = json.loads(ended.stdout)
    apart = float(np.abs(ours - np.array(theirs["voltage"])).max())
    faster = theirs["seconds_per_step"] / seconds
    detail = f"largest difference to pandapower's voltages per unit; {faster:,.0f} times the speed of its runpp"
    return Figure("power flow, beside a peer", f"{apart:.1e}", "< 1e-6", detail)


if __name__ == "__main__":
    for figure in bench_power_flow():
        sys.stdout.write(f"{figure.row()}\n")
