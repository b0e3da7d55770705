# Fuzzing: `dev fuzz [TARGET…]`, 60 s each ($HEARTH_FUZZ_SECONDS). Sourced by ./dev.

dev_fuzz() {
  local dir=$HEARTH_BUILD-fuzz target
  dev_setup
  configure "$dir" -DHEARTH_FUZZ=ON -DHEARTH_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1
  local targets=("$@")
  [ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls fuzz/*.cc | xargs -n1 basename -s .cc)
  for target in "${targets[@]}"; do
    ninja -C "$dir" --quiet "fuzz_$target"
    mkdir -p "$dir/corpus/$target"
    say "fuzz: $target"
    "$dir/bin/fuzz_$target" -max_total_time="${HEARTH_FUZZ_SECONDS:-60}" -rss_limit_mb=4096 -print_final_stats=1 "$dir/corpus/$target" 2>&1 |
      grep -E 'stat::number_of_executed_units|stat::new_units|ERROR|SUMMARY|Done' || return 1
  done
}
