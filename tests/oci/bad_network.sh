# Two hosts with a bad link between them: delay, frames that are lost, frames that overtake
# others. What is sent arrives whole, both ways.
if [ -z "${APART-}" ]; then
  # addresses that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

mkdir -p /run/netns
mount -t tmpfs netns /run/netns
ip link set lo up
for name in left right; do
  ip netns add $name
  ip -n $name link set lo up
  ip link add $name type veth peer name eth0 netns $name
  # one segment in each frame, as on a wire
  ip link set $name gso_max_segs 1
  ip -n $name link set eth0 gso_max_segs 1
  ip link set $name up
  ip -n $name link set eth0 up
done
ip -n left address add 10.8.0.1/24 dev eth0
ip -n right address add 10.8.0.2/24 dev eth0
python3 "${LIB%/*}/bad_link.py" left right 3 0.005 0.02 > link 2>>stderr &
until_true grep ready link

in_namespace() { echo "(.linux.namespaces[] | select(.type == \"network\")).path = \"/run/netns/$1\""; }
mkdir -p www
# text, as wget posts nothing else
base64 -w 0 /dev/urandom | head -c 1500000 > www/file
SUM=$(sha256sum < www/file)
bundle left '["httpd", "-f", "-p", "8000", "-h", "/"]' "$(in_namespace left)"
cp www/file left/rootfs/file
mkdir left/rootfs/cgi-bin
printf '#!/bin/sh\necho\nhead -c $CONTENT_LENGTH | sha256sum\n' > left/rootfs/cgi-bin/sum
chmod +x left/rootfs/cgi-bin/sum
$RT run -d -b left c1 </dev/null >out 2>&1
native() { timeout 60 ip netns exec right "$BASE/bin/busybox" "$@"; }
until_true native wget -qO /dev/null http://10.8.0.1:8000/cgi-bin/sum

for turn in 1 2; do
  [ "$(native wget -qO- http://10.8.0.1:8000/file | sha256sum)" = "$SUM" ] && echo "to the host: the same"
  [ "$(native wget -qO- --post-file www/file http://10.8.0.1:8000/cgi-bin/sum)" = "$SUM" ] && echo "from the host: the same"
done
bundle right '["sh", "-c", "wget -qO /tmp/file http://10.8.0.1:8000/file; sha256sum < /tmp/file; wget -qO- --post-file /tmp/file http://10.8.0.1:8000/cgi-bin/sum"]' "$(in_namespace right)"
got=$($RT run -b right c2 2>>stderr)
[ "$got" = "$SUM"$'\n'"$SUM" ] && echo "to and from another container: the same"
$RT kill c1 KILL
until_true is c1 stopped
$RT delete c1
kill %1
