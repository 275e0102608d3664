"""pandapower on the same grid, the peer of ``power_flow``: reads the case as JSON, writes voltages per unit as JSON.

Run by the interpreter of build/peers (``make peers``), never by ours: ``power_flow_peer.py < case.json``.
"""

from __future__ import annotations

import json
import math
import sys
import time

import pandapower  # type: ignore[import-not-found]  # in the peers' environment only


def main() -> None:
    """Solve every step of the case."""
    case = json.load(sys.stdin)
    net = pandapower.create_empty_network(f_hz=50, sn_mva=1)
    at = {bus["name"]: pandapower.create_bus(net, bus["kv"], name=bus["name"]) for bus in case["buses"]}
    first = at[case["buses"][0]["name"]]
    pandapower.create_ext_grid(net, first, vm_pu=1.0, s_sc_max_mva=1e6, rx_max=0.1)
    for item in case["transformers"]:
        pandapower.create_transformer_from_parameters(
            net, at[item["upper"]], at[item["lower"]], sn_mva=item["kva"] / 1000, vn_hv_kv=item["upper_kv"],
            vn_lv_kv=item["lower_kv"], vkr_percent=item["load_loss_kw"] / item["kva"] * 100, vk_percent=item["uk"] * 100,
            pfe_kw=item["idle_loss_kw"], i0_percent=item["i0"] * 100, shift_degree=330,
        )  # fmt: skip
    for item in case["feeders"]:
        pandapower.create_line_from_parameters(
            net, at[item["start"]], at[item["end"]], length_km=item["km"], r_ohm_per_km=item["r"], x_ohm_per_km=item["x"],
            c_nf_per_km=item["c"] * 1000, max_i_ka=item["amperes"] / 1000,
        )  # fmt: skip
    loads = [pandapower.create_load(net, at[bus["name"]], 0, 0) for bus in case["buses"]]
    found = []
    began = time.process_time()
    for p, q in zip(case["p_kw"], case["q_kvar"], strict=True):
        net.load.loc[loads, "p_mw"], net.load.loc[loads, "q_mvar"] = [x / 1000 for x in p], [x / 1000 for x in q]
        pandapower.runpp(net, tolerance_mva=1e-10, trafo_model="pi", calculate_voltage_angles=True)
        found.append([float(net.res_bus.vm_pu[at[bus["name"]]]) for bus in case["buses"]])
    seconds = time.process_time() - began
    if any(math.isnan(value) for row in found for value in row):
        raise SystemExit("a step has no solution")
    json.dump({"voltage": found, "seconds_per_step": seconds / len(found)}, sys.stdout)


if __name__ == "__main__":
    main()
