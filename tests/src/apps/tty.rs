//! Terminals made inside: sessions under script(1), a shell's job control, modes.

use crate::case::Case;

pub(super) const ROWS: &[Case] = &[
    Case::bash("tty/script-bash", r#"
        printf 'tty >/dev/null && echo tty\nsleep 30 &\njobs\nkill %%1\nwait %%1\nstty size\nexit 7\n' >/tmp/in
        script -qec 'bash --norc -i' /dev/null </tmp/in | tr -d '\r' | grep -E '^(tty|[0-9]+ [0-9]+)$'; echo ${PIPESTATUS[0]}
        script -qec 'tty; [ -t 0 ] && [ -t 1 ] && echo terminal' /dev/null </dev/null | tr -d '\r' | sed 's/[0-9]\+/N/'
        script -qec 'exit 9' /dev/null </dev/null; echo $?
        script -qc 'echo recorded' /tmp/typescript </dev/null >/dev/null; grep -c recorded /tmp/typescript
    "#).ignore_stderr(),
    Case::python("tty/job-control", r#"
import fcntl, os, pty, re, select, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.environ['PS1'] = '> '
    os.execvp('bash', ['bash', '--norc', '--noprofile', '--noediting', '-i'])
buf = ''
def expect(pattern):
    global buf
    end = time.time() + 20
    while not (m := re.search(pattern, buf)):
        if select.select([fd], [], [], 0.1)[0]: buf += os.read(fd, 4096).decode()
        elif time.time() > end: sys.exit(f'no {pattern!r} in {buf!r}')
    buf = buf[m.end():]
    return m.group(0)
def say(s): os.write(fd, s.encode())
expect('> '); say('stty -echo\n'); expect('> ')
say('sleep 100\n'); time.sleep(.3); say('\x1a'); print(expect('Stopped.*sleep 100')); expect('> ')
say('jobs\n'); print(expect(r'\[1\]\+ +Stopped +sleep 100')); expect('> ')
say('bg\n'); print(expect(r'\[1\]\+ sleep 100 &')); expect('> ')
say('fg\n'); expect('sleep 100'); time.sleep(.2); say('\x03'); expect('> '); say('echo $?\n'); print(expect('130')); expect('> ')
say('cat\n'); time.sleep(.2); say('typed\n'); print(expect('typed')); say('\x04'); expect('> ')
say('(sleep 0.1; exit 3)\n'); expect('> '); say('echo st=$?\n'); print(expect('st=3')); expect('> ')
say('sleep 50 | cat &\n'); expect('> '); say('kill %1; wait\n'); expect('> ')
say('bash -c "trap \'echo winch\' WINCH; echo up; while read -t 5 x; do [ $x = q ] && exit; done"\n'); expect('up')
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0)); say('n\n'); print(expect('winch')); say('q\n'); expect('> ')
say('stty size\n'); print(expect('40 100')); expect('> ')
say('cat /dev/tty\n'); time.sleep(.2); say('x\n\x04'); print(expect('x')); expect('> ')
say('stty raw; stty sane; echo sane\n'); print(expect('sane')); expect('> ')
say('stty -echo; sleep 50\n'); time.sleep(.3); say('\x1c'); expect('> '); say('echo $?\n'); print(expect('131')); expect('> ')
say('cat &\n'); expect('> '); time.sleep(.3); say('jobs\n'); print(expect('Stopped *cat')); expect('> '); say('kill -9 %%; sleep 0.3; jobs >/dev/null; echo gone\n'); expect('gone'); expect('> ')
say('exit 5\n')
try:
    while os.read(fd, 1000): pass
except OSError as e: print(e.errno)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#),
    Case::bash("tty/stty", r#"
        cat >/tmp/s <<'END'
stty -a | head -1 | cut -d';' -f1,4-; stty -a | tail -4; stty rows 33 cols 77; stty size
stty -echo; stty -a | grep -o -- -echo | head -1; stty raw; stty -a | grep -o -- '-icanon'; stty sane; stty -g | tr -cd : | wc -c
END
        script -qec 'sh /tmp/s' /dev/null </dev/null | tr -d '\r'; stty; echo $?
    "#).ignore_stderr(),
    Case::python("tty/read-timeouts", r#"
import fcntl, os, pty, select, termios, threading, time, tty
m, s = pty.openpty(); tty.setraw(s)
def patience(least, tenths):
    a = termios.tcgetattr(s); a[6][termios.VMIN] = least; a[6][termios.VTIME] = tenths; termios.tcsetattr(s, termios.TCSANOW, a)
def later(*pieces):
    def run():
        for delay, piece in pieces: time.sleep(delay); os.write(m, piece)
    t = threading.Thread(target=run); t.start(); return t
patience(0, 0); print(os.read(s, 9)); os.write(m, b'ab'); time.sleep(.1); print(os.read(s, 9))
patience(0, 2); t = time.monotonic(); print(os.read(s, 9), time.monotonic() - t >= .19)
patience(0, 50); w = later((.1, b'x')); print(os.read(s, 9)); w.join()
patience(3, 0); w = later((.05, b'1'), (.05, b'2'), (.05, b'34')); print(len(os.read(s, 9)) >= 3); w.join(); time.sleep(.1); termios.tcflush(s, termios.TCIFLUSH)
patience(5, 3); w = later((.05, b'a'), (.05, b'b')); print(os.read(s, 9)); w.join() # ends a while after the last byte
patience(2, 50); w = later((.05, b'a'), (.05, b'b')); print(os.read(s, 9)); w.join()
patience(4, 0); os.write(m, b'q'); time.sleep(.1); print(select.select([s], [], [], 0)[0]); patience(4, 1); print(select.select([s], [], [], 0)[0] == [s], os.read(s, 1))
a = fcntl.ioctl(s, 0x5405, bytes(18)); print(a); fcntl.ioctl(s, 0x5406, a); print(fcntl.ioctl(s, 0x5405, bytes(18)) == a)
"#),
    Case::bash("tty/session", r#"
        script -qec 'ps -o pid,ppid,pgid,sid,tpgid,tty,comm' /dev/null </dev/null | tr -d '\r' | awk '{print NF, $6}'
        setsid -w sh -c ': </dev/tty'; echo $?
        script -qec 'setsid -w sh -c "echo y >/dev/tty"; echo $?' /dev/null </dev/null | tail -1
        script -qec 'echo to-terminal >/dev/tty; readlink /proc/self/fd/0 | sed s/[0-9]*$/N/; ls -l /dev/pts | wc -l' /dev/null </dev/null
        ls /dev/pts
    "#).ignore_stderr(),
    Case::bash("tty/hangup", r#"
        script -qec 'trap "" HUP; (trap "echo hup >/tmp/hup; exit" HUP; echo up >/tmp/up; while :; do sleep 0.02; done) & until [ -s /tmp/up ]; do sleep 0.02; done; trap - HUP; exit 3' /dev/null </dev/null >/dev/null; echo $?
        for i in $(seq 100); do [ -s /tmp/hup ] && break; sleep 0.02; done; ps -e -o comm= >/tmp/ps; cat /tmp/ps
    "#).ignore_stderr(),
];
