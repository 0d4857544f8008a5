//! What each whole program does, as a shell script; `prepare` is done once, before any
//! measurement, natively.

/// What prepares and runs a program.
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) prepare: &'static str,
    pub(super) run: &'static str,
}

const fn script(name: &'static str, prepare: &'static str, run: &'static str) -> Script {
    Script { name, prepare, run }
}

/// In the order of `case::PROGRAMS`.
pub(super) const SCRIPTS: &[Script] = &[
    script("python", "", "exec python3 -c pass"),
    script(
        "gcc",
        "i=0; while [ $i -lt 400 ]; do echo \"int f$i(int *p, int n) {
    int sum = $i;
    for (int k = 0; k < n; k++) sum = sum * 31 + (p[k] ^ (sum >> 3));
    return sum % 1000;
}\"; i=$((i + 1)); done > /srv/long.c",
        "exec gcc -O2 -c /srv/long.c -o /srv/long.o",
    ),
    script(
        "git-status",
        "mkdir /srv/repository && cd /srv/repository && git init -q . && python3 -c '
import os
for d in range(100):
    os.makedirs(f\"d{d}\")
    for f in range(50):
        open(f\"d{d}/f{f}\", \"w\").write(f\"{d} {f}\\n\" * 20)
' && git add . && git -c user.name=b -c user.email=b@b commit -q -m files",
        "cd /srv/repository && git -c safe.directory=* status --short",
    ),
    script(
        "find-cold",
        "python3 -c '
import os
for d in range(500):
    os.makedirs(f\"/srv/many/{d % 10}/{d}\")
    for f in range(100):
        open(f\"/srv/many/{d % 10}/{d}/{f}\", \"w\").close()
'",
        "find /srv/many -type f -size -1 | wc -l",
    ),
    // A find of its own container would be cold: the first one is not counted.
    script(
        "find-warm",
        "",
        "find /srv/many -type f -size -1 > /dev/null; begin=${EPOCHREALTIME/./}; \
         find /srv/many -type f -size -1 | wc -l; echo took $((${EPOCHREALTIME/./} - begin))",
    ),
    script("tar", "", "exec tar -cf - /usr/share 2>/dev/null | wc -c"),
    script(
        "sqlite",
        "",
        "cd /srv && rm -f db db-wal db-shm && python3 -c '
print(\"pragma journal_mode=wal; create table t(a integer primary key, b text);\")
for i in range(10000):
    print(f\"insert into t values({i}, \\\"row {i}\\\");\")
' > sql && begin=${EPOCHREALTIME/./} && sqlite3 db < sql && echo took $((${EPOCHREALTIME/./} - begin))",
    ),
    script(
        "redis",
        "",
        "cd /tmp && { redis-server --port 0 --unixsocket /tmp/redis --save '' > /dev/null & } && \
         until [ -S /tmp/redis ]; do sleep 0.1; done; begin=${EPOCHREALTIME/./}; \
         redis-benchmark -s /tmp/redis -n 20000 -t set,get -q > /dev/null; \
         echo took $((${EPOCHREALTIME/./} - begin)); kill $!; wait; true",
    ),
    script(
        "make",
        "",
        "cd /srv/source && make -s clean > /dev/null 2>&1; begin=${EPOCHREALTIME/./}; \
         make -s -j2 > /dev/null 2>&1 && echo took $((${EPOCHREALTIME/./} - begin))",
    ),
];

/// What a script prints before the microseconds that it has measured itself, where there is
/// something to be done first.
pub(super) const TOOK: &str = "took ";
