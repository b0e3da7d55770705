# `dev help`. Sourced by ./dev.

dev_help() {
  cat <<'END'
./dev run            set up what is missing, build, start Hearth and play the tour
./dev test [AREA…]   set up, build and run every test (or: unit functional recovery security gateway conformance asan tsan lint stock)
./dev build [TARGET] build into $HEARTH_BUILD (build/)
./dev up | down      start Hearth on 127.0.0.1:$HEARTH_PORT (9120) | stop it and remove what it made
./dev bench NAME     start | warm | density | gateway | churn: numbers beside their floors and rivals
./dev fuzz [TARGET]  run the fuzz targets, 60 s each
./dev fmt | lint     format | clang-tidy, layer rule, format check
END
}
