# make demo   a recorded evening through the door (SOURCE=microphone: live), in an environment of its own
# make test   style, types and all tests, in an environment of their own
PYTHON ?= python3
SOURCE ?= wav
PIP = -m pip install --quiet --disable-pip-version-check
export OPENBLAS_NUM_THREADS = 1

# An environment is right when its own interpreter runs, has pip, and is of $(PYTHON)'s version. One that is not (half made,
# its interpreter gone, of another Python) is no longer ready, and is made anew from nothing.
version = $(1) -I -c 'import sys, pip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
wanted := $(shell $(PYTHON) -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
is_right = [ "$$($(call version,$(1)/bin/python))" = "$(wanted)" ]
environments := .venv .venv-test .venv-tflite
$(foreach each,$(environments),$(shell [ ! -e $(each)/ready ] || { $(call is_right,$(each)); } || rm -f $(each)/ready))
# What is right is brought up to date, what is not begins with an empty folder.
make_environment = { $(call is_right,$(1)); } || { [ -e $(1) ] || rm -f $(1); $(PYTHON) -m venv --clear $(1); }

.PHONY: demo test lint test-second-runtime clean

demo: .venv/ready
	.venv/bin/python -m device demo --source $(SOURCE)

test: lint test-second-runtime
	.venv-test/bin/python -m pytest

lint: .venv-test/ready
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy

# tflite-runtime has wheels up to Python 3.11 only; elsewhere there is nothing to test.
test-second-runtime:
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		$(MAKE) --no-print-directory .venv-tflite/ready && .venv-tflite/bin/python -m pytest -q tests/parity; \
	else echo "second runtime: skipped, tflite-runtime needs Python 3.11"; fi

.venv/ready: requirements-device.txt
	$(call make_environment,.venv)
	.venv/bin/python $(PIP) -r requirements-device.txt
	touch $@

.venv-test/ready: $(wildcard requirements-*.txt)
	$(call make_environment,.venv-test)
	.venv-test/bin/python $(PIP) -r requirements-test.txt
	touch $@

.venv-tflite/ready: requirements-device.txt
	$(call make_environment,.venv-tflite)
	.venv-tflite/bin/python $(PIP) tflite-runtime==2.14.0 'numpy<2' webrtcvad-wheels soxr pytest hypothesis
	touch $@

clean:
	rm -rf .venv .venv-test .venv-tflite .pytest_cache .mypy_cache .ruff_cache
