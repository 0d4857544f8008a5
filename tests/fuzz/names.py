#!/usr/bin/env python3
"""Random operations on names, done by the native kernel on a tmpfs of its own.

usage (root): names.py SEED COUNT > FILE
Each line is an operation, its arguments and what came of it; `replay` in
sentry/src/vfs/tests asks the Sentry for the same.
"""
import os, sys, random, subprocess, stat, ctypes, errno, tempfile, shutil
seed, count = int(sys.argv[1]), int(sys.argv[2])
R = random.Random(seed)
libc = ctypes.CDLL(None, use_errno=True)
top = tempfile.mkdtemp(dir='/dev/shm')
subprocess.check_call(['mount','-t','tmpfs','fuzz',top]) 
os.chmod(top, 0o755)
NAMES = ['a','b','c','d','e']
def comp():
    r = R.random()
    if r < .06: return '.'
    if r < .14: return '..'
    return R.choice(NAMES)
def path():
    n = R.choice([1,1,1,2,2,2,3,3,4])
    p = '/'.join(comp() for _ in range(n))
    r = R.random()
    if r < .05: p = '/' + p
    elif r < .06: p = ''
    elif r < .065: p = '/'
    elif r < .07: p = p + '/' + 'x'*256
    r = R.random()
    if r < .06: p += '/'
    elif r < .07: p += '/.'
    elif r < .08: p += '//'
    elif r < .085: p = p.replace('/', '//')
    return p
def sys_(name, *args):
    r = getattr(libc, name)(*args)
    if r < 0: return -ctypes.get_errno()
    return r
AT=-100
def b(p): return p.encode()
def dostat(p, follow):
    try: s = os.stat(p) if follow else os.lstat(p)
    except OSError as e: return str(-e.errno)
    size = s.st_size if not stat.S_ISDIR(s.st_mode) else 0
    return '%o %d %d %d %d' % (s.st_mode, s.st_nlink, s.st_uid, s.st_gid, size)
OFL = [0,1,2,0o100,0o102,0o302,0o301,0o1001,0o1101,0o200000,0o400000,0o600000,0o10000000,0o10400000,0o10200000,0o2001,0o400101,0o400102,0o20200002,0o20200000,0o200100,0o1000,3,0o103,0o20000002, 0o1000000]
def op():
    k = R.choices(['mkdir','rmdir','unlink','create','rename','renamex','renamen','link','linkf','symlink','open','stat','lstat','readlink','chmod','chown','lchown','access','chdir','trunc','user','utime','mkfifo'],
      [10,6,6,7,12,3,3,4,2,7,14,4,4,2,6,2,1,4,3,2,5,2,2])[0]
    return k
user = 0
def become(u):
    global user
    if u == user: return
    if u: os.setegid(u); os.seteuid(u)
    else: os.seteuid(0); os.setegid(0)
    user = u
os.setgroups([])
pid = os.fork()
if pid == 0:
  try:
    os.chroot(top); os.chdir('/'); os.umask(0)
    lines = []
    for _ in range(count):
        k = op(); args=[]; 
        if k=='mkdir': m=R.choice([0o777,0o755,0o700,0o1777,0o2777,0o500,0o300]); args=[path(),m]; r=sys_('mkdir',b(args[0]),m)
        elif k=='rmdir': args=[path()]; r=sys_('rmdir',b(args[0]))
        elif k=='unlink': args=[path()]; r=sys_('unlink',b(args[0]))
        elif k=='create': m=R.choice([0o777,0o644,0o600,0o6755,0o000,0o2755,0o2745]); args=[path(),m]; r=sys_('mknodat',AT,b(args[0]),0o100000|m,0)
        elif k=='mkfifo': args=[path(),0o644]; r=sys_('mknodat',AT,b(args[0]),0o010644,0)
        elif k=='rename': args=[path(),path()]; r=sys_('renameat2',AT,b(args[0]),AT,b(args[1]),0)
        elif k=='renamen': args=[path(),path()]; r=sys_('renameat2',AT,b(args[0]),AT,b(args[1]),1)
        elif k=='renamex': args=[path(),path()]; r=sys_('renameat2',AT,b(args[0]),AT,b(args[1]),2)
        elif k=='link': args=[path(),path()]; r=sys_('linkat',AT,b(args[0]),AT,b(args[1]),0)
        elif k=='linkf': args=[path(),path()]; r=sys_('linkat',AT,b(args[0]),AT,b(args[1]),0x400)
        elif k=='symlink': args=[path(),path()]; r=sys_('symlink',b(args[0]),b(args[1]))
        elif k=='open':
            fl=R.choice(OFL); m=R.choice([0o666,0o600,0o000]); args=[path(),fl,m]
            # fifos would block
            r=sys_('openat',AT,b(args[0]),fl|0o4000,m)
            if r>=0:
                # what was opened
                try:
                    s=os.fstat(r); extra=' %o'%s.st_mode
                except OSError as e: extra=' E'
                os.close(r); r='0'+extra
        elif k=='stat': args=[path()]; r=dostat(args[0],True)
        elif k=='lstat': args=[path()]; r=dostat(args[0],False)
        elif k=='readlink':
            args=[path()]
            try: r='0 '+os.readlink(args[0]) if args[0] else -errno.ENOENT
            except OSError as e: r=-e.errno
        elif k=='chmod': m=R.choice([0o777,0o755,0o700,0o1777,0o500,0o000,0o6777,0o2755,0o3777]); args=[path(),m]; r=sys_('chmod',b(args[0]),m)
        elif k=='chown': m=R.choice([(0,0),(1000,1000),(-1,1000),(1000,-1),(-1,-1),(0,1000)]); args=[path(),m[0],m[1]]; r=sys_('chown',b(args[0]),m[0],m[1])
        elif k=='lchown': m=R.choice([(0,0),(1000,1000),(-1,1000),(1000,-1),(-1,-1)]); args=[path(),m[0],m[1]]; r=sys_('lchown',b(args[0]),m[0],m[1])
        elif k=='access': m=R.choice([0,1,2,4,6,7]); args=[path(),m]; r=libc.syscall(439,AT,b(args[0]),m,0x200); r=-ctypes.get_errno() if r<0 else r
        elif k=='chdir': args=[path()]; r=sys_('chdir',b(args[0]))
        elif k=='trunc': args=[path(),R.choice([0,5,100])]; r=sys_('truncate',b(args[0]),ctypes.c_long(args[1]))
        elif k=='utime':
            m=R.choice([0,1]); args=[path(),m]
            ts=(ctypes.c_long*4)(1,0,2,0)
            r=sys_('utimensat',AT,b(args[0]),ts if m else None,0)
        elif k=='user':
            u=R.choice([0,0,1000]); args=[u]; become(u); r=0
        lines.append('\t'.join([k]+[str(a) for a in args]+['=',str(r)]))
    become(0)
    os.write(1, ('\n'.join(lines)+'\n').encode())
  finally:
    os._exit(0)
os.waitpid(pid,0)
subprocess.call(['umount','-l',top]); os.rmdir(top)
