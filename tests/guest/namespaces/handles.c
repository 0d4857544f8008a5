// Files opened by their handles, which takes an administrator.
#include "guest.h"

union any_handle {
  struct file_handle head;
  char room[sizeof(struct file_handle) + 128];
};

static void name(const char *path, union any_handle *handle) {
  int mount;
  handle->head.handle_bytes = 128;
  SHOW(RAW(name_to_handle_at, AT_FDCWD, path, handle, &mount, 0));
}

static void show_open(int at, union any_handle *handle, int flags) {
  char text[16] = "";
  int fd = RAW(open_by_handle_at, at, handle, flags);
  if (fd < 0) {
    say("open: %s", error_name(errno));
    return;
  }
  errno = 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  if (n < 0) say("open, read: %s", error_name(errno));
  else say("open, read: [%s]", text);
  close(fd);
}

TEST(opening) {
  union any_handle file, link, dir, bad;
  put("f", "text"), symlink("f", "s"), mkdir("d", 0755);
  int here_fd = open(".", O_RDONLY), proc = open("/proc", O_RDONLY);
  name("f", &file), name("s", &link), name("d", &dir);
  show_open(here_fd, &file, O_RDONLY);
  show_open(AT_FDCWD, &file, O_RDONLY);
  show_open(here_fd, &file, O_WRONLY);
  show_open(here_fd, &file, O_PATH);
  show_open(here_fd, &link, O_RDONLY);
  show_open(here_fd, &dir, O_RDONLY);
  show_open(here_fd, &dir, O_WRONLY);
  show_open(99, &file, O_RDONLY);
  show_open(proc, &file, O_RDONLY);
  rename("f", "g");
  show_open(here_fd, &file, O_RDONLY);
  bad = file, bad.head.handle_bytes = 0;
  show_open(here_fd, &bad, O_RDONLY);
  bad.head.handle_bytes = 129;
  show_open(here_fd, &bad, O_RDONLY);
  SHOW(RAW(open_by_handle_at, here_fd, (void *)1, O_RDONLY));
  unlink("g");
  show_open(here_fd, &file, O_RDONLY);
}
