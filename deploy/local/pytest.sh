# Sourced by `test` and `test_stack`: how pytest is called.

# One more than there are cores: every test waits for a server now and then.
jobs=${TEST_JOBS:-$(($(nproc 2>/dev/null || echo 2) + 1))}

# What the tests start, and they start Python a hundred times, compiles what no other has compiled before it.
unset PYTHONDONTWRITEBYTECODE

# stack_folder: in memory where 4 GB are free. The servers put every commit on the disk, each of them: a fifth of their work.
stack_folder() {
    free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
    if [ "${free:-0}" -gt 4000000 ]; then
        echo "/dev/shm/accounts-store-$(printf %s "$root" | cksum | cut -d " " -f 1)"
    else
        echo var/test/stack
    fi
}

# stack_tests [pytest's arguments]: run again on the servers of production what they change, in the place of this shell,
# so that nothing follows pytest's summary
stack_tests() {
    printf '[%s/%s] Running again on the servers of production what they change…\n' $((STEP + 1)) "$STEPS"
    exec python manage.py stack run --folder "$(stack_folder)" --port-base 0 --wipe -- \
        pytest -n "$jobs" -m "stack or production" "$@"
}
