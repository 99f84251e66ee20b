# `make demo` is all it takes to see it work; `make check test` is what CI runs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: install python player browser system demo check test bench soak fuzz clean

PYTHON ?= python3
PORT ?= 8080
DEMO_LIBRARY ?= demo-library
VENV ?= .venv
BIN := $(VENV)/bin

# How the package is installed; the Dockerfiles set both to nothing.
EDITABLE ?= --editable
EXTRAS ?= [demo,test,dev]

# Without a GPU any build of torch will do, and the CPU build is the smallest: where pip does not find it by
# itself, point TORCH_INDEX_URL (or pip's own PIP_EXTRA_INDEX_URL) at PyTorch's index of CPU wheels.
TORCH_INDEX_URL ?=
TORCH ?= $(if $(shell nvidia-smi -L 2>/dev/null),torch>=2.11$(,)<2.14,torch==2.13.0)
, := ,

install: python player

python: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(if $(TORCH_INDEX_URL),--extra-index-url '$(TORCH_INDEX_URL)') '$(TORCH)'
	$(BIN)/pip install $(EDITABLE) '.$(EXTRAS)'
	touch $@

# The web page: hls.js comes from npm and is bundled.
NPM := npm --no-update-notifier
define need_npm
@command -v npm >/dev/null || { echo "npm is missing: install node.js 20 or newer, which brings it; it builds the web page" >&2; exit 1; }
endef

player: origin/player/dist/index.html

origin/player/dist/index.html: origin/player/node_modules/.installed origin/player/index.html \
		$(wildcard origin/player/*.js origin/player/tsconfig.json) \
		$(shell find origin/player/src origin/player/build origin/player/public -type f)
	cd origin/player && $(NPM) run --silent build
	touch $@

browser: tests/browser/node_modules/.installed

%/node_modules/.installed: %/package-lock.json %/package.json
	$(need_npm)
	cd $* && $(NPM) ci
	touch $@

# What pip and npm do not bring; only the tests want these, and the benchmarks wrk.
system:
	@missing=(); \
	command -v chromium >/dev/null || missing+=(chromium); \
	PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || missing+=(nginx); \
	PATH=$$PATH:/usr/sbin command -v varnishd >/dev/null || missing+=(varnish); \
	$(if $(filter bench,$(MAKECMDGOALS)),command -v wrk >/dev/null || missing+=(wrk);) \
	compgen -G '/usr/share/vulkan/icd.d/lvp_icd*' >/dev/null || missing+=(mesa-vulkan-drivers); \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	if (( $$(id -u) == 0 )) && command -v apt-get >/dev/null; then \
	  echo "installing $${missing[*]}"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq -y --no-install-recommends "$${missing[@]}" >/dev/null || \
	    echo "could not install $${missing[*]}" >&2; \
	else \
	  echo "missing: $${missing[*]}; tests that need them are skipped" >&2; \
	fi

demo: install
	$(BIN)/python -m origin.demo $(DEMO_LIBRARY)
	$(BIN)/upscale-origin serve demo=$(DEMO_LIBRARY) --port $(PORT) --rendition auto \
		--rendition 2x:waifu2x-upconv7:when=warmed

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint --config .hadolint.yaml docker/Dockerfile.cpu docker/Dockerfile.cuda
	cd origin/player && $(NPM) run --silent check

test: install browser system
	$(BIN)/python -m pytest $(ARGS)

bench: install system
	for script in tests/benchmarks/*.py; do \
	  echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" $(ARGS); \
	done

# Minutes of load, of restarts, of kills: not for CI. ARGS="--minutes 3" and so on for one script at a time.
SOAK ?= load rolling recovery
soak: install system
	for script in $(SOAK); do \
	  echo "== $$script"; $(BIN)/python -m tests.soak.$$script $(ARGS); \
	done

# The tests of parsers that make up their input, with FUZZ_EXAMPLES (2000) for each.
FUZZED := tests/manifests tests/origin/test_access.py tests/origin/test_cmcd.py tests/origin/test_headers.py \
  tests/origin/test_heads.py tests/media/test_ass.py tests/media/test_boxes.py tests/media/test_packets.py tests/sr/test_ncnn_files.py
fuzz: install
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m hypothesis --timeout=0 $(FUZZED) $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info $(DEMO_LIBRARY) $(DEMO_LIBRARY).partial test-artefacts
	rm -rf origin/player/dist origin/player/node_modules tests/browser/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find origin sr manifests tests -name __pycache__ -prune -exec rm -rf {} +
