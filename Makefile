# Every target installs what it needs into .venv first.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
# Modules are compiled when they are first imported. Without the results each process that imports
# TensorFlow would compile it anew, for five seconds.
unexport PYTHONDONTWRITEBYTECODE

# The oldest and the newest pair of TensorFlow and Keras that are claimed to work.
# TensorFlow 2.19 wants protobuf 5, and newer releases of tensorflow-metadata want 6 without saying so.
OLDEST := tensorflow==2.19.0 keras==3.10.0 'tensorflow-metadata<1.18'
NEWEST := tensorflow==2.21.0 keras==3.15.1
# PyTorch is only for the tests of its checkpoints, and large: `make demo` does without.
TORCH ?= torch==2.13.0
# Tests spend most of their time in one thread, tracing, and wait for other processes and disks, so
# that three keep two cores busy; each file stays in one process. The order
# is that of tests/conftest.py.
PYTEST := python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
PYTHON_OLDEST ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python3.12) python3.12)
PYTHON_NEWEST ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) python3.13)

.PHONY: demo web pretrained test test-quick test-beam test-matrix test-oldest test-newest lint bench \
	evidence clean

demo: .venv/installed
	$(BIN)/cyclegan-tf demo --out runs/demo

# A page that translates in the browser, by the demo's generators.
web: .venv/installed runs/demo/examples
	$(BIN)/cyclegan-tf export runs/demo --web runs/demo/web --domains "label maps" photographs \
		--examples runs/demo/examples/label_map.png runs/demo/examples/photograph.png
	$(BIN)/python export/web/serve.py runs/demo/web $(PORT)

runs/demo/examples:
	$(MAKE) demo

# Trains the translators that come with the package anew, and replaces their files: 1 to 2 hours.
pretrained: .venv/installed
	$(BIN)/python -m cyclegan_tf.experiments.pretrained

test: lint .venv/torch
	$(BIN)/$(PYTEST)

test-quick: lint .venv/torch
	$(BIN)/$(PYTEST) -m "not slow"

test-matrix: test-oldest test-newest

# Beam wants older packages than the rest, so that it has an environment of its own.
test-beam: .venv-beam/installed
	.venv-beam/bin/python -m pytest tests/beam

test-oldest:
	$(PYTHON_OLDEST) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install -q $(OLDEST) -e '.[dev]'
	.venv-oldest/bin/$(PYTEST) -m "not slow"

test-newest:
	$(PYTHON_NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install -q $(NEWEST) -e '.[dev]'
	.venv-newest/bin/$(PYTEST) -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The tables of docs/evidence.md: a night on two cores. Stop it when you like, and start it again. It
# resumes from the results that are kept there.
evidence: .venv/installed
	@mkdir -p runs/evidence && cp -rn docs/evidence/setting.json docs/evidence/results runs/evidence/
	$(BIN)/cyclegan-tf reproduce all --jobs 2 --out runs/evidence

# Each table goes into the file of this machine, in place of its earlier measurement. The first stops
# here if a kernel has become a cliff: the numbers after it would not be worth having.
bench: RESULTS := --results benchmarks/results
bench: .venv/torch
	@mkdir -p build && rm -f build/cliffs
	$(BIN)/python benchmarks/kernels.py $(RESULTS) || touch build/cliffs
	$(BIN)/python benchmarks/train_step.py $(RESULTS)
	$(BIN)/python benchmarks/train_step.py --size 64 --filters 32 --steps 20 $(RESULTS)
	$(BIN)/python benchmarks/time_by_operator.py $(RESULTS)
	$(BIN)/python benchmarks/time_by_operator.py --size 64 --filters 32 $(RESULTS)
	$(BIN)/python benchmarks/inference.py $(RESULTS)
	$(BIN)/python benchmarks/tiles.py $(RESULTS)
	$(BIN)/python benchmarks/tflite.py --filters 32 --size 128 $(RESULTS)
	$(BIN)/python benchmarks/float16_sums.py $(RESULTS)
	$(BIN)/python benchmarks/memory.py $(RESULTS)
	$(BIN)/python benchmarks/memory.py --size 512 --filters 32 $(RESULTS)
	$(BIN)/python benchmarks/systems.py $(RESULTS)
	$(BIN)/python benchmarks/first_step.py $(RESULTS)
	$(BIN)/python benchmarks/startup.py $(RESULTS)
	$(BIN)/python benchmarks/input_pipeline.py $(RESULTS)
	$(BIN)/python benchmarks/checkpoints.py $(RESULTS)
	$(BIN)/python benchmarks/report.py
	@test ! -e build/cliffs || { echo "There are cliffs: see the first table above."; exit 1; }

clean:
	rm -rf .venv .venv-beam .venv-oldest .venv-newest build *.egg-info .pytest_cache .ruff_cache

.venv-beam/installed: requirements-beam.txt pyproject.toml
	$(PYTHON) -m venv --clear .venv-beam
	.venv-beam/bin/python -m pip install -q --no-compile -r requirements-beam.txt
	.venv-beam/bin/python -m pip install -q --no-deps -e .
	touch $@

.venv/torch: .venv/installed
	$(BIN)/python -m pip install -q --no-compile $(TORCH)
	touch $@

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" || \
		{ echo "Python 3.11 to 3.13 is needed; $(PYTHON) is `$(PYTHON) -V`. Name another: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install -q --no-compile -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps -e .
	touch $@
