# Whatever arrives from a network: malformed frames, connections begun and left, and others
# that go on meanwhile. The sandbox stays, and so does its memory.
if [ -z "${APART-}" ]; then
  # addresses that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

make_inner_network

NETWORK='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/inner"'
bundle b '["sh", "-c", "httpd -f -p [::]:8080 -h / & wait"]' "$NETWORK"
head -c 300000 /dev/urandom > b/rootfs/file
SUM=$(sha256sum < b/rootfs/file)
fetch() { [ "$(timeout 30 "$BASE/bin/busybox" wget -qO- "http://$1:8080/file" 2>/dev/null | sha256sum)" = "$SUM" ]; }
$RT run -d -b b c1 </dev/null >out 2>&1
until_true fetch 10.9.0.2
PID=$($RT state c1 | jq .pid)

MAC=$(ip -n inner -j link show eth0 | jq -r '.[0].address')
for seed in 1 2; do
  python3 "${LIB%/oci/*}/fuzz/frames.py" outer "$MAC" 10.9.0.2 fd09::2 8080 $seed 60 20000 > frames.$seed &
  FUZZER=$!
  # A connection may meet a reset that somebody made up; then it is tried again.
  until_true fetch 10.9.0.2 && until_true fetch '[fd09::2]' && echo "meanwhile: the same"
  wait $FUZZER
done
until_true fetch 10.9.0.2 && until_true fetch '[fd09::2]' && echo "afterwards: the same"
# a thousand connections that are half open, and those that the web server has
[ "$(awk '/^RssAnon/ {print $2}' /proc/$PID/status)" -lt 150000 ] && echo "its memory is bounded"
status c1
$RT kill c1 KILL
until_true is c1 stopped
$RT delete c1
