// What calls say to arguments that are wrong, odd or at the edge.
#include "guest.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define BAD ((void *)1)

TEST(futexes) {
  int word = 0;
  struct timespec soon = {0, 1};
  SHOW(RAW(futex, &word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &soon));
  SHOW(RAW(futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, 0, -1));
  SHOW(RAW(futex, &word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1));
  word = 6;
  // A comparison that does not exist is found out after the change.
  SHOW(RAW(futex, &word, FUTEX_WAKE_OP, 1, 1, &word, 9 << 24));
  say("the word is %d", word);
  SHOW(RAW(futex, &word, FUTEX_WAKE_OP, 1, 1, &word, 5u << 28));
  word = 999999;
  SHOW(RAW(futex, &word, FUTEX_TRYLOCK_PI, 0, 0));
  SHOW(RAW(futex, &word, FUTEX_LOCK_PI, 0, 0));
}

TEST(barriers) {
  SHOW(RAW(membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  SHOW(RAW(membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
  SHOW(RAW(membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  SHOW(RAW(membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 1, 0));
  SHOW(RAW(membarrier, 512, 0, 0));
}

TEST(clocks) {
  int id;
  struct timespec time = {0, 1}, wrong = {0, -1};
  for (int clock = 4; clock <= 6; clock++) {
    SHOW(RAW(timer_create, clock, 0, &id));
    SHOW(RAW(clock_nanosleep, clock, 0, &time, 0));
  }
  for (int clock = -8; clock < 0; clock++) {
    struct timespec tick = {0};
    SHOW(RAW(clock_getres, clock, &tick));
    say("clock %d: %ld ns", clock, tick.tv_nsec);
  }
  SHOW(RAW(clock_settime, CLOCK_MONOTONIC, &time));
  SHOW(RAW(clock_settime, 99, &time));
  SHOW(RAW(clock_settime, CLOCK_REALTIME, BAD));
  SHOW(RAW(clock_settime, CLOCK_REALTIME, &wrong));
  SHOW(RAW(settimeofday, BAD, 0));
  SHOW(RAW(settimeofday, 0, BAD));
  SHOW(RAW(settimeofday, (&(struct timeval){1, 1000001}), 0));
}

TEST(users) {
  SHOW(setgroups(1, (gid_t[]){-1}));
  SHOW(setgroups(2, (gid_t[]){5, -1}));
  SHOW(RAW(syslog, 3, 0, 0));
  SHOW(RAW(syslog, 3, 0, 5));
}

TEST(memory) {
  char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 4096, 4096, PROT_NONE);
  SHOW(RAW(getrandom, pages + 4000, 200, 0));
  SHOW(RAW(getrandom, pages + 4096, 200, 0));
  // Lengths that go round.
  SHOW(mlock(pages, -1ul));
  SHOW(munlock(pages, -1ul));
  SHOW(msync(pages, -1ul, MS_SYNC));
}

TEST(scheduling) {
  unsigned attr[12] = {48, SCHED_BATCH, 0, 0, 19};
  SHOW(RAW(sched_setattr, 0, attr, 0));
  attr[1] = 6; // SCHED_DEADLINE without times
  SHOW(RAW(sched_setattr, 0, attr, 0));
  SHOW(prctl(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0));
}

static int set(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  int n = write(fd, text, strlen(text)), error = errno;
  close(fd);
  errno = error;
  return n;
}

TEST(slack) {
  SHOW(set("/proc/self/timerslack_ns", "60000"));
  SHOW(prctl(PR_GET_TIMERSLACK));
  SHOW(set("/proc/self/timerslack_ns", "0"));
  say_file("/proc/self/timerslack_ns");
  SHOW(set("/proc/self/timerslack_ns", "-1"));
  SHOW(set("/proc/self/timerslack_ns", "x"));
}

TEST(deadlines) {
  struct {
    unsigned size, policy;
    uint64_t flags;
    int nice;
    unsigned priority;
    uint64_t runtime, deadline, period;
  } attr = {48, 6, 0, 0, 0, 1000, 30000, 50000}; // too short a time
  SHOW(RAW(sched_setattr, 0, &attr, 0));
  attr.runtime = 40000;
  SHOW(RAW(sched_setattr, 0, &attr, 0));
  attr.runtime = 20000, attr.period = 20000;
  SHOW(RAW(sched_setattr, 0, &attr, 0));
  SHOW(sched_setscheduler(0, 6, &(struct sched_param){0}));
}

TEST(sticky_timeouts) {
  struct timeval time = {0, 10};
  select(0, 0, 0, 0, &time);
  say("%ld left", (long)time.tv_usec);
  SHOW(RAW(personality, 0x4000000));
  time.tv_usec = 10;
  select(0, 0, 0, 0, &time);
  say("%ld left", (long)time.tv_usec);
}

static int word;
static void *wait_for_word(void *private) {
  RAW(futex, &word, FUTEX_WAIT | (long)private, 0, NULL);
  return NULL;
}

// On memory of one process, too, who says that it is private is not woken by who does not.
TEST(private_words) {
  for (long private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_word, (void *)private);
    while (RAW(futex, &word, FUTEX_CMP_REQUEUE | private, 0, 1, &word, 0) != 1) usleep(100);
    SHOW(RAW(futex, &word, FUTEX_WAKE | (private ^ FUTEX_PRIVATE_FLAG), 1));
    SHOW(RAW(futex, &word, FUTEX_WAKE | private, 1));
    pthread_join(thread, NULL);
  }
}
