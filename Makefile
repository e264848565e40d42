# make demo   set up what the main job needs, and run it on two networks and real data
# make demo-keras   the same with a QKeras network; sets up TensorFlow, too
# make demo-hgq   the same with an HGQ2 network; needs neither HGQ2 nor Keras
# make demo-ip   from a model to an IP block whose benches pass
# make demo-explore   the precisions of a float network that nothing beats, and an IP block of one
# make demo-compress   a float network trained to a number of LUTs, and one found for requirements; both built
# make test   set up everything and pass the tests
# make test-browser   try the pages in Chromium, which needs Node.js to be unpacked
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N ?= 50
FILES ?= 10000

.PHONY: demo demo-keras demo-hgq demo-explore demo-compress bench-explore bench-compress bench-compress-images demo-ip test test-slow test-browser fuzz fuzz-golden fuzz-files bench bench-conversion lint check check-node check-tcl clean

demo: $(VENV)/.core
	$(BIN)/hwflow build examples/digits_mlp.onnx --board pynq-z2 --data examples/digits.npz -o build/digits_mlp
	$(BIN)/hwflow build examples/digits_cnn.onnx --board zcu104 --io-type io_stream --data examples/digits.npz -o build/digits_cnn
	@echo 'next: source $(BIN)/activate, then the commands of README.md as they stand'

demo-keras: $(VENV)/.keras
	$(BIN)/hwflow build examples/digits_qkeras.h5 --board pynq-z2 --data examples/digits_qkeras.npz -o build/digits_qkeras

demo-hgq: $(VENV)/.core
	$(BIN)/hwflow build examples/digits_hgq.keras --board pynq-z2 --data examples/digits_hgq.npz -o build/digits_hgq

demo-ip: $(VENV)/.core
	$(BIN)/hwflow build examples/digits_cnn.onnx --board kv260 --io-type io_stream --data examples/digits.npz -o build/digits_ip
	$(BIN)/hwflow package build/digits_ip -o build/digits_block
	$(MAKE) -C build/digits_block test

test: $(VENV)/.full $(VENV)/.hgq lint | check-tcl
	$(BIN)/pytest -n 2

test-slow: $(VENV)/.full $(VENV)/.hgq
	$(BIN)/pytest -n 2 -m slow

test-browser: $(VENV)/.full $(VENV)/.browser
	$(BIN)/pytest -n 0 -m browser tests/browser

lint: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/.full
	$(BIN)/python -m tests.fuzz --networks $(N)

fuzz-golden: $(VENV)/.full
	$(BIN)/python -m tests.fuzz_golden --networks $(N)

fuzz-files: $(VENV)/.full
	$(BIN)/python -m tests.fuzz_files --files $(FILES)

bench: $(VENV)/.full
	$(BIN)/python -m tests.benchmarks.bench

bench-explore: $(VENV)/.full
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.bench_explore $(MODEL) $(DATA)

demo-explore: $(VENV)/.core
	$(BIN)/hwflow explore examples/digits_float.onnx --data examples/digits.npz --board zcu104 --bits 'w=2,3,4 a=2,4' --run build/explore
	$(BIN)/hwflow pick --run build/explore -o build/explored
	$(BIN)/hwflow package build/explored -o build/explored_block

demo-compress: $(VENV)/.full
	$(BIN)/hwflow compress qat examples/digits_float.onnx --data examples/digits.npz --target lut=20000 --epochs 80 --batch 32 --io-type io_stream --run build/compress
	$(BIN)/hwflow build build/compress/model.onnx --board pynq-z2 --io-type io_stream --data examples/digits.npz -o build/compressed
	$(BIN)/hwflow compress auto examples/auto.toml --run build/auto
	$(BIN)/python -m tests.benchmarks.decision_table build/auto

bench-compress: $(VENV)/.full
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.bench_compress $(MODEL) $(DATA)

bench-compress-images: $(VENV)/.full
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.bench_compress_images $(IMAGES) $(LABELS)

bench-conversion: $(VENV)/.full
	$(BIN)/python -m tests.benchmarks.bench_conversion

check:
	@command -v $${CXX:-g++} >/dev/null || { echo "g++ is missing; install it: apt-get install g++"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.11"; exit 1; }

check-node:
	@command -v npm >/dev/null || { echo "npm is missing; install Node.js: apt-get install nodejs npm"; exit 1; }

check-tcl:
	@command -v tclsh >/dev/null || { echo "tclsh is missing; install it: apt-get install tcl"; exit 1; }

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
	$(BIN)/pip install --quiet -c constraints.txt -e '.[torch,keras,da,dask,dev]'
	touch $@ $(VENV)/.core $(VENV)/.keras

# The wheel of HGQ2 holds a package `qkeras` of its own. Behind site-packages, in a folder that a
# .pth file names, it is not found in the place of QKeras'; what HGQ2 needs is there already.
$(VENV)/.hgq: constraints.txt | $(VENV)/.full
	rm -rf $(VENV)/hgq
	$(BIN)/pip install --quiet --no-deps --target $(VENV)/hgq -c constraints.txt HGQ2
	$(BIN)/python -c 'import sys, sysconfig; open(sysconfig.get_path("purelib") + "/hgq.pth", "w").write(sys.argv[1])' "$(abspath $(VENV)/hgq)"
	touch $@

# A headless Chromium with its libraries and fonts, for any Linux on x86-64, without root. The package unpacks
# where TMPDIR says, and its libraries only where it takes the machine for the one that it is made for.
BROWSER_FILES := $(addprefix tests/browser/, package.json package-lock.json unpack.mjs)
$(VENV)/.browser: $(BROWSER_FILES) | $(VENV)/.full check-node
	rm -rf $(VENV)/browser && mkdir -p $(VENV)/browser/unpacked
	cp $(BROWSER_FILES) $(VENV)/browser
	cd $(VENV)/browser && npm ci --silent --ignore-scripts --no-audit --no-fund
	cd $(VENV)/browser && TMPDIR="$$PWD/unpacked" AWS_EXECUTION_ENV=AWS_Lambda_nodejs20.x node unpack.mjs
	touch $@

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
