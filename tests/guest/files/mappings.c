// mmap(2) of files: sharing, copies, ends.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf escape;
static volatile sig_atomic_t caught, why;
static void on_fault(int signal, siginfo_t *info, void *context UNUSED) { caught = signal, why = info->si_code; siglongjmp(escape, 1); }
static void catch_faults(void) {
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &a, 0), sigaction(SIGSEGV, &a, 0);
}
#define FAULTS(access) \
  do { \
    caught = 0; \
    if (!sigsetjmp(escape, 1)) { access; } \
    say("%s: %s code %d", #access, caught ? sigabbrev_np(caught) : "fine", caught ? (int)why : 0); \
  } while (0)

static int sized(const char *name, int size) {
  int fd = open(name, O_RDWR | O_CREAT, 0600);
  ftruncate(fd, size);
  return fd;
}

TEST(shared) {
  int fd = sized("f", 10000);
  char *p = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), b[8] = "";
  strcpy(p, "mapped");
  SHOW(pread(fd, b, 6, 0)), say("%s", b);
  SHOW(pwrite(fd, "written", 7, 5000));
  say("%s", p + 5000);
  char *q = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  say("%s", q + 5000 - 4096);
  CHILD("child") { strcpy(p + 100, "from the child"); }
  say("%s", p + 100);
  close(fd);
  strcpy(p, "still"), say("%s", p);
  fd = open("f", O_RDONLY), memset(b, 0, 8), pread(fd, b, 5, 0), say("%s", b);
  SHOW(munmap(p, 10000));
  say("%s", q + 5000 - 4096);
}

TEST(private) {
  int fd = sized("f", 8192);
  pwrite(fd, "original", 8, 0);
  char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  say("%s", p);
  strcpy(p, "copied!!");
  say_file("f");
  pwrite(fd, "REPLACED", 8, 0), say("%s", p); // its page is its own by now
  pwrite(fd, "second", 6, 4096), say("%s", p + 4096);
  CHILD("child") { strcpy(p, "child"), say("%s", p); }
  say("%s", p);
  SHOW(madvise(p, 4096, MADV_DONTNEED));
  say("%s", p);
}

TEST(past_the_end) {
  catch_faults();
  int fd = sized("f", 5000);
  volatile char *p = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  FAULTS(p[4999] = 1);
  FAULTS(p[8191] = 1); // the rest of the last page is there
  FAULTS((void)p[8192]);
  FAULTS(p[12288] = 1);
  ftruncate(fd, 13000);
  FAULTS((void)p[8192]);
  FAULTS(p[12999] = 7);
  ftruncate(fd, 100);
  FAULTS((void)p[12999]);
  FAULTS((void)p[4096]);
  FAULTS((void)p[99]);
  ftruncate(fd, 13000);
  say("%d %d", p[12999], p[4999]);
  volatile char *c = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  FAULTS(c[0] = 5);
  ftruncate(fd, 0);
  FAULTS((void)c[0]);
  FAULTS((void)c[4096]);
  char b[4];
  SHOW(write(1, (void *)(p + 4096), 1)); // a call meets the same fault as an errno
  SHOW(read(open("/dev/zero", O_RDONLY), (void *)p, 4));
  SHOW(pwrite(fd, (void *)p, 4, 0));
  (void)b;
}

TEST(protection_and_modes) {
  catch_faults();
  put("f", "content");
  int r = open("f", O_RDONLY), w = open("f", O_WRONLY), rw = open("f", O_RDWR);
#define MAPS(prot, flags, fd) ({ errno = 0; void *m_ = mmap(0, 4096, prot, flags, fd, 0); say("%s: %s", #prot " " #flags " " #fd, m_ == MAP_FAILED ? error_name(errno) : "ok"); m_; })
  MAPS(PROT_READ, MAP_SHARED, r);
  MAPS(PROT_READ | PROT_WRITE, MAP_SHARED, r);
  MAPS(PROT_READ | PROT_WRITE, MAP_PRIVATE, r);
  MAPS(PROT_READ, MAP_SHARED, w);
  MAPS(PROT_WRITE, MAP_SHARED, w);
  MAPS(PROT_READ, MAP_PRIVATE, w);
  MAPS(PROT_NONE, MAP_SHARED, rw);
  MAPS(PROT_READ, MAP_SHARED, 99);
  MAPS(PROT_READ, 0, rw);
  MAPS(PROT_READ, MAP_SHARED_VALIDATE, rw);
  MAPS(PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, rw);
  int d = open(".", O_RDONLY), pp[2];
  pipe(pp);
  MAPS(PROT_READ, MAP_PRIVATE, d);
  MAPS(PROT_READ, MAP_PRIVATE, pp[0]);
  int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
  volatile char *z = MAPS(PROT_READ | PROT_WRITE, MAP_PRIVATE, zero);
  FAULTS(z[5] = z[6] + 1);
  MAPS(PROT_READ, MAP_PRIVATE, null);
  volatile char *p = MAPS(PROT_READ, MAP_SHARED, r);
  FAULTS(p[0] = 1);
  SHOW(mprotect((void *)p, 4096, PROT_READ | PROT_WRITE));
  volatile char *q = MAPS(PROT_READ, MAP_SHARED, rw);
  SHOW(mprotect((void *)q, 4096, PROT_READ | PROT_WRITE));
  FAULTS(q[0] = 'C');
  say_file("f");
  SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, r, 100) == MAP_FAILED);
  SHOW(mmap(0, 0, PROT_READ, MAP_PRIVATE, r, 0) == MAP_FAILED);
  SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, r, 1L << 62) == MAP_FAILED);
  volatile char *e = mmap(0, 0, PROT_READ, MAP_PRIVATE, r, 0);
  IS(e == MAP_FAILED);
}

TEST(syncing) {
  int fd = sized("f", 8192);
  char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p, "x");
  SHOW(msync(p, 8192, MS_SYNC));
  SHOW(msync(p, 8192, MS_ASYNC));
  SHOW(msync(p, 8192, MS_SYNC | MS_ASYNC));
  SHOW(msync(p, 8192, MS_INVALIDATE));
  SHOW(msync(p + 1, 8192, MS_SYNC));
  SHOW(msync(p, 8192, 64));
  munmap(p + 4096, 4096);
  SHOW(msync(p, 8192, MS_SYNC));
  SHOW(msync(p, 0, MS_SYNC));
  SHOW(fsync(fd));
}

TEST(after_unlink) {
  int fd = sized("f", 4096);
  char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p, "kept");
  unlink("f"), close(fd);
  say("%s", p);
  CHILD("child") { say("%s", p), strcpy(p, "changed"); }
  say("%s", p);
}

TEST(executed_from_a_file) {
  int fd = sized("code", 4096);
  pwrite(fd, "\xb8\x2a\x00\x00\x00\xc3", 6, 0); // mov $42, %eax; ret
  int (*f)(void) = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  say("%d", f());
}

TEST(big) {
  int fd = sized("f", 20 << 20);
  unsigned *p = mmap(0, 20 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *b = malloc(20 << 20), sum = 0;
  for (int i = 0; i < 5 << 20; i++) p[i] = i * 2654435761u;
  SHOW(pread(fd, b, 20 << 20, 0));
  IS(!memcmp(p, b, 20 << 20));
  SHOW(munmap(p, 20 << 20));
  p = mmap(0, 20 << 20, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  for (int i = 0; i < 5 << 20; i += 1024) sum += p[i];
  say("%u", sum);
}

TEST(odd_lengths) {
  int fd = sized("f", 5000);
  char *p = mmap(0, 4097, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  say("%d %d", p[4096], p[5000]);
  p = mmap(0, 200001, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  say("%d", p[200000]);
  p = mmap(0, 4097, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  say("%d", p[8191]);
  SHOW(madvise(p, 4097, MADV_POPULATE_WRITE));
  SHOW(mlock(p + 1, 4097));
  SHOW(munmap(p, 4097));
}

TEST(sealed_is_not_cut) {
  char path[64];
  int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
  write(fd, "text", 4);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  SHOW(open(path, O_RDWR | O_TRUNC));
  struct stat st;
  fstat(fd, &st);
  say("%ld bytes", (long)st.st_size);
}
