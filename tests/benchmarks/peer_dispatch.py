"""The same parks in PyPSA or linopy: ``peer_dispatch.py pypsa|linopy CASES.npz`` writes a JSON line for each case.

Run by the peers' own Python (``make peers``); it imports nothing of ours. A case is a year of load and PV in kW, a
battery, prices for buying and selling, and a charge on each month's highest purchase; what is fed in comes from PV alone.
CPU is that of writing and solving the model in this process; the library's own start is left out.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
OPTIONS = {"threads": 1, "output_flag": False, "solver": "simplex"}


def _pypsa(case: dict[str, np.ndarray]) -> tuple[float, float]:
    """A bus for the load, one for PV from which alone power is fed in, a storage unit, and a peak variable per month."""
    import pandas as pd
    import pypsa

    steps, hours = len(case["load"]), float(case["hours"])
    network = pypsa.Network()
    network.set_snapshots(pd.RangeIndex(steps))
    network.snapshot_weightings = network.snapshot_weightings.astype(float) * 0 + hours
    for bus in ("park", "sun"):
        network.add("Bus", bus)
    network.add("Load", "load", bus="park", p_set=case["load"])
    network.add("Generator", "grid", bus="park", p_nom=1e6, marginal_cost=case["buy"])
    network.add("Generator", "pv", bus="sun", p_nom=1.0, p_max_pu=case["pv"], p_min_pu=case["pv"])
    network.add("Link", "own", bus0="sun", bus1="park", p_nom=1e6)
    network.add("Generator", "feed_in", bus="sun", p_nom=1e6, sign=-1.0, marginal_cost=-case["sell"])
    kwh, kw, one_way, start = (float(case[name]) for name in ("kwh", "kw", "one_way", "start_kwh"))
    network.add(
        "StorageUnit", "battery", bus="park", p_nom=kw, max_hours=kwh / kw, efficiency_store=one_way,
        efficiency_dispatch=one_way, state_of_charge_initial=start, cyclic_state_of_charge=False,
    )  # fmt: skip
    began = time.process_time()
    model = network.optimize.create_model()
    months = pd.RangeIndex(int(case["month"].max()) + 1, name="month")
    peak = model.add_variables(lower=0, coords=[months], name="peak")
    bought = model.variables["Generator-p"].sel(name="grid")
    import xarray as xr

    month = xr.DataArray(case["month"], dims="snapshot", coords={"snapshot": network.snapshots})
    model.add_constraints(bought - peak.sel(month=month) <= 0, name="peaks")
    model.add_constraints(model.variables["StorageUnit-state_of_charge"].sel(name="battery").isel(snapshot=-1) >= start)
    model.objective = model.objective + float(case["demand"]) * peak.sum()
    network.optimize.solve_model(solver_name="highs", solver_options=OPTIONS)
    return float(model.objective.value), time.process_time() - began


def _linopy(case: dict[str, np.ndarray]) -> tuple[float, float]:
    """Every flow as a variable."""
    import linopy
    import pandas as pd
    import xarray as xr

    began = time.process_time()
    steps, hours = len(case["load"]), float(case["hours"])
    index = pd.RangeIndex(steps, name="t")
    kwh, kw, one_way, start = (float(case[name]) for name in ("kwh", "kw", "one_way", "start_kwh"))

    def array(name: str) -> xr.DataArray:
        return xr.DataArray(case[name], dims="t", coords={"t": index})

    model = linopy.Model()
    bought = model.add_variables(lower=0, coords=[index], name="bought")
    sold = model.add_variables(lower=0, upper=array("pv"), name="sold")
    charge = model.add_variables(lower=0, upper=kw, coords=[index], name="charge")
    discharge = model.add_variables(lower=0, upper=kw, coords=[index], name="discharge")
    stored = model.add_variables(lower=0, upper=kwh, coords=[index], name="stored")
    months = pd.RangeIndex(int(case["month"].max()) + 1, name="month")
    peak = model.add_variables(lower=0, coords=[months], name="peak")
    model.add_constraints(bought - sold - charge + discharge == array("load") - array("pv"), name="node")
    before = stored.shift(t=1)
    first = xr.DataArray(np.where(np.arange(steps) == 0, start, 0.0), dims="t", coords={"t": index})
    model.add_constraints(
        stored - before - one_way * hours * charge + hours / one_way * discharge == first, name="store"
    )
    model.add_constraints(stored.isel(t=-1) >= start, name="end")
    month = xr.DataArray(case["month"], dims="t", coords={"t": index})
    model.add_constraints(bought - peak.sel(month=month) <= 0, name="peaks")
    model.add_objective(
        (hours * array("buy") * bought).sum()
        - (hours * array("sell") * sold).sum()
        + float(case["demand"]) * peak.sum()
    )
    model.solve(solver_name="highs", **OPTIONS)
    return float(model.objective.value), time.process_time() - began


def main(peer: str, path: str) -> None:
    """Solve each case of the file."""
    with np.load(path) as file:
        count = int(file["count"])
        cases = [
            {name.partition(":")[2]: file[name] for name in file if name.startswith(f"{n}:")} for n in range(count)
        ]
    solve = {"pypsa": _pypsa, "linopy": _linopy}[peer]
    for case in cases:
        objective, cpu = solve(case)
        sys.stdout.write(json.dumps({"objective": objective, "cpu": cpu}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
