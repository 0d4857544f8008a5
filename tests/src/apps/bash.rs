//! bash: pipelines, job control, subshells, here-documents, traps, redirections.

use crate::case::Case;
use crate::compare::Normalise;

pub(super) const ROWS: &[Case] = &[
    Case::bash("bash/pipeline", r#"
        printf '%s\n' c a b | sort | tr a-z A-Z | paste -sd,
        true | false | true; echo "${PIPESTATUS[@]}"
        set -o pipefail; true | false | true; echo $?
        seq 100000 | grep 7 | wc -l
        echo x | { read y; echo "got $y"; } | cat
        echo err >&2 | cat |& cat
    "#),
    Case::bash("bash/pipeline-sigpipe", r#"
        yes | head -n 3; echo "${PIPESTATUS[@]}"
        seq 1000000 | head -n 1; echo "${PIPESTATUS[@]}"
        (trap '' PIPE; seq 1000000 2>&1; echo "seq $?" >&2) | head -n 1
    "#),
    Case::bash("bash/pipeline-long", r#"
        c=cat; for i in $(seq 30); do c="$c | cat"; done
        seq 5000 | eval "$c" | md5sum
    "#),
    Case::bash("bash/pipeline-megabytes", "head -c 50000000 /dev/zero | tr '\\0' x | tee >(md5sum >/tmp/a) | wc -c; sleep 0.1; cat /tmp/a"),
    Case::bash("bash/process-substitution", r#"
        diff <(seq 5) <(seq 2 6); echo $?
        cat <(echo a) <(echo b) <(cat <(echo c))
        while read l; do n=$((n+l)); done < <(seq 100); echo $n
        echo payload > >(cat >/tmp/out); wait $!; cat /tmp/out
    "#),
    Case::bash("bash/subshell", r#"
        x=1; (x=2; echo $x; exit 3); echo "$? $x"
        echo "$(echo a; (echo b; echo "$(echo c)"))"
        [ $$ = $BASHPID ] && echo same; ( [ $$ = $BASHPID ] || echo differ; echo $BASH_SUBSHELL )
        (cd /usr && pwd); pwd
        (umask 077; umask); umask
        f() { echo "f $1"; return 7; }; export -f f; bash -c 'f x'; echo $?
        (exec echo replaced; echo never)
        (set -e; false; echo never); echo $?
    "#),
    Case::bash("bash/deep-subshells", r#"
        f() { if [ $1 -gt 0 ]; then echo "$(f $(($1 - 1)))."; else echo end; fi; }; f 25
        for i in $(seq 200); do (exit $((i % 5))); s=$((s + $?)); done; echo $s
    "#),
    Case::bash("bash/here-documents", r#"
        v=value
        cat <<EOF
        $v $(echo sub) $((1 + 2)) \$v
EOF
        cat <<'EOF'
        $v $(echo sub)
EOF
        cat <<-EOF
		tabs gone
	EOF
        cat <<<"string $v"
        cat <<A; cat <<B
first
A
second
B
        cat 0<<X 3<<Y <&3
x
X
y
Y
        big=$(seq 40000); wc -c <<<"$big"; md5sum <<EOF
$big
EOF
    "#),
    Case::bash("bash/traps", r#"
        trap 'echo exit $?' EXIT
        trap 'echo usr1' USR1; kill -USR1 $$; echo after
        trap 'echo int' INT; kill -INT $$
        trap 'echo hup; trap - HUP' HUP; kill -HUP $$
        trap '' TERM; kill -TERM $$; echo ignored
        (trap; echo "in subshell") 
        trap -p USR1
        trap 'echo err line' ERR; false; true
        trap - ERR
        trap 'echo debug' DEBUG; :; trap - DEBUG
        f() { trap 'echo return' RETURN; echo in f; }; f
        (trap 'echo sub exit' EXIT; exit 4); echo $?
        (kill -KILL $BASHPID); echo $?
        exit 9
    "#).ignore_stderr().exits(9),
    Case::bash("bash/trap-child", r#"
        bash -c 'trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.05; done' > /tmp/o & p=$!
        until grep -q ready /tmp/o 2>/dev/null; do sleep 0.02; done
        kill $p; wait $p; echo $?; cat /tmp/o
        sleep 100 & p=$!; kill -9 $p; wait $p; echo $?
        sleep 100 & p=$!; kill -TERM $p; wait $p; echo $?
        trap 'n=$((n+1))' CHLD; for i in 1 2 3; do /bin/true; done; echo "$((n > 0))"
    "#).ignore_stderr(),
    Case::bash("bash/trap-interrupts-wait", r#"
        trap 'echo got' USR1
        (sleep 0.2; kill -USR1 $$) &
        sleep 1 & wait $!; echo "wait $?"
        kill %2 2>/dev/null; wait; echo done
    "#).ignore_stderr(),
    Case::bash("bash/init-signals", r#"
        # pid 1 is spared every signal that it does not handle
        echo $$; kill -TERM 1; kill -KILL 1; kill -INT 1; echo alive
        bash -c 'kill -TERM 1; kill -KILL 1'; echo still alive
        bash -c 'kill -9 $$'; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/job-control", r#"
        set -m
        sleep 0.3 & jobs; wait; jobs
        sleep 30 & kill -STOP %1; sleep 0.1; jobs; kill -CONT %1; sleep 0.1; jobs; kill %1; wait %1; echo $?
        sleep 0.1 & fg %1; echo "fg $?"
        (exit 3) & wait $!; echo $?
        sleep 20 & sleep 21 & jobs -p | wc -l; jobs -r | wc -l; kill %1 %2; wait; jobs >/dev/null
        { sleep 0.05; echo a; } & { sleep 0.2; echo b; } & wait -n; echo first; wait; echo all
    "#).ignore_stderr(),
    Case::bash("bash/job-groups", r#"
        set -m
        sleep 30 | sleep 30 & p=$!
        sleep 0.1
        ps -o pgid= -p $p | tr -d ' ' >/tmp/g; g=$(cat /tmp/g)
        ps -e -o pgid=,args= | awk -v g=$g '$1==g' | wc -l
        kill -TERM -- -$g; wait $p; echo $?
        ps -e -o pgid= | awk -v g=$g '$1==g' | wc -l
    "#).ignore_stderr(),
    Case::bash("bash/suspend-and-resume", r#"
        bash -c 'kill -STOP $$; echo resumed; exit 4' & p=$!
        until [ "$(ps -o state= -p $p)" = T ]; do sleep 0.02; done
        echo stopped; kill -CONT $p; wait $p; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/wait-statuses", r#"
        for i in 0 1 42 255; do (exit $i) & wait $!; echo $?; done
        for s in HUP INT QUIT KILL TERM USR1 ALRM SEGV ABRT; do bash -c "ulimit -c 0; kill -$s \$\$"; echo $s $?; done
        wait 99999; echo $?
        sleep 0 & a=$!; sleep 0 & b=$!; wait $a $b; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/redirections", r#"
        exec 5>/tmp/f; echo one >&5; echo two >&5; exec 5>&-; cat /tmp/f
        echo three >>/tmp/f; wc -l </tmp/f
        { echo out; echo err >&2; } >/tmp/o 2>/tmp/e; cat /tmp/e /tmp/o
        { echo out; echo err >&2; } &>/tmp/both; cat /tmp/both
        exec {fd}<>/tmp/rw; echo hello >&$fd; cat /tmp/rw; exec {fd}>&-
        set -C; echo x >/tmp/f; echo $?; echo x >|/tmp/f; cat /tmp/f; set +C
        cat </nonexistent; echo $?
        echo x >/nonexistent/dir; echo $?
        echo x >/tmp; echo $?
        exec 3</etc/passwd; read -u 3 l; echo "$l"; exec 4<&3; read -u 4 m; echo "$m"; exec 3<&- 4<&-
        echo to-closed >&7; echo $?
        echo via /dev/stdout >/dev/stdout; echo via fd >/dev/fd/1; echo e >/dev/stderr
        : >/dev/full; echo full >/dev/full; echo $?
    "#),
    Case::bash("bash/read-and-input", r#"
        while IFS=: read -r a b; do echo "[$a][$b]"; done
        read -t 0.1 x </dev/zero; echo $?
        read -t 0.05 x < <(sleep 1); echo $(( $? > 128 ))
        read -n 3 y <<<abcdef; echo $y
        mapfile -t m < <(seq 3); echo "${#m[@]} ${m[2]}"
        read -d '' z < <(printf 'a b\0c'); echo "$z"
    "#).stdin("x:1\ny:2\nlast:line-without-newline"),
    Case::bash("bash/shared-stdin", "head -c 2 >/dev/null; read l; echo \"[$l]\"; cat").stdin("abcd\nrest\n"),
    Case::bash("bash/coproc", r#"
        coproc BC { while read l; do echo "got $l"; done; }
        echo one >&${BC[1]}; read -u ${BC[0]} r; echo "$r"
        echo two >&${BC[1]}; read -u ${BC[0]} r; echo "$r"
        exec {BC[1]}>&-; wait; echo done
    "#).ignore_stderr(),
    Case::bash("bash/exit-statuses", r#"
        nosuchcommand; echo $?
        /etc/passwd; echo $?
        /tmp; echo $?
        echo '#!/nonexistent/interpreter' >/tmp/s; chmod +x /tmp/s; /tmp/s; echo $?
        printf '#!/bin/sh\nexit 3\n' >/tmp/t; chmod +x /tmp/t; /tmp/t; echo $?
        printf 'exit 6\n' >/tmp/u; chmod +x /tmp/u; /tmp/u; echo $?
        printf '\177ELFgarbage' >/tmp/v; chmod +x /tmp/v; /tmp/v; echo $?
        bash -c 'exit 300'; echo $?
        exit 77 | cat; echo ${PIPESTATUS[0]}
    "#).ignore_stderr(),
    Case::bash("bash/globs", r#"
        mkdir -p /tmp/g/{a,b}/{x,y}; touch /tmp/g/{a,b}/{x,y}/f{1..3}.{c,h} /tmp/g/.hidden
        cd /tmp/g; shopt -s globstar extglob nullglob dotglob
        echo *; echo **/*.c; echo a/!(x)/*; echo **/f[12].@(c|h) ; echo none*
        shopt -u globstar; echo /usr/bin/[ab]*sum /etc/*-release
    "#),
    Case::bash("bash/loops-and-arithmetic", r#"
        for ((i = 0; i < 30000; i++)); do s=$((s + i * i % 7)); done; echo $s
        declare -A m; for w in $(echo {a..e}{1..9}); do m[$w]=${#w}; done; echo ${#m[@]}
        printf '%05d %x %s\n' 42 255 end; printf -v z '%q' "a b'c"; echo "$z"
        [[ abc =~ ^a(.)c$ ]] && echo "${BASH_REMATCH[1]}"
        case abc in a*) echo case;; esac; echo ${z//a/b} ${PWD:-x} ${unset:-default}
    "#),
    Case::bash("bash/many-forks", "for i in $(seq 300); do /bin/true || echo bad; done; echo $?; for i in $(seq 40); do sleep 0.1 & done; wait; echo done"),
    Case::bash("bash/limits", r#"
        ulimit -n; ulimit -Hn; ulimit -c; ulimit -s; (ulimit -n 10; ulimit -n; ulimit -n 20; echo $?)
        (ulimit -f 1; head -c 100000 /dev/zero >/tmp/big; echo $?; stat -c %s /tmp/big)
        (ulimit -n 20; for i in $(seq 3 30); do eval "exec $i</dev/null" || break; done; echo opened) 2>/dev/null; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/as-user", r#"
        id; echo x >/etc/passwd; echo $?; touch /tmp/mine && stat -c '%u:%g %a' /tmp/mine
        cat /etc/shadow; echo $?; ls /root; echo $?; kill -0 1; echo $?; mkdir /newdir; echo $?
        grep Cap /proc/self/status; chown 0 /tmp/mine; echo $?; chmod 600 /tmp/mine; echo $?
        cd /proc/1/cwd && pwd
    "#).user(1234),
    Case::bash("bash/tmp-races", r#"
        for j in 1 2 3 4; do (for i in $(seq 50); do echo "$j $i" >>/tmp/log; done) & done; wait
        sort /tmp/log | uniq | wc -l; for j in 1 2 3 4; do mkdir /tmp/lock 2>/dev/null && echo won; done; true
    "#),
    Case::bash("bash/environment", r#"
        env -i A=1 B='x y' env; env -i sh -c 'echo "[$HOME][$PATH]"' | sed 's/PATH.*//' | cut -c1-3
        A=1 bash -c 'echo $A'; export C=3; env | grep ^C=; env -u C env | grep -c ^C=; 
        env -i $(for i in $(seq 200); do echo V$i=$i; done) env | wc -l
        tr '\0' '\n' </proc/$$/environ | sort
        x=$(head -c 100000 /dev/zero | tr '\0' y); X=$x bash -c 'echo ${#X}'
        x=$(head -c 200000 /dev/zero | tr '\0' y); X=$x /bin/true; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/dev-fd", r#"
        ls -l /proc/self/fd | awk 'NR>1{print $9}' | head -3
        echo abc | cat /dev/stdin; echo abc | cat /proc/self/fd/0; cat /dev/fd/3 3<<<three
        exec 9</etc/passwd; head -c 4 /dev/fd/9; echo; head -c 4 <&9; echo; readlink /proc/$$/fd/9
        readlink /proc/$$/cwd /proc/$$/exe; [ -p /dev/stdin ]; echo $?
    "#).normalise(&[Normalise::Blanks]),
    Case::bash("bash/sleep-and-time", r#"
        s=$(date +%s%N); sleep 0.3; e=$(date +%s%N); d=$(( (e - s) / 1000000 )); echo $((d >= 300 && d < 5000))
        TIMEFORMAT=%R; t=$( { time sleep 0.2; } 2>&1 ); [[ $t == 0.[2-9]* ]] && echo timed
        SECONDS=0; sleep 1.1; echo $((SECONDS >= 1))
    "#),
    Case::bash("bash/exec-chain", r#"
        echo 'exec bash -c "exec sh -c \"exec echo end of chain\""' >/tmp/c; exec bash /tmp/c
    "#),
    Case::bash("bash/script-file", r#"
        printf '#!/bin/bash\necho "$0 $# $*"\nexit 5\n' >/tmp/s; chmod 755 /tmp/s
        /tmp/s a 'b c'; echo $?; cd /tmp; ./s; PATH=/tmp:$PATH s q; printf '#!/tmp/s arg1 arg2\n' >/tmp/n; chmod 755 /tmp/n; /tmp/n x; echo $?
        printf '#! /usr/bin/env -S python3 -B\nimport sys; print(sys.argv[1:])\n' >/tmp/p; chmod 755 /tmp/p; /tmp/p 1 2
        chmod 644 /tmp/p; /tmp/p; echo $?
    "#).ignore_stderr(),
    Case::bash("bash/stdin-script", r#"bash <<'EOF'
echo from stdin
read line
this line is read, not run
echo "[$line]"
EOF
"#),
];
