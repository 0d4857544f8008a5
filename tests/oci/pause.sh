# Pause and resume.
. "$LIB"

bundle b '["sh", "-c", "while :; do echo >> /tmp/count; sleep 0.01; done"]'
$RT run -d -b b c1 </dev/null >out 2>&1
say pause $RT pause c1
status c1
word $RT exec c1 true
say "pause again" $RT pause c1 2>/dev/null
say resume $RT resume c1
status c1
before=$($RT exec c1 wc -c /tmp/count)
sleep 0.2
[ "$($RT exec c1 wc -c /tmp/count)" != "$before" ] && echo goes on
say pause $RT pause c1
say "delete of a paused one" $RT delete -f c1
word $RT state c1
