//! coreutils, findutils, tar, grep, sed, awk: the file tree as a whole and in detail.

use crate::case::Case;
use crate::compare::Normalise;

pub(super) const ROWS: &[Case] = &[
    Case::bash("tree/find-count", "find / -xdev | wc -l"),
    Case::bash("tree/find-all", "find / -xdev -printf '%p %y %m %U %G %l\n' | sort | md5sum; find / -xdev -type f -printf '%s %n %T@ %p\n' | sort | md5sum"),
    Case::bash("tree/tar-count", "tar c /usr/share | tar t | wc -l").ignore_stderr(),
    Case::bash("tree/tar-round-trip", r#"
        tar cf /tmp/a.tar -C / --sort=name etc usr/share/perl; mkdir /tmp/x; tar xpf /tmp/a.tar -C /tmp/x
        diff -r --no-dereference /etc /tmp/x/etc && echo same; diff -r --no-dereference /usr/share/perl /tmp/x/usr/share/perl && echo same
        tar cf - -C /tmp/x --sort=name . | tar tvf - | awk '{print $1,$2,$6}' | md5sum
    "#),
    Case::bash("tree/tar-xz", "cd /; tar cJf /srv/a.txz usr/share/doc/b*; tar tJf /srv/a.txz | sort | md5sum; tar czf /srv/a.tgz usr/share/doc/b*; tar xzf /srv/a.tgz -C /srv; diff -r /usr/share/doc/bash /srv/usr/share/doc/bash && echo same"),
    Case::bash("tree/grep-recursive", "grep -rIl GNU /usr/share/doc | sort | md5sum; grep -rc root /etc 2>/dev/null | sort | md5sum"),
    Case::bash("tree/checksums", "cd /usr/bin; find . -type f | sort | xargs sha256sum | sha256sum; find /usr/lib -type f -name '*.so*' | sort | xargs cat | md5sum").guard_seconds(300),
    Case::bash("tree/copy", r#"
        cp -a /usr/share/perl /srv/p; diff -r /usr/share/perl /srv/p && echo same
        cp -al /srv/p /srv/q; find /srv/q -type f -links 2 | wc -l; find /srv/p -type f -links 1 | wc -l
        find /srv/p -type f | xargs chmod 600; find /srv/q -type f -perm 600 | wc -l
        rm -r /srv/p; find /srv/q -type f -links 1 | wc -l; rm -rf /srv/q; ls -A /srv
    "#),
    Case::bash("tree/remove-lower", r#"
        rm -rf /usr/share/doc; ls /usr/share/doc 2>&1; mkdir /usr/share/doc; ls -A /usr/share/doc; echo x >/usr/share/doc/new; cat /usr/share/doc/new
        mv /usr/share/man /srv/man-moved && ls /srv; ls /usr/share | grep man; true
    "#),
    Case::bash("sort/million-lines", r#"
        seq 1000000 | awk '{print ($1 * 7919) % 1000003, $1}' >/srv/in; wc -l </srv/in
        sort --parallel=2 -S 16M -k1,1n /srv/in | md5sum
        sort --parallel=2 -S 16M -T /srv /srv/in | md5sum; sort --parallel=2 -r -u -k1,1n /srv/in -o /srv/in; md5sum </srv/in
    "#).guard_seconds(300),
    Case::bash("sort/many-temporaries", "seq 200000 | sort -R --random-source=/usr/bin/perl | sort -n -S 1M --batch-size=4 -T /srv | md5sum; ls -A /srv"),
    Case::bash("coreutils/files", r#"
        cd /srv; mkdir -p a/b/c; touch -d '2001-02-03 04:05:06' a/f; ln a/f a/g; ln -s f a/s; ln -s nowhere a/dangling
        stat -c '%n %F %a %h %U' a a/*; stat -c '%Y %s' a/f a/g; readlink -f a/s a/dangling; realpath a/b/../f
        cp a/f a/copy; cp -p a/f a/pcopy; stat -c '%Y' a/pcopy; mv a/f a/b/; ls -1 a; cat a/s; echo $?
        install -m 4755 /bin/true a/suid; stat -c %A a/suid; chmod g+s,o+t a/b; stat -c %A a/b; chmod -R u=rwX,go= a; stat -c '%A %n' a a/b a/copy
        chown 12:34 a/copy; stat -c '%u:%g %A' a/copy; rmdir a; echo $?; rmdir a/b/c; rm -r a; ls
        mkdir -m 1777 t; stat -c %A t; ln -sfn t l; ln -sfn /tmp l; readlink l; rm l t -d; mktemp -d -p . XXXX | wc -c
    "#).ignore_stderr(),
    Case::bash("coreutils/errors", r#"
        cd /srv; touch f; mkdir d; cat f/x; cat d; rm d; rmdir f; mv d f; mv f d; mv d d/f; ln -s l l; cat l; mkdir d; cd f
        ln d e; touch nodir/x; cp nosuch x; mv nosuch x; ls nosuch; chmod 999 d; chown nosuchuser d; mkdir -p d/f/g; readlink d
        touch "$(head -c 300 /dev/zero | tr '\0' n)" 2>&1 | tail -c 20; unlink d/; rm ''; stat d/f/; true
    "#).ignore_stderr(),
    Case::bash("coreutils/error-texts", "cd /srv; touch f; mkdir d; cat f/x; cat d; rm d; rmdir f; mv d f; ln -s l l; cat l; cp nosuch x; ls nosuch; rmdir /usr; mkdir /usr; echo >/proc/version; rm /proc/version; touch /sys/x; true"),
    Case::bash("coreutils/sparse", r#"
        cd /srv; truncate -s 1G big; stat -c %s big; echo end >>big; stat -c %s big; tail -c 4 big; cp --sparse=always big copy; cmp big copy -n 5000000 && echo equal
        truncate -s 100 big; stat -c %s big; truncate -s +50 big; md5sum big; fallocate -l 100000 fa; stat -c %s fa; md5sum fa; fallocate -p -o 0 -l 4096 fa; stat -c %s fa; truncate -s 3 fa; od -c fa
        dd if=/dev/zero of=dd bs=1 count=1 seek=99999 2>/dev/null; stat -c %s dd; dd if=/etc/passwd of=dd bs=10 skip=1 seek=2 count=3 conv=notrunc 2>/dev/null; md5sum dd
    "#),
    Case::bash("coreutils/text", r#"
        seq 20 | split -l 7 - /tmp/part.; cat /tmp/part.* | md5sum; ls /tmp/part.*; csplit -s -f /tmp/c. <(seq 10) 3 6; wc -l /tmp/c.*
        comm -12 <(seq 5) <(seq 3 8); join <(echo 1 a) <(echo 1 b); paste <(seq 3) <(seq 4 6); tac <(seq 3); nl <(echo x); fold -w 3 <<<abcdefg; expand <<<$'a\tb'
        seq 9 | shuf --random-source=/bin/ls | wc -l; uniq -c <<<$'a\na\nb'; cut -d: -f1,3 /etc/passwd | head -3; tr -s ab <<<aabbcc; od -An -tx1 <<<xyz; base64 <<<hello; cksum </etc/passwd; sum </etc/passwd; b2sum </etc/passwd; factor 1234567890; numfmt --to=iec 123456789; seq -s, 1 .5 3; expr 3 + 4 \* 2; printf '%b\n' 'a\tb'; pr -t -2 <(seq 6); fmt -w 20 <<<'the quick brown fox jumps over'; tsort <<<'a b b c'
    "#),
    Case::bash("coreutils/sed-awk-grep", r#"
        sed -n '1,3p;$p' /etc/passwd; sed -i.bak 's/root/ROOT/' /etc/passwd; head -1 /etc/passwd; head -1 /etc/passwd.bak; sed -e '/nobody/d' -e 's#/#|#g' /etc/passwd | md5sum
        awk -F: '{s += $3} END {print s, NR}' /etc/passwd.bak; awk 'BEGIN { while (("seq 3" | getline x) > 0) print x; print "b\na" | "sort"; close("sort"); system("echo sys"); printf "%.3f\n", exp(1) }'
        grep -c bin /etc/passwd.bak; grep -E '^(root|daemon)' /etc/passwd.bak | cut -d: -f1; grep -q nothere /etc/passwd; echo $?; grep x /nonexistent; echo $?; echo abc | grep -o . ; zcat -f /etc/passwd.bak | md5sum
    "#),
    Case::bash("coreutils/tail-follow", r#"
        touch /tmp/l; (for i in 1 2 3 4 5; do sleep 0.1; echo line $i >>/tmp/l; done) & timeout 10 tail -f --pid=$! -s 0.05 /tmp/l
        seq 100000 >/tmp/n; tail -n 2 /tmp/n; tail -c +588890 /tmp/n; head -n -99998 /tmp/n; tail -n +99999 </tmp/n
    "#),
    Case::bash("coreutils/xargs-parallel", "seq 100 | xargs -P 4 -n 5 sh -c 'echo $#; sleep 0.01' x | sort | uniq -c; seq 10 | xargs -I{} echo item {} | tail -1; echo | xargs false; echo $?; echo | xargs sh -c 'exit 255' 2>/dev/null; echo $?; printf 'a\\0b c\\0' | xargs -0 -n1 echo"),
    Case::bash("coreutils/timeout", r#"
        timeout 0.2 sleep 10; echo $?; timeout 5 true; echo $?; timeout 5 sh -c 'exit 9'; echo $?; timeout -s KILL 0.2 sleep 10; echo $?
        timeout -k 0.2 0.2 bash -c 'trap "" TERM; for i in $(seq 100); do sleep 0.1; done'; echo $?; timeout --preserve-status 0.2 sleep 10; echo $?; timeout 1 nosuch; echo $?; timeout 0.3 bash -c 'sleep 20 & wait'; echo $?
    "#).ignore_stderr(),
    Case::bash("coreutils/nohup-nice-kill", r#"
        cd /srv; nohup sh -c 'echo in nohup; kill -HUP $$; echo survived' >out 2>&1; cat out; nice -n 5 nice; nice; kill -l | head -2; kill -l 9 15; /bin/kill -l HUP 2>/dev/null; setsid sh -c 'ps -o sid= -p $$ | tr -d " " >s; echo $$ >p'; sleep 0.2; cmp s p && echo leader
        sleep 100 & /bin/kill -s TERM $!; wait $!; echo $?; kill -0 $$; echo $?; kill 99999; echo $?; kill -TERM notapid; echo $?; nohup nosuch; echo $?
    "#).ignore_stderr(),
    Case::bash("coreutils/identity", "id; id -un; whoami; groups; id nobody; hostname; uname -s -m -o; tty; nproc --all | grep -c .; logname; users; who; date -u -d @0 +%FT%TZ; TZ=UTC0 date -d '2020-02-29 +1 year' +%F; getconf PAGESIZE; getconf CLK_TCK; arch").ignore_stderr(),
    Case::bash("coreutils/fifo", r#"
        mkfifo -m 640 /tmp/p; stat -c '%F %a' /tmp/p; echo through >/tmp/p & cat /tmp/p; wait
        mkfifo /srv/q; (for i in 1 2 3; do echo $i; done >/srv/q) & (while read x; do echo "r $x"; done </srv/q); wait
        exec 3<>/tmp/p; echo self >&3; read -u 3 y; echo $y; exec 3>&-
        (sleep 0.2; cat /srv/q >/tmp/out) & seq 100000 >/srv/q; wait; md5sum /tmp/out
        dd if=/tmp/p iflag=nonblock of=/dev/null 2>/dev/null; echo $?; dd if=/dev/null of=/srv/q oflag=nonblock conv=notrunc 2>&1 | grep -o 'No such device'
        rm /tmp/p /srv/q; ls /srv
    "#),
    Case::bash("coreutils/links-loops", "cd /srv; ln -s b a; ln -s a b; cat a; ls -l a | cut -c1; ln -s . self; ls self/self/self/self >/dev/null && echo deep; p=self; for i in $(seq 45); do p=$p/self; done; ls $p >/dev/null 2>&1; echo $?; ln -s ../srv/../etc/passwd rel; head -1 rel; cd self/self; pwd; pwd -P; readlink -m x/../y; ln -s /proc/self/cwd c; ls c | wc -l").ignore_stderr(),
    Case::bash("coreutils/names", r#"
        cd /srv; touch 'a b' $'new\nline' -- -dash 'ü' '*' "$(head -c 255 /dev/zero | tr '\0' n)"; ls -Q; ls | wc -l; rm -- -dash '*'; find . -name '*b' -print0 | od -c | head -2; mkdir -p $(printf 'd/%.0s' $(seq 300)); find d | wc -l; rm -r d; ls -A | wc -l
    "#),
    Case::bash("coreutils/many-files", "mkdir /srv/m; cd /srv/m; seq 5000 | xargs touch; ls | wc -l; ls -U | sort -n | md5sum; for i in $(seq 1 50 5000); do mv $i x$i; done; ls | grep -c x; find . -newer 1 | wc -l | grep -c .; rm x*; ls | wc -l; cd ..; rm -r m; ls -A"),
    Case::bash("coreutils/times", "cd /srv; touch -d @1000000000.123456789 f; stat -c '%y' f | cut -d. -f2 | cut -c1-9; touch -a -d @5 f; stat -c '%X %Y' f; touch -r f g; stat -c %X.%Y g; touch -h -d @7 -c nolink; ln -s f l; touch -h -d @9 l; stat -c %Y l f; sleep 0.02; echo x >>f; [ f -nt g ] && echo newer; a=$(stat -c %Z f); [ $(( $(date +%s) - a )) -lt 60 ] && echo fresh"),
    Case::bash("coreutils/dev", "head -c 5 /dev/zero | od -An -tx1; head -c 16 /dev/urandom | wc -c; cat /dev/null; echo x >/dev/null; head -c 3 /dev/full | od -An -c; dd if=/dev/zero of=/dev/null bs=1M count=200 2>&1 | cut -d' ' -f1-2 | head -2; [ -c /dev/tty ]; echo $?; : </dev/tty; echo $?; ls /dev | sort | tr '\\n' ' '; stat -c '%n %F %t:%T %a' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx -L; ls -l /dev/fd /dev/stdin /dev/stdout /dev/stderr | awk '{print $9,$10,$11}'").ignore_stderr(),
    Case::bash("coreutils/mknod", "cd /srv; mknod n c 1 3; echo $?; stat -c '%F %t:%T' n; echo x >n; echo $?; mknod p p; stat -c %F p; mknod b b 7 0; echo $?; stat -c %F b").ignore_stderr(),
    Case::bash("coreutils/sync-and-dd", "cd /srv; dd if=/dev/urandom of=r bs=64k count=64 conv=fsync 2>/dev/null; sync r; sync -f .; sync; dd if=r of=s bs=4k oflag=sync count=8 2>/dev/null; cmp -n 32768 r s && echo equal; dd if=r bs=1M iflag=fullblock 2>/dev/null | cmp - r && echo same; dd if=r of=t bs=5000 conv=sync 2>/dev/null; stat -c %s t; dd if=r of=u oflag=append conv=notrunc bs=100 count=2 2>/dev/null; dd if=r of=u oflag=append conv=notrunc bs=100 count=2 2>/dev/null; stat -c %s u"),
    Case::bash("coreutils/df-and-mount", r#"
        df --output=fstype,target /tmp /dev/shm /proc | tail -n +2; df / | wc -l; df -i / | wc -l; df -h /dev | tail -1 | awk '{print $2,$6}'
        mount | awk '$3 != "/" {print $1, $2, $3, $4, $5}'; mountpoint / /tmp /srv; stat -f -c %T /tmp /proc /dev/shm /dev/pts /sys
        awk '$5 != "/" {print NF, $5, $(NF-2), $(NF-1)}' /proc/self/mountinfo; grep -c . /proc/mounts; grep -c . /proc/filesystems | grep -vc '^0'
    "#).normalise(&[Normalise::Blanks]).ignore_stderr(),
    Case::bash("coreutils/du-and-space", "cd /srv; du -sb --apparent-size /etc/perl | cut -f1; mkdir d; head -c 100000 /dev/zero >d/f; ln d/f d/g; sync; du -sb d/f d | cut -f1; du -a --inodes d; df --output=size / | tail -1 | awk '{print ($1 > 1000)}'"),
    Case::bash("coreutils/umask-and-acl", "cd /srv; for m in 000 022 077 027; do umask $m; touch f$m; mkdir d$m; stat -c '%a' f$m d$m; done; mkdir -m 2775 sg; chgrp 50 sg; touch sg/f; mkdir sg/d; stat -c '%g %A' sg/f sg/d; cp -p sg/f x; stat -c %g x"),
    Case::bash("coreutils/permissions-as-user", r#"
        ls -la /root; cat /etc/shadow; touch /etc/x; mkdir /tmp/d; chmod 0 /tmp/d; ls /tmp/d; touch /tmp/d/f; chmod 700 /tmp/d; touch /tmp/d/f; chmod 400 /tmp/d/f; echo x >/tmp/d/f; chmod 200 /tmp/d/f; cat /tmp/d/f
        mv /tmp/d/f /tmp/; rm -f /tmp/f; chown root /tmp/d; chgrp 0 /tmp/d; rm /bin/ls; mknod /tmp/n c 1 3; ln /bin/su /tmp/su; su -c id </dev/null; ping -c1 localhost; true
    "#).user(1000).ignore_stderr(),
    Case::bash("coreutils/hostname-and-chroot", "cat /etc/hostname /proc/sys/kernel/hostname | tail -1; mkdir -p /srv/r/bin; cp /bin/busybox /srv/r/bin/sh; chroot /srv/r /bin/sh -c 'echo in; ls /; pwd; cd ..; pwd'; echo $?; chroot /nonexistent; echo $?; chroot --userspec=99:98 / id -u").ignore_stderr(),
    Case::bash("coreutils/stdbuf-and-tee", "seq 5 | stdbuf -oL cat; seq 3 | tee /tmp/a /tmp/b >/tmp/c; cat /tmp/[abc]; seq 4 | tee -a /tmp/a | tail -1; wc -l </tmp/a; echo x | tee /nonexistent/x; echo $?").ignore_stderr(),
    Case::bash("coreutils/cat-proc", r#"
        for f in cpuinfo meminfo stat uptime loadavg version filesystems mounts self/status self/stat self/statm self/maps self/smaps self/limits self/mountinfo self/cmdline self/environ self/comm self/cgroup self/auxv self/io self/oom_score_adj self/personality self/wchan sys/kernel/pid_max sys/kernel/ostype sys/vm/overcommit_memory sys/fs/file-max sys/kernel/random/uuid sys/kernel/random/boot_id sys/kernel/cap_last_cap; do [ -n "$(tr -d '\0' </proc/$f)" ] && echo $f; done
    "#).ignore_stderr(),
    Case::bash("coreutils/compress", r#"
        cd /srv; tar cf t.tar -C /usr/share perl; md5sum <t.tar >sum; gzip -k t.tar; xz -kT2 -1 t.tar; ls t.tar.*; for z in 'gzip -dc t.tar.gz' 'xz -dc t.tar.xz'; do $z | md5sum | cmp - sum && echo same; done
        gzip -t t.tar.gz && xz -t t.tar.xz && echo ok; head -c 1000 t.tar.gz | gzip -dc >/dev/null 2>&1; echo $?; echo junk | xz -dc 2>/dev/null; echo $?; rm t.tar; gunzip t.tar.gz; unxz -f t.tar.xz; md5sum <t.tar | cmp - sum && echo same; xz --list --robot <(xz </etc/passwd) 2>/dev/null | wc -l
    "#).guard_seconds(300),
    Case::bash("coreutils/file-types", "cd /srv; file /bin/bash /etc/passwd /usr/bin/perl /tmp /dev/null /usr/bin/awk | sed 's/, BuildID.*//'; echo '#!/bin/sh' >s; file s; head -c 10 /dev/zero >z; file z; : >e; file e; mkfifo p; file p; file nosuch"),
];
