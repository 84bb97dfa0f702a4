# make demo · lab · app · test · grade · bench …: each first installs into .venv what it needs, and no more.
# Without make (Windows): python tools/install.py learner, and the commands below.
PYTHON ?= python3
BIN = .venv/bin
# Also for kernels that load torch before nst; nst/__init__.py says why.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 4000

.PHONY: learner teacher pages developer demo test test-faults test-styles test-browser test-classroom test-course lab app assignment grade course notebooks check-notebooks html site bench gpu sheet styles versions size clean

demo: learner
	$(BIN)/nst rocket starry -o outputs/demo.png

test: developer
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

# In a real browser: JupyterLab and the app; needs Debian's chromium, or another one.
test-browser: developer
	$(BIN)/pytest -n 0 tests/browser

# Every problem set with all its known answers, and hostile submissions; some minutes.
test-classroom: developer
	$(BIN)/pytest -m slow

# The course at other sizes and with other pictures: nothing may raise; a quarter of an hour.
test-course: developer
	$(BIN)/python tools/course.py

# What `make test` tries in small, in large: broken pictures, kills while a run is saved, flipped bits,
# restructured checkpoints, hostile settings; a quarter of an hour.
test-faults: developer
	FAULTS=long $(BIN)/pytest -rP tests/test_corpus.py tests/runs tests/grids/test_experiments.py tests/widgets/test_widgets_trust.py

# Repaints all style pictures and compares them with the shipped ones; some minutes.
test-styles: developer
	PAINT_ALL=1 $(BIN)/pytest tests/test_paint_styles.py

lab: learner
	$(BIN)/jupyter lab --notebook-dir notebooks notebooks/index.ipynb

# The studio in a browser, for people who do not program; on this machine only, but for SERVER=name.
app: learner
	$(BIN)/python tools/serve.py $(if $(SERVER),--server=$(SERVER))

# Runs all notebooks and keeps what they show; half an hour.
notebooks: learner
	$(BIN)/python tools/notebooks.py run

# The same, but only compares the numbers that matter with those that are kept.
check-notebooks: learner
	$(BIN)/python tools/notebooks.py check

# The course as pages, in outputs/course.
html: pages
	$(BIN)/python tools/pages.py html outputs/course

# The same as a site with contents and search, in outputs/site: any web server can offer the folder.
site: pages
	$(BIN)/python tools/pages.py site outputs/site

# The student version of a problem set, or of all of them, into outputs/release.
assignment: teacher
	$(BIN)/python -m nst_grading release "$(or $(PS),all)" $(OPTIONS)

# Grades whatever lies in a folder, into outputs/grades: see notebooks/assignments/TEACHING.md.
grade: teacher
	$(BIN)/python -m nst_grading grade "$(PS)" --submissions "$(SUBMISSIONS)" $(OPTIONS)

# nbgrader's course folder, for its extension of JupyterLab.
course: teacher
	$(BIN)/python -m nst_grading course "$(or $(COURSE),course)"

# Against the published implementations; five minutes on two cores, an hour and a half with BENCH=full.
bench: learner
	$(BIN)/python tools/bench/bench.py

# Tests, figures and variants on an NVIDIA GPU, in five minutes, into outputs/gpu.
gpu: developer
	$(BIN)/python tools/gpu_check.py

# The sheets in the README: every style, statistic and control; a quarter of an hour.
sheet: learner
	$(BIN)/python tools/sheet.py docs/styles.jpg
	$(BIN)/python tools/sheet.py docs/painters.jpg --one-pass
	$(BIN)/python tools/control_sheet.py docs/controls.jpg

styles: learner
	$(BIN)/python tools/paint_styles.py

# Installs the newest versions of everything, and keeps them in constraints/ if all tests pass with them.
versions:
	$(MAKE) VERSIONS=newest test test-browser test-classroom
	$(BIN)/python tools/install.py versions

# Lines of code by room.
size:
	@$(PYTHON) tools/size.py

# Not outputs, where grades may lie that somebody has typed, or paintings.
clean:
	rm -rf .venv

# Who needs what is said in tools/install.py, which does nothing where nothing has changed.
learner teacher pages developer:
	@$(PYTHON) tools/install.py $@
