// Random calls with random arguments: whatever they do to the processes that make them, the
// kernel goes on.
//
// `/guest --role attack` has a number of workers, one after the other, each in name spaces of
// its own and from a seed of its own. SEED, WORKERS, CALLS, THREADS of each and ONLY (a
// kind of calls, see `make_calls`) in the environment ask for others than the usual ones, and
// SHOW for more lines.
#include "guest.h"

#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

enum { PAGE = 4096, AREA = 16 * PAGE, FDS = 48 };

static uint64_t seed;

static uint64_t random_word(void) {
  uint64_t z = seed += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static uint64_t below(uint64_t bound) { return random_word() % bound; }

// Where arguments point to; always at the same place.
static uint8_t *const area = (uint8_t *)0x510000000000;
static _Atomic long *progress;

static const char *const paths[] = {
    "a", "b", "c/d", "c", ".", "..", "/", "/tmp", "fifo", "link", "loop", "sock", "", "/proc/self/maps", "/proc/self/mem",
    "/proc/self/fd", "/proc/self/status", "/proc/self/task", "/proc/self/attr/current", "/proc/self/uid_map", "/proc/self/oom_score_adj",
    "/proc/self/ns/net", "/proc/self/exe", "/proc/self/environ", "/proc/self/pagemap", "/proc/self/fdinfo/3", "/proc/sys/kernel/hostname",
    "/proc/sys/net/ipv4/ip_forward", "/proc/net/tcp", "/proc/stat", "/proc/meminfo", "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
    "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/dev/shm/x", "/dev/mqueue/q", "/sys", "/sys/fs/cgroup", "/sys/devices/system/cpu/online",
    "/guest", "tmpfs", "proc", "overlay", "mqueue", "sysfs", "devpts", "lo", "user.x", "trusted.y", "security.capability", "system.posix_acl_access",
};

static uint64_t place(void) { return (uint64_t)area + below(AREA); }

static uint64_t aligned_place(void) { return (uint64_t)area + below(AREA / 8) * 8; }

static uint64_t word(void) {
  static const uint64_t edges[] = {0, 1, 2, 3, 7, 8, 16, 64, 255, 256, 4095, 4096, 4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
                                   0x7fffffffffffffff, 0x8000000000000000, -1UL, -2UL, -100UL, 0x7ffffffff000, 0x10000, 0x100000000};
  switch (below(12)) {
    case 0: case 1: return below(16);
    case 2: return below(FDS);
    case 3: return 1UL << below(64);
    case 4: return 1UL << below(32) | 1UL << below(32);
    case 5: return edges[below(sizeof edges / sizeof *edges)];
    case 6: case 7: return aligned_place();
    case 8: return place();
    case 9: return below(AREA);
    case 10: return random_word();
    default: return (uint32_t)random_word() >> below(32);
  }
}

// Something like a structure: words of 2 to 8 bytes, names, and addresses of more of it.
static void fill(uint64_t from, int size) {
  for (int at = 0; at + 8 <= size;) {
    uint64_t value = word();
    int len = 2 << below(3);
    if (from + at + 256 > (uint64_t)area + AREA) break;
    if (below(16) == 0) {
      const char *path = paths[below(sizeof paths / sizeof *paths)];
      strcpy((char *)from + at, path);
      len = (strlen(path) + 8) & ~7;
    } else {
      memcpy((void *)(from + at), &value, len);
    }
    at += len;
  }
}

static uint64_t filled(int size) {
  uint64_t at = (uint64_t)area + below(AREA / PAGE - 1) * PAGE + below(16) * 16;
  fill(at, size);
  return at;
}

static uint64_t name(void) {
  uint64_t at = (uint64_t)area + below(AREA / PAGE) * PAGE;
  strcpy((char *)at, paths[below(sizeof paths / sizeof *paths)]);
  return at;
}

static uint64_t argument(void) {
  switch (below(8)) {
    case 0: return below(FDS);
    case 1: return name();
    case 2: case 3: return filled(8 << below(6));
    default: return word();
  }
}

// Ends that are no fault of the kernel's, and clocks of the host.
static bool is_left_out(long number) {
  switch (number) {
    case SYS_exit: case SYS_exit_group: case SYS_reboot: case SYS_rt_sigreturn: case SYS_pause: case SYS_vhangup: return true;
    default: return false;
  }
}

static void any_call(void) {
  long number = below(470);
  if (is_left_out(number)) return;
  uint64_t a[6];
  for (int i = 0; i < 6; i++) a[i] = argument();
  // Most take a descriptor or a name first.
  if (below(2)) a[0] = below(2) ? below(FDS) : name();
  bool makes = number == SYS_clone || number == SYS_fork || number == SYS_vfork || number == SYS_clone3;
  if (makes) {
    // With a stack of its own, a child would run wild in our memory.
    number = below(2) ? SYS_fork : SYS_clone;
    a[0] &= ~(uint64_t)(CLONE_VM | CLONE_VFORK | CLONE_THREAD | CLONE_SIGHAND);
    a[1] = 0;
  }
  long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (makes && result == 0) syscall(SYS_exit_group, 0);
}

// --- calls with a shape ---

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

static uint64_t address(int *len) {
  uint64_t at = filled(128);
  *(uint16_t *)at = families[below(5)];
  static const int lens[] = {0, 1, 2, 3, 8, 12, 16, 20, 24, 28, 110, 111, 128};
  *len = lens[below(13)];
  if (below(3) == 0) {
    // 127.0.0.1, ::1, a name
    if (*(uint16_t *)at == AF_INET) *(uint32_t *)(at + 4) = htonl(0x7f000001);
    if (*(uint16_t *)at == AF_INET6) memcpy((void *)(at + 8), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    *(uint16_t *)(at + 2) = htons(5000 + below(4));
  }
  return at;
}

// A control message after the other, their lengths about right.
static size_t control(uint64_t at) {
  size_t used = 0;
  for (int n = below(4); n > 0; n--) {
    struct cmsghdr *header = (struct cmsghdr *)(at + used);
    size_t len = sizeof *header + below(64);
    header->cmsg_len = below(8) ? len : word();
    static const int levels[] = {SOL_SOCKET, 0, 41, 17, 6, 1};
    header->cmsg_level = levels[below(6)];
    header->cmsg_type = below(8) ? below(64) : word();
    for (size_t i = sizeof *header; i + 4 <= len; i += 4) *(int *)(at + used + i) = below(FDS);
    used += (len + 7) & ~7UL;
  }
  return below(8) ? used : below(256);
}

static void messages(void) {
  int fd = below(FDS), len = 0;
  struct msghdr *header = (struct msghdr *)filled(sizeof *header);
  struct iovec *parts = (struct iovec *)((uint64_t)header + 128);
  for (int i = 0; i < 4; i++) parts[i] = (struct iovec){(void *)place(), below(3000)};
  header->msg_name = below(2) ? (void *)address(&len) : NULL;
  header->msg_namelen = below(8) ? len : word();
  header->msg_iov = parts;
  header->msg_iovlen = below(5);
  header->msg_control = (void *)((uint64_t)header + 512);
  header->msg_controllen = control((uint64_t)header->msg_control);
  if (below(2)) syscall(SYS_sendmsg, fd, header, word() & ~(uint64_t)MSG_WAITALL | MSG_DONTWAIT);
  else syscall(SYS_recvmsg, fd, header, word() | MSG_DONTWAIT);
}

static void sockets(void) {
  int fd = below(FDS), len = 0;
  static const int levels[] = {SOL_SOCKET, 0, 6, 17, 41, 58, 263, 270, 255, 136};
  int level = levels[below(10)], option = below(80);
  switch (below(8)) {
    case 0: {
      int made = socket(families[below(5)], 1 + below(10) | SOCK_NONBLOCK, below(4) ? 0 : below(300));
      if (made >= 0) dup2(made, below(FDS));
      if (made >= FDS) close(made);
      break;
    }
    case 1: { uint64_t at = address(&len); syscall(SYS_bind, fd, at, len); break; }
    case 2: { uint64_t at = address(&len); syscall(SYS_connect, fd, at, len); break; }
    case 3: { uint64_t at = address(&len); syscall(SYS_sendto, fd, place(), below(70000), MSG_DONTWAIT, at, len); break; }
    case 4: syscall(SYS_setsockopt, fd, level, option, filled(256), below(2) ? 4 : below(260)); break;
    case 5: *(int *)area = below(256); syscall(SYS_getsockopt, fd, level, option, place(), area); break;
    case 6: syscall(SYS_listen, fd, word()); syscall(SYS_accept4, fd, place(), area, SOCK_NONBLOCK); break;
    case 7: syscall(SYS_shutdown, fd, below(4)); break;
  }
}

static void netlink(void) {
  static const int protocols[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC, NETLINK_NETFILTER};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocols[below(5)]);
  uint64_t at = filled(1024);
  struct nlmsghdr *header = (struct nlmsghdr *)at;
  header->nlmsg_len = below(8) ? 16 + below(500) : word();
  header->nlmsg_type = below(4) ? 16 + below(100) : word();
  header->nlmsg_flags = below(2) ? 0x301 : word();
  // Attributes of sensible lengths.
  size_t offset = 16 + (below(4) ? 16 : below(32) * 4);
  while (offset + 8 < 400) {
    uint16_t *attribute = (uint16_t *)(at + offset);
    attribute[0] = below(8) ? 4 + below(20) : word();
    attribute[1] = below(40);
    offset += ((attribute[0] + 3) & ~3) ?: 4;
  }
  send(fd, header, below(8) ? header->nlmsg_len & 0xfff : below(2000), MSG_DONTWAIT);
  for (int i = 0; i < 4; i++) if (recv(fd, area, AREA, MSG_DONTWAIT) <= 0) break;
  close(fd);
}

static void program(struct sock_filter *code, int count) {
  for (int i = 0; i < count; i++) {
    static const uint16_t codes[] = {0x00, 0x01, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x61, 0x80, 0x81, 0x87, 0xb0, 0xb1, 0x02, 0x03,
                                     0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x54, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c,
                                     0xa4, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x45, 0x4d, 0x06, 0x16, 0x07};
    code[i].code = below(16) ? codes[below(sizeof codes / 2)] : word();
    code[i].jt = below(4) ? below(count - i) : word();
    code[i].jf = below(4) ? below(count - i) : word();
    code[i].k = below(2) ? below(70) : below(4) ? word() : 0xfffff000 + below(0x100);
  }
  code[count - 1].code = BPF_RET | BPF_K;
  if (below(2)) code[count - 1].k = 0x7fff0000;
}

static void filters(void) {
  struct sock_filter *code = (struct sock_filter *)(area + 2 * PAGE);
  int count = 1 + below(40);
  program(code, count);
  struct sock_fprog load = {below(16) ? count : below(70000), code};
  if (below(2)) {
    int fds[2];
    if (socketpair(AF_UNIX, below(2) ? SOCK_DGRAM : SOCK_STREAM, 0, fds)) return;
    setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &load, sizeof load);
    send(fds[1], area, below(3000), MSG_DONTWAIT);
    recv(fds[0], area, PAGE, MSG_DONTWAIT);
    close(fds[0]);
    close(fds[1]);
    return;
  }
  pid_t pid = fork();
  if (pid) return;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, below(8) ? 0 : word(), &load);
  for (int i = 0; i < 20; i++) syscall(below(470) | 1 << 20, word(), word(), word());
  getppid();
  _exit(0);
}

// A program with some bytes changed: of its headers, mostly.
static void programs(void) {
  char path[64];
  snprintf(path, sizeof path, "x%d", (int)below(4));
  pid_t pid = fork();
  if (pid) {
    if (pid > 0) waitpid(pid, NULL, 0);
    return;
  }
  int in = open("/guest", O_RDONLY), out = open(path, O_RDWR | O_CREAT | O_TRUNC, 0755);
  off_t at = 0;
  struct stat status;
  fstat(in, &status);
  sendfile(out, in, &at, status.st_size);
  for (int i = 1 + below(6); i > 0; i--) {
    uint64_t value = word();
    pwrite(out, &value, 1 << below(4), below(4) ? below(64 + 56 * 10) : below(PAGE * 4));
  }
  if (below(8) == 0) ftruncate(out, below(PAGE));
  if (below(8) == 0) pwrite(out, "#!/x0 a\n", 8, 0);
  close(in);
  close(out);
  // Whatever runs, it does not last.
  struct rlimit second = {1, 1};
  setrlimit(RLIMIT_CPU, &second);
  char *const args[] = {path, "--role", "nothing", NULL};
  execve(path, args, args + 3);
  _exit(0);
}

ROLE(nothing) {}

// Memory other than what arguments are in.
static void memory(void) {
  uint64_t at = 0x520000000000 + below(64) * PAGE, len = below(8) ? (1 + below(32)) * PAGE : word();
  switch (below(7)) {
    case 0: case 1: syscall(SYS_mmap, at, len, below(8), (below(8) ? MAP_FIXED : 0) | (below(2) ? MAP_ANONYMOUS : 0) | 1 + below(3) | (below(4) ? 0 : word() & ~(uint64_t)MAP_FIXED), below(FDS), below(4) * PAGE); break;
    case 2: syscall(SYS_munmap, at, len); break;
    case 3: syscall(SYS_mprotect, at, len, below(8) ? below(8) : word()); break;
    case 4: syscall(SYS_mremap, at, len, below(40) * PAGE, 1 | below(4), 0x520000000000 + below(64) * PAGE); break;
    case 5: syscall(SYS_madvise, at, len, below(26)); break;
    case 6: syscall(SYS_read, below(FDS), at, below(3 * PAGE)); break;
  }
}

static uint64_t small(void) { return below(4) ? below(300) : below(3 * PAGE); }

// Calls that get further with arguments of the right kind.
static void likely(void) {
  int a = below(FDS), b = below(FDS);
  static const char *const types[] = {"tmpfs", "proc", "overlay", "mqueue", "sysfs", "devpts", "cgroup2", "bind"};
  switch (below(30)) {
    case 0: case 1: {
      static const uint16_t kinds[] = {0x5400, 0x5410, 0x5420, 0x5450, 0x8900, 0x8910, 0x8920, 0x8930, 0x8940, 0x8950, 0x6600, 0x1260};
      syscall(SYS_ioctl, a, below(8) ? kinds[below(12)] + below(16) : word(), below(2) ? filled(64) : word());
      break;
    }
    case 2: syscall(SYS_fcntl, a, below(2) ? below(18) : 1024 + below(20), below(2) ? filled(32) : small()); break;
    case 3: syscall(SYS_prctl, below(80), small(), below(2) ? filled(64) : small(), small(), small()); break;
    case 4: syscall(SYS_splice, a, below(2) ? 0 : filled(8), b, below(2) ? 0 : filled(8), small(), SPLICE_F_NONBLOCK | below(16)); break;
    case 5: syscall(SYS_tee, a, b, small(), SPLICE_F_NONBLOCK); break;
    case 6: syscall(SYS_copy_file_range, a, below(2) ? 0 : filled(8), b, 0, small(), 0); break;
    case 7: syscall(SYS_sendfile, a, b, below(2) ? 0 : filled(8), small()); break;
    case 8: syscall(SYS_epoll_ctl, a, 1 + below(3), b, filled(16)); syscall(SYS_epoll_wait, a, place(), below(20), 0); break;
    case 9: syscall(SYS_timerfd_settime, a, below(4), filled(32), place()); break;
    case 10: syscall(SYS_inotify_add_watch, a, name(), below(0x1000)); break;
    case 11: case 12: {
      int made = syscall(SYS_openat, below(4) ? AT_FDCWD : a, name(), below(4) | 1UL << below(24) | 1UL << below(24) | O_NONBLOCK | O_NOCTTY, below(01000));
      if (made >= 0 && made != b) dup2(made, b), close(made);
      break;
    }
    case 13: syscall(SYS_mount, name(), name(), (uint64_t)types[below(8)], below(4) ? 1UL << below(24) : below(64), below(4) ? 0 : name()); break;
    case 14: syscall(SYS_umount2, name(), below(16)); break;
    case 15: case 16: syscall(SYS_read, a, aligned_place(), small()); break;
    case 17: case 18: syscall(SYS_write, a, filled(256), small()); break;
    case 19: syscall(SYS_getdents64, a, place(), small()); break;
    case 20: syscall(SYS_setxattr, name(), name(), filled(64), small(), below(4)); syscall(SYS_getxattr, name(), name(), place(), small()); break;
    case 21: syscall(SYS_lseek, a, below(2) ? small() : word(), below(6)); break;
    case 22: syscall(SYS_ftruncate, a, below(4) ? small() : word()); syscall(SYS_fallocate, a, below(128), small(), small()); break;
    case 23: {
      int id = syscall(SYS_semget, below(4), 1 + below(8), 0600 | IPC_CREAT);
      syscall(SYS_semop, id, filled(48), 1 + below(4));
      syscall(SYS_semctl, below(4) ? id : below(8), below(8), below(20), below(2) ? filled(128) : small());
      break;
    }
    case 24: {
      int id = syscall(SYS_msgget, below(4), 0600 | IPC_CREAT);
      syscall(SYS_msgsnd, id, filled(256), below(300), IPC_NOWAIT);
      syscall(SYS_msgrcv, id, place(), small(), below(8) - 3, IPC_NOWAIT | below(4) << 12);
      syscall(SYS_msgctl, id, below(16), filled(128));
      break;
    }
    case 25: {
      int id = syscall(SYS_shmget, below(4), (1 + below(8)) * PAGE, 0600 | IPC_CREAT);
      syscall(SYS_shmat, id, 0x520000000000 + below(64) * PAGE, below(8) << 12);
      syscall(SYS_shmctl, id, below(16), filled(128));
      break;
    }
    case 26: syscall(SYS_futex, aligned_place(), below(14) | below(2) << 7, below(4), filled(16), aligned_place(), below(4)); break;
    case 27: {
      // struct iocb, and a pointer to it.
      uint64_t at = filled(256), context = 0;
      ((uint16_t *)at)[8] = below(10);
      ((uint32_t *)at)[5] = a;
      ((uint64_t *)at)[3] = place();
      ((uint64_t *)at)[4] = small();
      *(uint64_t *)area = at;
      if (syscall(SYS_io_setup, 4, &context)) break;
      syscall(SYS_io_submit, context, 1, area);
      syscall(SYS_io_getevents, context, 0, 4, place(), filled(16));
      if (below(2)) syscall(SYS_io_destroy, context);
      break;
    }
    case 28: {
      // A stream of its own, so that the ends are known.
      int ends[2];
      if (socketpair(AF_UNIX, 1 + below(2), 0, ends)) break;
      dup2(ends[0], a);
      dup2(ends[1], b);
      close(ends[0]);
      close(ends[1]);
      break;
    }
    case 29: syscall(SYS_statx, a, name(), below(0x2000), word(), place()); break;
  }
}

static void handled(int signal UNUSED) {}

static void open_all(void) {
  mkdir("c", 0755);
  close(open("a", O_CREAT | O_RDWR, 0644));
  mkfifo("fifo", 0644);
  symlink("a", "link");
  symlink("loop", "loop");
  int at = 3;
  for (size_t i = 0; i < sizeof paths / sizeof *paths && at < 24; i += 2) {
    int fd = open(paths[i], (i % 3 ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) at = fd;
  }
  int ends[2];
  pipe2(ends, O_NONBLOCK);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
  for (int i = 0; i < 5; i++)
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) socket(families[i], type | SOCK_NONBLOCK, 0);
  epoll_create1(0);
  eventfd(3, EFD_NONBLOCK);
  timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  inotify_init1(IN_NONBLOCK);
  memfd_create("m", MFD_ALLOW_SEALING);
  open("/dev/ptmx", O_RDWR | O_NONBLOCK | O_NOCTTY);
}

static long setting(const char *name, long usual) {
  const char *value = getenv(name);
  return value ? atol(value) : usual;
}

static long calls;

static void *make_calls(void *unused UNUSED) {
  const long only = setting("ONLY", -1);
  for (long i = 0; i < calls; i++) {
    atomic_fetch_add(progress, 1);
    // Neither waits nor forgotten masks last.
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    setitimer(ITIMER_REAL, &often, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (i % 16 == 0) mmap(area, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    switch (only < 0 ? below(24) : only) {
      case 0: case 1: case 2: sockets(); break;
      case 3: case 4: messages(); break;
      case 5: netlink(); break;
      case 6: filters(); break;
      case 7: case 8: memory(); break;
      case 10: case 11: case 12: case 13: case 14: case 15: likely(); break;
      case 9: if (only > 0 || below(8) == 0) programs(); break;
      default: any_call();
    }
  }
  return NULL;
}

static void work(const char *here) {
  const struct rlimit size = {64 << 20, 64 << 20}, space = {1UL << 30, 1UL << 30}, tasks = {200, 200};
  setrlimit(RLIMIT_FSIZE, &size);
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_NPROC, &tasks);
  unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (below(2) ? CLONE_NEWNET : 0));
  // What is written is gone with the worker.
  mkdir(here, 0755);
  mount("tmpfs", here, "tmpfs", 0, "size=32m");
  chdir(here);
  open_all();
  // Waits end.
  const struct sigaction interrupts = {.sa_handler = handled};
  for (int i = 1; i < 32; i++)
    if (i != SIGCHLD && i != SIGSEGV && i != SIGBUS && i != SIGILL && i != SIGFPE) sigaction(i, &interrupts, NULL);
  signal(SIGCHLD, SIG_IGN);
  pthread_t thread;
  for (long i = setting("THREADS", 1); i > 1; i--) pthread_create(&thread, NULL, make_calls, NULL);
  make_calls(NULL);
}

// A process that does what processes do.
static bool is_sound(void) {
  int ends[2], status = 0;
  char byte = 0;
  if (pipe(ends)) return false;
  pid_t pid = fork();
  if (!pid) {
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 'y';
    int fd = open("/tmp/sound", O_RDWR | O_CREAT | O_TRUNC, 0644);
    write(fd, page, 1);
    pread(fd, &byte, 1, 0);
    write(ends[1], &byte, 1);
    _exit(unlink("/tmp/sound"));
  }
  close(ends[1]);
  bool sound = pid > 0 && read(ends[0], &byte, 1) == 1 && byte == 'y' && waitpid(pid, &status, 0) == pid && status == 0;
  close(ends[0]);
  return sound;
}

// What files have in memory, KiB.
static long cached(void) {
  char line[128];
  long found = -1;
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "Cached: %ld", &found);
  if (file) fclose(file);
  return found;
}

// Whether a file system is kept that went with its name space.
static bool keeps_the_dead(void) {
  enum { ROUNDS = 8, SIZE = 4 << 20 };
  long before = cached();
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = fork();
    if (!pid) {
      unshare(CLONE_NEWNS);
      mkdir("/tmp/dead", 0755);
      if (mount("tmpfs", "/tmp/dead", "tmpfs", 0, NULL)) _exit(1);
      int fd = open("/tmp/dead/file", O_RDWR | O_CREAT, 0644);
      _exit(posix_fallocate(fd, 0, SIZE));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (status) say("no file system: %#x", status);
  }
  return cached() - before > ROUNDS / 2 * (SIZE >> 10);
}

ROLE(attack) {
  progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const long first = setting("SEED", 1), workers = setting("WORKERS", 12);
  calls = setting("CALLS", 400);
  long unsound = 0;
  // Some worker may remove the file.
  const int null = open("/dev/null", O_RDWR);
  for (long n = 0; n < workers; n++) {
    if (getenv("SHOW")) say("worker %ld, %ld calls", first + n, (long)*progress);
    seed = (first + n) * 1000003;
    char here[64];
    snprintf(here, sizeof here, "/tmp/%ld", first + n);
    pid_t keeper = fork();
    if (!keeper) {
      // Whatever the worker leaves ends with it.
      for (int i = 0; i < 3; i++) dup2(null, i);
      close(null);
      unshare(CLONE_NEWPID);
      pid_t worker = fork();
      if (!worker) {
        work(here);
        _exit(0);
      }
      waitpid(worker, NULL, 0);
      _exit(0);
    }
    long seen = -1;
    int64_t since = now_ms();
    while (waitpid(keeper, NULL, WNOHANG) == 0) {
      usleep(1000);
      if (*progress != seen) {
        seen = *progress;
        since = now_ms();
      } else if (now_ms() - since > 3000) {
        // It waits for something that never comes.
        kill(-1, SIGKILL);
        waitpid(keeper, NULL, 0);
        break;
      }
    }
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {}
    bool sound = is_sound();
    unsound += !sound;
    if (!sound && getenv("SHOW")) say("unsound after %ld: %s", first + n, error_name(errno));
  }
  say("memory kept: %s", keeps_the_dead() ? "yes" : "no");
  say("%s calls, unsound %ld", *progress > workers * 20 ? "many" : "few", unsound);
}
