# make demo · lab · app · test · grade · bench …: each makes .venv from pyproject.toml when it is missing or out of date.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-styles test-browser test-classroom lab app assignment grade course notebooks check-notebooks html bench sheet styles clean

demo: .venv/installed
	$(BIN)/nst rocket starry -o outputs/demo.png

test: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

# In a real browser: JupyterLab and the app; needs Debian's chromium, or another one.
test-browser: .venv/installed
	$(BIN)/pytest -n 0 tests/browser

# Every problem set with all its known answers, and hostile submissions; some minutes.
test-classroom: .venv/installed
	$(BIN)/pytest -n 0 -m slow

# Repaints all style pictures and compares them with the shipped ones; some minutes.
test-styles: .venv/installed
	PAINT_ALL=1 $(BIN)/pytest tests/test_paint_styles.py

lab: .venv/installed
	$(BIN)/jupyter lab --notebook-dir notebooks notebooks/index.ipynb

# The studio in a browser, for people who do not program; on this machine only, but for SERVER=name.
app: .venv/installed
	$(BIN)/python tools/serve.py $(if $(SERVER),--server=$(SERVER))

# Runs all notebooks and keeps what they show; half an hour.
notebooks: .venv/installed
	$(BIN)/python tools/notebooks.py run

# The same, but only compares the numbers that matter with those that are kept.
check-notebooks: .venv/installed
	$(BIN)/python tools/notebooks.py check

# The course as pages, in outputs/course.
html: .venv/installed
	$(BIN)/python tools/notebooks.py html outputs/course

# The student version of a problem set, or of all of them, into outputs/release.
assignment: .venv/installed
	$(BIN)/python -m nst_grading release $(or $(PS),all)

# Grades whatever lies in a folder, into outputs/grades: see notebooks/assignments/TEACHING.md.
grade: .venv/installed
	$(BIN)/python -m nst_grading grade $(PS) --submissions "$(SUBMISSIONS)"

# nbgrader's course folder, for its extension of JupyterLab.
course: .venv/installed
	$(BIN)/python -m nst_grading course $(or $(COURSE),course)

# Against the published implementations; five minutes on two cores, an hour and a half with BENCH=full.
bench: .venv/installed
	$(BIN)/python tools/bench.py

# The sheet in the README: every style on two photographs; a few minutes.
sheet: .venv/installed
	$(BIN)/python tools/sheet.py docs/styles.jpg

styles: .venv/installed
	$(BIN)/python tools/paint_styles.py

clean:
	rm -rf .venv outputs

# The stamp is written last, so that an installation cut off half-way is taken up again.
.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "nst needs Python 3.10 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --upgrade --quiet pip
	$(BIN)/python -m pip install --quiet --editable '.[notebooks,grading,dev,train]'
	touch $@
