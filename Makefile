# The commands of this repository. Each one prepares what it needs and does nothing that is already done.

.PHONY: help run install test check format lock clean test-stack chaos drill bench-search bench-chat bench-sockets load rehearse-release rehearse-fleet

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

run: ## Start the store on this machine (PORT=8001 moves it, STACK=1 takes the servers of production); Ctrl-C stops it
	@deploy/local/run

install: ## Prepare this checkout to run in production: requirements, styles, translations (docs/operations/one-host.md)
	@deploy/local/install

test: ## Run every check and every test
	@deploy/local/test

test-stack: ## Run again on the servers of production what they change: the last step of `make test` by itself
	@deploy/local/test_stack

check: ## Run the checks that need no test: lint, format, imports, types, templates, migrations
	@deploy/local/check

format: ## Format the code and fix what the linter can fix
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

lock: ## Compile requirements/*.in to locks with hashes (UPGRADE=1 takes the newest versions)
	@deploy/local/lock

clean: ## Remove what was built; keep .venv and the data in var/
	@rm -rf accountsstore/static/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache var/static var/test
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name '*.mo' \) -print0 | xargs -0 rm -rf

chaos: ## Kill the servers of production in turn, under load, and prove that nothing was lost or doubled (ONLY=mongo,redis,jobs,worker,daphne)
	@deploy/local/chaos

drill: ## Destroy the servers of production under load, restore them from the backup, and say what was lost
	@deploy/local/drill

bench-search: ## Load a million listings and time each kind of search (LISTINGS=100000 loads fewer; STACK=1 on MongoDB)
	@deploy/local/bench_search

bench-chat: ## Load a conversation of a million messages and time its pages and searches (MESSAGES=100000 loads fewer; STACK=1 on MongoDB)
	@deploy/local/bench_chat

bench-sockets: ## Measure what a socket costs here, on Channels as it comes and on Socket.IO (PEOPLE=1000 sends fewer; PROFILE=realistic has them talk, PROFILE=churn come and go)
	@deploy/local/bench_sockets

load: ## Find how many people a store on this machine carries and what gives way; writes var/load/report.html (PEOPLE=100 plays so many)
	@deploy/local/load

rehearse-release: ## Replace two app hosts behind nginx, one after the other, while people use the store; print what they noticed (PEOPLE=100)
	@deploy/local/rehearse_release

rehearse-fleet: ## Trade and talk across two app hosts, kill one, start it again; prove that nothing was lost or doubled
	@deploy/local/rehearse_fleet
