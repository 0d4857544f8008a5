//! Compilers and make: many processes, temporary files, big mappings.

use crate::case::Case;

pub(super) const ROWS: &[Case] = &[
    Case::bash("gcc/hello", r#"
        cd /srv; cat >h.c <<'END'
#include <stdio.h>
int main(int c, char **v) { printf("hello %d %s\n", c, v[1]); return c; }
END
        gcc -Wall -O2 h.c -o h; ./h x; echo $?
        gcc -static -g h.c -o s; ./s y; echo $?
        gcc -S h.c; gcc -c h.s; gcc h.o -o t; ./t z; echo $?
        gcc -pipe -save-temps h.c -o u; ./u w; echo $?
        gcc -E h.c | grep -c printf; nm h | grep -c ' T main'; size -A s | grep -c .text
        echo 'int main( {' | gcc -xc - ; echo $?
        gcc -dumpmachine; ls /tmp /srv
    "#).ignore_stderr(),
    Case::bash("gcc/threads-and-libraries", r#"
        cd /srv; cat >t.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <dlfcn.h>
#include <math.h>
static long n;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int tl;
static void *w(void *a) {
  (void)a;
  for (int i = 0; i < 10000; i++) { pthread_mutex_lock(&m); n++; tl++; pthread_mutex_unlock(&m); }
  return (void *)(long)tl;
}
int main(void) {
  pthread_t t[8]; long s = 0; void *r;
  for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, w, 0);
  for (int i = 0; i < 8; i++) { pthread_join(t[i], &r); s += (long)r; }
  void *h = dlopen("./lib.so", RTLD_NOW);
  int (*f)(int) = (int (*)(int))dlsym(h, "twice");
  printf("%ld %ld %d %.5f\n", n, s, f(21), sin(1));
  return dlclose(h);
}
END
        echo 'int twice(int x) { return 2 * x; } __attribute__((constructor)) static void c(void) { __builtin_puts("loaded"); }' >l.c
        gcc -shared -fPIC l.c -o lib.so; gcc -O2 -pthread t.c -o t -ldl -lm; ./t; echo $?
        gcc -c l.c; ar rcs libl.a l.o; ar t libl.a; ldd ./t | awk '{print $1}' | grep -v linux-vdso
    "#),
    Case::bash("gcc/crashes", r#"
        cd /srv
        for c in '*(volatile int *)0 = 1;' '__builtin_trap();' 'volatile int z = 0; z = 1 / z;' '__builtin_abort();' \
                 'char *p = 0; return *(p - 1);' 'raise(11);' 'alarm(1); pause();' 'int *p = (int *)main; *p = 1;'; do
            printf '#include <signal.h>\n#include <unistd.h>\nint main(void) { %s return 0; }\n' "$c" | gcc -w -xc - -o c && ./c; echo $?
        done
        echo 'int f(int n) { volatile char a[1000]; a[0] = n; return n ? f(n + 1) + a[0] : 0; } int main(void) { return f(1); }' >r.c
        gcc -w -O0 r.c -o c && ./c; echo $?
    "#).ignore_stderr(),
    Case::bash("gcc/floating-point", r#"
        cd /srv; cat >f.c <<'END'
#include <stdio.h>
#include <math.h>
#include <immintrin.h>
#include <unistd.h>
#include <sys/wait.h>
__attribute__((target("avx2"))) static void avx(void) {
  __m256i a = _mm256_set1_epi32(3), b = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8);
  for (int i = 0; i < 5; i++) {
    if (!fork()) _exit(0);
    wait(0);
    a = _mm256_add_epi32(_mm256_mullo_epi32(a, b), a);
  }
  int o[8]; _mm256_storeu_si256((void *)o, a);
  for (int i = 0; i < 8; i++) printf("%d ", o[i]);
  puts("");
}
int main(void) {
  double x = 1;
  for (int i = 1; i < 1000; i++) { x += sqrt(i) / (1 + sin(i)); if (i % 100 == 0) getppid(); }
  printf("%.12e %La %d\n", x, expl(1.0L), (int)lrint(2.5));
  if (__builtin_cpu_supports("avx2")) avx(); else puts("no avx2");
  return 0;
}
END
        gcc -O1 f.c -o f -lm; ./f
    "#),
    Case::bash("make/parallel", r#"
        mkdir -p /srv/p/src; cd /srv/p
        for i in $(seq 12); do echo "int f$i(int x) { return x + $i; }" >src/f$i.c; echo "int f$i(int);" >>src/all.h; done
        { echo '#include "all.h"'; echo '#include <stdio.h>'; echo 'int main(void) { int s = 0;'
          for i in $(seq 12); do echo "s += f$i($i);"; done; echo 'printf("%d\n", s); return 0; }'; } >src/main.c
        cat >Makefile <<'END'
SRC := $(wildcard src/*.c)
OBJ := $(SRC:src/%.c=obj/%.o)
prog: $(OBJ) ; gcc -o $@ $^
obj/%.o: src/%.c src/all.h | obj ; gcc -O1 -c $< -o $@
obj: ; mkdir -p $@
clean: ; rm -rf obj prog
.PHONY: clean
END
        make -s -j2; ./prog; make -q; echo $?; sleep 0.05; touch src/f3.c; make -j2 --output-sync | sort
        make -s clean; ls; make nosuch; echo $?; make -j2 -s 2>&1; ./prog
        printf 'all: a b\na: ; @sleep 0.2; echo a\nb: ; @sleep 0.6; echo b\nfail: ; false\n' >m
        make -s -j2 -f m; make -f m fail; echo $?
    "#).ignore_stderr(),
    Case::bash("make/recursive-jobserver", r#"
        mkdir -p /srv/q/{a,b,c}; cd /srv/q
        for d in a b c; do printf 'all: 1 2 3\n1 2 3: ; @sleep 0.05; echo $@ >>log\n' >$d/Makefile; done
        printf 'all: a b c\na b c: ; +@$(MAKE) -s -C $@\n.PHONY: a b c\n' >Makefile
        make -s -j3; cat a/log b/log c/log | sort | tr '\n' ' '
    "#),
];
