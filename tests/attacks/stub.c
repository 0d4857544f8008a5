// An application that attacks what the sandbox keeps in its address space: the code and the
// constants of the stub, and the pages that threads share with the kernel.
//
// `/guest --role attack` makes a victim with secrets in its memory, a bystander that goes on
// with its business, and children that attack, each until it dies. It prints the same lines
// on every platform if nothing was to be had: no pages of others, no rights, no life beyond
// SIGKILL.
#include "guest.h"

#include <setjmp.h>
#include <sys/socket.h>

enum { PAGE = 4096, THREAD = 4 * PAGE, PAGES = 64, HIDDEN = 256, TOKENS = 64 };

// What all processes of the attack see.
static struct {
  // Pages that are there and that /proc/self/maps does not show, as the first child finds
  // them, and whether they can be written.
  uint64_t hidden[HIDDEN];
  bool writable[HIDDEN];
  int count;
  // Where the attack is: for its parent to see that it goes on, and to go on from.
  _Atomic long at;
  _Atomic long attempts;
  // What may be the secret of those who change mappings.
  _Atomic uint64_t tokens[TOKENS];
  _Atomic bool go, finished, done;
  _Atomic long pongs;
  _Atomic int breaches;
} *all;

static void breach(const char *what) {
  if (atomic_fetch_add(&all->breaches, 1) < 8) say("breach: %s", what);
}

// Half of it here, half there: so that the pattern stands in the victim's memory alone.
static volatile uint64_t half = 0x5ec7e75ec7e7f00d;
static uint64_t secret(uint64_t index) { return half ^ (index + 1) * 0x9e3779b97f4a7c15; }

static bool is_secret(uint64_t word) {
  for (uint64_t i = 0; i < PAGES; i++) if (word == secret(i)) return true;
  return false;
}

// --- faults ---

static sigjmp_buf back;
static volatile bool armed;
// Whoever jumps into the stub comes out with other bases.
static volatile bool leaps;
static uint64_t fs, gs;
static pid_t self;
static char stack[1 << 16];

static uint64_t fsbase(void) { uint64_t base; __asm__ volatile("rdfsbase %0" : "=r"(base)); return base; }
static uint64_t gsbase(void) { uint64_t base; __asm__ volatile("rdgsbase %0" : "=r"(base)); return base; }

__attribute__((no_stack_protector)) static void caught(int signal) {
  if (leaps) __asm__ volatile("wrfsbase %0; wrgsbase %1" :: "r"(fs), "r"(gs));
  if (armed) {
    armed = false;
    siglongjmp(back, signal);
  }
  if (signal != SIGALRM) _exit(99);
}

static void catch_all(void) {
  self = getpid();
  fs = fsbase();
  gs = gsbase();
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

static bool readable(uint64_t at) {
  if (sigsetjmp(back, 1)) return false;
  armed = true;
  (void)*(volatile char *)at;
  armed = false;
  return true;
}

static bool writable(uint64_t at) {
  if (sigsetjmp(back, 1)) return false;
  armed = true;
  *(volatile char *)at = *(volatile char *)at;
  armed = false;
  return true;
}

// Looks for secrets in a page.
static void scan(uint64_t at) {
  if (sigsetjmp(back, 1)) return;
  armed = true;
  for (int i = 0; i < PAGE / 8; i++) if (is_secret(((volatile uint64_t *)at)[i])) breach("a secret was read");
  armed = false;
}

// --- where the stub is ---

static uint64_t shown[512][2];
static int shown_count;

static void read_maps(void) {
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && shown_count < 512 && fgets(line, sizeof line, maps)) {
    if (sscanf(line, "%lx-%lx", &shown[shown_count][0], &shown[shown_count][1]) != 2) continue;
    // It grows when it is looked at.
    if (strstr(line, "[stack]")) shown[shown_count][0] -= 1 << 26;
    shown_count++;
  }
  if (maps) fclose(maps);
}

static bool is_shown(uint64_t at) {
  for (int i = 0; i < shown_count; i++) if (shown[i][0] <= at && at < shown[i][1]) return true;
  return false;
}

static void look_for_hidden(void) {
  const uint64_t from = 0x7fff00000000, to = 0x7ffffffff000, step = 1 << 20;
  read_maps();
  catch_all();
  for (uint64_t at = from; at < to; at += step) {
    if (is_shown(at) || !readable(at)) continue;
    for (uint64_t page = at; page < at + step && all->count < HIDDEN; page += PAGE)
      if (!is_shown(page) && readable(page)) all->hidden[all->count++] = page;
  }
  for (int i = 0; i < all->count; i++) all->writable[i] = writable(all->hidden[i]);
}

// --- children ---

// Runs `attack` in children, each from where the last one ended, until one comes to the end.
// One that hangs is killed, and the next begins `next` steps further on.
static void until_the_end(void (*attack)(void), int children, long next) {
  all->at = 0;
  all->finished = false;
  while (children-- > 0) {
    pid_t pid = fork();
    if (!pid) {
      attack();
      all->finished = true;
      _exit(0);
    }
    if (pid < 0) continue;
    long seen = -1;
    int64_t since = now_ms();
    int status;
    bool slow = false;
    while (waitpid(pid, &status, WNOHANG) == 0) {
      usleep(1000);
      slow = now_ms() - since > 1000;
      if (all->at != seen) {
        seen = all->at;
        since = now_ms();
      } else if (now_ms() - since > 5000) {
        kill(pid, SIGKILL);
        // A child that cannot be killed hangs us, and that shows.
        waitpid(pid, &status, 0);
        break;
      }
    }
    if (all->finished) break;
    // Its neighbours would take as long.
    all->at += slow ? next : 1;
  }
}

// --- jumps ---

// rax rbx rcx rdx rsi rdi rbp rsp r8 … r15
static uint64_t registers[16], target;

static void leap(void) {
  if (sigsetjmp(back, 1)) return;
  leaps = armed = true;
  __asm__ volatile(
      "mov 8(%%rax), %%rbx; mov 16(%%rax), %%rcx; mov 24(%%rax), %%rdx; mov 32(%%rax), %%rsi;"
      "mov 40(%%rax), %%rdi; mov 48(%%rax), %%rbp; mov 56(%%rax), %%rsp; mov 64(%%rax), %%r8;"
      "mov 72(%%rax), %%r9; mov 80(%%rax), %%r10; mov 88(%%rax), %%r11; mov 96(%%rax), %%r12;"
      "mov 104(%%rax), %%r13; mov 112(%%rax), %%r14; mov 120(%%rax), %%r15; mov (%%rax), %%rax;"
      "jmp *target"
      :: "a"(registers) : "memory");
  __builtin_unreachable();
}

static void fill(uint64_t value) {
  for (int i = 0; i < 16; i++) registers[i] = value;
}

// Nothing is mapped here.
#define TARGET 0x600000000000UL

// Nothing that was read-only can be written now, nothing is where nothing was.
static void check_rights(void) {
  for (int i = 0; i < all->count; i++)
    if (!all->writable[i] && writable(all->hidden[i])) breach("a page of the stub can be written");
  if (readable(TARGET)) {
    breach("pages were mapped");
    for (uint64_t at = TARGET; at < TARGET + 256 * PAGE; at += PAGE) scan(at);
  }
}

// A call with these arguments, from the instruction at `target`.
static void host_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  // rbx is no address: the code behind the call ends soon.
  const uint64_t call[16] = {number, 8, 0, c, b, a, 0, 0, e, f, d, 0, 0, 0, 0, 0};
  memcpy(registers, call, sizeof call);
  leap();
  // As a call of the application's own, clone works.
  if (getpid() != self) _exit(0);
}

// What a mapper may do, and some more.
static void host_calls(uint64_t token) {
  for (int i = 0; i < all->count; i++) {
    uint64_t page = all->hidden[i];
    if (!all->writable[i]) host_call(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, token);
  }
  check_rights();
  for (int i = 0; i < all->count; i++) {
    uint64_t page = all->hidden[i];
    if (all->writable[i]) continue;
    if (i && page == all->hidden[i - 1] + PAGE && i % 8) continue;
    host_call(SYS_munmap, page, PAGE, 0, 0, 0, token);
    host_call(SYS_mmap, page, PAGE, 3, MAP_SHARED | MAP_FIXED, 1, 0);
    host_call(SYS_mmap, page, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    host_call(SYS_mremap, page, PAGE, PAGE, 3, TARGET, token);
  }
  for (int fd = 0; fd < 8; fd++) host_call(SYS_mmap, TARGET, 256 * PAGE, 3, MAP_SHARED | MAP_FIXED, fd, 0);
  for (int fd = 0; fd < 8; fd++) {
    host_call(SYS_write, fd, all->hidden[0], 8, 0, 0, token);
    host_call(SYS_sendmsg, fd, all->hidden[0], 0, 0, 0, token);
    host_call(SYS_dup2, fd, 2, 0, 0, 0, token);
  }
  host_call(SYS_rt_sigaction, SIGSYS, 0, 0, 8, 0, token);
  host_call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0, token);
  host_call(SYS_pipe2, (uint64_t)registers, 0, 0, 0, 0, token);
  host_call(SYS_clone, CLONE_PARENT, 0, 0, 0, 0, token);
  host_call(SYS_open, (uint64_t) "/", 0, 0, 0, 0, token);
  check_rights();
}

static uint64_t trap_page(void) {
  static uint8_t *page;
  if (!page) {
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(page, 0xcc, 2 * PAGE);
  }
  return (uint64_t)page + PAGE;
}

// The code is what is hidden from the first page on without a hole.
static uint64_t code_end(void) {
  int i = 1;
  while (i < all->count && all->hidden[i] == all->hidden[i - 1] + PAGE) i++;
  return all->count ? all->hidden[i - 1] + PAGE : 0;
}

static bool is_call(uint64_t at) {
  const uint8_t *code = (uint8_t *)at;
  return code[0] == 0x0f && code[1] == 0x05;
}

// To every byte of the code, with registers of four kinds; to every SYSCALL, with the
// arguments of every privileged call.
static void jumps(void) {
  enum { KINDS = 4 };
  catch_all();
  if (!all->count) return;
  const uint64_t own = gs & ~(uint64_t)(THREAD - 1), traps = trap_page(), code = all->hidden[0];
  const long size = code_end() - code - 1;
  const uint64_t data = (uint64_t)mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const struct itimerval often = {{0, 3000}, {0, 3000}};
  setitimer(ITIMER_REAL, &often, NULL);
  for (; all->at < size * KINDS; all->at++) {
    long offset = all->at / KINDS, kind = all->at % KINDS;
    target = code + offset;
    // The rest of a page of code is empty.
    uint64_t word = *(uint32_t *)((uint64_t)target & ~3UL);
    if (!word && !*(uint32_t *)(((uint64_t)target & ~3UL) - (offset > 3 ? 4 : 0))) continue;
    all->attempts++;
    if (kind == 0) fill(0);
    if (kind == 1) fill(data + 8 * PAGE);
    if (kind == 2) fill(own ? own : data);
    if (kind == 3) {
      fill(data + 8 * PAGE);
      registers[1] = own ? own : data;
      registers[7] = (own ? own : data) + 2 * PAGE;
      registers[0] = 1 + offset % 4;
    }
    registers[11] = traps;
    leap();
    if (kind == KINDS - 1 && is_call(target)) host_calls(0);
  }
  check_rights();
}

// --- the pages shared with the kernel ---

static uint64_t shared_at[64];
static int shared_count;

// The hidden pages of this process that can be written: a thread's come and go.
static void find_shared(void) {
  const uint64_t first = gs & ~((uint64_t)(1 << 29) - 1);
  for (int i = 0; i < all->count; i++)
    if (writable(all->hidden[i]) && (!gs || all->hidden[i] < first)) shared_at[shared_count++] = all->hidden[i];
  for (uint64_t at = first; gs && at < first + 32 * THREAD && shared_count < 60; at += PAGE)
    if (readable(at)) shared_at[shared_count++] = at;
}

static uint64_t random_state;

static uint64_t random_word(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static uint64_t interesting(void) {
  const uint64_t values[] = {0, 1, 2, 3, ~0UL, 1UL << 63, 0xffff800000000000, 0x7ffffffff000, 0x8000000000000000,
                             all->hidden[0], all->hidden[0] + PAGE, 0x400000, 0x33, 0x23, 0x2b000000000033, 0x202, 0x101};
  uint64_t page = shared_at[random_word() % shared_count];
  switch (random_word() % 4) {
    case 0: return page + random_word() % PAGE;
    case 1: return random_word();
    case 2: return random_word() % 512;
    default: return values[random_word() % (sizeof values / sizeof *values)];
  }
}

static int style;

static void *spoil(void *unused UNUSED) {
  while (!all->go) sched_yield();
  for (;;) {
    volatile uint64_t *page = (uint64_t *)shared_at[random_word() % shared_count];
    uint64_t word = random_word() % (PAGE / 8);
    switch (style) {
      case 0: ((volatile uint8_t *)page)[random_word() % PAGE] = random_word(); break;
      case 1: page[word] = interesting(); break;
      // Whose turn it is, what happened, the registers of a call.
      case 2: page[word % 25] = interesting(); break;
      // Forged calls.
      case 3:
        page[8] = random_word() % 450;
        for (int i = 9; i < 23; i++) page[i] = interesting();
        ((volatile uint32_t *)page)[4] = 2;
        ((volatile uint32_t *)page)[0] = 2;
        break;
      // Signals' frames.
      case 4: page[word] = word % 3 ? page[word] ^ 1UL << random_word() % 64 : interesting(); break;
      case 5: for (int i = 0; i < PAGE / 8; i++) page[i] = interesting(); break;
    }
    if (style > 2) for (int i = random_word() % 2000; i > 0; i--) __asm__ volatile("pause");
  }
  return NULL;
}

static void nothing(int signal UNUSED) {}

// Every kind of entry to the kernel, while another thread rewrites what is shared with it.
static void spoiled(void) {
  catch_all();
  find_shared();
  if (!shared_count) return;
  style = all->at % 6;
  random_state = all->at * 1000 + 1;
  pthread_t thread;
  pthread_create(&thread, NULL, spoil, NULL);
  signal(SIGUSR1, nothing);
  int pipe_ends[2];
  pipe(pipe_ends);
  all->go = true;
  for (int i = 0; i < 100; i++) {
    all->attempts++;
    char *page = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
      if (!sigsetjmp(back, 1)) {
        armed = true;
        page[0] = 1;
        page[5 * PAGE] = 1;
      }
      armed = false;
      mprotect(page, PAGE, PROT_READ);
      munmap(page, 8 * PAGE);
    }
    for (int j = 0; j < 20; j++) getppid();
    write(pipe_ends[1], "x", 1);
    char byte;
    read(pipe_ends[0], &byte, 1);
    raise(SIGUSR1);
    if (i % 10 == 0) {
      pid_t pid = fork();
      if (!pid) _exit(0);
      if (pid > 0) waitpid(pid, NULL, 0);
    }
  }
  _exit(1);
}

// --- the token ---

static uint64_t thread_pages[16];
static int thread_pages_count;

static void *gives_its_pages(void *barrier) {
  uint64_t own = gsbase();
  int i = __atomic_fetch_add(&thread_pages_count, 1, __ATOMIC_SEQ_CST);
  if (i < 16) thread_pages[i] = own;
  pthread_barrier_wait(barrier);
  return NULL;
}

static void *ends(void *unused) { return unused; }

static void keep_token(uint64_t word) {
  if (word >> 62 != 1) return;
  for (int i = 0; i < TOKENS; i++) {
    if (!all->tokens[i]) all->tokens[i] = word;
    if (all->tokens[i] == word) return;
  }
}

// Has threads fault before they have begun, and looks at the frames of that.
static void *greedy(void *unused UNUSED) {
  for (;;)
    for (int i = 0; i < thread_pages_count; i++) {
      volatile uint64_t *page = (uint64_t *)thread_pages[i];
      page[23] = 1UL << 63;
      page[24] = 1UL << 63;
      page[3] = 8;
      // Between the control page and the vector state at the end.
      for (int word = THREAD / 8 / 2; word < THREAD / 8; word++)
        keep_token(page[word]);
    }
  return NULL;
}

static void steal(void) {
  enum { THREADS = 8 };
  catch_all();
  if (!all->count || !gs) return;
  pthread_barrier_t together;
  pthread_barrier_init(&together, NULL, THREADS);
  pthread_t threads[THREADS], thief;
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, gives_its_pages, &together);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  pthread_create(&thief, NULL, greedy, NULL);
  for (int i = 0; i < 100; i++) {
    all->attempts++;
    pthread_t other;
    if (!pthread_create(&other, NULL, ends, NULL)) pthread_join(other, NULL);
  }
  _exit(1);
}

static void use_token(void) {
  catch_all();
  target = all->hidden[0];
  while (all->count && !is_call(target)) target++;
  for (; all->count && all->at < TOKENS; all->at++) host_calls(all->tokens[all->at]);
}

// --- stale mappings ---

static volatile uint64_t *volatile stale;
static volatile bool reads;

static void *keeps_reading(void *unused UNUSED) {
  for (;;) {
    if (sigsetjmp(back, 1)) continue;
    volatile uint64_t *at = stale;
    if (!at || !reads) continue;
    armed = true;
    for (int i = 0; i < PAGES; i++) {
      uint64_t word = at[i * PAGE / 8];
      if (is_secret(word)) breach("a page that was unmapped shows a secret");
    }
    armed = false;
  }
  return NULL;
}

// Another process gets the pages that this one gave back, while a thread looks at them.
static void keep_stale(void) {
  catch_all();
  for (; all->at < 60; all->at++) {
    all->attempts++;
    uint64_t *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < PAGES; i++) pages[i * PAGE / 8] = 1;
    if (!stale) {
      stale = pages;
      pthread_t thread;
      // The main thread catches nothing from here on.
      pthread_create(&thread, NULL, keeps_reading, NULL);
    }
    stale = pages;
    reads = true;
    usleep(100);
    switch (all->at % 4) {
      case 0: munmap(pages, PAGES * PAGE); break;
      case 1: madvise(pages, PAGES * PAGE, MADV_DONTNEED); break;
      case 2: mmap(pages, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
      case 3: mremap(pages, PAGES * PAGE, PAGE, 0); break;
    }
    pid_t owner = fork();
    if (!owner) {
      uint64_t *new = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      for (int i = 0; i < PAGES; i++) {
        if (is_secret(new[i * PAGE / 8])) breach("a new page holds a secret");
        new[i * PAGE / 8] = secret(i);
      }
      usleep(200);
      _exit(0);
    }
    waitpid(owner, NULL, 0);
    reads = false;
    if (all->at % 4 != 2) munmap(pages, PAGES * PAGE);
  }
}

// --- who else is there ---

static pid_t victim(int *ask) {
  int ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  pid_t pid = fork();
  if (pid) {
    close(ends[1]);
    *ask = ends[0];
    return pid;
  }
  close(ends[0]);
  uint64_t *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < PAGES * PAGE / 8; i++) pages[i] = secret(i * 8 / PAGE);
  char byte = 0;
  write(ends[1], &byte, 1);
  while (read(ends[1], &byte, 1) == 1 && byte != 'q') {
    bool intact = true;
    for (int i = 0; i < PAGES * PAGE / 8; i++) intact &= pages[i] == secret(i * 8 / PAGE);
    byte = intact ? 'y' : 'n';
    write(ends[1], &byte, 1);
  }
  _exit(0);
}

static char ask(int victim, char byte) {
  write(victim, &byte, 1);
  read(victim, &byte, 1);
  return byte;
}

static pid_t bystander(void) {
  pid_t pid = fork();
  if (pid) return pid;
  int ends[2];
  pipe(ends);
  while (!all->done) {
    char byte;
    write(ends[1], "x", 1);
    read(ends[0], &byte, 1);
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = byte;
    munmap(page, PAGE);
    all->pongs++;
    usleep(2000);
  }
  _exit(0);
}

// Of so many attempts at least.
static void after(const char *attack, int victim, long attempts) {
  long pongs = all->pongs;
  int64_t end = now_ms() + 60000;
  while (all->pongs == pongs && now_ms() < end) usleep(1000);
  say("%s: %s, victim %s, bystander %s, breaches %d", attack, all->attempts < attempts ? "too few" : "made",
      ask(victim, '?') == 'y' ? "intact" : "changed", all->pongs > pongs ? "goes on" : "stuck", all->breaches);
  all->attempts = 0;
}

ROLE(attack) {
  all = mmap(NULL, sizeof *all + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ask_victim;
  char byte;
  pid_t holder = victim(&ask_victim);
  read(ask_victim, &byte, 1);
  pid_t other = bystander();
  CHILD("scout") look_for_hidden();
  say("stub: %s", all->count ? "found" : "not found");
  after("scout", ask_victim, 0);
  until_the_end(jumps, 3000, 128);
  after("jumps", ask_victim, 1000);
  until_the_end(spoiled, 60, 1);
  after("rewriting", ask_victim, 60);
  until_the_end(steal, 20, 1);
  until_the_end(use_token, TOKENS, 1);
  after("token", ask_victim, 0);
  until_the_end(keep_stale, 20, 1);
  after("stale mappings", ask_victim, 60);
  all->done = true;
  write(ask_victim, "q", 1);
  wait_and_say("victim", holder);
  wait_and_say("bystander", other);
}
