// EPOLLEXCLUSIVE: an event wakes one of those who wait, and nobody who does not.
#include "guest.h"

#include <sys/epoll.h>

enum { WAITERS = 4 };

TEST(one_for_each_event) {
  int ends[2], woken[2];
  char c;
  pipe(ends), pipe(woken);
  // It stands in the queue first, and nobody waits at it.
  int idle = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE};
  SHOW(epoll_ctl(idle, EPOLL_CTL_ADD, ends[0], &event));
  pid_t waiters[WAITERS];
  for (int i = 0; i < WAITERS; i++) {
    waiters[i] = fork();
    if (waiters[i]) continue;
    int own = epoll_create1(0);
    epoll_ctl(own, EPOLL_CTL_ADD, ends[0], &event);
    int n = epoll_wait(own, &event, 1, 15000);
    write(woken[1], "w", 1);
    close(own);
    _exit(n);
  }
  for (int i = 0; i < WAITERS; i++) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", waiters[i]);
    while (!strstr(text, ") S")) {
      int fd = open(path, O_RDONLY);
      text[read(fd, text, sizeof text - 1)] = 0;
      close(fd);
    }
  }
  for (int i = 0; i < WAITERS; i++) {
    write(ends[1], "x", 1);
    read(woken[0], &c, 1);
    read(ends[0], &c, 1);
    struct pollfd more = {woken[0], POLLIN};
    SHOW(poll(&more, 1, 0));
  }
  for (int i = 0; i < WAITERS; i++) wait_and_say("a waiter", waiters[i]);
  SHOW(epoll_wait(idle, &event, 1, 0));
}
