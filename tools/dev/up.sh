# Starting and stopping Hearth from this tree: `dev up`, `dev down`. Sourced by ./dev.
# runit's supervisor restarts what dies; on a machine with systemd an installation uses packaging/ instead.

default_state() { if [ "$(id -u)" = 0 ]; then echo /var/lib/hearth; else echo "$HOME/.local/share/hearth"; fi; }

export HEARTH_STATE=${HEARTH_STATE:-$(default_state)}
export HEARTH_PORT=${HEARTH_PORT:-9120}

supervisor_pid() { # of the runsvdir that `dev up` started; empty when it does not run
  local pid
  pid=$(as_root cat "$HEARTH_STATE/supervisor.pid" 2>/dev/null) || return 0
  [ "$(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null)" = "runsvdir -P $HEARTH_STATE/service " ] && echo "$pid" || true
}

write_service() { # write_service NAME PROGRAM: a runit service folder
  local dir=$HEARTH_STATE/service/$1
  as_root mkdir -p "$dir/log" "$HEARTH_STATE/log/$1"
  { echo '#!/bin/sh'; env | grep -E '^HEARTH_[A-Z_]+=' | grep -vE '^HEARTH_(BUILD|DATA)=' |
      sed "s/'/'\\\\''/g; s/=\(.*\)/='\1'/; s/^/export /"; echo 'exec 2>&1'; echo "exec $PWD/$HEARTH_BUILD/bin/$2"; } |
    as_root tee "$dir/run" >/dev/null
  printf '#!/bin/sh\nexec svlogd %s\n' "$HEARTH_STATE/log/$1" | as_root tee "$dir/log/run" >/dev/null
  as_root chmod 755 "$dir/run" "$dir/log/run"
}

wait_for_health() {
  local try
  for try in $(seq 200); do
    curl -sf -o /dev/null "http://127.0.0.1:$HEARTH_PORT/_hearth/health" && return
    sleep 0.1
  done
  echo "dev: Hearth does not answer on 127.0.0.1:$HEARTH_PORT; its log:" >&2
  as_root tail -n 20 "$HEARTH_STATE"/log/*/current >&2
  return 1
}

wait_for_end() { # wait_for_end SERVICE: until its runsv is gone, twenty seconds at most
  local try
  for try in $(seq 400); do
    as_root sv status "$1" >/dev/null 2>&1 || return 0
    sleep 0.05
  done
  echo "dev: runsv of $1 does not end" >&2
  return 1
}

dev_up() {
  [ -x "$HEARTH_BUILD/bin/hearthd" ] || { dev_setup; dev_build; }
  if [ -n "$(supervisor_pid)" ]; then
    say "Hearth runs already"
  else
    write_service hearth-warden hearth-warden
    write_service hearthd hearthd
    as_root sh -c 'setsid runsvdir -P "$1/service" </dev/null >/dev/null 2>&1 & echo $! > "$1/supervisor.pid"' sh "$HEARTH_STATE"
  fi
  wait_for_health
  say "Hearth listens on http://127.0.0.1:$HEARTH_PORT (state in $HEARTH_STATE; ./dev down stops it)"
}

dev_down() {
  local pid service
  pid=$(supervisor_pid)
  [ -z "$pid" ] || as_root sv -w 20 force-stop "$HEARTH_STATE"/service/{hearthd,hearth-warden} >/dev/null || true
  # Gateways outlive the warden and hold its log open: they end before its logger can.
  [ ! -x "$HEARTH_BUILD/bin/hearth-warden" ] || as_root "$HEARTH_BUILD/bin/hearth-warden" purge
  if [ -n "$pid" ]; then
    as_root kill -HUP "$pid" # runsvdir ends its runsv processes and itself
    for service in "$HEARTH_STATE"/service/{hearthd,hearth-warden}; do wait_for_end "$service"; done
  fi
  as_root rm -rf "$HEARTH_STATE/supervisor.pid" "$HEARTH_STATE/service"
  say "Hearth is stopped; its state stays in $HEARTH_STATE"
}

dev_run() {
  dev_setup
  say "building (some minutes the first time)"
  dev_build
  dev_up
  as_root "$HEARTH_BUILD/venv/bin/python" tools/tour/tour.py
}
