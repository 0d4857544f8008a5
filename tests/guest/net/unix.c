// Sockets of AF_UNIX: names, connections, what goes with data, out-of-band bytes.
#include "guest.h"
#include "net.h"
#include <linux/sockios.h>
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#define SCM_PIDFD 4
#endif

static struct sockaddr_un named(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strcpy(a.sun_path, path);
  return a;
}

static void say_un(const char *who, int fd, int (*get)(int, struct sockaddr *, socklen_t *)) {
  struct sockaddr_un a;
  socklen_t n = sizeof a;
  memset(&a, 'x', sizeof a);
  if (get(fd, SA(a), &n)) { say("%s: %s", who, error_name(errno)); return; }
  int len = (int)n - 2;
  for (int i = 0; i < len; i++) if (!a.sun_path[i]) a.sun_path[i] = '.';
  say("%s: family %d, %d bytes [%.*s]", who, a.sun_family, (int)n, len > 0 ? len : 0, a.sun_path);
}

// Receives with control data, says what came.
static void take(const char *what, int s, int flags, int room) {
  char b[100], c[2000];
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? c : 0, .msg_controllen = room};
  ssize_t n = recvmsg(s, &m, flags | MSG_DONTWAIT);
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  say("%s: %d [%.*s] flags %#x, %s of control", what, (int)n, (int)n, b, m.msg_flags, m.msg_controllen ? "some" : "none");
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
      int count = (h->cmsg_len - CMSG_LEN(0)) / 4;
      say("  %d descriptors", count);
      for (int i = 0; i < count; i++) {
        int fd = ((int *)CMSG_DATA(h))[i];
        if (i < 3) say("  valid %s, close on exec %d", fcntl(fd, F_GETFD) < 0 ? "no" : "yes", fcntl(fd, F_GETFD));
        close(fd);
      }
    } else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS) {
      struct ucred *u = (void *)CMSG_DATA(h);
      say("  credentials: %s %d %d, %d", u->pid == getpid() ? "own pid" : u->pid ? "other pid" : "no pid", u->uid, u->gid, (int)h->cmsg_len);
    } else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_PIDFD) {
      int fd = *(int *)CMSG_DATA(h);
      say("  pidfd: %s, close on exec %d", fd >= 0 ? "yes" : "no", fcntl(fd, F_GETFD));
      close(fd);
    } else say("  %d %d", h->cmsg_level, h->cmsg_type);
  }
}

// Sends a text with descriptors.
static ssize_t give(int s, const char *text, int *fds, int count, int flags) {
  static char c[8192];
  struct iovec v = {(void *)text, strlen(text)};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(4 * count)};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(4 * count), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(h), fds, 4 * count);
  return sendmsg(s, &m, flags);
}

TEST(making) {
  int v[2], n;
  SHOW(socket(AF_UNIX, SOCK_RAW, 0) >= 0), SHOW(socket(AF_UNIX, SOCK_RDM, 0)), SHOW(socket(AF_UNIX, SOCK_STREAM, 1) >= 0);
  SHOW(socket(AF_UNIX, SOCK_STREAM, 2)), SHOW(socket(AF_UNIX, SOCK_STREAM, -1)), SHOW(socket(AF_UNIX, 0, 0)), SHOW(socket(AF_UNIX, 77, 0));
  SHOW(socket(99, SOCK_STREAM, 0)), SHOW(socket(-1, SOCK_STREAM, 0)), SHOW(socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL)), SHOW(socketpair(AF_INET, SOCK_STREAM, 0, v)), SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 5, v));
  int r = socket(AF_UNIX, SOCK_RAW, 0);
  SHOW(getsockopt(r, SOL_SOCKET, SO_TYPE, &n, &(socklen_t){4})), SHOW(n);
  int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int i = 0; i < 3; i++) {
    int s = socket(AF_UNIX, types[i], 0);
    say("-- %d", types[i]);
    say_un("name", s, getsockname), say_un("peer", s, getpeername), say_poll("new", s);
    SHOW(listen(s, 1)), SHOW(accept(s, 0, 0)), SHOW(shutdown(s, SHUT_RD)), SHOW(shutdown(s, 7));
    SHOW(send(s, "x", 1, MSG_NOSIGNAL)), SHOW(recv(s, v, 1, MSG_DONTWAIT)), SHOW(write(s, "", 0)), SHOW(read(s, v, 0));
    SHOW(ioctl(s, SIOCINQ, &n)), SHOW(ioctl(s, SIOCOUTQ, &n)), SHOW(n), SHOW(ioctl(s, SIOCATMARK, &n)), SHOW(ioctl(s, 0x8999, &n)), SHOW(ioctl(s, SIOCINQ, NULL));
    SHOW(so_error(s));
  }
}

TEST(names) {
  struct sockaddr_un a = named("sock"), g;
  int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(bind(s, SA(a), 1)), SHOW(bind(s, SA(a), 0)), SHOW(bind(s, SA(a), 111)), SHOW(bind(s, SA(a), -1)), SHOW(bind(s, NULL, sizeof a));
  a.sun_family = AF_INET, SHOW(bind(s, SA(a), sizeof a));
  a = named("missing/sock"), SHOW(bind(s, SA(a), sizeof a));
  a = named("sock"), SHOW(bind(s, SA(a), sizeof a)), say_un("bound", s, getsockname);
  SHOW(bind(s, SA(a), sizeof a)), SHOW(bind(t, SA(a), sizeof a));
  a = named("other"), SHOW(bind(s, SA(a), sizeof a));
  SHOW(bind(s, SA(a), 2));
  a = named("cut"), SHOW(bind(t, SA(a), 2 + 2)), say_un("cut off", t, getsockname);
  struct stat st;
  SHOW(stat("sock", &st)), say("%o", st.st_mode), SHOW(open("sock", O_RDWR)), SHOW(unlink("sock"));
  int u = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(a.sun_path, 'p', sizeof a.sun_path);
  SHOW(bind(u, SA(a), sizeof a)), say_un("longest", u, getsockname);
  u = socket(AF_UNIX, SOCK_STREAM, 0), memcpy(a.sun_path, "\0abc\0def", 8);
  SHOW(bind(u, SA(a), 2 + 8)), say_un("abstract", u, getsockname);
  t = socket(AF_UNIX, SOCK_STREAM, 0), SHOW(bind(t, SA(a), 2 + 8)), SHOW(bind(t, SA(a), 2 + 7)), say_un("shorter", t, getsockname);
  t = socket(AF_UNIX, SOCK_STREAM, 0), SHOW(bind(t, SA(a), 2 + 1)), say_un("empty abstract", t, getsockname);
  t = socket(AF_UNIX, SOCK_STREAM, 0), SHOW(bind(t, SA(a), 2));
  socklen_t n = sizeof g;
  getsockname(t, SA(g), &n), SHOW(n), IS(g.sun_path[0] == 0);
  n = 4, SHOW(getsockname(u, SA(g), &n)), SHOW(n), n = 0, SHOW(getsockname(u, SA(g), &n)), SHOW(n), n = -1, SHOW(getsockname(u, SA(g), &n));
  n = 10, SHOW(getsockname(u, NULL, &n)), SHOW(getsockname(u, SA(g), NULL));
  // A name goes with its last descriptor.
  close(u), u = socket(AF_UNIX, SOCK_STREAM, 0), SHOW(bind(u, SA(a), 2 + 8));
}

TEST(connecting) {
  struct sockaddr_un a = named("l"), d = named("d"), nobody = named("nobody");
  int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0), g = socket(AF_UNIX, SOCK_DGRAM, 0), q = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  put("file", "");
  struct sockaddr_un file = named("file");
  SHOW(connect(s, SA(nobody), sizeof nobody)), SHOW(connect(s, SA(file), sizeof file)), SHOW(connect(s, SA(nobody), 1)), SHOW(connect(s, SA(nobody), 2));
  bind(l, SA(a), sizeof a), bind(g, SA(d), sizeof d);
  SHOW(connect(s, SA(a), sizeof a)), SHOW(connect(s, SA(d), sizeof d)), SHOW(connect(q, SA(a), sizeof a));
  SHOW(listen(l, 0)), say_poll("listening", l);
  SHOW(connect(l, SA(a), sizeof a)), SHOW(send(l, "x", 1, MSG_NOSIGNAL)), SHOW(recv(l, &d, 1, MSG_DONTWAIT));
  int n;
  SHOW(ioctl(l, SIOCINQ, &n)), SHOW(ioctl(l, SIOCOUTQ, &n));
  SHOW(connect(s, SA(a), sizeof a)), say_poll("waiting", l), say_poll("connected", s);
  int t = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SHOW(connect(t, SA(a), sizeof a));
  say_un("peer", s, getpeername), say_un("own", s, getsockname), SHOW(write(s, "early", 5));
  struct sockaddr_un f;
  socklen_t m = sizeof f;
  int c = SHOW(accept(l, SA(f), &m) >= 0) ? 0 : 0;
  SHOW(m), SHOW(f.sun_family);
  close(l);
  SHOW(connect(t, SA(a), sizeof a));
  // Datagrams.
  int h = socket(AF_UNIX, SOCK_DGRAM, 0);
  SHOW(connect(h, SA(d), sizeof d)), SHOW(send(h, "hi", 2, 0)), m = sizeof f, SHOW(recvfrom(g, &f, 2, 0, SA(f), &m)), SHOW(m);
  SHOW(connect(h, SA(a), sizeof a)), SHOW(connect(h, SA(nobody), sizeof nobody)), say_un("still", h, getpeername);
  SHOW(sendto(h, "x", 1, 0, SA(nobody), sizeof nobody)), SHOW(sendto(h, "x", 1, 0, SA(d), sizeof d)), SHOW(sendto(h, "x", 1, 0, SA(d), 1));
  SHOW(sendto(s, "x", 1, 0, SA(d), sizeof d)), SHOW(sendto(t, "x", 1, MSG_NOSIGNAL, SA(d), sizeof d));
  close(g), SHOW(send(h, "x", 1, 0)), SHOW(send(h, "x", 1, 0)), say_un("gone", h, getpeername), SHOW(connect(h, SA(d), sizeof d));
  struct sockaddr un = {AF_UNSPEC};
  SHOW(connect(h, &un, sizeof un)), say_un("nobody", h, getpeername), SHOW(send(h, "x", 1, 0)), SHOW(connect(s, &un, sizeof un));
  // Who is connected to somebody else hears nobody but him.
  struct sockaddr_un e = named("e");
  int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
  bind(x, SA(e), sizeof e);
  struct sockaddr_un z = named("z");
  bind(y, SA(z), sizeof z), SHOW(connect(x, SA(z), sizeof z)), SHOW(sendto(h, "x", 1, 0, SA(e), sizeof e)), SHOW(connect(h, SA(e), sizeof e)), SHOW(sendto(y, "y", 1, 0, SA(e), sizeof e));
}

TEST(rights) {
  int v[2], fds[300];
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, v));
  for (int i = 0; i < 300; i++) fds[i] = 1;
  SHOW(give(v[0], "a", fds, 1, 0)), take("one", v[1], 0, 500);
  SHOW(give(v[0], "b", fds, 2, 0)), take("two, close on exec", v[1], MSG_CMSG_CLOEXEC, 500);
  SHOW(give(v[0], "c", fds, 3, 0)), take("room for two", v[1], 0, CMSG_SPACE(8));
  SHOW(give(v[0], "d", fds, 3, 0)), take("room for one and a half", v[1], 0, CMSG_LEN(6));
  SHOW(give(v[0], "e", fds, 1, 0)), take("room for a head", v[1], 0, CMSG_LEN(0));
  SHOW(give(v[0], "f", fds, 1, 0)), take("no room", v[1], 0, 0);
  SHOW(give(v[0], "g", fds, 1, 0)), take("little room", v[1], 0, 4);
  SHOW(give(v[0], "h", fds, 253, 0)), take("most", v[1], 0, 2000), SHOW(give(v[0], "i", fds, 254, 0));
  SHOW(give(v[0], "j", fds, 0, 0)), take("none", v[1], 0, 500);
  fds[1] = 999, SHOW(give(v[0], "k", fds, 2, 0)), fds[1] = -1, SHOW(give(v[0], "l", fds, 2, 0)), fds[1] = 1;
  SHOW(give(v[0], "", fds, 1, 0)), take("without data", v[1], 0, 500);
  SHOW(give(v[0], "m", fds, 1, 0)), take("peeked", v[1], MSG_PEEK, 500), take("taken", v[1], 0, 500);
  SHOW(give(v[0], "12", fds, 1, 0)), SHOW(write(v[0], "34", 2)), SHOW(give(v[0], "56", fds, 2, 0)), SHOW(write(v[0], "78", 2));
  take("first", v[1], 0, 500), take("second", v[1], 0, 500), take("third", v[1], 0, 500);
  SHOW(write(v[0], "12", 2)), SHOW(give(v[0], "34", fds, 1, 0));
  take("plain and rights", v[1], 0, 500), take("rest", v[1], 0, 500);
  char b[10];
  SHOW(give(v[0], "12", fds, 1, 0)), SHOW(read(v[1], b, 1)), take("after read", v[1], 0, 500);
  SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, v));
  SHOW(give(v[0], "a", fds, 2, 0)), take("datagram", v[1], 0, 500), SHOW(give(v[0], "", fds, 1, 0)), take("empty datagram", v[1], 0, 500);
  SHOW(give(v[0], "x", &v[1], 1, 0)), take("itself", v[1], 0, 500);
  // Forms that are wrong.
  char c[100] = {0};
  struct msghdr m = {.msg_control = c, .msg_controllen = CMSG_SPACE(4)};
  struct cmsghdr *h = (void *)c;
#define TRY(len, level, type) ({ *h = (struct cmsghdr){.cmsg_len = len, .cmsg_level = level, .cmsg_type = type}; *(int *)CMSG_DATA(h) = 1; SHOW(sendmsg(v[0], &m, 0)); })
  TRY(CMSG_LEN(4), SOL_SOCKET, 77), TRY(CMSG_LEN(4), 77, 1), TRY(8, SOL_SOCKET, SCM_RIGHTS), TRY(CMSG_LEN(80), SOL_SOCKET, SCM_RIGHTS), TRY(CMSG_LEN(3), SOL_SOCKET, SCM_RIGHTS), TRY(CMSG_LEN(4), SOL_SOCKET, SCM_CREDENTIALS), TRY(CMSG_LEN(4), IPPROTO_IP, 1), TRY(0, SOL_SOCKET, SCM_RIGHTS);
  m.msg_controllen = 8, TRY(CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS);
  m.msg_control = (void *)8, m.msg_controllen = 24, SHOW(sendmsg(v[0], &m, 0)), m.msg_controllen = 1 << 30, SHOW(sendmsg(v[0], &m, 0));
}

TEST(credentials) {
  int v[2], one = 1;
  struct ucred u = {getpid(), 0, 0};
  char c[200];
  struct iovec i = {"x", 1};
  struct msghdr m = {.msg_iov = &i, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(sizeof u)};
  struct cmsghdr *h = (void *)c;
  *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof u), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
#define CLAIM(p, a, b) ({ u = (struct ucred){p, a, b}; memcpy(CMSG_DATA(h), &u, sizeof u); SHOW(sendmsg(v[0], &m, 0)); })
  for (int k = 0; k < 2; k++) {
    socketpair(AF_UNIX, k ? SOCK_DGRAM : SOCK_STREAM, 0, v);
    CLAIM(getpid(), 0, 0), take("not asked for", v[1], 0, 200);
    SHOW(setsockopt(v[1], SOL_SOCKET, SO_PASSCRED, &one, 4));
    CLAIM(getpid(), 0, 0), take("asked for", v[1], 0, 200), SHOW(write(v[0], "y", 1)), take("plain", v[1], 0, 200);
    CLAIM(getpid(), 7, 8), take("others", v[1], 0, 200), CLAIM(99999, 0, 0);
    SHOW(write(v[0], "y", 1)), take("no room", v[1], 0, 0), SHOW(write(v[0], "y", 1)), take("little room", v[1], 0, 20);
    int fd = 1;
    SHOW(give(v[0], "z", &fd, 1, 0)), take("both", v[1], 0, 200);
  }
  socketpair(AF_UNIX, SOCK_STREAM, 0, v);
  SHOW(write(v[0], "before", 6)), SHOW(setsockopt(v[1], SOL_SOCKET, SO_PASSCRED, &one, 4)), take("before", v[1], 0, 200);
  CHILD("unprivileged") {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    CLAIM(getpid(), 0, 0), CLAIM(getpid(), 1000, 0), CLAIM(getpid(), 1000, 1000), CLAIM(getppid(), 1000, 1000);
  }
  take("from the child", v[1], 0, 200);
  socklen_t n = sizeof u;
  SHOW(getsockopt(v[0], SOL_SOCKET, SO_PEERCRED, &u, &n)), SHOW(n), IS(u.pid == getpid());
  int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &n)), SHOW(u.pid), SHOW((int)u.uid), SHOW((int)u.gid);
  SHOW(getsockopt(d, SOL_SOCKET, SO_PEERCRED, &u, &n)), SHOW(u.pid), SHOW((int)u.uid);
  SHOW(setsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, n));
  gid_t groups[10];
  n = sizeof groups, setgroups(3, (gid_t[]){5, 6, 7}), socketpair(AF_UNIX, SOCK_STREAM, 0, v);
  SHOW(getsockopt(v[0], SOL_SOCKET, SO_PEERGROUPS, groups, &n)), SHOW(n), SHOW(groups[2]);
  n = 4, SHOW(getsockopt(v[0], SOL_SOCKET, SO_PEERGROUPS, groups, &n)), SHOW(n);
  n = 40, SHOW(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &n));
  n = 40, SHOW(getsockopt(s, SOL_SOCKET, SO_PEERSEC, groups, &n));
}

TEST(pidfds) {
  int v[2], one = 1, fd = -1;
  socklen_t n = 4;
  socketpair(AF_UNIX, SOCK_STREAM, 0, v);
  SHOW(getsockopt(v[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &n)), SHOW(n), IS(fd > 2), SHOW(fcntl(fd, F_GETFD));
  n = 3, SHOW(getsockopt(v[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &n));
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  n = 4, SHOW(getsockopt(s, SOL_SOCKET, SO_PEERPIDFD, &fd, &n));
  SHOW(setsockopt(v[1], SOL_SOCKET, SO_PASSPIDFD, &one, 4)), SHOW(write(v[0], "x", 1)), take("pidfd", v[1], 0, 200);
  SHOW(setsockopt(v[1], SOL_SOCKET, SO_PASSCRED, &one, 4)), SHOW(write(v[0], "x", 1)), take("both", v[1], 0, 200);
  SHOW(write(v[0], "x", 1)), take("no room", v[1], 0, 10);
}

TEST(autobind) {
  int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0), one = 1;
  struct sockaddr_un a = named("l"), f, d = named("d");
  socklen_t n = sizeof f;
  bind(l, SA(a), sizeof a), listen(l, 5);
  SHOW(setsockopt(s, SOL_SOCKET, SO_PASSCRED, &one, 4)), SHOW(connect(s, SA(a), sizeof a)), SHOW(getsockname(s, SA(f), &n)), SHOW(n);
  int g = socket(AF_UNIX, SOCK_DGRAM, 0), h = socket(AF_UNIX, SOCK_DGRAM, 0);
  bind(g, SA(d), sizeof d);
  SHOW(setsockopt(h, SOL_SOCKET, SO_PASSCRED, &one, 4)), SHOW(sendto(h, "x", 1, 0, SA(d), sizeof d));
  n = sizeof f, SHOW(recvfrom(g, &one, 1, 0, SA(f), &n)), SHOW(n), IS(f.sun_path[0] == 0);
}

TEST(messages) {
  int v[2], n;
  char b[20];
  SHOW(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v));
  SHOW(send(v[0], "hello", 5, 0)), SHOW(send(v[0], "", 0, 0)), SHOW(send(v[0], "world", 5, MSG_EOR)), SHOW(ioctl(v[1], SIOCINQ, &n)), SHOW(n);
  SHOW(recv(v[1], b, 2, MSG_TRUNC)), take("empty", v[1], 0, 0), take("record", v[1], 0, 0), take("nothing", v[1], 0, 0);
  SHOW(send(v[0], "x", 1, MSG_OOB)), SHOW(recv(v[1], b, 1, MSG_OOB)), SHOW(recv(v[1], b, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
  struct sockaddr_un a = named("q");
  SHOW(sendto(v[0], "x", 1, 0, SA(a), sizeof a));
  take("it", v[1], 0, 0);
  close(v[0]), say_poll("gone", v[1]), SHOW(recv(v[1], b, 1, 0)), SHOW(send(v[1], "x", 1, MSG_NOSIGNAL));
  SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, v));
  static char big[300000];
  SHOW(send(v[0], big, 212961, MSG_DONTWAIT)), SHOW(send(v[0], big, 212960, MSG_DONTWAIT)), SHOW(send(v[0], "x", 1, MSG_OOB));
  SHOW(recv(v[1], b, 4, MSG_TRUNC)), close(v[0]), say_poll("gone", v[1]), SHOW(recv(v[1], b, 1, MSG_DONTWAIT)), SHOW(send(v[1], "x", 1, 0)), SHOW(so_error(v[1]));
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, v));
  SHOW(send(v[0], "abc", 3, 0)), SHOW(send(v[0], "def", 3, 0)), SHOW(ioctl(v[1], SIOCINQ, &n)), SHOW(n);
  SHOW(recv(v[1], b, 4, MSG_PEEK)), SHOW(recv(v[1], b, 20, MSG_WAITALL | MSG_DONTWAIT)), SHOW(recv(v[1], b, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
  SHOW(send(v[0], "abcdef", 6, 0)), SHOW(recv(v[1], b, 3, MSG_TRUNC)), SHOW(recv(v[1], b, 20, 0)), say("%.3s", b);
  SHOW(shutdown(v[0], SHUT_WR)), say_poll("end", v[1]), say_poll("own", v[0]), SHOW(recv(v[1], b, 1, 0)), SHOW(send(v[0], "x", 1, MSG_NOSIGNAL));
  SHOW(shutdown(v[0], SHUT_RD)), say_poll("both", v[0]), say_poll("peer", v[1]), SHOW(send(v[1], "x", 1, MSG_NOSIGNAL));
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, v)), SHOW(write(v[1], "unread", 6)), close(v[0]), SHOW(recv(v[1], b, 1, 0)), SHOW(recv(v[1], b, 1, 0)), say_poll("reset", v[1]);
}

TEST(out_of_band) {
  int v[2], n, one = 1;
  char b[20] = "";
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, v));
  SHOW(recv(v[1], b, 1, MSG_OOB)), SHOW(ioctl(v[1], SIOCATMARK, &n)), SHOW(n);
  SHOW(send(v[0], "hello", 5, MSG_OOB)), say_poll("urgent", v[1]), SHOW(ioctl(v[1], SIOCATMARK, &n)), SHOW(n), SHOW(ioctl(v[1], SIOCINQ, &n)), SHOW(n);
  SHOW(recv(v[1], b, 20, MSG_OOB | MSG_PEEK)), say("%.1s", b), SHOW(recv(v[1], b, 20, MSG_OOB)), say("%.1s", b), say_poll("taken", v[1]);
  SHOW(recv(v[1], b, 20, MSG_OOB));
  SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), say("%.4s", b), SHOW(recv(v[1], b, 20, MSG_DONTWAIT));
  SHOW(send(v[0], "ab", 2, 0)), SHOW(send(v[0], "X", 1, MSG_OOB)), SHOW(send(v[0], "cd", 2, 0)), say_poll("inside", v[1]);
  SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), say("%.2s", b), SHOW(ioctl(v[1], SIOCATMARK, &n)), SHOW(n), SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), say("%.2s", b), SHOW(recv(v[1], b, 20, MSG_OOB | MSG_DONTWAIT));
  SHOW(send(v[0], "1", 1, MSG_OOB)), SHOW(send(v[0], "2", 1, MSG_OOB)), SHOW(recv(v[1], b, 20, MSG_OOB)), say("%.1s", b), SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), say("%.1s", b);
  SHOW(setsockopt(v[1], SOL_SOCKET, SO_OOBINLINE, &one, 4));
  SHOW(send(v[0], "ab", 2, 0)), SHOW(send(v[0], "X", 1, MSG_OOB)), SHOW(send(v[0], "cd", 2, 0)), SHOW(recv(v[1], b, 20, MSG_OOB));
  SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), SHOW(ioctl(v[1], SIOCATMARK, &n)), SHOW(n), SHOW(recv(v[1], b, 20, MSG_DONTWAIT)), say("%.3s", b), SHOW(ioctl(v[1], SIOCATMARK, &n)), SHOW(n), SHOW(recv(v[1], b, 20, MSG_DONTWAIT));
  SHOW(send(v[0], "", 0, MSG_OOB)), SHOW(close(v[0])), SHOW(recv(v[1], b, 20, MSG_OOB));
}

TEST(peek_offset) {
  int v[2], o = 0;
  char b[20] = "";
  for (int k = 0; k < 2; k++) {
    SHOW(socketpair(AF_UNIX, k ? SOCK_DGRAM : SOCK_STREAM, 0, v));
    SHOW(send(v[0], "abc", 3, 0)), SHOW(send(v[0], "defg", 4, 0));
#define OFFSET() ({ getsockopt(v[1], SOL_SOCKET, SO_PEEK_OFF, &o, &(socklen_t){4}); say("offset %d", o); })
    OFFSET(), SHOW(recv(v[1], b, 2, MSG_PEEK)), OFFSET(), o = 0, SHOW(setsockopt(v[1], SOL_SOCKET, SO_PEEK_OFF, &o, 4));
    SHOW(recv(v[1], b, 2, MSG_PEEK)), say("%.2s", b), OFFSET(), SHOW(recv(v[1], b, 2, MSG_PEEK)), say("%.2s", b), OFFSET(), SHOW(recv(v[1], b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET();
    SHOW(recv(v[1], b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET(), SHOW(recv(v[1], b, 2, 0)), OFFSET(), SHOW(recv(v[1], b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET(), SHOW(recv(v[1], b, 20, MSG_PEEK | MSG_DONTWAIT));
    o = -1, SHOW(setsockopt(v[1], SOL_SOCKET, SO_PEEK_OFF, &o, 4)), SHOW(recv(v[1], b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET();
  }
}

TEST(addresses_of_calls) {
  int v[2];
  char b[20];
  struct sockaddr_un a = named("x");
  socketpair(AF_UNIX, SOCK_DGRAM, 0, v);
  socklen_t n = -1;
  SHOW(send(v[0], "x", 1, 0)), SHOW(recvfrom(v[1], b, 1, MSG_DONTWAIT, SA(a), &n)), SHOW(recvfrom(v[1], b, 1, MSG_DONTWAIT, SA(a), &n));
  SHOW(send(v[0], "x", 1, 0)), SHOW(recvfrom(v[1], b, 1, MSG_DONTWAIT, SA(a), NULL));
  n = sizeof a, SHOW(send(v[0], "x", 1, 0)), SHOW(recvfrom(v[1], b, 1, MSG_DONTWAIT, SA(a), &n)), SHOW(n);
  SHOW(sendto(v[0], "x", 1, 0, SA(a), -1)), SHOW(sendto(v[0], "x", 1, 0, SA(a), 200)), SHOW(sendto(v[0], "x", 1, 0, (void *)8, 20)), SHOW(sendto(v[0], NULL, 1, 0, NULL, 0)), SHOW(sendto(v[0], "x", -1, 0, NULL, 0));
  struct msghdr m = {.msg_name = &a, .msg_namelen = -1};
  SHOW(sendmsg(v[0], &m, 0)), SHOW(recvmsg(v[1], &m, MSG_DONTWAIT)), SHOW(sendmsg(v[0], NULL, 0)), SHOW(recvmsg(v[1], NULL, MSG_DONTWAIT));
  m = (struct msghdr){.msg_iov = (void *)8, .msg_iovlen = 1}, SHOW(sendmsg(v[0], &m, 0)), m.msg_iovlen = 2000, SHOW(sendmsg(v[0], &m, 0));
}

TEST(proc) {
  // Types, states and names, without numbers.
  int l = socket(AF_UNIX, SOCK_STREAM, 0), g = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un a = named("\0zz-listener"), d = named("zz-datagrams");
  memcpy(a.sun_path, "\0zz-listener", 12);
  bind(l, SA(a), 2 + 12), bind(g, SA(d), sizeof d), listen(l, 5);
  char line[500];
  for (int k = 0; k < 2; k++) {
    FILE *f = fopen("/proc/net/unix", "r");
    fgets(line, sizeof line, f);
    if (!k) say("%s", line);
    while (fgets(line, sizeof line, f)) {
      if (!strstr(line, k ? "zz-datagrams" : "zz-listener")) continue;
      unsigned long num, ino;
      unsigned ref, proto, flags, type, st;
      char name[200] = "";
      int n = sscanf(line, "%lx: %x %x %x %x %x %lu %199s", &num, &ref, &proto, &flags, &type, &st, &ino, name);
      say("%d fields: refs %u protocol %u flags %x type %x state %x [%s]", n, ref, proto, flags, type, st, name);
    }
    fclose(f);
  }
}
