# Every target needs the environment that `pip install -e ".[dev]"` makes.
# `make check` writes nothing into the checkout: caches and the built site go to a temporary folder.
SCRATCH := $(or $(TMPDIR),/tmp)/facemotion-check
export PYTHONDONTWRITEBYTECODE := 1
export RUFF_CACHE_DIR := $(SCRATCH)/ruff
# the theme announces its successor on every build; the choice is made in pyproject.toml
export NO_MKDOCS_2_WARNING := 1

.PHONY: check test fuzz audit docs style

check:
	ruff check .
	ruff format --check .
	mypy --cache-dir $(SCRATCH)/mypy
	lint-imports --cache-dir $(SCRATCH)/imports
	pytest -q -p no:cacheprovider tests/test_house.py
	mkdocs build --quiet --strict --site-dir $(SCRATCH)/site

# two at a time: a worker of these takes 1 to 3 GB; a file's tests stay together, since they share small trainings
test:
	pytest -n 2 --dist loadfile

# what these tests try a little in every run, very often: half an hour
fuzz:
	FACEMOTION_FUZZ=long pytest tests/reliability tests/training/test_kill.py --timeout=0 --durations=0

audit:
	python .ci/audit.py

docs:
	mkdocs serve

style:
	ruff check --fix .
	ruff format .
