# What commands say of containers that are in no usual state: a line each.
. "$LIB"

bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
for name in paused stopped dead unserved damaged; do
  $RT run -d -b b $name </dev/null >out 2>&1
done
$RT pause paused
$RT kill stopped KILL
pid_of() { jq ".$2.pid" "state/$1/state.json"; }
kill -9 "$(pid_of dead sentry)" "$(pid_of unserved gofer)"
SENTRY=$(pid_of damaged sentry)
echo '{"id": "dam' > state/damaged/state.json
for name in stopped dead unserved; do until_true is $name stopped; done
# said COMMAND…: its line, or how many lines it prints
said() {
  local text
  if text=$($RT "$@" 2>err); then echo "$*: well"; else echo "$*: $(cat err)" | sed "s,$PWD/,,; s,: control character.*,," ; fi
}
for name in paused stopped dead unserved damaged absent; do
  for command in ps debug metrics "events --stats" pause checkpoint restore delete; do
    [ "$command" = delete ] && [ $name != paused ] && [ $name != damaged ] && [ $name != absent ] && continue
    said $command $name
  done
done
said exec paused true
said exec dead true
said kill unserved TERM
$RT list -q 2>err
grep -c 'not a container.s record' err
for name in paused stopped dead unserved damaged; do $RT delete --force $name 2>/dev/null; done
is_gone() { ! test -e "/proc/$SENTRY/fd/0"; }
until_true is_gone
$RT list -q
rmdir /sys/fs/cgroup/*/damaged 2>/dev/null
true
