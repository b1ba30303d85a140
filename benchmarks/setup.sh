#!/bin/bash
# Installs the peers that bench.py can compare with, below $PROCCTL_BENCH_HOME (s6: from Debian). Run again at will.
set -euo pipefail
home=${PROCCTL_BENCH_HOME:-${TMPDIR:-/tmp}/procctl-bench}
python=${PROCCTL_BENCH_PYTHON:-python3}
mkdir -p "$home/deb" "$home/venv"
chmod 755 "$home" "$home/deb"

venv() { # venv NAME PACKAGES...
  local v="$home/venv/$1"; shift
  [ -x "$v/bin/python" ] || "$python" -m venv "$v"
  "$v/bin/pip" install -q "$@"
}
venv supervisor supervisor 'setuptools<81'
venv circus circus
venv honcho honcho

if command -v npm >/dev/null && [ ! -d "$home/pm2/node_modules/pm2" ]; then
  mkdir -p "$home/pm2"
  (cd "$home/pm2" && npm init -y >/dev/null 2>&1 && npm install --silent --no-audit --no-fund pm2 >/dev/null)
fi

# runit is unpacked, not installed. s6 has to be installed (its programs name each other by absolute path); the
# package has tools only and starts nothing.
if ! command -v s6-svscan >/dev/null || [ ! -e "$home/deb/usr/bin/runsvdir" ]; then
  apt-get update -qq || true
  apt-get install -y -qq s6 >/dev/null
  (cd "$home/deb" && apt-get download -q runit && dpkg-deb -x runit_*.deb .)
fi

echo "supervisor $("$home/venv/supervisor/bin/supervisord" --version)"
"$home/venv/circus/bin/pip" list 2>/dev/null | grep -E '^(circus|pyzmq|tornado|psutil) '
echo "honcho $("$home/venv/honcho/bin/honcho" version)"
command -v node >/dev/null && echo "pm2 $(node -p "require('$home/pm2/node_modules/pm2/package.json').version") on node $(node --version)"
echo "s6 $(dpkg-query -W -f '${Version}' s6); runit $(ls "$home/deb" | sed -n 's/^runit_\([^_]*\)_.*/\1/p')"
