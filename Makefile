# The commands of the project. `make demo` and `make test` need nothing but Python 3.11 and
# a package index: they make their own environment in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint docs evaluate notebooks reproduce large rivals bench fuzz clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Enough to classify: no torch.
$(VENV)/installed-base: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

# Everything: training, tests, lint.
$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[dev]"
	@touch $@ $(VENV)/installed-base

demo: $(VENV)/installed-base
	$(BIN)/claimstance classify data/demo/article.md -o out/demo/predictions.jsonl -o out/demo/report.html
	@echo "Open out/demo/report.html in a browser."

test: $(VENV)/installed-dev
	$(BIN)/claimstance corpus check data
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site, from docs/.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f docs/mkdocs.yml
	@echo "Open out/site/index.html in a browser."

# Scores the model that ships on all there is, and writes every page of results and what the
# examples in docs/ print. With DATASETS=folder also on text that is not in the repository
# (evaluation/sets/README.md).
evaluate: $(VENV)/installed-dev
	$(BIN)/python evaluation/make_results.py $(if $(wildcard models),--models models) \
	  $(if $(DATASETS),--datasets "$(DATASETS)") $(if $(ARTICLE),--article "$(ARTICLE)")
	$(BIN)/python docs/examples.py --write

# Runs the notebooks and saves them with what they show.
notebooks: $(VENV)/installed-dev
	$(BIN)/python notebooks/run.py

# Makes the shipped model and the figures on the corpus anew, from the repository alone.
reproduce: $(VENV)/installed-dev
	rm -rf models/new
	$(BIN)/claimstance corpus check data --out data/statistics.md
	$(BIN)/claimstance train training/recipes/baseline.toml --out models/new/tfidf
	$(BIN)/claimstance train training/recipes/minilm.toml --out models/new/minilm
	cd models && for model in tfidf minilm; do rm -rf $$model && mv new/$$model . || exit 1; done
	$(BIN)/claimstance train training/recipes/fast.toml --out models/new/fast
	$(BIN)/claimstance export models/new/fast --out models/new/fast-int8 --corpus data/corpus
	cd models && for model in fast fast-int8; do rm -rf $$model && mv new/$$model . || exit 1; done
	for model in tfidf minilm fast; do for split in dev test; do \
	  $(BIN)/claimstance classify data/corpus --split $$split --model models/$$model --quiet \
	    --output evaluation/results/$$model/$$split.jsonl || exit 1; \
	done; done
	cp models/fast-int8/* claimstance/shipped/
	for model in minilm fast; do \
	  cp models/$$model/training_log.jsonl evaluation/results/$$model/ || exit 1; \
	done
	$(MAKE) evaluate

# The backbone of the large model: 400 MB.
$(VENV)/installed-large: $(VENV)/installed-dev
	$(INSTALL) -e ".[dev,large]"
	@touch $@

# Trains the large model and labels dev and test with it (how long: training/README.md).
large: $(VENV)/installed-large
	rm -rf models/new/mpnet
	$(BIN)/claimstance train training/recipes/mpnet.toml --out models/new/mpnet
	rm -rf models/mpnet && mv models/new/mpnet models/mpnet
	for split in dev test; do \
	  $(BIN)/claimstance classify data/corpus --split $$split --model models/mpnet --quiet \
	    --output evaluation/results/mpnet/$$split.jsonl || exit 1; \
	done

# Trains the rivals beside it and takes everybody's time. Let nothing else run meanwhile.
rivals: $(VENV)/installed-dev
	$(BIN)/python evaluation/rivals.py --out models
	$(MAKE) evaluate

# Speed and memory of whole runs against the usual ways. Let nothing else run meanwhile.
bench: $(VENV)/installed-dev
	$(BIN)/python evaluation/bench.py $(if $(wildcard models/minilm-int8),--whole models/minilm-int8)
	$(BIN)/python evaluation/profile_stages.py

# Throws broken input at every reader and the splitter, for MINUTES.
MINUTES ?= 10
fuzz: $(VENV)/installed-dev
	$(BIN)/python tests/fuzz.py --minutes $(MINUTES)

clean:
	rm -rf $(VENV) out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
