"""The twin beside the raw solver: what everything around the optimum costs."""

from __future__ import annotations

import json
import sys
import time

import highspy

from services.gateways import twin
from services.gateways.solver import _model
from services.rules.demo_park import demo_park
from services.rules.twin.dispatch_program import Case, dispatch_program, make_plan
from services.usecases.twin_alone import no_files, read_request


def bench_twin() -> float:
    """Return the CPU of a year's run at 15 minutes over that of one raw HiGHS solve of its prebuilt matrix.

    PV, battery and tariff, no sizing: one optimum, as in the raw solve. The libraries are loaded before the clock starts.
    """
    document = demo_park()
    document.pop("sizing")
    request = read_request(json.dumps(document).encode(), no_files)
    prepared = twin._prepare(request, lambda _stage, _done: None)
    site = prepared.site
    case = Case(request.load.kw, site.generation(request.pv.kwp), request.battery)
    plan = make_plan([case], site.calendar, site.prices)
    model = _model(dispatch_program(plan, case, site.calendar, site.prices))
    highs = highspy.Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
        highs.setOptionValue(name, value)
    began = time.process_time()
    highs.passModel(model)
    highs.run()
    raw = time.process_time() - began
    began = time.process_time()
    twin.run_twin(request, progress=lambda _stage, _done: None)
    return (time.process_time() - began) / raw


if __name__ == "__main__":
    sys.stdout.write(f"twin / raw solver: {bench_twin():.2f}\n")
