// An epoll with many files, of which most come and go under the same numbers.
#include "guest.h"

#include <sys/epoll.h>

enum { MANY = 400, ROUNDS = 30 };

// Lines about registered files in fdinfo.
static int registered(int ep) {
  char path[64], line[256];
  int lines = 0;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", ep);
  FILE *info = fopen(path, "r");
  while (fgets(line, sizeof line, info)) lines += !strncmp(line, "tfd:", 4);
  fclose(info);
  return lines;
}

TEST(closed_files_are_forgotten) {
  int ep = epoll_create1(0), all[MANY][2];
  struct epoll_event event = {.events = EPOLLIN}, out[2 * MANY];
  int failed = 0, told = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < MANY; i++) {
      pipe(all[i]);
      event.data.u64 = round * MANY + i;
      failed += epoll_ctl(ep, EPOLL_CTL_ADD, all[i][0], &event) != 0;
    }
    for (int i = 0; i < MANY; i += 10) write(all[i][1], "x", 1);
    int n = epoll_wait(ep, out, 2 * MANY, 0);
    for (int i = 0; i < n; i++) told += out[i].data.u64 >= (uint64_t)round * MANY;
    if (round == ROUNDS - 1) break;
    for (int i = 0; i < MANY; i++) close(all[i][0]), close(all[i][1]);
    failed += epoll_wait(ep, out, 2 * MANY, 0) != 0;
    failed += registered(ep) != 0;
  }
  SHOW(failed);
  SHOW(told);
  SHOW(registered(ep));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, all[0][0], &event));
  SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, all[0][0], &event));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, all[0][0], &event));
  SHOW(registered(ep));
}

TEST(a_copy_keeps_the_file_registered) {
  int ep = epoll_create1(0), ends[2];
  pipe(ends);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  int copy = dup(ends[0]);
  close(ends[0]);
  write(ends[1], "x", 1);
  SHOW(epoll_wait(ep, &event, 1, 0));
  SHOW(registered(ep));
  close(copy);
  SHOW(epoll_wait(ep, &event, 1, 0));
  SHOW(registered(ep));
}
