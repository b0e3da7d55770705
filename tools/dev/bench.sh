# Benchmarks: `dev bench NAME`. Each prints numbers of several runs beside their floors or rivals. Sourced by ./dev.

dev_bench() {
  [ $# -ge 1 ] && [ -x "bench/$1/run" ] || { echo "dev: benchmarks are: $(cd bench && ls */run 2>/dev/null | xargs -n1 dirname | paste -sd' ')" >&2; return 2; }
  dev_setup
  dev_build
  local name=$1
  shift
  as_root env HEARTH_BUILD="$PWD/$HEARTH_BUILD" "bench/$name/run" "$@"
}
