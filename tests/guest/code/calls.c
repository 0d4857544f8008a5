// System calls from code that programs generate, change and map themselves: what a kernel
// that rewrites calls must not disturb.
#include "guest.h"

enum { PAGE = 4096, HOT = 40 };

typedef long (*code_fn)(long, long, long);

// mov $NUMBER, %eax; syscall; ret
static int put_call(uint8_t *at, uint32_t number) {
  at[0] = 0xb8;
  memcpy(at + 1, &number, 4);
  at[5] = 0x0f;
  at[6] = 0x05;
  at[7] = 0xc3;
  return 8;
}

// As a C library's wrapper: mov %edi, %eax; mov %rsi, %rdi; mov %rdx, %rsi; mov $1, %edx;
// syscall; cmp $-4095, %rax; jae 1f; ret; 1: or $-1, %rax; ret
static const uint8_t wrapper[] = {0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0xba, 1, 0, 0, 0,
                                  0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3,
                                  0x48, 0x83, 0xc8, 0xff, 0xc3};
enum { COMPARE = 15 };

// How many of these calls give something else.
static int wrong(void *code, long wanted) {
  int count = 0;
  for (int i = 0; i < HOT; i++) count += ((code_fn)code)(0, 0, 0) != wanted;
  return count;
}

static uint8_t *map(void *at, int prot, int flags, int fd) {
  uint8_t *page = mmap(at, PAGE, prot, flags, fd, 0);
  if (page == MAP_FAILED) say("mmap: %s", error_name(errno));
  return page;
}

// Code does not begin with its page.
enum { AT = 64 };

// Writes a file with this code, and opens it for reading: whose writers are gone.
static int code_file(const char *name, const void *code, size_t size) {
  uint8_t page[PAGE] = {0};
  memcpy(page + AT, code, size);
  int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  write(file, page, PAGE);
  close(file);
  return open(name, O_RDONLY);
}

// The file's code mapped privately to run. Where the code is.
static uint8_t *map_file(const char *name, const void *code, size_t size) {
  int file = code_file(name, code, size);
  uint8_t *at = map(NULL, PROT_READ | PROT_EXEC, MAP_PRIVATE, file);
  close(file);
  return at + AT;
}

TEST(pages_that_are_written_and_run) {
  uint8_t *page = map(NULL, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (int round = 0; round < 4; round++) {
    put_call(page, SYS_getpid);
    IS(wrong(page, getpid()) == 0);
    put_call(page, SYS_getppid);
    IS(wrong(page, getppid()) == 0);
  }
}

TEST(written_then_run) {
  uint8_t *page = map(NULL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (int round = 0; round < 4; round++) {
    put_call(page, round % 2 ? SYS_getppid : SYS_getpid);
    SHOW(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
    IS(wrong(page, round % 2 ? getppid() : getpid()) == 0);
    SHOW(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
  }
}

TEST(two_views_of_a_memfd) {
  int fd = memfd_create("code", 0);
  ftruncate(fd, PAGE);
  uint8_t *write_here = map(NULL, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  uint8_t *run_here = map(NULL, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
  uint8_t *private = map(NULL, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);
  for (int round = 0; round < 4; round++) {
    put_call(write_here, round % 2 ? SYS_getppid : SYS_getpid);
    IS(wrong(run_here, round % 2 ? getppid() : getpid()) == 0);
    IS(wrong(private, round % 2 ? getppid() : getpid()) == 0);
  }
}

TEST(a_file_that_is_written_while_it_runs) {
  uint8_t code[8];
  put_call(code, SYS_getpid);
  close(code_file("code", code, sizeof code));
  int fd = open("code", O_RDWR);
  uint8_t *page = map(NULL, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd) + AT;
  IS(wrong(page, getpid()) == 0);
  put_call(code, SYS_getppid);
  SHOW(pwrite(fd, code, sizeof code, AT));
  IS(wrong(page, getppid()) == 0);
  uint8_t *shared = map(NULL, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  put_call(shared + AT, SYS_getpid);
  IS(wrong(page, getpid()) == 0);
}

TEST(what_is_read) {
  uint8_t code[8];
  put_call(code, SYS_getpid);
  uint8_t *page = map_file("code", code, sizeof code);
  IS(wrong(page, getpid()) == 0);
  int fd = open("code", O_RDONLY);
  uint8_t file[8];
  SHOW(pread(fd, file, sizeof file, AT));
  IS(memcmp(file, code, sizeof code) == 0);
  uint8_t *other = map(NULL, PROT_READ, MAP_PRIVATE, fd);
  IS(memcmp(other + AT, code, sizeof code) == 0);
  SHOW(mprotect(page - AT, PAGE, PROT_READ));
  SHOW(mprotect(page - AT, PAGE, PROT_READ | PROT_WRITE));
  IS(memcmp(page, code, sizeof code) == 0);
}

TEST(own_code_is_read) {
  uint8_t code[8];
  put_call(code, SYS_getpid);
  uint8_t *page = map_file("code", code, sizeof code);
  IS(wrong(page, getpid()) == 0);
  IS(memcmp(page, code, sizeof code) == 0);
}

TEST(branches_into_the_call) {
  // 0: mov $getpid, %eax; 5: syscall; ret; 8: mov $getppid, %eax; jmp 5
  uint8_t code[16];
  put_call(code, SYS_getpid);
  put_call(code + 8, SYS_getppid);
  code[13] = 0xeb;
  code[14] = -10;
  uint8_t *page = map_file("code", code, sizeof code);
  for (int round = 0; round < 3; round++) {
    IS(wrong(page, getpid()) == 0);
    IS(wrong(page + 8, getppid()) == 0);
  }
  uint8_t *entry = page + 5;
  long result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(entry), "0"((long)SYS_getppid) : "rcx", "r11", "memory");
  IS(result == getppid());
}

TEST(branches_behind_the_call) {
  int ends[2];
  pipe(ends);
  uint8_t *page = map_file("code", wrapper, sizeof wrapper);
  char byte = 'x';
  int bad = 0;
  for (int i = 0; i < HOT; i++) {
    bad += ((code_fn)page)(SYS_write, ends[1], (long)&byte) != 1;
    bad += ((code_fn)page)(SYS_read, ends[0], (long)&byte) != 1;
    bad += ((code_fn)page)(SYS_close, -1, 0) != -1;
  }
  IS(bad == 0);
  uint8_t *compare = page + COMPARE;
  long results[2];
  __asm__ volatile("call *%1" : "=a"(results[0]) : "r"(compare), "0"(77L) : "rcx", "r11", "memory");
  __asm__ volatile("call *%1" : "=a"(results[1]) : "r"(compare), "0"(-22L) : "rcx", "r11", "memory");
  say("%ld %ld", results[0], results[1]);
}

// A number that is a call of its own when one starts behind its first byte.
TEST(one_instruction_in_another) {
  // mov $0xc3050f, %eax; syscall; ret: from 1 on: syscall; ret
  const uint8_t code[] = {0xb8, 0x0f, 0x05, 0xc3, 0, 0x0f, 0x05, 0xc3};
  uint8_t *page = map_file("code", code, sizeof code);
  IS(wrong(page, -ENOSYS) == 0);
  uint8_t *entry = page + 1;
  int bad = 0;
  for (int i = 0; i < HOT; i++) {
    long result;
    __asm__ volatile("call *%1" : "=a"(result) : "r"(entry), "0"((long)SYS_getppid) : "rcx", "r11", "memory");
    bad += result != getppid();
  }
  IS(bad == 0);
}

// Prefixes that mean nothing here.
TEST(prefixes) {
  const uint8_t prefixes[] = {0xf3, 0xf2, 0x66, 0x67, 0x48, 0x2e, 0x64};
  for (size_t i = 0; i < sizeof prefixes; i++) {
    // mov $getpid, %eax; prefix syscall; cmp $-4095, %rax; ret
    uint8_t code[] = {0xb8, SYS_getpid, 0, 0, 0, prefixes[i], 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0xc3};
    uint8_t *page = map_file("code", code, sizeof code);
    say("prefix %#x:", prefixes[i]);
    IS(wrong(page, getpid()) == 0);
    // mov $getpid, %eax with the prefix, where it has a meaning: one more byte, or two fewer.
    const uint8_t other[] = {prefixes[i], 0x90, 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3};
    page = map_file("code", other, sizeof other);
    IS(wrong(page, getpid()) == 0);
  }
}

static atomic_int ticks;
static void tick(int signal UNUSED) { atomic_fetch_add(&ticks, 1); }

static uint8_t *hot_code;
static atomic_bool stop;
static void *runs(void *unused UNUSED) {
  long bad = 0;
  while (!stop) bad += wrong(hot_code, getpid()) + wrong(hot_code + 64, getppid());
  return (void *)bad;
}

TEST(threads_signals_and_rights) {
  uint8_t code[72];
  put_call(code, SYS_getpid);
  put_call(code + 64, SYS_getppid);
  hot_code = map_file("code", code, sizeof code);
  signal(SIGALRM, tick);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, runs, NULL);
  struct itimerval often = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &often, NULL);
  int refused = 0;
  for (int i = 0; i < 100; i++) {
    refused += mprotect(hot_code - AT, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0;
    hot_code[200] = i;
    if (i % 3 == 0) refused += wrong(hot_code, getpid());
    refused += mprotect(hot_code - AT, PAGE, PROT_READ | PROT_EXEC) != 0;
    refused += wrong(hot_code + 64, getppid());
  }
  while (!ticks) {}
  setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
  stop = true;
  long bad = 0;
  for (int i = 0; i < 3; i++) {
    void *result;
    pthread_join(threads[i], &result);
    bad += (long)result;
  }
  IS(refused == 0);
  IS(bad == 0);
}

ROLE(again) {
  uint8_t code[8];
  put_call(code, SYS_getpid);
  uint8_t *page = map_file("again", code, sizeof code);
  IS(wrong(page, getpid()) == 0);
}

TEST(fork_and_exec) {
  uint8_t code[8];
  put_call(code, SYS_getppid);
  uint8_t *page = map_file("code", code, sizeof code);
  IS(wrong(page, getppid()) == 0);
  CHILD("runs") IS(wrong(page, getppid()) == 0);
  CHILD("changes") {
    SHOW(mprotect(page - AT, PAGE, PROT_READ | PROT_WRITE));
    IS(memcmp(page, code, sizeof code) == 0);
    put_call(page, SYS_getpid);
    SHOW(mprotect(page - AT, PAGE, PROT_READ | PROT_EXEC));
    IS(wrong(page, getpid()) == 0);
  }
  IS(wrong(page, getppid()) == 0);
  CHILD("executes") execl("/guest", "guest", "--role", "again", NULL);
  pid_t pid = vfork();
  if (!pid) _exit(wrong(page, getppid()));
  wait_and_say("vfork", pid);
  IS(wrong(page, getppid()) == 0);
}

static int ends[2];
static atomic_int inside;

// Reads a byte at a time by the wrapper, as often as there are bytes.
static void *reads(void *unused UNUSED) {
  long sum = 0;
  char byte = 0;
  do {
    inside++;
    sum += ((code_fn)hot_code)(SYS_read, ends[0], (long)&byte);
  } while (byte != 'q');
  return (void *)sum;
}

// Writes bytes one after the other, when the reader is about to wait for the next.
static void feed(int count) {
  for (int i = 0; i < count; i++) {
    int before = inside;
    write(ends[1], "x", 1);
    while (inside == before) sched_yield();
  }
}

enum how { WRITABLE, COVERED, REPLACED, MOVED, UNMAPPED_AROUND };

// A thread waits in a call, which was made fast, while its code changes.
static void change_below(enum how how) {
  const uintptr_t around = 0x6a0000000000, size = 64 * PAGE;
  pipe(ends);
  int fd = code_file("code", wrapper, sizeof wrapper);
  uint8_t *top = map((void *)around, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd);
  hot_code = top + AT;
  inside = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, reads, NULL);
  while (!inside) sched_yield();
  feed(HOT);
  // It is inside soon, or so soon that there is no difference.
  sleep_ms(20);
  switch (how) {
    case WRITABLE: SHOW(mprotect(top, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC)); break;
    // All that is free in the neighbourhood.
    case COVERED:
      OKAY(mmap((void *)(around - size), size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
      OKAY(mmap((void *)(around + PAGE), size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
      break;
    case REPLACED: OKAY(mmap(top, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0)); break;
    case MOVED: {
      // Away and back.
      void *other = mremap(top, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, around + 512 * PAGE);
      IS(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, around) == top);
      break;
    }
    case UNMAPPED_AROUND:
      SHOW(munmap((void *)(around - size), size));
      SHOW(munmap((void *)(around + PAGE), size));
      break;
  }
  feed(HOT);
  write(ends[1], "q", 1);
  void *sum;
  pthread_join(thread, &sum);
  say("%ld", (long)sum);
}

TEST(becomes_writable_during_a_call) { change_below(WRITABLE); }
TEST(is_surrounded_during_a_call) { change_below(COVERED); }
TEST(is_mapped_again_during_a_call) { change_below(REPLACED); }
TEST(is_moved_during_a_call) { change_below(MOVED); }
TEST(loses_its_neighbours_during_a_call) { change_below(UNMAPPED_AROUND); }

static volatile int handled;
static void handler(int signal UNUSED, siginfo_t *info UNUSED, void *context) {
  // Where the call is, as the program knows it.
  uint64_t rip = ((uint64_t *)context)[5 + 16];
  handled = rip - (uint64_t)hot_code;
}

// A signal in the middle of a call that was made fast.
TEST(signals_know_where_calls_are) {
  int fds[2];
  pipe(fds);
  hot_code = map_file("code", wrapper, sizeof wrapper);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  long bad = 0;
  for (int i = 0; i < HOT; i++) {
    ((code_fn)hot_code)(SYS_getppid, 0, 0);
    bad += ((code_fn)hot_code)(SYS_tkill, gettid(), SIGUSR1) != 0;
    bad += handled != COMPARE;
  }
  IS(bad == 0);
}

TEST(the_vsyscall_page) {
  long (*vtime)(long *) = (void *)0xffffffffff600400;
  long (*vgettimeofday)(struct timeval *, void *) = (void *)0xffffffffff600000;
  CHILD("time") IS(vtime(NULL) > 1000000000);
  CHILD("gettimeofday") {
    struct timeval now = {0};
    SHOW(vgettimeofday(&now, NULL));
    IS(now.tv_sec > 1000000000);
  }
  CHILD("often") for (int i = 0; i < HOT; i++) vtime(NULL);
  CHILD("elsewhere") ((void (*)(void))0xffffffffff600010)();
  CHILD("written") *(volatile char *)0xffffffffff600000 = 1;
}

// 32-bit code and its entries; what they do depends on the host's kernel, natively. None of
// them is a way out.
TEST(entries_of_32_bit_code) {
  CHILD("sysenter") {
    CHILD("inner") {
      __asm__ volatile("sysenter" :: "a"(20) : "rcx", "rdx", "memory");
      _exit(0);
    }
  }
}
