// process_madvise(2).
#include "guest.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

static int advise(int fd, struct iovec *v, int n, int advice, int flags) { return syscall(SYS_process_madvise, fd, v, (long)n, advice, flags); }

TEST(own_memory) {
  int fd = syscall(SYS_pidfd_open, getpid(), 0);
  char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(p, "kept"), strcpy(p + 4096, "dropped");
  struct iovec v[2] = {{p, 4096}, {p + 8192, 4096}};
  SHOW(advise(fd, v, 2, MADV_COLD, 0));
  SHOW(advise(fd, v, 2, MADV_WILLNEED, 0));
  SHOW(advise(fd, v, 2, MADV_PAGEOUT, 0));
  SHOW(advise(fd, v, 2, MADV_COLD, 1));
  SHOW(advise(fd, v, 0, MADV_COLD, 0));
  SHOW(advise(fd, v, 2000, MADV_COLD, 0));
  SHOW(advise(99, v, 2, MADV_COLD, 0));
  SHOW(advise(0, v, 2, MADV_COLD, 0));
  SHOW(advise(fd, v, 2, 77, 0));
  v[1].iov_base++;
  SHOW(advise(fd, v, 2, MADV_COLD, 0));
  say("%s %s", p, p + 4096);
}

TEST(of_a_child) {
  char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec v = {p, 8192};
  pid_t kid = fork();
  if (!kid) pause();
  int fd = syscall(SYS_pidfd_open, kid, 0);
  SHOW(advise(fd, &v, 1, MADV_COLD, 0));
  SHOW(advise(fd, &v, 1, MADV_DONTNEED, 0));
  SHOW(advise(fd, &v, 1, MADV_DONTFORK, 0));
  kill(kid, SIGKILL), waitpid(kid, NULL, 0);
  SHOW(advise(fd, &v, 1, MADV_COLD, 0));
}
