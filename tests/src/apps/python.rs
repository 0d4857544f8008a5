//! Python: its runtime leans on nearly every corner of the system-call interface.

use crate::case::Case;

pub(super) const ROWS: &[Case] = &[
    Case::python("python/hello", "import sys, platform; print('hello', sys.argv, sys.version_info[:2], platform.machine(), sys.stdin.isatty())"),
    Case::python("python/threads", r#"
import threading, queue, time
total = 0; lock = threading.Lock(); q = queue.Queue(maxsize=3)
def add():
    global total
    for _ in range(20000):
        with lock: total += 1
ts = [threading.Thread(target=add) for _ in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]; print(total)
def producer():
    for i in range(500): q.put(i)
    q.put(None)
t = threading.Thread(target=producer); t.start(); s = 0
while (x := q.get()) is not None: s += x
t.join(); print(s)
e = threading.Event(); print(e.wait(0.05)); threading.Timer(0.05, e.set).start(); print(e.wait(5))
b = threading.Barrier(4); got = []
def meet(): got.append(b.wait())
ts = [threading.Thread(target=meet) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(sorted(got))
c = threading.Condition(); sem = threading.Semaphore(2); print(sem.acquire(timeout=.01), sem.acquire(timeout=.01), sem.acquire(timeout=.01))
loc = threading.local(); loc.x = 1; r = []; t = threading.Thread(target=lambda: r.append(hasattr(loc, 'x'))); t.start(); t.join(); print(r)
print(threading.active_count(), threading.get_native_id() == __import__('os').getpid())
"#),
    Case::python("python/many-threads", r#"
import threading, os
stop = threading.Event()
ts = [threading.Thread(target=stop.wait) for _ in range(100)]; [t.start() for t in ts]
print(len(os.listdir('/proc/self/task'))); stop.set(); [t.join() for t in ts]; print(threading.active_count())
for _ in range(300):
    t = threading.Thread(target=lambda: None); t.start(); t.join()
print('done')
"#),
    Case::python("python/futures", r#"
from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor, as_completed
import os
def f(n): return sum(i * i for i in range(n))
if __name__ == '__main__':
    with ThreadPoolExecutor(4) as p: print(sum(p.map(f, range(200))))
    with ProcessPoolExecutor(3) as p: print(sum(p.map(f, range(200), chunksize=10)))
    with ProcessPoolExecutor(2) as p:
        fs = [p.submit(pow, 2, i) for i in range(10)]; print(sorted(x.result() for x in as_completed(fs)))
        try: p.submit(int, 'x').result()
        except ValueError as e: print(e)
"#),
    Case::python("python/subprocess", r#"
import subprocess as s, sys, os, signal, time
print(s.run(['echo', 'hi'], capture_output=True, text=True).stdout.strip())
print(s.run('cat; exit 3', shell=True, input=b'x' * 200000, stdout=s.PIPE).returncode)
p = s.Popen(['cat'], stdin=s.PIPE, stdout=s.PIPE); out, _ = p.communicate(b'y' * 1000000); print(len(out), p.returncode)
try: s.run(['nosuchprogram'])
except FileNotFoundError as e: print(e)
try: s.run(['/etc/passwd'])
except PermissionError as e: print(e)
try: s.run(['sleep', '10'], timeout=0.2)
except s.TimeoutExpired: print('timeout')
try: s.check_call(['false'])
except s.CalledProcessError as e: print(e.returncode)
p = s.Popen(['sleep', '100']); p.terminate(); print(p.wait()); p = s.Popen(['sleep', '100']); p.kill(); print(p.wait())
p = s.Popen(['sh', '-c', 'kill -STOP $$; exit 5']); time.sleep(.2); print(p.poll()); p.send_signal(signal.SIGCONT); print(p.wait())
print(s.run(['env'], env={'A': '1'}, capture_output=True, text=True).stdout.strip(), s.run(['pwd'], cwd='/usr', capture_output=True, text=True).stdout.strip())
print(s.run(['ps', '-o', 'sid=', '-p', str(os.getpid())], capture_output=True, start_new_session=True).returncode)
a = s.Popen(['seq', '1000'], stdout=s.PIPE); b = s.Popen(['tail', '-1'], stdin=a.stdout, stdout=s.PIPE); a.stdout.close(); print(b.communicate()[0])
r, w = os.pipe(); print(s.run(['sh', '-c', f'echo through >&{w}'], pass_fds=[w]).returncode, os.read(r, 100))
print(s.run(['sh', '-c', 'echo e >&2; echo o'], stdout=s.PIPE, stderr=s.STDOUT).stdout, s.getoutput('echo x'), s.getstatusoutput('exit 4'))
print(s.run(['id', '-u'], user=1234, group=1234, extra_groups=[5], capture_output=True).stdout, s.run(['sh', '-c', 'umask'], umask=0o27, capture_output=True).stdout)
print(sum(s.run(['true']).returncode for _ in range(100)))
"#),
    Case::python("python/asyncio", r#"
import asyncio, os, socket, signal
async def tick(n, log):
    for i in range(3): await asyncio.sleep(0.03 * n); log.append((n, i))
async def main():
    log = []; await asyncio.gather(*(tick(n, log) for n in (1, 10))); print(log)
    p = await asyncio.create_subprocess_exec('sh', '-c', 'cat; exit 7', stdin=-1, stdout=-1)
    out, _ = await p.communicate(b'data' * 10000); print(len(out), p.returncode)
    async def serve(r, w):
        while line := await r.readline(): w.write(line.upper()); await w.drain()
        w.close()
    srv = await asyncio.start_unix_server(serve, '/tmp/s')
    async def client(i):
        r, w = await asyncio.open_unix_connection('/tmp/s'); w.write(f'hello {i}\n'.encode()); x = await r.readline(); w.close(); return x
    print(await asyncio.gather(*(client(i) for i in range(20)))); srv.close()
    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError: print('timeout')
    loop = asyncio.get_running_loop(); fut = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: fut.set_result('signalled')); os.kill(os.getpid(), signal.SIGUSR1); print(await fut)
    print(await loop.run_in_executor(None, sum, range(1000)), await asyncio.to_thread(len, 'abc'))
    q = asyncio.Queue(2)
    async def prod():
        for i in range(50): await q.put(i)
        await q.put(None)
    t = asyncio.create_task(prod()); s = 0
    while (x := await q.get()) is not None: s += x
    print(s); r, w = os.pipe(); fut = loop.create_future(); loop.add_reader(r, lambda: fut.set_result(os.read(r, 10))); loop.call_later(.02, os.write, w, b'ping'); print(await fut)
    ps = [await asyncio.create_subprocess_shell(f'exit {i}') for i in range(10)]; print([await p.wait() for p in ps])
asyncio.run(main())
"#),
    Case::python("python/asyncio-tcp", r#"
import asyncio
async def main():
    async def serve(r, w):
        data = await r.read(-1) ; w.write(str(len(data)).encode()); await w.drain(); w.close()
    srv = await asyncio.start_server(serve, '127.0.0.1', 0); port = srv.sockets[0].getsockname()[1]
    async def client(n):
        r, w = await asyncio.open_connection('127.0.0.1', port); w.write(b'z' * n); await w.drain(); w.write_eof(); x = await r.read(); w.close(); return x
    print(await asyncio.gather(*(client(n) for n in (0, 1, 1000, 300000))))
    srv.close()
asyncio.run(main())
"#),
    Case::python("python/sqlite", r#"
import sqlite3, os, threading
for mode in ('DELETE', 'WAL', 'TRUNCATE', 'MEMORY'):
    f = f'/srv/{mode}.db'; c = sqlite3.connect(f); print(c.execute(f'PRAGMA journal_mode={mode}').fetchone())
    c.execute('create table t(a integer primary key, b text)'); c.executemany('insert into t(b) values(?)', ((f'row {i}',) for i in range(5000))); c.commit()
    d = sqlite3.connect(f); print(d.execute('select count(*), max(b) from t').fetchone())
    c.execute('delete from t where a % 2'); c.rollback(); print(d.execute('select count(*) from t').fetchone(), c.execute('pragma integrity_check').fetchone()); c.close(); d.close()
c = sqlite3.connect('/srv/l.db', timeout=0.1); c.execute('create table t(x)'); c.commit(); c.execute('begin exclusive')
d = sqlite3.connect('/srv/l.db', timeout=0.1)
try: d.execute('insert into t values(1)')
except sqlite3.OperationalError as e: print(e)
c.commit(); d.execute('insert into t values(1)'); d.commit(); print(c.execute('select * from t').fetchall())
def work(i):
    k = sqlite3.connect('/srv/l.db', timeout=30)
    for j in range(20): k.execute('insert into t values(?)', (i * 100 + j,)); k.commit()
    k.close()
ts = [threading.Thread(target=work, args=(i,)) for i in range(3)]; [t.start() for t in ts]; [t.join() for t in ts]; print(c.execute('select count(*), sum(x) from t').fetchone())
print(sorted(os.listdir('/srv')))
"#),
    Case::python("python/mmap", r#"
import mmap, os
f = open('/srv/m', 'w+b'); f.truncate(100000); m = mmap.mmap(f.fileno(), 100000)
m[0:5] = b'hello'; m[99990:99995] = b'world'; m.flush(); print(os.pread(f.fileno(), 5, 0), os.pread(f.fileno(), 5, 99990))
os.pwrite(f.fileno(), b'FILE', 5000); print(m[5000:5004], m.find(b'world'))
p = mmap.mmap(f.fileno(), 100000, access=mmap.ACCESS_COPY); p[0:5] = b'copy!'; print(m[0:5], p[0:5]); r = mmap.mmap(f.fileno(), 4096, access=mmap.ACCESS_READ)
try: r[0] = 1
except TypeError as e: print(e)
m.resize(200000); m[199999] = 7; print(len(m), os.stat('/srv/m').st_size); m.move(10, 0, 5); print(m[10:15])
a = mmap.mmap(-1, 8192)
if os.fork() == 0: a[0:4] = b'kid!'; os._exit(0)
os.wait(); print(a[0:4]); q = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if os.fork() == 0: q[0:4] = b'kid!'; os._exit(0)
os.wait(); print(q[0:4]); a.madvise(mmap.MADV_DONTNEED); print(a[0:4]); q[0:1] = b'x'; q.madvise(mmap.MADV_DONTNEED); print(q[0:4])
try: mmap.mmap(f.fileno(), 4096, offset=100)
except OSError as e: print(e)
try: mmap.mmap(f.fileno(), 4096 * 100)
except ValueError as e: print(e)
"#),
    Case::python("python/multiprocessing", r#"
import multiprocessing as mp, os
from multiprocessing import shared_memory
def sq(x): return x * x
def put(q, n): q.put(n * 2)
def add(v, a):
    for _ in range(200):
        with v.get_lock(): v.value += 1
    a[1] = 5.5
def child(c): c.send(c.recv() + 1); c.close()
def die(): os.kill(os.getpid(), 9)
def wr(name):
    s = shared_memory.SharedMemory(name); s.buf[0:3] = b'abc'; s.close()
if __name__ == '__main__':
    for method in ('fork', 'spawn', 'forkserver'):
        ctx = mp.get_context(method)
        p = ctx.Process(target=die); p.start(); p.join(); print(method, p.exitcode)
    with mp.Pool(3) as pool: print(sum(pool.map(sq, range(1000))), pool.apply_async(sq, (9,)).get(), sorted(pool.imap_unordered(sq, range(5))))
    q = mp.Queue(); ps = [mp.Process(target=put, args=(q, i)) for i in range(5)]; [p.start() for p in ps]; print(sorted(q.get() for _ in ps)); [p.join() for p in ps]
    v = mp.Value('i', 0); a = mp.Array('d', 3); ps = [mp.Process(target=add, args=(v, a)) for _ in range(4)]; [p.start() for p in ps]; [p.join() for p in ps]; print(v.value, a[:])
    x, y = mp.Pipe(); p = mp.Process(target=child, args=(y,)); p.start(); x.send(41); print(x.recv()); p.join()
    s = shared_memory.SharedMemory(create=True, size=100); p = mp.Process(target=wr, args=(s.name,)); p.start(); p.join(); print(bytes(s.buf[0:3])); s.close(); s.unlink()
    with mp.Manager() as m:
        d = m.dict(); l = m.list([1]); d['k'] = 1; l.append(2); print(dict(d), list(l))
    e = mp.Event(); p = mp.Process(target=e.set); p.start(); print(e.wait(10)); p.join(); b = mp.Barrier(2); p = mp.Process(target=b.wait); p.start(); b.wait(); p.join(); print(p.exitcode)
    print(sorted(os.listdir('/dev/shm')))
"#).ignore_stderr(),
    Case::python("python/signals", r#"
import signal, os, time, select
log = []
signal.signal(signal.SIGUSR1, lambda s, f: log.append(s)); os.kill(os.getpid(), signal.SIGUSR1); print(log)
signal.signal(signal.SIGALRM, lambda s, f: log.append('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2); print(log)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02); n = len(log)
while len(log) < n + 3: signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0); print(len(log) >= n + 3, signal.alarm(0))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2); print(signal.sigpending() == {signal.SIGUSR2}, signal.sigwait([signal.SIGUSR2]))
print(signal.sigtimedwait([signal.SIGUSR2], 0.05)); r, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w); os.kill(os.getpid(), signal.SIGUSR1); print(select.select([r], [], [], 5)[0] == [r], os.read(r, 5))
pid = os.fork()
if pid == 0: signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.pause()
time.sleep(0.05); os.kill(pid, signal.SIGTERM); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
signal.signal(signal.SIGINT, signal.default_int_handler)
try: os.kill(os.getpid(), signal.SIGINT); time.sleep(1)
except KeyboardInterrupt: print('interrupted')
def h(s, f): raise RuntimeError('from handler')
signal.signal(signal.SIGALRM, h); signal.setitimer(signal.ITIMER_REAL, 0.05)
try: os.read(r, 1)
except RuntimeError as e: print(e)
"#),
    Case::python("python/files", r#"
import os, stat, tempfile, shutil, fcntl, errno, glob
d = tempfile.mkdtemp(dir='/srv'); os.chdir(d)
with open('a', 'w') as f: f.write('text' * 1000)
print(os.stat('a').st_size, oct(os.stat('a').st_mode)); os.rename('a', 'b'); os.link('b', 'c'); print(os.stat('c').st_nlink); os.symlink('b', 'l'); print(os.readlink('l'), os.path.islink('l'))
fd = os.open('b', os.O_RDWR); os.lseek(fd, 10, 0); print(os.read(fd, 6), os.pread(fd, 4, 0), os.pwrite(fd, b'XX', 2), os.readv(fd, [bytearray(2), bytearray(3)])); os.ftruncate(fd, 5); os.fsync(fd); os.close(fd); print(open('b').read())
for f, a in ((os.open, ('nosuch', 0)), (os.mkdir, ('b',)), (os.rmdir, ('b',)), (os.unlink, ('.',)), (os.open, ('b', os.O_CREAT | os.O_EXCL)), (os.open, ('l', os.O_NOFOLLOW)), (os.listdir, ('b',)), (os.open, ('.', os.O_WRONLY))):
    try: f(*a); print('ok')
    except OSError as e: print(errno.errorcode[e.errno])
os.makedirs('x/y/z'); open('x/y/z/f', 'w').close(); print([(p, sorted(ds), sorted(fs)) for p, ds, fs in os.walk('x')]); shutil.copytree('x', 'w'); shutil.move('w', 'v'); shutil.rmtree('x'); print(sorted(e.name for e in os.scandir('.')))
dfd = os.open('v', os.O_RDONLY | os.O_DIRECTORY); fd = os.open('n', os.O_CREAT | os.O_WRONLY, dir_fd=dfd); os.write(fd, b'q'); os.close(fd); print(os.stat('n', dir_fd=dfd).st_size, os.listdir(dfd)); os.rename('n', 'm', src_dir_fd=dfd, dst_dir_fd=dfd); os.unlink('m', dir_fd=dfd)
f = open('b', 'r+b'); g = open('b', 'r+b'); fcntl.flock(f, fcntl.LOCK_EX)
try: fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: print('locked')
fcntl.flock(f, fcntl.LOCK_UN); fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.lockf(f, fcntl.LOCK_EX)
if os.fork() == 0:
    try: fcntl.lockf(open('b', 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB); os._exit(1)
    except OSError: os._exit(42)
print(os.waitstatus_to_exitcode(os.wait()[1])); os.chmod('b', 0o640); os.utime('b', ns=(1, 1234567890123456789)); print(oct(os.stat('b').st_mode), os.stat('b').st_mtime_ns); os.chown('b', 1, 2); print(os.stat('b').st_uid, os.stat('b').st_gid)
with tempfile.NamedTemporaryFile(dir='.') as t: t.write(b'x'); t.flush(); print(os.path.exists(t.name))
with tempfile.TemporaryFile(dir='/srv') as t: t.write(b'x'); print(os.fstat(t.fileno()).st_nlink)
os.setxattr('b', 'user.k', b'v'); print(os.getxattr('b', 'user.k'), os.listxattr('b')); print(os.access('b', os.W_OK), os.access('nosuch', os.F_OK), os.path.realpath('l') == d + '/b', os.statvfs('.').f_namemax)
"#),
    Case::python("python/zero-copy", r#"
import os, socket, select
data = os.urandom(1000000); open('/srv/a', 'wb').write(data)
a = os.open('/srv/a', os.O_RDONLY); b = os.open('/srv/b', os.O_CREAT | os.O_RDWR)
n = 0
while n < len(data): n += os.copy_file_range(a, b, len(data) - n, n, n)
print(open('/srv/b', 'rb').read() == data); os.ftruncate(b, 0); n = 0
while n < len(data): n += os.sendfile(b, a, n, len(data) - n)
print(open('/srv/b', 'rb').read() == data); r, w = os.pipe(); print(os.splice(a, w, 5000, offset_src=100), os.read(r, 5000) == data[100:5100])
s, t = socket.socketpair(); print(os.sendfile(s.fileno(), a, 10, 100), t.recv(100) == data[10:110])
m = os.memfd_create('x', os.MFD_ALLOW_SEALING); os.write(m, b'memfd'); print(os.pread(m, 9, 0), os.readlink(f'/proc/self/fd/{m}'), os.fstat(m).st_size)
e = os.eventfd(3); print(os.eventfd_read(e)); os.eventfd_write(e, 7); print(os.eventfd_read(e)); print(len(os.getrandom(100)), os.posix_fadvise(a, 0, 0, os.POSIX_FADV_SEQUENTIAL), os.posix_fallocate(b, 0, 2000000), os.fstat(b).st_size)
"#),
    Case::python("python/unix-sockets", r#"
import socket, os, array, struct, threading
a, b = socket.socketpair(); a.sendall(b'x' * 100); print(len(b.recv(1000))); a.close(); print(b.recv(1))
try: b.send(b'x')
except BrokenPipeError as e: print(e)
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(b'one'); a.send(b''); a.send(b'three'); print(b.recv(2), b.recv(9), b.recv(9))
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); a.send(b'p1'); a.send(b'p2'); print(b.recv(9), b.recv(9)); a.shutdown(socket.SHUT_WR); print(b.recv(1))
a, b = socket.socketpair(); f = open('/etc/passwd'); socket.send_fds(a, [b'fd'], [f.fileno()]); m, fds, fl, ad = socket.recv_fds(b, 10, 2); print(m, os.read(fds[0], 4))
s = socket.socket(socket.AF_UNIX); s.bind('/tmp/sock'); s.listen(5); print(s.getsockname(), os.path.exists('/tmp/sock'))
def srv():
    c, _ = s.accept(); print(struct.unpack('iii', c.getsockopt(socket.SOL_SOCKET, 17, 12))[1:]); 
    while x := c.recv(65536): c.sendall(x)
    c.close()
t = threading.Thread(target=srv); t.start(); c = socket.socket(socket.AF_UNIX); c.connect('/tmp/sock'); c.sendall(b'e' * 300000); n = 0
while n < 300000: n += len(c.recv(65536))
c.close(); t.join(); print(n); s.close()
try: socket.socket(socket.AF_UNIX).connect('/tmp/sock')
except ConnectionRefusedError as e: print(e)
try: socket.socket(socket.AF_UNIX).connect('/tmp/nosuch')
except FileNotFoundError as e: print(e)
try: socket.socket(socket.AF_UNIX).bind('/tmp/sock')
except OSError as e: print(e)
s = socket.socket(socket.AF_UNIX); s.bind('\0runsk-abstract'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('\0runsk-abstract'); print(s.getsockname(), s.accept()[1]); a.settimeout(.05)
try: a.recv(1)
except TimeoutError as e: print(e)
a.setblocking(False)
try: a.recv(1)
except BlockingIOError as e: print(e)
"#),
    Case::python("python/select-poll-epoll", r#"
import select, os, socket, time
r, w = os.pipe(); print(select.select([r], [w], [], 0) == ([], [w], [])); os.write(w, b'x'); print(select.select([r], [], [], 0)[0] == [r])
p = select.poll(); p.register(r, select.POLLIN); p.register(w, select.POLLOUT); print([e for _, e in sorted(p.poll(0))]); os.close(w); print(dict(p.poll(0))[r] & (select.POLLHUP | select.POLLIN), [e for f, e in p.poll(0) if f == w])
e = select.epoll(); a, b = socket.socketpair(); e.register(a, select.EPOLLIN | select.EPOLLET); print(e.poll(0)); b.send(b'1'); print(len(e.poll(1)), e.poll(0)); b.send(b'2'); print(len(e.poll(1)))
e.modify(a, select.EPOLLIN | select.EPOLLONESHOT); print(len(e.poll(1)), e.poll(0)); e.modify(a, select.EPOLLOUT); print([x[1] for x in e.poll(0)]); e.unregister(a); print(e.poll(0.01))
try: e.register(os.open('/etc/passwd', 0), select.EPOLLIN)
except PermissionError as x: print(x)
t = time.monotonic(); select.select([], [], [], 0.1); e.poll(0.1); p = select.poll(); p.poll(100); d = time.monotonic() - t; print(0.3 <= d < 5)
"#),
    Case::python("python/pty", r#"
import pty, os, termios, struct, fcntl, select, signal
def line(fd): # a terminal may give what was written in pieces
    said = b''
    while not said.endswith(b'\n'): said += os.read(fd, 100)
    return said
m, s = pty.openpty(); print(os.isatty(m), os.isatty(s), os.ttyname(s).startswith('/dev/pts/')); os.write(m, b'line\n'); print(line(s), line(m)); os.write(s, b'out\n'); print(line(m))
a = termios.tcgetattr(s); a[3] &= ~(termios.ECHO | termios.ICANON); termios.tcsetattr(s, termios.TCSANOW, a); os.write(m, b'raw'); print(os.read(s, 100), select.select([m], [], [], 0)[0])
fcntl.ioctl(s, termios.TIOCSWINSZ, struct.pack('HHHH', 11, 22, 0, 0)); print(os.get_terminal_size(m))
def drain(fd):
    out = b''
    while True:
        try: d = os.read(fd, 1000)
        except OSError as e: return out, e.errno
        if not d: return out, 0
        out += d
pid, fd = pty.fork()
if pid == 0: os.execvp('sh', ['sh', '-c', 'tty >/dev/null && echo tty; stty size; read x; echo "got $x"; exit 6'])
os.write(fd, b'typed\n'); print(drain(fd), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid, fd = pty.fork()
if pid == 0: os.execvp('sh', ['sh', '-c', 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done'])
line(fd)
os.write(fd, b'\x03'); print(drain(fd), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid, fd = pty.fork()
if pid == 0: os.execvp('cat', ['cat'])
os.write(fd, b'abc\x7fd\n\x04'); print(drain(fd), os.waitpid(pid, 0)[1])
pid, fd = pty.fork()
if pid == 0: os.write(1, b'here'); signal.pause()
os.read(fd, 100); os.close(fd); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#),
    Case::python("python/fork-wait", r#"
import os, sys, time, signal, resource
pids = [os.fork() or os._exit(i) for i in range(5)]; print(sorted(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids))
p = os.fork() or (time.sleep(0.1) or os._exit(3)); print(os.waitpid(p, os.WNOHANG), os.waitid(os.P_PID, p, os.WEXITED | os.WNOWAIT).si_status, os.waitpid(p, 0)[1])
try: os.wait()
except ChildProcessError as e: print(e)
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        while os.getppid() != 1: time.sleep(0.01)
        os.write(w, b'orphan'); os._exit(0)
    os._exit(0)
os.wait(); print(os.read(r, 10)); print(os.wait()[1]) # pid 1 inherits it
p = os.fork() or (os.setsid(), os._exit(os.getsid(0) == os.getpid())); print(os.waitpid(p, 0)[1] >> 8)
p = os.fork() or os.execv('/bin/sh', ['sh', '-c', 'exit 9']); print(os.waitpid(p, 0)[1] >> 8, os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', 'exit 8'), os.system('exit 7') >> 8, (lambda p: (p.read(), p.close()))(os.popen('echo hi')), os.posix_spawn('/bin/true', ['true'], {}) > 0); os.wait()
r, w = os.pipe(); pid = os.fork()
if pid == 0: os.kill(os.getpid(), signal.SIGSTOP); os.read(r, 1); os._exit(4) # a zombie no longer tells that it went on
print(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])); os.kill(pid, signal.SIGCONT); print(os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1]), os.write(w, b'x'), os.waitpid(pid, 0)[1] >> 8)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0, os.times().children_user >= 0, os.nice(0), os.getpgid(0) == os.getpgrp(), os.sched_getaffinity(0) != set(), os.cpu_count() > 0)
f = os.pidfd_open(os.fork() or os._exit(0)); import select; print(select.select([f], [], [], 5)[0] == [f]); os.wait()
"#),
    Case::python("python/memory", r#"
import resource, sys, gc
x = bytearray(200_000_000); x[::4096] = b'\1' * len(x[::4096]); print(sum(x[::4096])); del x
l = [bytes(1000) for _ in range(100000)]; print(len(l)); del l; gc.collect(); d = {i: str(i) for i in range(300000)}; print(len(d))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try: bytearray(2 << 30)
except MemoryError: print('MemoryError')
sys.setrecursionlimit(5000); f = lambda n: n and 1 + f(n - 1); print(f(4000))
"#),
    Case::python("python/libraries", r#"
import json, hashlib, zlib, gzip, bz2, lzma, zipfile, tarfile, io, csv, re, datetime, decimal, random, struct, pickle, base64, uuid, xml.etree.ElementTree as E, ctypes, locale, logging, argparse, unittest, urllib.parse, email, html, http, curses, readline, ssl
random.seed(7); print([random.randrange(100) for _ in range(5)], hashlib.sha256(b'x').hexdigest()[:16], zlib.crc32(b'abc')); data = bytes(random.randrange(256) for _ in range(50000))
for c in (zlib, gzip, bz2, lzma): print(c.__name__, c.decompress(c.compress(data)) == data)
with zipfile.ZipFile('/tmp/z.zip', 'w') as z: z.writestr('a', data)
print(zipfile.ZipFile('/tmp/z.zip').testzip()); t = tarfile.open('/tmp/t.tgz', 'w:gz'); t.add('/etc/perl', 'p'); t.close(); print(sorted(tarfile.open('/tmp/t.tgz').getnames())[:2])
c = ctypes.CDLL(None, use_errno=True); print(c.abs(-5), c.open(b'/nosuch', 0), ctypes.get_errno()); print(len(uuid.uuid4().hex), E.fromstring('<a><b/></a>')[0].tag, decimal.Decimal(1) / 3, json.dumps({'a': [1, None]}), ssl.OPENSSL_VERSION_INFO[0])
class T(unittest.TestCase):
    def test(self): self.assertEqual(1, 1)
print(unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(T)).testsRun)
"#),
    Case::bash("python/compile-library", "cp -r /usr/lib/python3*/json /usr/lib/python3*/asyncio /usr/lib/python3*/email /srv; cd /srv; python3 -m compileall -q -j 2 . ; find . -name '*.pyc' | wc -l; python3 -c 'import sys; sys.path.insert(0, \"/srv\"); import asyncio, json; print(asyncio.__file__, asyncio.__cached__)'"),
    Case::bash("python/modules", "python3 -m json.tool <<<'{\"a\":[1,2]}'; python3 -m zipfile -c /tmp/a.zip /etc/passwd; python3 -m zipfile -t /tmp/a.zip; python3 -m timeit -n 10 -r 1 pass | grep -c loops; echo 'print(6*7)' | python3; python3 -c 'import sys; sys.exit(33)'; echo $?; python3 -c '1/0' 2>&1 | tail -1; python3 -c 'import os; os.abort()' 2>/dev/null; echo $?; echo 'import time' >/tmp/m.py; python3 -i /tmp/m.py <<<'print(\"interactive\")' 2>/dev/null; python3 -m http.server --help | head -1; cd /tmp; python3 -m this | md5sum").ignore_stderr(),
    Case::python("python/http-server", r#"
import http.server, threading, urllib.request, os
os.chdir('/etc'); h = http.server.SimpleHTTPRequestHandler; h.log_message = lambda *a: None
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), h); threading.Thread(target=s.serve_forever, daemon=True).start()
u = f'http://127.0.0.1:{s.server_address[1]}'; print(urllib.request.urlopen(u + '/passwd').read() == open('/etc/passwd', 'rb').read())
try: urllib.request.urlopen(u + '/nosuch')
except urllib.error.HTTPError as e: print(e.code)
s.shutdown()
"#),
    Case::python("python/processor-time", r#"
import os, resource, signal, time
n = 0
def prof(*_):
    global n; n += 1
signal.signal(signal.SIGPROF, prof); signal.setitimer(signal.ITIMER_PROF, .05, .05)
while n < 5: pass
print(signal.getitimer(signal.ITIMER_PROF)[1]); signal.setitimer(signal.ITIMER_PROF, 0)
c = []; signal.signal(signal.SIGXCPU, lambda *_: c.append(round(time.process_time())))
resource.setrlimit(resource.RLIMIT_CPU, (1, 3))
while len(c) < 2: pass
print(c, resource.getrlimit(resource.RLIMIT_CPU))
if os.fork() == 0: # its time begins anew
    while True: pass
print(os.waitstatus_to_exitcode(os.wait()[1]), len(c))
"#),
    Case::python("python/resource-limits", r#"
import resource as r, os, signal
print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE)); r.setrlimit(r.RLIMIT_NOFILE, (20, 4096))
fds = []
try:
    while True: fds.append(os.open('/dev/null', 0))
except OSError as e: print(e, fds[-1])
try: r.setrlimit(r.RLIMIT_NOFILE, (100, 50))
except ValueError as e: print(e)
[os.close(f) for f in fds]; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); r.setrlimit(r.RLIMIT_FSIZE, (1000, 1000)); f = os.open('/tmp/f', os.O_CREAT | os.O_RDWR); print(os.write(f, b'x' * 2000))
try: os.write(f, b'x')
except OSError as e: print(e)
if os.fork() == 0:
    r.setrlimit(r.RLIMIT_CPU, (1, 2))
    while True: pass
print(os.waitstatus_to_exitcode(os.wait()[1]))
"#),
];
