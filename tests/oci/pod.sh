# A pod: containers in the namespaces of a first one, and with runsk in its sandbox.
. "$LIB"

SANDBOX='.annotations = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "pod"}'
bundle pause '["sh", "-c", "trap \"exit 0\" TERM; while :; do sleep 0.1; done"]' "$SANDBOX"
$RT run -d -b pause pod </dev/null >out 2>&1
PID=$($RT state pod | jq .pid)

# member DIR ARGS SHARED [MORE]: a bundle of a container that shares these namespaces with the pod
member() {
  bundle "$1" "$2" ".annotations = {\"io.kubernetes.cri.container-type\": \"container\",
      \"io.kubernetes.cri.sandbox-id\": \"pod\"}
    | .linux.namespaces |= map(if .type | IN($3) then .path = \"/proc/$PID/ns/\" + ({network: \"net\"}[.type] // .type) else . end)
    | ${4:-.}"
}
ALL='"network", "ipc", "uts"'

# two that see each other's loopback, and not each other's files and processes
mkdir -p www volume; echo "served by a" > www/file
VOLUME=".mounts += [{\"destination\": \"/volume\", \"type\": \"bind\", \"source\": \"$PWD/volume\", \"options\": [\"bind\"]}]"
member a '["sh", "-c", "httpd -f -p 127.0.0.1:8080 -h /www & trap \"exit 3\" TERM; touch /tmp/up; while :; do sleep 0.1; done"]' "$ALL" "$VOLUME"
cp -a www a/rootfs/www
say "create a" $RT create -b a --pid-file a.pid a </dev/null >out
status a
say "start a" $RT start a
member b '["sh", "-c", "echo $$; hostname; ls / | grep www; while :; do sleep 0.1; done"]' "$ALL" "$VOLUME"
$RT create -b b b </dev/null >b.out 2>stderr
$RT start b
until_true grep -q box b.out
cat b.out
until_true $RT exec b wget -qO- http://127.0.0.1:8080/file
$RT exec b wget -qO- http://127.0.0.1:8080/file
$RT exec b sh -c 'echo from b > /volume/note; ps -o comm | grep -c "^httpd"'
$RT exec a cat /volume/note
$RT exec a sh -c 'ps -o comm | grep -c "^httpd"'
say status $RT exec b sh -c 'exit 5'
$RT ps a 2>/dev/null | grep -q httpd && echo "a has it"
$RT ps b 2>/dev/null | grep -q httpd || echo "b has not"
$RT list -q

# what they share
for kind in net ipc uts pid mnt; do
  a=$($RT exec a readlink /proc/self/ns/$kind)
  b=$($RT exec b readlink /proc/self/ns/$kind)
  p=$($RT exec pod readlink /proc/self/ns/$kind)
  [ "$a" = "$b" ] && echo "$kind of a and b: the same" || echo "$kind of a and b: different"
  [ "$a" = "$p" ] && echo "$kind of a and pod: the same" || echo "$kind of a and pod: different"
done

# one with the pod's processes, and names of its own
member c '["sh", "-c", "hostname; sleep 1000 & while :; do sleep 0.1; done"]' '"network", "ipc", "pid"' '.hostname = "own"'
$RT create -b c c </dev/null >c.out 2>stderr
$RT start c
until_true grep -q own c.out
cat c.out
$RT exec pod hostname
$RT exec c sh -c 'ps -o args | grep -q "[e]xit 0" && echo seen'
$RT exec pod sh -c 'ps -o args | grep -q "[s]leep 1000" && echo seen'

# one alone stands still, the others go on
$RT pause a
status a; status b
$RT exec b true && echo "b runs"
word $RT exec a true
$RT resume a
status a

# what one may use of memory is its own affair: files in memory count, too
LIMITED='.linux.resources.memory.limit = 67108864'
member e '["sh", "-c", "touch /tmp/up; while :; do sleep 0.1; done"]' "$ALL" "$LIMITED"
$RT create -b e e </dev/null >out 2>&1
$RT start e
until_true $RT exec e test -e /tmp/up
say "too much" $RT exec e tail /dev/zero
say "too many files" $RT exec e sh -c 'dd if=/dev/zero of=/tmp/file bs=1M count=100; echo "dd: $?"; rm /tmp/file'
say "some again" $RT exec e dd if=/dev/zero of=/tmp/file bs=1M count=40
say "more allowed" $RT update --memory 134217728 e
say "many files" $RT exec e dd if=/dev/zero of=/tmp/file bs=1M count=90
say "no limit" $RT exec b sh -c 'head -c 200000000 /dev/zero > /tmp/file; stat -c %s /tmp/file; rm /tmp/file'
status b; status e
$RT delete --force e

# the end of one is not the end of the others
until_true $RT exec a test -e /tmp/up
say "kill a" $RT kill a TERM
until_true is a stopped
status b; status pod
word $RT exec a true
say "delete a" $RT delete a
say "again" "$TESTKIT" adopt a.pid -- sh -c "$RT create -b a --pid-file a.pid a </dev/null >out 2>&1 && $RT start a && until $RT exec a test -e /tmp/up; do sleep 0.1; done && $RT kill a TERM"
until_true is a stopped
$RT delete a
say "kill c" $RT kill c KILL
until_true is c stopped
$RT delete c
$RT delete --force b
$RT list -q

# the end of the first is the end of all
member d '["sh", "-c", "while :; do sleep 0.1; done"]' "$ALL, \"pid\""
$RT create -b d d </dev/null >out 2>&1
$RT start d
$RT kill pod TERM
until_true is pod stopped
until_true is d stopped
$RT delete d
$RT delete pod
