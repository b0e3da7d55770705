# Building: `dev build [TARGET…]`, into $HEARTH_BUILD (default build/). Sourced by ./dev.

# Build folders and clones share the compiler's cache: where a tree lies is not part of what is compiled.
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$PWD CCACHE_SLOPPINESS=pch_defines,time_macros

configure() { # configure DIR [cmake options…]
  local dir=$1
  shift
  [ -f "$dir/build.ninja" ] && [ $# -eq 0 ] && return
  local launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake -S . -B "$dir" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 "${launcher[@]}" "$@" >/dev/null
}

dev_build() {
  configure "$HEARTH_BUILD"
  ninja -C "$HEARTH_BUILD" --quiet "$@"
  # Of a whole build, where `./dev setup` has brought the machines' kernel.
  [ $# -gt 0 ] || [ ! -f "$HEARTH_BUILD/gateway-image/modules/order" ] || ninja -C "$HEARTH_BUILD" --quiet hearth_gateway_image
}
