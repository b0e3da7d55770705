# Format and lint: `dev fmt`, `dev lint`. Sourced by ./dev.

c_files() { git ls-files '*.cc' '*.h' '*.c'; }

dev_fmt() { c_files | xargs clang-format-19 -i; }

dev_lint() {
  local failed=0
  c_files | xargs clang-format-19 --dry-run -Werror || failed=1
  /usr/bin/python3 tools/lint/layers.py || failed=1
  bash -n dev tools/dev/*.sh || failed=1
  configure "$HEARTH_BUILD"
  git ls-files 'src/*.cc' | xargs -P 2 -n 4 clang-tidy-19 --quiet -p "$HEARTH_BUILD" --warnings-as-errors='*' || failed=1
  return $failed
}
