# make mutants: seeded bugs, each of which a test must notice.  Included by the Makefile, whose
# variables and `status` it uses.  MUTANTS= narrows it: --unit-only, --only NAME, --list.
MUTANTS ?=

.PHONY: mutants
mutants: tools-run tools-check
	@$(PYTHON) tests/mutants/run.py $(MUTANTS); $(status)
