# Sourced by the scripts beside it: where we are, numbered steps, and how to refuse.
set -eu

cd "$(dirname "$0")/../.."
root=$PWD
export PIP_DISABLE_PIP_VERSION_CHECK=1
STEP=${STEP:-0}

refuse() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# step "What happens" command…   prints "[2/7] What happens…" and how long it took
step() {
    title=$1
    shift
    STEP=$((STEP + 1))
    started=$(date +%s)
    printf '[%s/%s] %s…\n' "$STEP" "$STEPS" "$title"
    "$@" || refuse "$title failed; the lines above say why."
    seconds=$(($(date +%s) - started))
    [ "$seconds" -lt 1 ] || printf '      %s s\n' "$seconds"
}
