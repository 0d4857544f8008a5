// Handles: names of files for later.
#include "guest.h"

#define BAD ((void *)1)

union any_handle {
  struct file_handle head;
  char room[sizeof(struct file_handle) + 128];
};

static long name(const char *path, union any_handle *handle, int *mount, int flags) {
  handle->head.handle_bytes = 128;
  return RAW(name_to_handle_at, AT_FDCWD, path, handle, mount, flags);
}

TEST(naming) {
  union any_handle a, b;
  int mount = -1, other = -2;
  put("f", "text"), put("g", "other"), symlink("f", "s"), link("f", "l");
  a.head.handle_bytes = 0;
  SHOW(RAW(name_to_handle_at, AT_FDCWD, "f", &a, &mount, 0));
  IS(a.head.handle_bytes > 0);
  IS(mount > 0);
  unsigned needed = a.head.handle_bytes;
  SHOW(name("f", &a, &mount, 0));
  IS(a.head.handle_bytes == needed);
  SHOW(name("l", &b, &other, 0));
  IS(!memcmp(&a, &b, sizeof(struct file_handle) + needed));
  IS(mount == other);
  SHOW(name("g", &b, &other, 0));
  IS(!memcmp(&a, &b, sizeof(struct file_handle) + needed));
  SHOW(name("s", &b, &other, AT_SYMLINK_FOLLOW));
  IS(!memcmp(&a, &b, sizeof(struct file_handle) + needed));
  SHOW(name("missing", &b, &other, 0));
  SHOW(name("", &b, &other, 0));
  SHOW(name("", &b, &other, AT_EMPTY_PATH));
  SHOW(name("f", &b, &other, 0x80));
  SHOW(RAW(name_to_handle_at, 99, "f", &b, &other, 0));
  SHOW(RAW(name_to_handle_at, AT_FDCWD, "f", BAD, &other, 0));
  SHOW(RAW(name_to_handle_at, AT_FDCWD, "f", &b, BAD, 0));
  b.head.handle_bytes = 129;
  SHOW(RAW(name_to_handle_at, AT_FDCWD, "f", &b, &other, 0));
  SHOW(name("/proc/version", &b, &other, 0));
}

// Without CAP_DAC_READ_SEARCH it is not for one to open.
TEST(rights) {
  union any_handle handle;
  int mount, dir = open(".", O_RDONLY);
  put("f", "text");
  name("f", &handle, &mount, 0);
  setgid(1000), setuid(1000);
  SHOW(RAW(open_by_handle_at, dir, &handle, O_RDONLY));
}
