"""Runs a submission cell by cell, its tests by the judge at their places."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked, is_solution

from nst_grading.judging.judge import LATE, Judge
from nst_grading.kernels import Kernel, Manager
from nst_grading.partial import last, needed
from nst_grading.report import Report
from nst_grading.restore import name_of

MOST_OUTPUT = 2_000_000  # characters that a cell may print or show
MOST_MESSAGE = 10_000  # characters of an error's message
SHOWN = ("stream", "display_data", "execute_result", "update_display_data")
Resources = dict[str, Any]


class FairExecute(Execute):
    """nbgrader's `Execute`, in the kernel that waits, with tests run by the judge."""

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
        self.judge = Judge(kernel.line, kernel.limits.cell_seconds, kernel.used)

    def start_new_kernel_client(self, **options: Any) -> Any:
        """From here on the limits hold."""
        client = super().start_new_kernel_client(**options)
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
                self.test(cell, index)
            else:
                self.execute_cell(cell, index, store_history=True)
        except Exception as error:
            if not isinstance(error, DeadKernelError):
                self.kernel.killed = "what it sends is no kernel's message"
                if isinstance(error, CellTimeoutError):  # it goes on, although it was interrupted
                    self.kernel.killed = "it does not end, and cannot be interrupted"
                self.kernel.kill()
            if not self.dead:
                why = self.kernel.killed or "os._exit, out of memory, or a crash"
                where = f"the cell {name_of(cell)}" if name_of(cell) else f"cell {index + 1}"
                self.dead = f"The notebook was ended in {where}: {why}."
                self.report.remarks.append(self.dead)
            cell.outputs = [error_output("Ended", self.dead)] if test else []
        if is_locked(cell) and not test and not is_solution(cell):
            self.judge.trust(cell.source)
        return cell, resources

    def test(self, cell: NotebookNode, index: int) -> None:
        """Let the judge run a test while the kernel answers it; its outputs are the verdict."""
        asking = nbformat.v4.new_code_cell(SERVE)
        finish, kept = self.judge.start(cell.source), self.nb.cells[index]
        try:
            self.execute_cell(asking, index, store_history=False)
        finally:
            self.nb.cells[index] = kept  # execute_cell puts its own there
            score, error = finish()
            self.report.remarks += sorted(self.judge.remarks)
        if error and any(output.get("ename") == "CellTimeoutError" for output in asking.outputs):
            error = "NotRun", LATE
        cell.outputs = []
        if error:
            cell.outputs = [error_output(*error)]
        elif score is not None:
            most = float(cell.metadata.nbgrader.points)
            data = {"text/plain": str(min(max(score, 0.0), most))}
            cell.outputs = [nbformat.v4.new_output("execute_result", data)]

    def process_message(self, msg: Resources, cell: NotebookNode, cell_index: int) -> Any:
        """Drop what a cell shows beyond the limit; called by nbclient.

        Messages that show nothing pass: the one that says that the cell has ended is among them.
        """
        content = msg["content"]
        if msg["msg_type"] == "error":  # shown, however much was printed before
            content["evalue"] = content["evalue"][:MOST_MESSAGE]
            content["traceback"] = [f"{content['ename']}: {content['evalue']}"]
        elif msg["msg_type"] in SHOWN:
            room = MOST_OUTPUT - self.shown[cell_index]
            texts = content.get("text", ""), *map(str, content.get("data", {}).values())
            self.shown[cell_index] += sum(map(len, texts))
            if room < 0:
                return None
            if self.shown[cell_index] > MOST_OUTPUT:
                cut = {"name": content.get("name", "stderr"), "text": texts[0][:room] + CUT}
                msg = {**msg, "msg_type": "stream", "content": cut}
        return super().process_message(msg, cell, cell_index)


SERVE = "from nst_grading.judging import student; student.serve()"
CUT = "\n[The rest of what this cell shows is cut.]\n"


def error_output(name: str, message: str) -> NotebookNode:
    """An error as notebooks show it, without the lines of the tests."""
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
