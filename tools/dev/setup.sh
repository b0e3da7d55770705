# What a fresh Debian 12 lacks: packages, a Python environment for tests, the daemon's user. Sourced by ./dev.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

setup_packages() {
  local missing=() package
  while read -r package; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done < <(sed 's/#.*//' tools/dev/packages.txt | grep -v '^\s*$')
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get -qq update
  # Servers that tests start for themselves must not be started by their installation.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# One environment for clients and tests, one folder of what functions find beside the language (boto3).
setup_python() {
  local wanted
  wanted=$(cat tools/dev/requirements.txt tools/dev/runtime-requirements.txt | sha256sum)
  [ "$(cat "$HEARTH_BUILD/python.stamp" 2>/dev/null)" = "$wanted" ] && return
  say "installing Python packages for clients, tests and functions"
  mkdir -p "$HEARTH_BUILD"
  /usr/bin/python3 -m venv "$HEARTH_BUILD/venv"
  "$HEARTH_BUILD/venv/bin/pip" -q --disable-pip-version-check install -r tools/dev/requirements.txt
  rm -rf "$HEARTH_BUILD/runtime/python3.11"
  "$HEARTH_BUILD/venv/bin/pip" -q --disable-pip-version-check install --no-compile \
    --target "$HEARTH_BUILD/runtime/python3.11" -r tools/dev/runtime-requirements.txt
  "$HEARTH_BUILD/venv/bin/python" -m compileall -q "$HEARTH_BUILD/runtime/python3.11"
  echo "$wanted" > "$HEARTH_BUILD/python.stamp"
}

# The kernel of gateways' machines, unpacked; without it gateways are hosted in namespaces.
setup_gateway_image() {
  [ -f "$HEARTH_BUILD/gateway-image/version" ] && return
  say "unpacking Debian's cloud kernel for gateways' machines"
  tools/gateway-image kernel "$HEARTH_BUILD/gateway-image" ||
    say "no kernel for gateways' machines: they are hosted in namespaces, and tests of machines are skipped"
}

setup_user() {
  id -u hearth >/dev/null 2>&1 || as_root useradd --system --no-create-home --shell /usr/sbin/nologin hearth
}

dev_setup() {
  setup_packages
  setup_python
  setup_gateway_image
  setup_user
}
