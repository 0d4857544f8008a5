//! One static program with a C library of its own, and /bin/sh as ash.

use crate::case::Case;
use crate::compare::Normalise;

pub(super) const ROWS: &[Case] = &[
    Case::busybox("busybox/hello", "echo hello; id; busybox | head -1; busybox --list | wc -l; pwd; uname -sm; hostname; ls /; ls -la /bin | wc -l"),
    Case::busybox("busybox/pipeline", r#"
        printf '%s\n' c a b | sort | tr a-z A-Z; seq 100000 | grep 7 | wc -l; yes | head -n 3; seq 50000 | sort -rn | head -1
        seq 1000 | awk '{s += $1} END {print s}'; (echo a; echo b) | while read x; do echo "[$x]"; done; head -c 20000000 /dev/zero | md5sum
    "#),
    Case::busybox("busybox/subshells-here-traps", r#"
        x=1; (x=2; exit 3); echo "$? $x"; y=$(echo a; (echo b)); echo "$y"
        cat <<EOF
x=$x $(echo sub)
EOF
        trap 'echo exit' EXIT; trap 'echo usr1' USR1; kill -USR1 $$; trap '' TERM; kill $$; echo alive
        trap - TERM; sleep 100 & p=$!; kill $p; wait $p; echo $?; sleep 0.1 & wait; echo waited
        sh -c 'kill -9 $$'; echo $?; set -e; false || echo handled
    "#).ignore_stderr(),
    Case::busybox("busybox/job-control", r#"
        set -m; sleep 30 & sleep 0.1; jobs | wc -l; kill -STOP %1; sleep 0.1; jobs | grep -c Stopped
        kill -CONT %1; kill %1; wait %1; echo $?; (exit 3) & wait $!; echo $?
    "#).ignore_stderr(),
    Case::busybox("busybox/find-tar-sort", r#"
        find / -xdev | wc -l; find / -xdev -type l | wc -l; tar c /bin /etc 2>/dev/null | tar t | wc -l
        cd /srv; tar czf a.tgz -C / etc; tar xzf a.tgz; diff -r /etc etc && echo same
        seq 200000 | awk '{print ($1 * 7919) % 200003}' | sort -n | md5sum; cp -a /etc e2; ls e2; rm -r e2 etc; ls; du -s /bin | wc -l
    "#),
    Case::busybox("busybox/files", r#"
        cd /srv; mkdir -p a/b; echo x >a/f; ln a/f a/g; ln -s f a/s; stat -c '%n %F %a %h %s' a/f a/s; mv a/f a/b/; cat a/s
        chmod 4755 a/g; ls -l a/g | cut -c1-10; touch -d '2001-01-01 00:00:00' a/g; stat -c %Y a/g
        dd if=/dev/zero of=z bs=1k count=5 2>/dev/null; wc -c z; truncate -s 100 z; wc -c z; mkfifo p; echo f >p & cat p; wait
        realpath a/b/..; rm -r a; ls; mktemp /tmp/XXXXXX | wc -c; cat nosuch; echo $?; rmdir /bin; echo $?
        umask 077; touch u; stat -c %a u; chown 5:6 u; stat -c %u:%g u; split -l 1 /etc/passwd; ls
    "#).ignore_stderr(),
    Case::busybox("busybox/compress", r#"
        cd /srv; cat /bin/busybox >b; gzip -k b; gunzip -c b.gz | cmp - b && echo same; bzip2 -k b; bunzip2 -c b.bz2 | cmp - b && echo same
        zcat b.gz | md5sum | wc -c; sha256sum b | wc -c; cat b | gzip -9 | gunzip | cmp - b && echo same
    "#),
    Case::busybox("busybox/processes", r#"
        sleep 40 & sleep 0.1; ps -o pid,ppid,comm >l; tail -n +2 l | tr -d 0-9; timeout 0.2 sleep 50; echo $?
        env -i A=1 env; setsid sh -c 'echo s'; usleep 1000; pidof sleep | wc -w; killall sleep; wait; pidof sleep; echo $?
        top -bn1 | head -1 | cut -c1-4; free | head -1; uptime | grep -c load; df / | wc -l; mount | grep -c /proc; cat /proc/self/comm
        start-stop-daemon -S -b -x /bin/sleep -- 0.1; echo $?; tty; killall nosuch; echo $?
    "#).normalise(&[Normalise::Blanks]).ignore_stderr(),
    Case::busybox("busybox/text", r#"
        sed -n 1p /etc/passwd; sed -i s/root/ROOT/ /etc/passwd; cat /etc/passwd; awk -F: '{print $1}' /etc/group; grep -c root /etc/group
        cut -d: -f1 /etc/group; echo aXb | tr X -; seq 5 | tac; seq 3 | paste -s -d,; printf 'a\na\n' | uniq -c; expr 3 + 4; printf '%05d\n' 42
        echo abc | rev; seq 9 | tail -n 2; base64 /etc/group | head -1; hexdump -C /etc/group | head -1; dc -e '2 3 + p'; echo '2^10' | bc
        echo 'a b' | xargs -n1 echo; diff /etc/passwd /etc/group | wc -l; date -u -d @0 +%F; cal 2 2020 | wc -l; factor 91
    "#),
    Case::busybox("busybox/as-user", "id; touch /x; echo $?; touch /tmp/x; ls -l /tmp/x | cut -c1-10; cat /proc/1/environ >/dev/null; echo $?; kill -9 1; echo $?; rm /bin/ls; echo $?").user(65534).ignore_stderr(),
    Case::busybox("busybox/tty", "script -q -c 'tty | sed s/[0-9]*$/N/; stty size' /dev/null </dev/null | tr -d '\\r'; busybox stty; echo $?").ignore_stderr(),
    Case::busybox("busybox/locks-and-devices", r#"
        cd /srv; mknod n c 1 3; echo x >n; echo $?; cat /dev/null; head -c 4 /dev/zero | hexdump -C
        head -c 8 /dev/urandom | wc -c; echo x >/dev/full; echo $?; ls /dev; ls /proc/self/fd | wc -l; dd if=/dev/zero of=/dev/null bs=1M count=50 2>&1 | head -1
    "#).ignore_stderr(),
];
