# Several commands at once, for one name: one of them succeeds. With runc it happens that none
# does.
. "$LIB"

bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
for i in $(seq 8); do $RT create -b b same </dev/null >/dev/null 2>>stderr && echo won >> wins & done
wait
cat wins
for i in $(seq 8); do $RT start same 2>>stderr && echo started >> starts & done
wait
cat starts
status same
for i in $(seq 8); do $RT delete -f same 2>>stderr & done
wait
word $RT state same
$RT list -q
