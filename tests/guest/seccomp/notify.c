// Calls that another process decides about, seccomp_unotify(2).
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32
#endif

// Leaves one call to the supervisor; returns its descriptor.
static int listen_for(int nr, unsigned flags) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return RAW(seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// A child that leaves getppid(2) to us, and runs then; its listener is the result.
static int supervise(pid_t *pid, unsigned flags, void (*run)(void)) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  *pid = fork();
  if (!*pid) {
    int fd = listen_for(SYS_getppid, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
    if (fd < 0) say("seccomp: %s", error_name(errno));
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    sendmsg(pair[1], &message, 0);
    close(fd), close(pair[0]), close(pair[1]);
    run();
    _exit(0);
  }
  int fd = -1;
  if (recvmsg(pair[0], &message, 0) == 1) memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  close(pair[0]), close(pair[1]);
  return fd;
}

static struct seccomp_notif take(int fd) {
  struct seccomp_notif request = {0};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request));
  return request;
}

// Says what went wrong alone: whoever is answered runs, and says things, too.
static void answer(int fd, uint64_t id, int64_t val, int error, unsigned flags) {
  struct seccomp_notif_resp response = {id, val, error, flags};
  if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response)) say("answer: %s", error_name(errno));
}

static void say_ready(int fd) {
  struct pollfd wanted = {fd, POLLIN | POLLOUT, 0};
  poll(&wanted, 1, 0);
  say("ready: %s%s%s", wanted.revents & POLLIN ? "in " : "", wanted.revents & POLLOUT ? "out " : "", wanted.revents & POLLHUP ? "hup" : "");
}

static void ask_thrice(void) {
  SHOW(RAW(getppid) > 0);
  SHOW(RAW(getppid));
  SHOW(RAW(getppid));
  SHOW(getuid());
}

TEST(answers) {
  pid_t pid;
  int fd = supervise(&pid, 0, ask_thrice);
  IS(fd >= 0);
  struct pollfd wanted = {fd, POLLIN, 0};
  SHOW(poll(&wanted, 1, 5000));
  say_ready(fd);
  struct seccomp_notif dirty = {.pid = 1};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &dirty));
  answer(fd, -1, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  struct seccomp_notif request = take(fd);
  IS(request.pid == (unsigned)pid && request.data.nr == SYS_getppid && !request.flags);
  IS(request.data.arch == 0xc000003e && request.data.instruction_pointer != 0);
  say_ready(fd);
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id));
  uint64_t other = request.id + 7;
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &other));
  answer(fd, request.id, 5, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  answer(fd, request.id, 0, 0, 2);
  answer(fd, other, 0, 0, 0);
  answer(fd, request.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  request = take(fd);
  answer(fd, request.id, 4711, 0, 0);
  request = take(fd);
  answer(fd, request.id, 0, -EXDEV, 0);
  wait_and_say("child", pid);
  say_ready(fd);
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id));
  SHOW(ioctl(fd, 0x2100, 0));
  SHOW(read(fd, &request, 8));
}

static void use_files(void) {
  int fd = RAW(getppid);
  char text[8] = "";
  SHOW(fd);
  SHOW(read(fd, text, 8));
  say("%s", text);
  SHOW(fcntl(fd, F_GETFD));
  SHOW(RAW(getppid));
  SHOW(fcntl(50, F_GETFD));
}

TEST(files) {
  pid_t pid;
  int fd = supervise(&pid, 0, use_files);
  put("file", "content");
  int file = open("file", O_RDONLY);
  struct seccomp_notif request = take(fd);
  struct seccomp_notif_addfd add = {.id = request.id, .srcfd = 99};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add = (struct seccomp_notif_addfd){.id = request.id, .srcfd = file, .newfd = 5};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add = (struct seccomp_notif_addfd){.id = request.id, .srcfd = file, .newfd_flags = O_APPEND};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add = (struct seccomp_notif_addfd){.id = request.id + 1, .srcfd = file};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add = (struct seccomp_notif_addfd){.id = request.id, .srcfd = file, .newfd = 50, .flags = SECCOMP_ADDFD_FLAG_SETFD};
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add = (struct seccomp_notif_addfd){.id = request.id, .srcfd = file, .newfd_flags = O_CLOEXEC, .newfd = 40, .flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND};
  if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) != 40) say("not added: %s", error_name(errno));
  if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0 || (errno != ENOENT && errno != EINPROGRESS)) say("added twice");
  request = take(fd);
  answer(fd, request.id, 1, 0, 0);
  wait_and_say("child", pid);
}

static void ask_once(void) { SHOW(RAW(getppid)); SHOW(RAW(getppid)); }

TEST(nobody_answers) {
  pid_t pid;
  int fd = supervise(&pid, 0, ask_once);
  take(fd);
  close(fd);
  wait_and_say("child", pid);
  CHILD("without a listener") {
    SHOW(listen_for(SYS_getppid, 0));
    SHOW(RAW(getppid));
  }
  CHILD("two") {
    IS(listen_for(SYS_getppid, SECCOMP_FILTER_FLAG_NEW_LISTENER) > 0);
    SHOW(listen_for(SYS_getuid, SECCOMP_FILTER_FLAG_NEW_LISTENER));
    SHOW(listen_for(SYS_geteuid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
    SHOW(listen_for(SYS_geteuid, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC));
  }
}

static volatile int struck;
static void strike(int signal UNUSED) { struck++; }

static void be_interrupted(void) {
  struct sigaction action = {.sa_handler = strike};
  sigaction(SIGUSR1, &action, NULL);
  SHOW(RAW(getppid));
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  SHOW(RAW(getppid));
  SHOW(struck);
}

TEST(interrupted) {
  pid_t pid;
  int fd = supervise(&pid, 0, be_interrupted);
  struct seccomp_notif request = take(fd);
  kill(pid, SIGUSR1);
  request = take(fd);
  uint64_t first = request.id;
  kill(pid, SIGUSR1);
  request = take(fd);
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &first));
  answer(fd, first, 1, 0, 0);
  answer(fd, request.id, 2, 0, 0);
  wait_and_say("child", pid);
  fd = supervise(&pid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, be_interrupted);
  request = take(fd);
  kill(pid, SIGUSR1);
  sleep_ms(100);
  answer(fd, request.id, 3, 0, 0);
  request = take(fd);
  kill(pid, SIGKILL);
  wait_and_say("child", pid);
  SHOW(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id));
  say_ready(fd);
}
