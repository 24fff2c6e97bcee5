# Sourced after steps.sh: what every command needs before it starts. Each part does nothing when its result is current,
# and returns what went wrong: the shell does not stop by itself inside `step … || refuse`.

# find_python: sets $python to a Python 3.11 or later
find_python() {
    for python in python3.11 python3 python3.12 python3.13; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    refuse "The store needs Python 3.11 or later, and none was found. On Debian 12: apt-get install python3.11 python3.11-venv"
}

writable_folder() {
    { mkdir -p var/static && touch var/.writable && rm var/.writable; } 2>/dev/null ||
        refuse "This folder cannot be written to: $root. Clone the repository where you may write, or change the folder's owner."
}

virtual_environment() {
    # A .venv that was moved, or whose Python went away, does not start: make it anew.
    # One without pip was interrupted.
    .venv/bin/python -c '' 2>/dev/null && [ -x .venv/bin/pip ] && return
    find_python
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        refuse "$python has no module venv or ensurepip. On Debian 12: apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    "$python" -m venv --clear .venv
}

# installed LOCK: has exactly this lock been installed into .venv?
installed() {
    [ "$(cksum <"requirements/$1.txt")" = "$(cat ".venv/installed-$1" 2>/dev/null)" ]
}

# requirements LOCK (base, dev)
requirements() {
    installed "$1" && return
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements/installer.txt || return 1
    # uv is about ten times as fast as pip. It does not read pip's configuration, so where packages come
    # from a mirror that only pip knows, pip does the work.
    .venv/bin/uv pip install --python .venv/bin/python --require-hashes -r "requirements/$1.txt" || {
        echo "uv could not install the requirements; trying pip, which takes a few minutes."
        .venv/bin/python -m pip install --require-hashes -r "requirements/$1.txt" || return 1
    }
    cksum <"requirements/$1.txt" >".venv/installed-$1"
}

local_settings() {
    .venv/bin/python deploy/local/dev_env.py var/dev.env
}

styles() {
    css=accountsstore/static/build/app.css
    # The build reads class names out of templates, scripts and Python: any newer one may bring a new class.
    if [ -f "$css" ] && [ -z "$(find accountsstore accounts uploads listings payments chat \
        -newer "$css" \( -name '*.html' -o -name '*.css' -o -name '*.js' -o -name '*.py' \) \
        ! -path '*/tests/*' ! -path "$css" -print | head -n 1)" ]; then
        return
    fi
    mkdir -p "$(dirname "$css")"
    # Written aside and moved: a running store never serves half a stylesheet, a failed build is not taken for a new one.
    .venv/bin/tailwindcss --input accountsstore/styles/app.css --output "$css.new" --minify >var/styles.log 2>&1 || {
        cat var/styles.log
        return 1
    }
    mv "$css.new" "$css"
}

translations() {
    # Babel instead of msgfmt: it comes with the requirements, gettext would have to be installed by root.
    find accountsstore accounts uploads listings payments chat -path '*/LC_MESSAGES/*.po' | while read -r po; do
        mo="${po%.po}.mo"
        if [ ! -f "$mo" ] || [ -n "$(find "$po" -newer "$mo")" ]; then
            .venv/bin/pybabel --quiet compile --input-file "$po" --output-file "$mo" || exit 1
        fi
    done
}

# prepare LOCK: the five steps that every command begins with
prepare() {
    writable_folder
    step "Making the Python environment" virtual_environment
    step "Installing the requirements ($1)" requirements "$1"
    step "Writing the local settings" local_settings
    step "Building the styles" styles
    step "Compiling the translations" translations
}
