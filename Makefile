# make demo   set up what the main job needs, and run it on two networks and real data
# make demo-keras   the same with a QKeras network; sets up TensorFlow, too
# make test   set up everything and pass the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N ?= 50

.PHONY: demo demo-keras test test-slow fuzz bench lint check clean

demo: $(VENV)/.core
	$(BIN)/hwflow build examples/digits_mlp.onnx --board pynq-z2 --data examples/digits.npz -o build/digits_mlp
	$(BIN)/hwflow build examples/digits_cnn.onnx --board zcu104 --io-type io_stream --data examples/digits.npz -o build/digits_cnn

demo-keras: $(VENV)/.keras
	$(BIN)/hwflow build examples/digits_qkeras.h5 --board pynq-z2 --data examples/digits_qkeras.npz -o build/digits_qkeras

test: $(VENV)/.full lint
	$(BIN)/pytest -n 2

test-slow: $(VENV)/.full
	$(BIN)/pytest -n 2 -m slow

lint: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/.full
	$(BIN)/python -m tests.fuzz --networks $(N)

bench: $(VENV)/.full
	$(BIN)/python tests/benchmarks/bench_build.py
	$(BIN)/python tests/benchmarks/bench_simulate.py
	$(BIN)/python tests/benchmarks/bench_csim.py
	$(BIN)/python tests/benchmarks/bench_exact.py

check:
	@command -v $${CXX:-g++} >/dev/null || { echo "g++ is missing; install it: apt-get install g++"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.11"; exit 1; }

$(BIN)/pip: | check
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.keras: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e '.[keras]'
	touch $@ $(VENV)/.core

$(VENV)/.full: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e '.[torch,keras,da,dev]'
	touch $@ $(VENV)/.core $(VENV)/.keras

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
