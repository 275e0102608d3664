"""A simulation as a file."""

from __future__ import annotations

from flask import Response

from marketplace.doors.tables import csv_file
from marketplace.usecases.simulations import FinishedView

_FIGURES = ("orders", "before_fen", "after_fen", "all_before_fen", "all_after_fen", "change_fen")
_HEADER = ("park_id", "park", "region", "region_class", "park_size", *_FIGURES)


def simulation_csv(found: FinishedView) -> Response:
    """Return what each park gains and loses as CSV."""
    rows = [
        [
            row["park_id"],
            found.names.get(row["park_id"], ""),
            *(row[name] for name in ("region", "region_class", "park_size", *_FIGURES)),
        ]
        for row in found.result["by_park"]
    ]
    response = Response(csv_file(_HEADER, rows), mimetype="text/csv")
    name = f"simulation-v{found.simulation.version}-{found.simulation.period_from:%Y%m%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
