# Sourced by `test`: what tests need from Debian, a browser, nginx, Prometheus, shellcheck and docker-compose. Root gets it
# installed; everybody else is told.

missing_packages() {
    command -v chromium-headless-shell >/dev/null || echo chromium-headless-shell
    # Without it, Arabic in the screenshots would be a row of boxes wherever the page's own font does not apply.
    [ -d /usr/share/fonts/truetype/noto ] || echo fonts-noto-core
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || echo nginx
    command -v shellcheck >/dev/null || echo shellcheck
    command -v promtool >/dev/null || echo prometheus
    command -v docker-compose >/dev/null || echo docker-compose
}

# packages: sets $left_out to the pytest marker expression that leaves out what cannot run here
packages() {
    left_out=
    missing=$(missing_packages | tr '\n' ' ')
    if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "      installing $missing"
        # Debian starts servers that it installs, nginx on port 80. Policy 101 leaves that to whoever wants them.
        policy=/usr/sbin/policy-rc.d
        if [ -e "$policy" ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; fi
        # shellcheck disable=SC2086  # one word per package
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $missing; } \
            >var/packages.log 2>&1 && installed=true || installed=
        [ -z "$policy" ] || rm -f "$policy"
        [ -n "$installed" ] || { cat var/packages.log; return 1; }
        missing=$(missing_packages | tr '\n' ' ')
    fi
    [ -n "$missing" ] || return 0
    echo "      Missing Debian packages: $missing(as root: apt-get install $missing)"
    # Chromium itself does as well, at three times the work.
    command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || {
        echo "      Left out: the browser tests (marked \"browser\")."
        left_out="not browser"
    }
    case "$missing" in *nginx*) echo "      Left out: the tests of nginx." ;; esac
    case "$missing" in *docker-compose*) echo "      Left out: the check of the compose file." ;; esac
    case "$missing" in *shellcheck*) echo "      Left out: linting the shell scripts." ;; esac
    [ "${CI:-}" != true ] || refuse "CI=true: a run that leaves tests out does not count. Install: $missing"
}
