# Several containers at once.
. "$LIB"

bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
for i in $(seq 12); do (
  $RT run -d -b b c$i </dev/null >/dev/null 2>>stderr
  $RT exec c$i true || echo exec
  $RT kill c$i KILL
  until_true is c$i stopped
  $RT delete c$i || echo delete
) & done
wait
$RT list -q
