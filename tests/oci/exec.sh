# Further processes.
. "$LIB"

bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
$RT run -d -b b c1 </dev/null >out 2>&1
say status $RT exec c1 sh -c 'echo out; echo err >&2; exit 5'
echo in | $RT exec c1 cat
say signal $RT exec c1 sh -c 'kill -KILL $$'
say flags $RT exec --cwd /tmp --env A=b --user 5:6 -g 7 -g 8 c1 sh -c 'pwd; echo $A $HOME; id -u; id -g; id -G'
say file $RT exec c1 sh -c 'echo x > /tmp/file; cat /tmp/file'
say caps $RT exec --cap CAP_CHOWN c1 grep -E 'CapEff|CapBnd' /proc/self/status
say "no program" $RT exec c1 nonexistent
word $RT exec c1 nonexistent
jq '.process | .args = ["sh", "-c", "echo from a file; exit 4"]' b/config.json > process.json
say process $RT exec --process "$PWD/process.json" c1
say detached "$TESTKIT" adopt pid -- $RT exec -d --pid-file pid c1 sh -c 'exit 6' </dev/null
say "killed by its number" "$TESTKIT" adopt pid -- sh -c "
  $RT exec -d --pid-file pid c1 sleep 1000 </dev/null && kill -KILL \$(cat pid)"
say "ended by its number" "$TESTKIT" adopt pid -- sh -c "
  $RT exec -d --pid-file pid c1 sh -c 'trap \"exit 9\" TERM; touch /tmp/up; while :; do sleep 0.1; done' </dev/null
  until $RT exec c1 test -e /tmp/up; do sleep 0.1; done
  kill -TERM \$(cat pid)"
say "with the container" "$TESTKIT" adopt pid -- sh -c "
  $RT exec -d --pid-file pid c1 sleep 1000 </dev/null && $RT kill c1 KILL"
until_true is c1 stopped
word $RT exec c1 true
word $RT exec nothing true
$RT delete c1
