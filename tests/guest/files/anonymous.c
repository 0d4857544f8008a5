// Files without a name: what they say of themselves, and what they refuse.
#include "guest.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>

static void show_one(const char *name, int fd) {
  struct stat st;
  char text[8];
  fstat(fd, &st);
  say("%s: type %o, %ld bytes, %ld links", name, st.st_mode & S_IFMT, (long)st.st_size, (long)st.st_nlink);
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(lseek(fd, 5, SEEK_CUR));
  SHOW(pread(fd, text, 8, 0));
  SHOW(fallocate(fd, 0, 0, 1));
  SHOW(sync_file_range(fd, 0, 0, 0));
  SHOW(readahead(fd, 0, 1));
  SHOW(ftruncate(fd, 0));
  SHOW(fsync(fd));
  SHOW(RAW(getdents64, fd, text, sizeof text));
  SHOW(fgetxattr(fd, "user.a", text, sizeof text));
  SHOW(fsetxattr(fd, "user.a", "1", 1, 0));
  close(fd);
}

TEST(kinds) {
  sigset_t none;
  sigemptyset(&none);
  show_one("eventfd", eventfd(0, EFD_NONBLOCK));
  show_one("epoll", epoll_create1(0));
  show_one("inotify", inotify_init1(IN_NONBLOCK));
  show_one("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  show_one("signalfd", signalfd(-1, &none, SFD_NONBLOCK));
}

TEST(pipes) {
  int ends[2], packets[2];
  char text[8];
  pipe2(ends, O_NONBLOCK);
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  SHOW(write(ends[1], text, 0));
  SHOW(write(ends[1], text, 1));
  // Only the writing end knows that writes stay apart.
  SHOW(pipe2(packets, O_DIRECT | O_NONBLOCK));
  IS(fcntl(packets[0], F_GETFL) & O_DIRECT);
  IS(fcntl(packets[1], F_GETFL) & O_DIRECT);
  int dir = open(".", O_RDONLY);
  SHOW(splice(dir, 0, packets[1], 0, 1, 0));
}

TEST(waiting) {
  struct pollfd none[11];
  struct epoll_event event = {.events = EPOLLIN};
  memset(none, 0, sizeof none);
  for (int i = 0; i < 11; i++) none[i].fd = -1;
  CHILD("a process with ten descriptors at most") {
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 10});
    SHOW(poll(none, 11, 0));
    SHOW(poll(none, 10, 0));
  }
  // What lies beyond the table is not looked at.
  fd_set far;
  FD_ZERO(&far);
  FD_SET(900, &far);
  SHOW(select(901, &far, 0, 0, &(struct timeval){0, 0}));
  FD_ZERO(&far);
  FD_SET(60, &far);
  SHOW(select(61, &far, 0, 0, &(struct timeval){0, 0}));
  int epoll = epoll_create1(0), counter = eventfd(0, 0);
  SHOW(epoll_ctl(epoll, 9, counter, NULL));
  SHOW(epoll_ctl(epoll, 9, counter, &event));
}

// At the end of what positions count.
TEST(far_ends) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  write(fd, "0123456789", 10);
  SHOW(copy_file_range(fd, 0, fd, 0, 3, 0));
  loff_t in = 0, out = 1, beyond = 100;
  SHOW(copy_file_range(fd, &in, fd, &out, 3, 0));
  SHOW(copy_file_range(fd, &beyond, fd, 0, 3, 0));
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){8, RLIM_INFINITY});
  SHOW(pwrite(fd, "x", 1, 8));
  SHOW(flock(fd, 32));
}

// O_APPEND says where writes go, and nothing of holes.
TEST(holes_of_appended) {
  int fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0600);
  write(fd, "0123456789", 10);
  SHOW(fallocate(fd, 0, 0, 20));
  SHOW(fallocate(fd, 3, 0, 4)); // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
}
