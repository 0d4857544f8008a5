# Servers as people run them, and their clients: over the loopback, and from outside through an
# interface.
if [ -z "${APART-}" ]; then
  # addresses and rules that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

make_inner_network
RIGHTS='["CAP_AUDIT_WRITE","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_KILL","CAP_NET_BIND_SERVICE","CAP_SETGID","CAP_SETUID","CAP_SYS_CHROOT"]'
INNER='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/inner"'
PROCESS=".process |= (.capabilities = {bounding: $RIGHTS, effective: $RIGHTS, permitted: $RIGHTS}
 | .env[0] = \"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"
 | .rlimits = [{type: \"RLIMIT_NOFILE\", soft: 20000, hard: 20000}])"
mkdir -p scratch b/rootfs
mount -t tmpfs scratch scratch
mkdir scratch/upper scratch/work
mount -t overlay overlay -o "lowerdir=$SERVERS,upperdir=scratch/upper,workdir=scratch/work" b/rootfs
ROOT=$PWD/b/rootfs
# a program of that root, on the host
tool() { timeout 60 chroot "$ROOT" "$@" 2>>stderr; }

mkdir -p "$ROOT/srv/www"
head -c 20000000 /dev/urandom > "$ROOT/srv/www/big"
head -c 1000 /dev/urandom > "$ROOT/srv/www/small"
SUM=$(sha256sum < "$ROOT/srv/www/big")
cat > "$ROOT/srv/nginx.conf" <<'C'
daemon off; pid /tmp/nginx.pid; error_log stderr; worker_processes 2;
events { worker_connections 4000; }
http { access_log off; sendfile on; keepalive_requests 1000000;
 server { listen 8080 reuseport; root /srv/www; } }
C
cat > "$ROOT/srv/echo.py" <<'C'
import asyncio
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, '0.0.0.0', 7000, backlog=4096)
    await server.serve_forever()
asyncio.run(main())
C
cat > "$ROOT/srv/ask.py" <<'C'
import asyncio, sys
host, idle, active = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
async def talk(number):
    reader, writer = await asyncio.open_connection(host, 7000)
    for turn in range(10):
        said = bytes([number % 256, turn]) * (30 + number * 37 % 2000)
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
    writer.close()
async def main():
    held = []
    for _ in range(0, idle, 100):
        opening = (asyncio.open_connection(host, 7000) for _ in range(100))
        held += await asyncio.gather(*opening)
    await asyncio.gather(*map(talk, range(active)))
    for _, writer in held:
        writer.write(b'still here')
    alive = 0
    for reader, writer in held:
        alive += await reader.readexactly(10) == b'still here'
        writer.close()
    print(f'{active} active, {alive} idle')
asyncio.run(main())
C
cat > "$ROOT/srv/session.py" <<'C'
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b''
def size(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
def until(pattern):
    global seen
    end = time.time() + 20
    while not (found := re.search(pattern, seen)):
        if time.time() > end:
            sys.exit(f'never seen: {pattern} in {seen}')
        if select.select([fd], [], [], 1)[0]:
            seen += os.read(fd, 65536)
    seen = seen[found.end():]
    return found.group(0).decode()
def type_(text, *patterns):
    os.write(fd, text.encode())
    for pattern in patterns:
        print(until(pattern))
    until(b'READY ')
size(33, 99)
os.write(fd, b"PS1='REA''DY '\n")
until(b'READY ')
type_('stty size\n', rb'33 99')
size(40, 120)
os.kill(pid, signal.SIGWINCH)
type_('until [ "$(stty size)" != "33 99" ]; do sleep 0.1; done; stty size\n', rb'40 120')
os.write(fd, b'echo on; sleep 100\n')
until(rb'on\r\n')
time.sleep(0.5)
type_('\x1a', rb'Stopped')
type_('jobs\n', rb'\[1\]\+  Stopped')
type_('bg\n', rb'\[1\]\+ sleep 100 &')
os.write(fd, b'fg\n')
until(rb'sleep 100')
time.sleep(0.5)
type_('\x03')
type_('echo sta""tus $?\n', rb'status 130')
type_('seq 20000 | tail -1; echo do""ne\n', rb'20000\r\ndone')
os.write(fd, b'exit 5\n')
try:
    while os.read(fd, 1000):
        pass
except OSError:
    pass
print('exit', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
C
cat > "$ROOT/srv/serve.sh" <<'C'
exec 2>/tmp/stderr
nginx -c /srv/nginx.conf &
redis-server --protected-mode no --save '' >/dev/null &
python3 /srv/echo.py &
mkdir -p /run/sshd /root/.ssh /tmp/pg /run/postgresql
chmod 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /tmp/host
ssh-keygen -q -t ed25519 -N '' -f /tmp/key
cp /tmp/key.pub /root/.ssh/authorized_keys
: > /tmp/sshd_config
/usr/sbin/sshd -f /tmp/sshd_config -h /tmp/host -p 2222 -o UsePAM=no -o StrictModes=no
chown postgres /tmp/pg /run/postgresql
su postgres -c 'PATH=$PATH:/usr/lib/postgresql/15/bin
  initdb -D /tmp/pg -A trust >/dev/null
  echo host all all 0.0.0.0/0 trust >> /tmp/pg/pg_hba.conf
  pg_ctl -D /tmp/pg -w -l /tmp/pg.log -o "-c listen_addresses=*" start >/dev/null'
: > /tmp/ready
wait
C
cat > "$ROOT/srv/inside.sh" <<'C'
curl -s http://127.0.0.1:8080/big | sha256sum
ab -q -k -n 5000 -c 50 http://127.0.0.1:8080/small | grep -i 'complete requests\|failed requests'
wrk -t2 -c50 -d1 http://127.0.0.1:8080/small | grep -i 'errors\|non-2xx'
redis-benchmark -q -n 3000 -t ping,set,get,lpush | tr '\r' '\n' | grep -o '^.*requests per second' | sed 's/: .*//'
python3 /srv/ask.py 127.0.0.1 1000 100
SSH="ssh -q -i /tmp/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 2222 root@127.0.0.1"
$SSH 'echo without a terminal; exit 7'; echo "exit $?"
$SSH sha256sum < /srv/www/big
python3 /srv/session.py $SSH -tt bash --norc --noprofile
su postgres -c 'createdb bench
  pgbench -i -q bench 2>/dev/null
  pgbench -n -c 8 -j 2 -t 50 -h 127.0.0.1 bench | grep "processed\|failed"
  psql -At bench -c "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)"'
C

# from outside, whoever serves; PORTS at ADDRESS
outside() {
  tool curl -s "http://$1:8080/big" | sha256sum | grep -qxF "$SUM" && echo "from nginx: the same"
  tool ab -q -k -n 5000 -c 50 "http://$1:8080/small" | grep -i 'complete requests\|failed requests'
  tool ab -q -n 500 -c 10 "http://$1:8080/small" | grep -i 'complete requests\|failed requests'
  tool redis-benchmark -h "$1" -q -n 3000 -t set,get | tr '\r' '\n' | grep -o '^.*requests per second' | sed 's/: .*//'
  (ulimit -n 20000; tool python3 /srv/ask.py "$1" 1000 100)
}

bundle b '["bash", "/srv/serve.sh"]' "$INNER | $PROCESS"
$RT run -d -b b c1 </dev/null >out 2>&1
until_true $RT exec c1 test -e /tmp/ready
echo "== inside"
$RT exec c1 bash /srv/inside.sh 2>>stderr | sed "s/${SUM%% *}/the same/"
echo "== outside"
outside 10.9.0.2
tool pgbench -n -c 4 -t 20 -h 10.9.0.2 -U postgres bench | grep 'processed\|failed'
$RT kill c1 KILL
until_true is c1 stopped
$RT delete c1
