"""HiGHS, driven directly on sparse arrays: one thread, simplex, no time limits, so that an answer repeats exactly."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import highspy
import numpy as np

from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import LinearProgram
from tenants.kernel.errors import Invalid, Unavailable
from tenants.kernel.messages import msg

_MIP_GAP = 1e-7
_MIP_NODES = 500  # nodes, not seconds: a limit in seconds would make the answer depend on the machine


@dataclass(frozen=True, eq=False)
class Solution:
    """An optimum: values of the columns, objective, what it cannot fall below, relative gap (0 for a linear program) and
    the work it took.

    The duals tell what one unit more of a row's or a column's binding bound adds to the objective. With binaries there
    are none (zeros): fix the binaries and solve again.
    """

    values: Floats
    row_duals: Floats
    column_duals: Floats
    objective: float
    bound: float
    status: str
    gap: float
    iterations: int


class Solver:
    """One model that is solved, changed in its bounds and costs, and solved again from where it stood."""

    def __init__(self, *, iteration_limit: int = 2_000_000, mip_gap: float = _MIP_GAP) -> None:
        self._highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy leaves it untyped
        for name, value in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("solver", "simplex"),
            ("simplex_iteration_limit", iteration_limit),
            ("mip_rel_gap", mip_gap),
            ("mip_max_nodes", _MIP_NODES),
        ):
            self._highs.setOptionValue(name, value)
        self._program: LinearProgram | None = None

    def solve(self, program: LinearProgram) -> Solution:
        """Solve; Invalid when there is no or no finite optimum, Unavailable when the solver gives up."""
        if self._program is not None and _same_matrix(self._program, program):
            self._change(program)
        else:
            self._highs.passModel(_model(program))
        self._program = program
        # "simplex" concerns linear programs; with binaries HiGHS must choose branch and cut by itself. Our programs have
        # nothing redundant left, so that presolving a year takes a sixth of the time and finds nothing.
        self._highs.setOptionValue("solver", "choose" if len(program.binaries) else "simplex")
        self._highs.setOptionValue("presolve", "choose" if len(program.binaries) else "off")
        self._highs.run()
        return self._answer(program)

    def _change(self, program: LinearProgram) -> None:
        columns = np.arange(len(program.cost), dtype=np.int32)
        rows = np.arange(len(program.row_lower), dtype=np.int32)
        self._highs.changeColsCost(len(columns), columns, program.cost)
        self._highs.changeColsBounds(len(columns), columns, program.lower, program.upper)
        self._highs.changeRowsBounds(len(rows), rows, program.row_lower, program.row_upper)  # type: ignore[attr-defined]  # missing in highspy's stub

    def _answer(self, program: LinearProgram) -> Solution:
        status = self._highs.getModelStatus()
        name = self._highs.modelStatusToString(status)
        info = self._highs.getInfo()
        stopped_with_answer = status == highspy.HighsModelStatus.kSolutionLimit and len(program.binaries) > 0
        if status != highspy.HighsModelStatus.kOptimal and not stopped_with_answer:
            raise _refusal(status, name)
        found = self._highs.getSolution()
        values = np.asarray(found.col_value, dtype=np.float64)
        plain = found.dual_valid and not len(program.binaries)
        return Solution(
            values=values,
            row_duals=np.asarray(found.row_dual) if plain else np.zeros(len(program.row_lower)),
            column_duals=np.asarray(found.col_dual) if plain else np.zeros(len(values)),
            objective=float(info.objective_function_value),
            bound=float(info.mip_dual_bound if len(program.binaries) else info.objective_function_value),
            status=name,
            gap=float(info.mip_gap) if len(program.binaries) else 0.0,
            iterations=int(info.simplex_iteration_count),
        )


def solver_version() -> str:
    """Version of the solver, for manifests."""
    return version("highspy")


def _same_matrix(old: LinearProgram, new: LinearProgram) -> bool:
    return (
        np.array_equal(old.starts, new.starts)
        and np.array_equal(old.indices, new.indices)
        and np.array_equal(old.values, new.values)
        and np.array_equal(old.binaries, new.binaries)
    )


def _model(program: LinearProgram) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.row_lower)
    model.col_cost_, model.col_lower_, model.col_upper_ = program.cost, program.lower, program.upper
    model.row_lower_, model.row_upper_ = program.row_lower, program.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_ = program.starts, program.indices
    model.a_matrix_.value_ = program.values
    if len(program.binaries):
        kinds = [highspy.HighsVarType.kContinuous] * len(program.cost)
        for column in program.binaries.tolist():
            kinds[column] = highspy.HighsVarType.kInteger
        model.integrality_ = kinds
    return model


def _refusal(status: highspy.HighsModelStatus, name: str) -> Invalid | Unavailable:
    kinds = highspy.HighsModelStatus
    if status in {kinds.kInfeasible, kinds.kUnboundedOrInfeasible}:
        return Invalid(
            "solver.infeasible", msg("没有任何运行方式能同时满足给定的限制，请放宽电池或容量的上下限后重试。")
        )
    if status == kinds.kUnbounded:
        return Invalid("solver.unbounded", msg("给定的价格会带来无限收益，请检查购电价、上网电价和容量上限。"))
    return Unavailable(
        "solver.stopped", msg("求解器未得到最优解就停止了（{status}），请缩短时段或放宽限制后重试。", status=name)
    )
