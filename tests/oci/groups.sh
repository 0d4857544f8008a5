# Groups and fragments: a program inside listens to groups, and says so by IGMP and MLD; packets
# of IPv6 that do not fit a frame go out and come in.
if [ -z "${APART-}" ]; then
  # addresses that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

make_inner_network

cat > inside.py <<'P'
import socket, struct, sys, time
LINK = socket.if_nametoindex('eth0')
G4, G6 = '239.1.2.3', 'ff05::123'
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.bind(('0.0.0.0', 7000))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
six.bind(('::', 7000))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL
other.bind(('0.0.0.0', 7001))
join4 = struct.pack('4s4si', socket.inet_aton(G4), bytes(4), LINK)
join6 = socket.inet_pton(socket.AF_INET6, G6) + struct.pack('i', LINK)
four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, join4)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, join6)
for s in (four, six, other):
    s.settimeout(10)
open('/share/ready', 'w').close()
for s in (four, six):
    data, who = s.recvfrom(65536)
    print(len(data), data[:5], who[0])
# fragments, both ways
data, who = six.recvfrom(65536)
print(len(data), who[0], 'whole' if data == bytes(i % 251 for i in range(len(data))) else 'broken')
six.sendto(data, who)
data, who = six.recvfrom(65536)
print(len(data), data[:4])
four.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, join4)
six.close()
time.sleep(1)
open('/share/left', 'w').close()
other.settimeout(1)
try:
    print(other.recv(100))
except TimeoutError:
    print('nothing for who did not join')
four.settimeout(1)
try:
    print(four.recv(100))
except TimeoutError:
    print('nothing for who has left')
P
cat > outside.py <<'P'
import os, socket, struct, sys, threading, time
G4, G6 = '239.1.2.3', 'ff05::123'
LINK = socket.if_nametoindex('outer')
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(('outer', 0))
told = []
def listen():
    seen = set()
    while True:
        frame = wire.recv(2000)
        if wire_kind(frame) and wire_kind(frame) not in seen:
            seen.add(wire_kind(frame))
            told.append(wire_kind(frame))
def wire_kind(frame):
    kind = frame[12:14]
    if kind == b'\x08\0' and frame[23] == 2 and frame[:6] == b'\1\0\x5e\0\0\x16':
        body = frame[14 + (frame[14] & 15) * 4:]
        if body[0] == 0x22 and body[12:16] == socket.inet_aton(G4):
            return 'IGMP', body[8], frame[22]
    if kind == b'\x86\xdd' and frame[20] == 0 and frame[54] == 58 and frame[62] == 143:
        if frame[74:90] == socket.inet_pton(socket.AF_INET6, G6):
            return 'MLD', frame[70], frame[21]
threading.Thread(target=listen, daemon=True).start()
open('listening', 'w').close()
def until(path):
    for _ in range(600):
        if os.path.exists(path): return
        time.sleep(.05)
    print('never', path)
until('share/ready')
time.sleep(1)
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack('4s4si', bytes(4), bytes(4), LINK))
four.bind(('10.9.0.1', 0))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, LINK)
six.bind(('fd09::1', 0))
six.settimeout(10)
four.sendto(b'to four', (G4, 7000))
four.sendto(b'to nobody', (G4, 7001))
six.sendto(b'to six', (G6, 7000))
large = bytes(i % 251 for i in range(40000))
six.sendto(large, ('fd09::2', 7000))
print('back:', six.recv(65536) == large)
six.sendto(b'last', ('fd09::2', 7000))
until('share/left')
four.sendto(b'to four again', (G4, 7000))
time.sleep(1)
for line in sorted(told): print(*line)
P
mkdir -p share
CAPS='.process.capabilities |= map_values(. + ["CAP_NET_RAW", "CAP_NET_BIND_SERVICE"])'
HOST='.mounts += ([["/usr", "/usr"], ["'$PWD/share'", "/share"], ["'$PWD/inside.py'", "/inside.py"]]
 | map({destination: .[1], type: "bind", source: .[0], options: ["rbind"]}))'
NETWORK='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/inner"'
bundle b '["/usr/bin/python3", "/inside.py"]' "$NETWORK | $CAPS | $HOST"
for name in lib lib64; do ln -sfn usr/$name b/rootfs/$name; done
python3 outside.py > outside.out &
OUTSIDE=$!
until_true test -e listening
$RT run -b b c1 2>>stderr
wait $OUTSIDE
cat outside.out

# pings that do not fit a frame
bundle b '["sh", "-c", "touch /share/again; sleep 1000"]' "$NETWORK | $CAPS | $HOST"
$RT run -d -b b c2 </dev/null >out 2>&1
until_true test -e share/again
for to in 10.9.0.2 fd09::2; do
  until_true "$BASE/bin/busybox" ping -c 1 -W 5 -s 9000 $to
  "$BASE/bin/busybox" ping -c 1 -W 5 -s 9000 $to | grep -o '1 packets received'
done
$RT kill c2 KILL
until_true is c2 stopped
$RT delete c2
