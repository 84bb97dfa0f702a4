"""Runs a submission cell by cell, and its tests so that they cannot be talked into passing."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked, is_solution

from nst_grading.kernels import Kernel, Manager
from nst_grading.partial import last, needed
from nst_grading.report import Report
from nst_grading.restore import name_of

MIME = "application/vnd.nst.grade+json"  # as in nst_grading.fair, which only kernels import
MOST_OUTPUT = 2_000_000  # characters that a cell may print or show
MOST_MESSAGE = 10_000  # characters of an error's message
SHOWN = ("stream", "display_data", "execute_result", "update_display_data")
Resources = dict[str, Any]


class FairExecute(Execute):
    """nbgrader's `Execute`, with tests run by `nst_grading.fair` in the kernel that waits."""

    def __init__(self, kernel: Kernel, report: Report, only: Collection[str] = ()) -> None:
        super().__init__(
            kernel_manager_class=Manager,
            kernel_name="python3",
            timeout=180,  # to start; then the limits hold
            startup_timeout=180,
            shutdown_kernel="immediate",
            record_timing=False,
            store_widget_state=False,
        )
        self.kernel, self.report, self.only = kernel, report, only
        self.shown: Counter[int] = Counter()
        self.dead = ""  # why there is no kernel any more

    def start_new_kernel_client(self, **options: Any) -> Any:
        """Before the first cell, `nst_grading.fair` notes how things are."""
        client = super().start_new_kernel_client(**options)
        self.tell("install()", 0)
        self.timeout = self.kernel.limits.cell_seconds
        self.kernel.deadline = time.monotonic() + self.kernel.limits.seconds
        return client

    def preprocess(
        self, nb: NotebookNode, resources: Resources | None = None, **options: Any
    ) -> tuple[NotebookNode, Resources]:
        """Run the notebook; if only some parts are graded, no more of it than they need."""
        self.tests = needed(nb.cells, self.only)
        self.last = last(nb.cells, self.tests)
        return super().preprocess(nb, resources, **options)

    def preprocess_cell(
        self, cell: NotebookNode, resources: Resources, index: int
    ) -> tuple[NotebookNode, Resources]:
        """Run one cell; called by nbconvert for each."""
        if cell.cell_type != "code":
            return cell, resources
        test = is_grade(cell) and not is_solution(cell)
        if self.only and ((test and name_of(cell) not in self.tests) or index > self.last):
            return cell, resources
        try:
            if self.dead:
                raise DeadKernelError
            if test:
                self.judge(cell, index)
            else:
                self.execute_cell(cell, index, store_history=True)
                if is_locked(cell):
                    self.tell(f"JUDGE.trust({cell.source!r})", index)
        except (DeadKernelError, CellTimeoutError) as error:
            if isinstance(error, CellTimeoutError):  # it goes on, although it was interrupted
                self.kernel.killed = "it does not end, and cannot be interrupted"
                self.kernel.kill()
            if not self.dead:
                why = self.kernel.killed or "os._exit, out of memory, or a crash"
                where = f"the cell {name_of(cell)}" if name_of(cell) else f"cell {index + 1}"
                self.dead = f"The notebook was ended in {where}: {why}."
                self.report.remarks.append(self.dead)
            cell.outputs = [error_output("Ended", self.dead)] if test else []
        return cell, resources

    def tell(self, code: str, index: int) -> NotebookNode:
        """Run a line of `nst_grading.fair`; returns it as a cell with its outputs."""
        cell = nbformat.v4.new_code_cell(f"from nst_grading import fair; fair.{code}")
        kept = self.nb.cells[index]
        try:
            self.execute_cell(cell, index, store_history=False)
        finally:
            self.nb.cells[index] = kept  # execute_cell puts its own there
        return cell

    def judge(self, cell: NotebookNode, index: int) -> None:
        """Run a test and replace its outputs by what `nst_grading.fair` says of it."""
        number = secrets.token_hex(16)
        ran = self.tell(f"JUDGE.run({cell.source!r}, {number!r})", index)
        cell.outputs = []
        verdicts = [output.data[MIME] for output in ran.outputs if MIME in output.get("data", {})]
        verdict = next((v for v in verdicts if v.get("number") == number), None)
        if verdict is None:
            late = any(output.get("ename") == "CellTimeoutError" for output in ran.outputs)
            why = LATE if late else "The test did not run to its end."
            cell.outputs = [error_output("NotRun", why)]
            return
        for name in verdict["replaced"]:
            self.report.remarks.append(f"It replaces {name}; the tests used the original.")
        if "error" in verdict:
            cell.outputs = [error_output(verdict["error"]["name"], verdict["error"]["message"])]
        elif verdict["score"] is not None:
            most = float(cell.metadata.nbgrader.points)
            score = {"text/plain": str(min(max(verdict["score"], 0.0), most))}
            cell.outputs = [nbformat.v4.new_output("execute_result", score)]

    def process_message(self, msg: Resources, cell: NotebookNode, cell_index: int) -> Any:
        """Drop what a cell shows beyond the limit; called by nbclient.

        Messages that show nothing pass: the one that says that the cell has ended is among them.
        """
        content = msg["content"]
        if msg["msg_type"] == "error":  # shown, however much was printed before
            content["evalue"] = content["evalue"][:MOST_MESSAGE]
            content["traceback"] = [f"{content['ename']}: {content['evalue']}"]
        elif msg["msg_type"] in SHOWN and MIME not in content.get("data", {}):
            room = MOST_OUTPUT - self.shown[cell_index]
            texts = content.get("text", ""), *map(str, content.get("data", {}).values())
            self.shown[cell_index] += sum(map(len, texts))
            if room < 0:
                return None
            if self.shown[cell_index] > MOST_OUTPUT:
                cut = {"name": content.get("name", "stderr"), "text": texts[0][:room] + CUT}
                msg = {**msg, "msg_type": "stream", "content": cut}
        return super().process_message(msg, cell, cell_index)


CUT = "\n[The rest of what this cell shows is cut.]\n"
LATE = "It does not come to an end in time: an endless loop, or a loop over pixels?"


def error_output(name: str, message: str) -> NotebookNode:
    """An error as notebooks show it, without the lines of the tests."""
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
