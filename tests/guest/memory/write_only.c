// Mappings without PROT_READ: on x86-64 what may be written may be read.
#include "guest.h"

TEST(shared_and_private) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  pwrite(fd, "text", 4, 0), ftruncate(fd, 8192);
  volatile char *p = mmap(NULL, 8192, PROT_WRITE, MAP_SHARED, fd, 0), *q = mmap(NULL, 8192, PROT_WRITE, MAP_PRIVATE, fd, 0);
  volatile char *a = mmap(NULL, 8192, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  say("%c %c %d", p[0], q[0], a[0]);
  p[1] = 'E', q[2] = 'X', a[4096] = 1;
  say("%c%c%c %c%c%c %d", p[0], p[1], p[2], q[0], q[1], q[2], a[4096]);
}
