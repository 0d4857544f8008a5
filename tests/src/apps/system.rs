//! procps, dpkg, apt, sqlite3, /proc as a shell sees it, users and privileges.

use crate::case::Case;
use crate::compare::Normalise;

pub(super) const ROWS: &[Case] = &[
    Case::bash("procps/ps-aux", r#"
        ps aux | head -1; sleep 77 &
        sleep 0.1; ps aux >/tmp/ps; awk 'NR > 1 {print $1, $7, $8, $11, $12}' /tmp/ps
        awk 'NR > 1 {if ($5 <= 0 || $2 <= 0) print "bad", $0}' /tmp/ps
        kill %1
    "#).ignore_stderr(),
    Case::bash("procps/ps-formats", r#"
        sleep 30 & sleep 0.1
        ps -e -o pid,ppid,pgid,sid,tty,stat,user,nlwp,ni,comm,args >/tmp/ps; cat /tmp/ps; ps -ef >/tmp/ps; awk '{print $1,$2,$3,$8}' /tmp/ps
        ps -p $$ -o pid=,comm=; ps -p 99999; echo $?; ps axf >/tmp/ps; awk '{print $NF}' /tmp/ps; ps -C sleep -o args=
        ps -L -p 1 -o lwp,nlwp; ps --ppid 1 -o comm= >/tmp/ps; sort /tmp/ps; kill %1
    "#).normalise(&[Normalise::Digits, Normalise::Blanks]).ignore_stderr(),
    Case::bash("procps/pgrep-pkill", r#"
        sleep 55 & p=$!; sleep 56 & sleep 0.1
        pgrep sleep | wc -l; pgrep -f 'sleep 56' | wc -l; pkill -f 'sleep 55'; wait $p; echo $?
        pidof sleep | wc -w; pgrep -u root -c sleep; pkill sleep; wait; pgrep sleep; echo $?
        pwdx 1; pmap 1 | tail -1 | cut -c1-6; uptime | grep -c load; w -h | wc -l
        vmstat | sed -n 2p; vmstat | awk 'NR == 3 {print NF}'; top -bn1 | head -1 | cut -c1-5; top -bn1 | grep -c bash
        sysctl -n kernel.ostype; free -h >/dev/null && echo ok
    "#).normalise(&[Normalise::Blanks]).ignore_stderr(),
    Case::bash("procps/free", r#"
        free | awk 'NR == 1 {print} NR > 1 {print $1, NF}'
        free -b | awk '/^Mem/ {print ($2 > 1000000), ($3 > 0), ($2 >= $3), ($7 > 0)}'
        grep -cE '^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|Shmem|Committed_AS): +[0-9]+ kB' /proc/meminfo
    "#).normalise(&[Normalise::Blanks]),
    Case::bash("proc/self", r#"
        ls -l /proc/self | awk 'NR > 1 && $9 ~ /^(cwd|root|exe)$/ {print $9, $10, $11}'
        ls /proc/self/ | grep -xE 'auxv|cmdline|comm|cwd|environ|exe|fd|fdinfo|io|limits|maps|mem|mountinfo|mounts|ns|oom_adj|oom_score|oom_score_adj|pagemap|personality|root|smaps|stat|statm|status|task|gid_map|uid_map|setgroups|cgroup'
        ls -lR /proc/self >/dev/null 2>&1; ls /proc/self/task | wc -l
        ls /proc/self/ns | grep -xE 'cgroup|ipc|mnt|net|pid|user|uts'; cat /proc/self/comm
        tr '\0' ' ' </proc/self/cmdline; echo; readlink /proc/self /proc/thread-self | sed 's/[0-9]\+/N/g'
        ls -d /proc/[0-9]*; awk '{print NF}' /proc/self/stat /proc/self/statm
    "#).ignore_stderr(),
    Case::bash("proc/self-status", r#"
        cut -d: -f1 /proc/self/status | grep -xE 'Name|Umask|State|Tgid|Ngid|Pid|PPid|TracerPid|Uid|Gid|FDSize|Groups|VmPeak|VmSize|VmHWM|VmRSS|VmData|VmStk|VmExe|Threads|SigQ|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Cpus_allowed|Mems_allowed|voluntary_ctxt_switches|nonvoluntary_ctxt_switches'
        grep -E '^(Name|Umask|State|Uid|Gid|Groups|Threads|SigPnd|ShdPnd|SigBlk|SigCgt|Cap|NoNewPrivs|Seccomp:)' /proc/self/status
        grep -E 'open files|core|stack' /proc/self/limits | sed 's/  */ /g'; wc -l </proc/self/limits
    "#),
    Case::bash("proc/maps", r#"
        awk '{print $2, $6}' /proc/self/maps | grep -E 'awk|heap|stack|vdso|libc' | sort -u
        grep -c stack /proc/self/maps; awk '/^Vm(RSS|Size|Stk|Peak|HWM|Data|Exe)/ {print $1, ($2 > 0), $3}' /proc/self/status
        head -c 4 /proc/self/exe | od -An -c; od -An -tx8 -N16 /proc/self/auxv | wc -l
        grep -c ^Rss /proc/self/smaps | awk '{print ($1 > 5)}'
    "#),
    Case::bash("proc/others", r#"
        sleep 40 & p=$!; sleep 0.1; cat /proc/$p/comm; tr '\0' ' ' </proc/$p/cmdline; readlink /proc/$p/exe
        cut -d' ' -f2,3,4,5,6 /proc/$p/stat; ls /proc/$p/fd
        kill -STOP $p; sleep 0.1; grep ^State /proc/$p/status; kill -CONT $p; sleep 0.1; grep ^State /proc/$p/status
        kill $p; wait $p; ls /proc/$p; echo $?; cat /proc/99999/stat; echo x >/proc/1/status; echo $?
        echo 100 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj; echo nn >/proc/$$/comm; cat /proc/$$/comm
        (exec -a renamed sleep 0.3) & sleep 0.1; tr '\0' ' ' </proc/$!/cmdline; wait
    "#).ignore_stderr(),
    Case::bash("proc/system", r#"
        cut -d' ' -f1,2 /proc/version; grep -c ^processor /proc/cpuinfo; grep -cE '^(model name|flags|cpu MHz)' /proc/cpuinfo | awk '{print ($1 > 2)}'
        head -1 /proc/stat | awk '{print $1, NF}'; grep -E '^(ctxt|btime|processes)' /proc/stat | awk '{print $1, ($2 > 0)}'
        awk '{print NF, ($1 > 0)}' /proc/uptime; awk '{print NF}' /proc/loadavg; grep -owE 'proc|tmpfs|sysfs|devpts' /proc/filesystems | sort -u
        for d in fs kernel net vm; do [ -d /proc/sys/$d ] && echo $d; done
        cat /proc/sys/kernel/ostype /proc/sys/kernel/ngroups_max; grep -cx '[012]' /proc/sys/vm/overcommit_memory
        ls /proc/sys/fs /proc/sys/kernel >/dev/null; echo $?; wc -l </proc/cmdline
    "#).ignore_stderr(),
    Case::bash("dpkg/list", r#"
        dpkg -l | md5sum; dpkg -l | wc -l; dpkg-query -W -f '${Package} ${Version}\n' | sort | md5sum; dpkg -S /bin/bash
        dpkg -L coreutils | md5sum; dpkg -s bash | grep ^Status; dpkg --get-selections | wc -l; dpkg --print-architecture
        dpkg --compare-versions 1.2 lt 1.10 && echo less; dpkg -l nosuch; echo $?; dpkg -V coreutils; echo $?
    "#).ignore_stderr(),
    Case::bash("dpkg/install-remove", r#"
        cd /srv; mkdir -p p/DEBIAN p/usr/bin p/etc
        printf 'Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n' >p/DEBIAN/control
        echo /etc/tiny.conf >p/DEBIAN/conffiles; echo conf >p/etc/tiny.conf
        printf '#!/bin/sh\necho tiny runs\n' >p/usr/bin/tiny; printf '#!/bin/sh\necho postinst $1\n' >p/DEBIAN/postinst
        chmod 755 p/usr/bin/tiny p/DEBIAN/postinst
        dpkg-deb --root-owner-group -b p t.deb; dpkg-deb -c t.deb | awk '{print $1,$2,$6}'
        dpkg -i t.deb | grep -v database; tiny; dpkg -s tiny | grep ^Status; dpkg -L tiny
        sed -i s/1.0/2.0/ p/DEBIAN/control; dpkg-deb --root-owner-group -b p u.deb; dpkg -i u.deb | grep -v database
        dpkg -r tiny | grep -v database; ls /usr/bin/tiny /etc/tiny.conf; dpkg -P tiny | grep -v database; ls /etc/tiny.conf; echo $?
        dpkg --audit; echo $?
    "#).ignore_stderr(),
    Case::bash("apt/version", r#"
        apt-get --version; apt-config dump | wc -l; apt list --installed 2>/dev/null | wc -l; apt-get check 2>&1 | tail -1
        apt-mark showmanual | wc -l; apt-get install -y nosuchpackage; echo $?; apt-cache policy bash | head -2
        apt-get -s remove git 2>/dev/null | grep ^Remv | wc -l
    "#).ignore_stderr().guard_seconds(200),
    Case::bash("sqlite/wal-two-processes", r#"
        cd /srv; sqlite3 w.db 'pragma journal_mode=wal; create table t(p, n);'
        w() { { echo ".timeout 20000"; for i in $(seq 40); do echo "insert into t values($1, $i);"; done; } | sqlite3 w.db; }
        w 1 & w 2 &
        for i in $(seq 10); do sqlite3 -cmd '.timeout 20000' w.db 'select count(*) >= 0 from t' >>seen; done
        wait; sort -u seen
        sqlite3 w.db 'select p, count(*), sum(n) from t group by p; pragma integrity_check; pragma wal_checkpoint(truncate);'; ls
    "#),
    Case::bash("sqlite/wal-shared-reader", r#"
        cd /srv; sqlite3 w.db 'pragma journal_mode=wal; create table t(x); insert into t values(1);'; mkfifo in
        sqlite3 w.db <in >out & exec 3>in
        echo 'begin; select count(*) from t;' >&3; until grep -q 1 out; do sleep 0.02; done
        sqlite3 w.db 'insert into t values(2); select count(*) from t;'
        echo 'select count(*) from t; commit; select count(*) from t;' >&3; exec 3>&-; wait; cat out; ls
    "#),
    Case::bash("sqlite/locked", r#"
        cd /srv; sqlite3 w.db 'create table t(x);'; mkfifo in; sqlite3 w.db <in >out & exec 3>in
        echo "begin exclusive; insert into t values(1); select 'held';" >&3; until grep -q held out; do sleep 0.02; done
        sqlite3 w.db 'insert into t values(2);'; echo $?; sqlite3 -cmd '.timeout 200' w.db 'select * from t'; echo $?
        echo 'commit;' >&3; exec 3>&-; wait; sqlite3 w.db 'select count(*) from t'; ls
    "#).ignore_stderr(),
    Case::bash("sqlite/big", r#"
        cd /srv; sqlite3 b.db "create table t(a integer primary key, b text, c real);
            with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) insert into t select i, 'row ' || i, i * 0.5 from n;
            create index x on t(b); select count(*), sum(c), max(b) from t; update t set c = c + 1 where a % 3 = 0;
            delete from t where a % 5 = 0; vacuum; pragma integrity_check; select sum(c) from t;"
        sqlite3 b.db .dump | md5sum; sqlite3 b.db .dump | sqlite3 c.db; sqlite3 c.db 'select count(*) from t'
        stat -c %s c.db | awk '{print $1 % 4096}'; sqlite3 :memory: 'select 6*7;'; sqlite3 nosuchdir/x.db 'select 1'; echo $?; ls
    "#).ignore_stderr(),
    Case::bash("system/users", r#"
        su nobody -s /bin/sh -c 'id -u; touch /etc/x; echo $?'; setpriv --reuid 1000 --regid 1000 --clear-groups id
        setpriv --dump | grep -E '^(uid|euid|gid|egid|Supp|no_new)'; useradd -m tester; id tester | tr -d '0-9'
        su - tester -c 'pwd; whoami; umask'; echo tester:pw | chpasswd; echo $?; passwd -S tester | cut -d' ' -f1,2
        groupadd g1; usermod -aG g1 tester; id -nG tester; chsh -s /bin/sh tester; getent passwd tester | cut -d: -f1,6,7
        userdel -r tester; ls /home; flock /tmp/l -c 'echo locked'; flock -n /tmp/l true; echo $?
        flock /tmp/l sleep 0.5 & sleep 0.2; flock -n /tmp/l true; echo $?; flock -w 10 /tmp/l true; echo $?
    "#).ignore_stderr(),
    Case::bash("system/refused", r#"
        # what Docker's capabilities do not cover
        mount -t tmpfs x /mnt; echo $?; umount /proc; echo $?; hostname newname; echo $?; date -s @0 >/dev/null; echo $?
        nice -n -5 true; echo $?; unshare -m true; echo $?; dmesg >/dev/null; echo $?; echo x >/proc/sys/kernel/ostype; echo $?
        chroot / true; echo $?; insmod /x; echo $?; swapoff -a; echo $?
    "#).ignore_stderr(),
    Case::bash("system/util-linux", r#"
        renice -n 3 $$ >/dev/null; nice; taskset -p $$ | cut -d' ' -f1; chrt -p $$ | head -1 | sed 's/[0-9]\+/N/'
        prlimit --nofile --noheadings -o SOFT,HARD; getopt -o ab: -- -a -b x y; mcookie | wc -c; namei -l /etc/passwd | wc -l
        findmnt -n -o TARGET,FSTYPE /tmp; whereis -b bash; rev <<<abc; column -t <<<'a b'; hexdump -C <<<x | head -1
        setsid -w sh -c 'exit 4'; echo $?; getent group root; printenv HOME; look roo /etc/passwd | head -1; isosize /etc/passwd; echo $?
    "#).ignore_stderr().normalise(&[Normalise::Blanks]),
    Case::bash("system/user-namespaces", r#"
        useradd -m u; cd /home/u; asu() { setpriv --reuid u --regid u --init-groups "$@"; }; touch root; chown u: /home/u
        asu unshare -U id; asu unshare -Ur id; asu unshare -Ur sh -c 'cat /proc/self/uid_map /proc/self/setgroups; stat -c %U . root /etc/passwd'
        asu unshare -Ur sh -c 'touch mine; chown 1 mine; echo $?; chown 0:0 root; echo $?; stat -c %u:%g mine'; stat -c %U mine
        asu unshare -Urmpf --propagation unchanged sh -c 'echo $$; mount -t tmpfs t /mnt && touch /mnt/a && ls /mnt; findmnt -no FSTYPE /mnt; umount /mnt; echo $?; mount --bind /etc /mnt; ls /mnt/passwd'; ls /mnt
        asu unshare -Urun sh -c 'hostname inner; hostname; ip -br link 2>/dev/null; cat /proc/net/dev | wc -l; setpriv --dump | grep -c chown'; hostname | wc -l
        asu unshare --map-user=5 --map-group=6 -U id; echo u:100000:1000 >/etc/subuid; echo u:100000:1000 >/etc/subgid
        unshare -U --map-users=0,0,10 --map-groups=0,0,10 sh -c 'id -u; chown 9:9 mine; stat -c %u:%g mine; chown 10 mine; echo $?'; stat -c %u mine
        asu unshare -Ur sleep 5 & sleep 0.5; nsenter -U -t $(pgrep -x sleep) cat /proc/self/uid_map | tr -s ' '; lsns -t user -n -o NPROCS | wc -l; kill %1; wait
        asu unshare -Ur unshare -U --map-user=7 cat /proc/self/uid_map; asu unshare -Ur chroot / id -u; asu unshare -Ur mknod x c 1 3; echo $?
        asu unshare -C cat /proc/self/cgroup; echo $?; asu unshare -UrC grep -c ^0::/$ /proc/self/cgroup
    "#).ignore_stderr(),
    Case::bash("system/sysv-ipc", r#"
        ipcmk -S 2 | cut -d: -f1; ipcmk -Q | cut -d: -f1; ipcmk -M 4096 | cut -d: -f1; ipcs -q | wc -l; ipcs -m | wc -l; ipcs -s | wc -l
        ipcrm -a; ipcs | wc -l
    "#).ignore_stderr(),
];
