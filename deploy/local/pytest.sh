# Sourced by `test` and `test_stack`: how pytest is called.

# One more than there are cores: every test waits for a server now and then.
jobs=${TEST_JOBS:-$(($(nproc 2>/dev/null || echo 2) + 1))}

# What the tests start, and they start Python a hundred times, compiles what no other has compiled before it.
unset PYTHONDONTWRITEBYTECODE

# stack_tests [pytest's arguments]: run again on the servers of production what they change, in the place of this shell,
# so that nothing follows pytest's summary
stack_tests() {
    printf '[%s/%s] Running again on the servers of production what they change…\n' $((STEP + 1)) "$STEPS"
    exec python manage.py stack run --folder var/test/stack --port-base 0 --wipe -- \
        pytest -n "$jobs" -m "stack or production" "$@"
}
