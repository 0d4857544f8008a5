// prctl(2), getrlimit(2), getpriority(2), sched_*(2), personality(2).
#include "guest.h"
#include <sys/personality.h>
#include <linux/securebits.h>

TEST(names) {
  char b[32] = "";
  SHOW(prctl(PR_SET_NAME, "a name that is too long"));
  prctl(PR_GET_NAME, b), say("%s", b);
  SHOW(prctl(PR_SET_NAME, 8));
  say_file("/proc/self/comm");
  SHOW(prctl(PR_SET_NAME, ""));
  prctl(PR_GET_NAME, b), say("[%s]", b);
}

TEST(switches) {
  int value = -1;
  SHOW(prctl(PR_GET_DUMPABLE));
  SHOW(prctl(PR_SET_DUMPABLE, 0));
  SHOW(prctl(PR_GET_DUMPABLE));
  SHOW(prctl(PR_SET_DUMPABLE, 2));
  SHOW(prctl(PR_SET_DUMPABLE, 1));
  SHOW(prctl(PR_GET_KEEPCAPS));
  SHOW(prctl(PR_SET_KEEPCAPS, 1));
  SHOW(prctl(PR_GET_KEEPCAPS));
  SHOW(prctl(PR_SET_KEEPCAPS, 2));
  SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
  SHOW(prctl(PR_GET_SECUREBITS));
  SHOW(prctl(PR_GET_TIMERSLACK));
  SHOW(prctl(PR_SET_TIMERSLACK, 1000));
  SHOW(prctl(PR_GET_TIMERSLACK));
  SHOW(prctl(PR_GET_TSC, &value)), say("%d", value);
  SHOW(prctl(PR_GET_SECCOMP));
  SHOW(prctl(PR_CAPBSET_READ, 0));
  SHOW(prctl(PR_CAPBSET_READ, 21));
  SHOW(prctl(PR_CAPBSET_READ, 999));
  SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
  SHOW(prctl(99999));
  SHOW(prctl(PR_GET_PDEATHSIG, 8));
}

TEST(limits) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r), say("files %ld %ld", (long)r.rlim_cur, (long)r.rlim_max);
  getrlimit(RLIMIT_CORE, &r), say("core %ld %ld", (long)r.rlim_cur, (long)r.rlim_max);
  getrlimit(RLIMIT_STACK, &r), say("stack %ld %ld", (long)r.rlim_cur, (long)r.rlim_max);
  SHOW(setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 200}));
  SHOW(setrlimit(RLIMIT_NOFILE, &(struct rlimit){300, 200}));
  SHOW(setrlimit(RLIMIT_NOFILE, &(struct rlimit){150, 200}));
  SHOW(setrlimit(RLIMIT_NOFILE, &(struct rlimit){150, 250})); // needs CAP_SYS_RESOURCE
  SHOW(getrlimit(99, &r));
  SHOW(setrlimit(99, &r));
  SHOW(getrlimit(RLIMIT_NOFILE, (void *)8));
  SHOW(setrlimit(RLIMIT_CPU, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
  for (int i = 0; i < 16; i++) if (getrlimit(i, &r)) say("%d: %s", i, error_name(errno));
  CHILD("inherits") { getrlimit(RLIMIT_NOFILE, &r), say("%ld %ld", (long)r.rlim_cur, (long)r.rlim_max); }
  pid_t kid = fork();
  if (!kid) { pause(); }
  struct rlimit old;
  SHOW(prlimit(kid, RLIMIT_NOFILE, &(struct rlimit){50, 60}, &old)), say("%ld", (long)old.rlim_cur);
  SHOW(prlimit(kid, RLIMIT_NOFILE, NULL, &old)), say("%ld", (long)old.rlim_cur);
  SHOW(prlimit(1 << 21, RLIMIT_NOFILE, NULL, &old));
  kill(kid, SIGKILL), wait(NULL);
}

TEST(cpu_limit) {
  setrlimit(RLIMIT_CPU, &(struct rlimit){1, 3});
  CHILD("spins") for (;;) {}
}

TEST(priorities) {
  errno = 0;
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(setpriority(PRIO_PROCESS, 0, 5));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(RAW(getpriority, PRIO_PROCESS, 0));
  SHOW(setpriority(PRIO_PROCESS, 0, 4)); // needs CAP_SYS_NICE
  SHOW(nice(3));
  SHOW(setpriority(PRIO_PROCESS, 0, 100));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(getpriority(PRIO_PGRP, 0));
  SHOW(getpriority(99, 0));
  SHOW(getpriority(PRIO_PROCESS, 1 << 21));
  SHOW(setpriority(PRIO_USER, 5555, 1));
}

TEST(scheduling) {
  struct sched_param p = {0};
  struct timespec t;
  SHOW(sched_getscheduler(0));
  SHOW(sched_getparam(0, &p));
  SHOW(sched_setscheduler(0, SCHED_BATCH, &p));
  SHOW(sched_getscheduler(0));
  SHOW(sched_setscheduler(0, SCHED_OTHER, &p));
  p.sched_priority = 5;
  SHOW(sched_setscheduler(0, SCHED_OTHER, &p));
  SHOW(sched_setscheduler(0, SCHED_FIFO, &p));
  SHOW(sched_setscheduler(0, 99, &p));
  SHOW(sched_get_priority_max(SCHED_FIFO));
  SHOW(sched_get_priority_min(SCHED_RR));
  SHOW(sched_get_priority_max(SCHED_OTHER));
  SHOW(sched_get_priority_max(99));
  SHOW(sched_rr_get_interval(0, &t));
  SHOW(sched_getscheduler(1 << 21));
  SHOW(sched_getscheduler(-1));
  SHOW(sched_yield());
  SHOW(RAW(ioprio_get, 1, 0) >= 0);
}

TEST(affinity) {
  cpu_set_t all, one, got;
  SHOW(sched_getaffinity(0, sizeof all, &all));
  IS(CPU_COUNT(&all) > 0);
  int first = 0;
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  SHOW(sched_setaffinity(0, sizeof one, &one));
  sched_getaffinity(0, sizeof got, &got);
  IS(CPU_EQUAL(&got, &one));
  CHILD("inherits") { sched_getaffinity(0, sizeof got, &got); IS(CPU_EQUAL(&got, &one)); }
  CPU_ZERO(&one);
  SHOW(sched_setaffinity(0, sizeof one, &one));
  SHOW(sched_setaffinity(0, sizeof all, &all));
  SHOW(sched_getaffinity(0, 1, &got));
  SHOW(sched_getaffinity(1 << 21, sizeof got, &got));
  SHOW(sched_setaffinity(0, sizeof one, (void *)8));
}

TEST(affinity_is_obeyed) {
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof all, &all);
  bool obeyed = true;
  for (int round = 0; round < 50; round++)
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &all)) continue;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(0, sizeof one, &one);
      obeyed = obeyed && sched_getcpu() == cpu;
    }
  IS(obeyed);
}

static atomic_int where = -1, wanted_cpu, done;

static void *computes(void *unused UNUSED) {
  while (!done)
    if (sched_getcpu() == wanted_cpu) where = wanted_cpu;
  return NULL;
}

// Another thread is moved while it computes, and a child is where its parent may be.
TEST(affinity_of_others) {
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof all, &all);
  int last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &all)) last--;
  pthread_t thread;
  wanted_cpu = -2;
  pthread_create(&thread, NULL, computes, NULL);
  for (int cpu = 0; cpu <= last; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    IS(pthread_setaffinity_np(thread, sizeof one, &one) == 0);
    wanted_cpu = cpu;
    for (int64_t end = now_ms() + 5000; where != cpu && now_ms() < end;) sched_yield();
    IS(where == wanted_cpu);
  }
  done = 1;
  pthread_join(thread, NULL);
  sched_setaffinity(0, sizeof one, &one);
  CHILD("child") {
    bool there = true;
    for (int64_t end = now_ms() + 100; now_ms() < end;) there = there && sched_getcpu() == last;
    IS(there);
  }
}

TEST(personalities) {
  SHOW(personality(0xffffffff));
  SHOW(personality(ADDR_NO_RANDOMIZE));
  SHOW(personality(0xffffffff));
  CHILD("inherits") { SHOW(personality(0xffffffff)); }
  SHOW(personality(0));
}

TEST(seconds_of_use) {
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (volatile long i = 0; i < 50000000; i++) {}
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  IS((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec > 1000000);
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  IS(r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec > 1000);
}
