# Tests: `dev test [AREA…]`. Sourced by ./dev. Every area runs whatever failed before it; the last line is the sum.

passed=0 failed=0 skipped=0

count() { # count LOG: adds what ctest or pytest closed with
  local line word n
  line=$(grep -E '^[=]* ?[0-9]+ (passed|failed|skipped|error)|tests passed, |no tests ran' "$1" | tail -n 1) || return 0 # an area that counts nothing
  case $line in
    *'tests passed, '*)
      n=$(sed -E 's/.* ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/' <<<"$line")
      failed=$((failed + ${n% *})) passed=$((passed + ${n#* } - ${n% *}))
      ;;
    *)
      for word in passed failed skipped error; do
        n=$(grep -oE "[0-9]+ $word" <<<"$line" | cut -d' ' -f1 || true)
        case $word in passed) passed=$((passed + ${n:-0})) ;; skipped) skipped=$((skipped + ${n:-0})) ;;
          *) failed=$((failed + ${n:-0})) ;; esac
      done
      ;;
  esac
}

run_area() { # run_area NAME COMMAND…: shows the output, counts it; an area that ends badly without a count is one failure
  local name=$1 log before=$failed
  shift
  log=$(mktemp)
  say "test: $name"
  local status=0
  "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
  count "$log"
  [ "$status" -eq 0 ] || [ "$failed" -gt "$before" ] || failed=$((failed + 1))
  rm -f "$log"
}

# Side by side: many wait most of their time. Those that use the same namespaces hold a lock (RESOURCE_LOCK).
unit_tests() { as_root ctest --test-dir "$1" --output-on-failure --parallel "$(nproc)"; }

python_tests() { # python_tests BUILD FOLDER…
  local build=$1
  shift
  as_root env HEARTH_BUILD="$PWD/$build" "$build/venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
}

# Not optimised: compiling is most of the time that the sanitizers' tests take.
# The sanitizers' builds share the Python environment of the plain one.
sanitized_build() { # sanitized_build DIR SANITIZERS
  configure "$1" -DHEARTH_SANITIZE="$2" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-g1 -DCMAKE_C_FLAGS_DEBUG=-g1
  ninja -C "$1" --quiet "${@:3}"
  ln -sfn "$PWD/$HEARTH_BUILD/venv" "$1/venv"
  ln -sfn "$PWD/$HEARTH_BUILD/runtime" "$1/runtime"
}

asan_build() { sanitized_build "$HEARTH_BUILD-asan" address,undefined; }

tsan_tests() {
  sanitized_build "$HEARTH_BUILD-tsan" thread hearth_base_test hearth_store_test hearth_runtime_test hearth_warden_client_test &&
    TSAN_OPTIONS="suppressions=$PWD/tools/dev/tsan.supp" ctest --test-dir "$HEARTH_BUILD-tsan" --output-on-failure -R '^(base|store|runtime|warden_client)$'
}

dev_test() {
  local area areas=("$@")
  # The gateway's tests are among the unit area's.
  [ ${#areas[@]} -gt 0 ] || areas=(unit layers conformance functional recovery security asan tsan)
  dev_setup
  say "building"
  dev_build
  for area in "${areas[@]}"; do
    case $area in
      unit) run_area unit unit_tests "$HEARTH_BUILD" ;;
      layers) run_area layers /usr/bin/python3 tools/lint/layers.py ;;
      gateway) run_area gateway as_root ctest --test-dir "$HEARTH_BUILD" --output-on-failure --no-tests=error -R '^gateway' ;;
      functional | recovery | security | conformance)
        run_area "$area" python_tests "$HEARTH_BUILD" "tests/$area" ;;
      asan)
        run_area "build with the address and undefined behaviour sanitizers" asan_build
        run_area "unit, sanitized" unit_tests "$HEARTH_BUILD-asan"
        run_area "functional, sanitized" python_tests "$HEARTH_BUILD-asan" tests/functional ;;
      tsan) run_area "thread sanitizer" tsan_tests ;;
      lint) run_area lint dev_lint ;;
      # Not among the ones that always run: some ten minutes, emulated. The burst is timed, which emulation is too slow for.
      stock) run_area "a stock kernel with cgroup v2" as_root tools/stock/run "$HEARTH_BUILD" tests/recovery tests/security \
          tests/functional/test_{functions,invoke,handler_errors,events,ec2,vpc_attach,custom_runtime}.py \
          --deselect tests/functional/test_invoke.py::test_a_burst_of_50_cold_starts \
          --deselect tests/functional/test_custom_runtime.py::test_awss_own_runtime_client ;;
      *) echo "dev: no test area '$area'" >&2; return 2 ;;
    esac
  done
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}
