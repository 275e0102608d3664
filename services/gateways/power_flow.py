"""AC power flow of every step by power-grid-model: Newton-Raphson on the park's own grid, in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from power_grid_model import (
    CalculationMethod,
    ComponentType,
    DatasetType,
    LoadGenType,
    PowerGridModel,
    WindingType,
    initialize_array,
)
from power_grid_model.errors import (  # type: ignore[attr-defined]  # exports are not marked
    IterationDiverge,
    PowerGridBatchError,
    SparseMatrixError,
)

from services.rules.twin.network import FlowResult, Injections, Network
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

_BATCH = 8_784  # a quarter at 15 minutes; keeps memory at a few tens of MB
_RATIO = 0.1  # R/X of the feeding grid, the model's own default
_FREQUENCY = 50.0


def solve_power_flow(network: Network, taken: Injections) -> FlowResult:
    """Solve all steps; Invalid ``grid.no_solution`` when a step has none, as when a cable is far too weak."""
    model = PowerGridModel(_input(network), system_frequency=_FREQUENCY)
    parts = [
        _batch(network, model, taken.p[start : start + _BATCH], taken.q[start : start + _BATCH])
        for start in range(0, len(taken.p), _BATCH)
    ]
    return FlowResult(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("voltage", "transformer_loading", "feeder_loading", "losses_kw")
        )
    )


def _batch(network: Network, model: PowerGridModel, p: Any, q: Any) -> FlowResult:
    count = len(network.buses)
    loads = initialize_array(DatasetType.update, ComponentType.sym_load, p.shape)
    loads["id"] = 1000 + np.arange(count)
    loads["p_specified"], loads["q_specified"] = p * 1000, q * 1000
    wanted: Any = {ComponentType.node: {"u_pu"}}
    if network.transformers:
        wanted[ComponentType.transformer] = {"loading", "p_from", "p_to"}
    if network.feeders:
        wanted[ComponentType.line] = {"loading", "p_from", "p_to"}
    try:
        found = model.calculate_power_flow(
            calculation_method=CalculationMethod.newton_raphson,
            update_data={ComponentType.sym_load: loads},
            threading=-1,
            output_component_types=wanted,
        )
    except (IterationDiverge, PowerGridBatchError, SparseMatrixError) as error:
        raise Invalid(
            "grid.no_solution",
            msg("园区电网的潮流无解：线路或变压器远小于负荷所需，请检查 network 中的容量、长度与负荷份额。"),
        ) from error
    nothing = np.zeros((len(p), 0))
    loading, losses = {}, np.zeros(len(p))
    for kind in (ComponentType.transformer, ComponentType.line):
        part = found.get(kind)
        loading[kind] = nothing if part is None else part["loading"]
        if part is not None:
            losses = losses + (part["p_from"] + part["p_to"]).sum(axis=1) / 1000
    return FlowResult(
        found[ComponentType.node]["u_pu"], loading[ComponentType.transformer], loading[ComponentType.line], losses
    )


def _input(network: Network) -> dict[ComponentType, Any]:
    """Write the grid as the library's arrays: nodes from 1, transformers from 100, lines from 500, loads from 1000."""
    at = {bus.name: number + 1 for number, bus in enumerate(network.buses)}
    kv = {bus.name: bus.kv for bus in network.buses}
    node = initialize_array(DatasetType.input, ComponentType.node, len(network.buses))
    node["id"], node["u_rated"] = list(at.values()), [bus.kv * 1000 for bus in network.buses]
    source = initialize_array(DatasetType.input, ComponentType.source, 1)
    source["id"], source["node"], source["status"] = [900], [1], [1]
    source["u_ref"], source["sk"] = [network.source_pu], [network.short_circuit_mva * 1e6]
    source["rx_ratio"] = [_RATIO]
    load = initialize_array(DatasetType.input, ComponentType.sym_load, len(network.buses))
    load["id"], load["node"] = 1000 + np.arange(len(network.buses)), node["id"]
    load["status"], load["type"] = 1, LoadGenType.const_power
    load["p_specified"], load["q_specified"] = 0.0, 0.0
    parts: dict[ComponentType, Any] = {
        ComponentType.node: node,
        ComponentType.source: source,
        ComponentType.sym_load: load,
    }
    if network.transformers:
        parts[ComponentType.transformer] = _transformers(network, at, kv)
    if network.feeders:
        parts[ComponentType.line] = _lines(network, at)
    return parts


def _transformers(network: Network, at: dict[str, int], kv: dict[str, float]) -> Any:
    items = network.transformers
    part = initialize_array(DatasetType.input, ComponentType.transformer, len(items))
    values = {
        "id": 100 + np.arange(len(items)),
        "from_node": [at[item.upper] for item in items],
        "to_node": [at[item.lower] for item in items],
        "u1": [kv[item.upper] * 1000 for item in items],
        "u2": [kv[item.lower] * 1000 for item in items],
        "sn": [item.kva * 1000 for item in items],
        "uk": [item.uk for item in items],
        "pk": [item.load_loss_kw * 1000 for item in items],
        "i0": [max(item.i0, item.idle_loss_kw / item.kva) for item in items],
        "p0": [item.idle_loss_kw * 1000 for item in items],
    }
    fixed = {
        "from_status": 1, "to_status": 1, "winding_from": WindingType.delta, "winding_to": WindingType.wye_n,
        "clock": 11, "tap_side": 0, "tap_pos": 0, "tap_min": 0, "tap_max": 0, "tap_size": 0.0,
    }  # fmt: skip
    for name, value in (values | fixed).items():
        part[name] = value
    return part


def _lines(network: Network, at: dict[str, int]) -> Any:
    items = network.feeders
    part = initialize_array(DatasetType.input, ComponentType.line, len(items))
    values = {
        "id": 500 + np.arange(len(items)),
        "from_node": [at[item.start] for item in items],
        "to_node": [at[item.end] for item in items],
        "from_status": 1,
        "to_status": 1,
        "r1": [item.r * item.km for item in items],
        "x1": [item.x * item.km for item in items],
        "c1": [item.c * item.km * 1e-6 for item in items],
        "tan1": 0.0,
        "i_n": [item.amperes for item in items],
    }
    for name, value in values.items():
        part[name] = value
    return part
