# Creating, starting, ending and removing, and what each command says in each state.
. "$LIB"

bundle b '["sh", "-c", "exit 3"]'
say run $RT run -b b c1
say "run detached" $RT run -d -b b c1 </dev/null >/dev/null
until_true is c1 stopped
word $RT start c1
word $RT kill c1 TERM
say delete $RT delete c1
word $RT delete c1
say "delete of nothing by force" $RT delete --force c1
for command in state start kill delete pause resume ps; do word $RT $command c1; done

bundle b '["sh", "-c", "trap \"exit 7\" TERM; touch /tmp/ready; while :; do sleep 0.1; done"]' '.annotations = {"a.b": "c"}'
say adopt "$TESTKIT" adopt pid -- sh -c "
  $RT create -b b --pid-file pid c1 </dev/null >out 2>&1 || exit 1
  $RT state c1 | jq '[.ociVersion != null, .id, .status, (.bundle | endswith(\"/b\")), (.rootfs | endswith(\"/b/rootfs\")), .annotations]' -c >state.out
  [ \$($RT state c1 | jq .pid) = \$(cat pid) ] && echo same pid >>state.out
  $RT start c1
  $RT state c1 | jq .status >>state.out
  until $RT exec c1 test -e /tmp/ready; do sleep 0.1; done
  $RT kill c1 TERM"
cat state.out out
status c1
word $RT create -b b c1
say delete $RT delete c1

# a created container that is never started
$RT create -b b c2 </dev/null >out 2>&1
status c2
word $RT create -b b c2
say "delete of a created one" $RT delete c2
word $RT state c2

# a running one
$RT run -d -b b c3 </dev/null >out 2>&1
word $RT start c3
word $RT delete c3
say force $RT delete --force c3
word $RT state c3

# killed by a signal, before and after the start
say "killed" "$TESTKIT" adopt pid -- sh -c "$RT create -b b --pid-file pid c4 </dev/null >out 2>&1 && $RT kill c4 KILL"
status c4
$RT delete c4
say "killed" "$TESTKIT" adopt pid -- sh -c "$RT run -d -b b --pid-file pid c4 </dev/null >out 2>&1 && $RT kill c4 9"
$RT delete c4

# what cannot be run
bundle n '["nonexistent"]'
word $RT run -b n c5
word $RT create -b n c5
bundle n '["/etc/passwd"]'
word $RT run -b n c5
bundle n '["/nonexistent"]'
word $RT run -b n c5
word $RT state c5
$RT list -q
$RT list -f json | jq length
