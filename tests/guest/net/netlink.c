// Sockets of AF_NETLINK: the calls, and what rtnetlink refuses and how.
#include "guest.h"
#include "net.h"
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/if_addr.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

static void say_nl(const char *who, int fd, int (*get)(int, struct sockaddr *, socklen_t *)) {
  struct sockaddr_nl a = {0};
  socklen_t n = sizeof a;
  if (get(fd, SA(a), &n)) { say("%s: %s", who, error_name(errno)); return; }
  say("%s: family %d pid %s groups %#x, %d", who, a.nl_family, a.nl_pid == getpid() ? "own" : a.nl_pid ? "some" : "0", a.nl_groups, n);
}

// Sends a request and says what comes first.
static void ask(int s, const char *what, int type, int flags, void *body, int len) {
  struct { struct nlmsghdr h; char body[300]; } q = {{.nlmsg_len = NLMSG_LENGTH(len), .nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST, .nlmsg_seq = 5}};
  memcpy(q.body, body, len);
  int e = send(s, &q, q.h.nlmsg_len, 0);
  if (e < 0) { say("%s: send %s", what, error_name(errno)); return; }
  static char b[32768];
  int n = recv(s, b, sizeof b, MSG_DONTWAIT), first = 1;
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  struct nlmsghdr *h = (void *)b;
  if (h->nlmsg_type == NLMSG_ERROR) say("%s: error %s, flags %#x, len %d", what, ((struct nlmsgerr *)NLMSG_DATA(h))->error ? error_name(-((struct nlmsgerr *)NLMSG_DATA(h))->error) : "none", h->nlmsg_flags, h->nlmsg_len);
  else say("%s: type %d flags %#x", what, h->nlmsg_type, h->nlmsg_flags);
  while (recv(s, b, sizeof b, MSG_DONTWAIT) > 0) first = 0;
}

TEST(making) {
  int works[] = {NETLINK_ROUTE, NETLINK_USERSOCK, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC};
  for (int i = 0; i < 5; i++) { int s = socket(AF_NETLINK, SOCK_RAW, works[i]); say("%d: %s", works[i], s < 0 ? error_name(errno) : "ok"); close(s); }
  SHOW(socket(AF_NETLINK, SOCK_STREAM, 0)), SHOW(socket(AF_NETLINK, SOCK_SEQPACKET, 0)), SHOW(socket(AF_NETLINK, SOCK_RAW, 99)), SHOW(socket(AF_NETLINK, SOCK_RAW, -1)), SHOW(socket(AF_NETLINK, SOCK_RAW, 31));
  SHOW(socketpair(AF_NETLINK, SOCK_RAW, 0, (int[2]){}));
  int s = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  say_nl("new", s, getsockname), say_nl("peer", s, getpeername), say_poll("new", s);
  SHOW(listen(s, 1)), SHOW(accept(s, 0, 0)), SHOW(shutdown(s, SHUT_RD));
  char b[10];
  SHOW(recv(s, b, 10, MSG_DONTWAIT)), SHOW(recv(s, b, 10, MSG_OOB)), SHOW(send(s, b, 10, MSG_OOB)), SHOW(send(s, "", 0, 0)), SHOW(write(s, b, 4));
  int n;
  SHOW(ioctl(s, FIONREAD, &n)), SHOW(ioctl(s, 0x8999, &n));
  struct ifreq q = {.ifr_name = "lo"};
  SHOW(ioctl(s, SIOCGIFINDEX, &q)), SHOW(ioctl(s, SIOCGIFADDR, &q));
}

TEST(binding) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), t = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct sockaddr_nl a = {.nl_family = AF_NETLINK};
  SHOW(bind(s, SA(a), 11)), SHOW(bind(s, SA(a), 4)), a.nl_family = AF_INET, SHOW(bind(s, SA(a), sizeof a));
  a.nl_family = AF_NETLINK, SHOW(bind(s, SA(a), sizeof a)), say_nl("bound", s, getsockname);
  a.nl_pid = 77, SHOW(bind(s, SA(a), sizeof a)), SHOW(bind(t, SA(a), sizeof a)), say_nl("chosen", t, getsockname);
  int u = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), v = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  SHOW(bind(u, SA(a), sizeof a)), SHOW(bind(v, SA(a), sizeof a));
  a.nl_pid = 0, a.nl_groups = 0x41, SHOW(bind(u, SA(a), sizeof a)), say_nl("groups", u, getsockname);
  int group = 5;
  SHOW(setsockopt(u, 270, NETLINK_ADD_MEMBERSHIP, &group, 4)), say_nl("added", u, getsockname), SHOW(setsockopt(u, 270, NETLINK_DROP_MEMBERSHIP, &group, 4)), say_nl("dropped", u, getsockname);
  group = 40, SHOW(setsockopt(u, 270, NETLINK_ADD_MEMBERSHIP, &group, 4));
  unsigned list[4] = {0};
  socklen_t n = sizeof list;
  SHOW(getsockopt(u, 270, NETLINK_LIST_MEMBERSHIPS, list, &n)), SHOW(n), say("%#x", list[0]);
  a.nl_groups = 0, SHOW(connect(u, SA(a), sizeof a)), say_nl("peer", u, getpeername), SHOW(connect(u, SA(a), 4));
  a.nl_family = AF_UNSPEC, SHOW(connect(u, SA(a), sizeof a)), a.nl_family = AF_INET, SHOW(connect(u, SA(a), sizeof a));
  a.nl_family = AF_NETLINK, a.nl_pid = 99999, SHOW(connect(u, SA(a), sizeof a)), SHOW(sendto(t, "x", 1, 0, SA(a), sizeof a));
  struct nlmsghdr h = {.nlmsg_len = 16, .nlmsg_type = 20};
  SHOW(sendto(t, &h, 16, 0, SA(a), sizeof a)), a.nl_pid = 0, SHOW(sendto(t, &h, 16, 0, SA(a), 4)), SHOW(sendto(t, &h, 16, 0, SA(a), sizeof a)), a.nl_groups = 1, SHOW(sendto(t, &h, 16, 0, SA(a), sizeof a));
}

TEST(user_to_user) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK), t = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 1001}, b = {.nl_family = AF_NETLINK, .nl_pid = 1002}, f;
  char text[20];
  socklen_t n = sizeof f;
  SHOW(bind(s, SA(a), sizeof a)), SHOW(bind(t, SA(b), sizeof b)), SHOW(sendto(s, "hello", 5, 0, SA(b), sizeof b)), SHOW(recvfrom(t, text, 20, MSG_DONTWAIT, SA(f), &n)), SHOW(f.nl_pid), SHOW(n);
  b.nl_pid = 1003, SHOW(sendto(s, "hello", 5, 0, SA(b), sizeof b)), b.nl_pid = 0, SHOW(sendto(s, "hello", 5, 0, SA(b), sizeof b));
}

TEST(requests) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  char zero[64] = {0};
  struct ifinfomsg i = {.ifi_index = 1};
  struct ifaddrmsg a = {.ifa_family = AF_INET, .ifa_index = 1, .ifa_prefixlen = 8};
  struct rtmsg r = {.rtm_family = AF_INET};
  ask(s, "lo", RTM_GETLINK, 0, &i, sizeof i), ask(s, "lo, acknowledged", RTM_GETLINK, NLM_F_ACK, &i, sizeof i), ask(s, "all", RTM_GETLINK, NLM_F_DUMP, &i, sizeof i);
  i.ifi_index = 99, ask(s, "none", RTM_GETLINK, 0, &i, sizeof i), i.ifi_index = 0, ask(s, "nameless", RTM_GETLINK, 0, &i, sizeof i);
  ask(s, "short", RTM_GETLINK, 0, &i, 4), ask(s, "empty", RTM_GETLINK, 0, &i, 0), i.ifi_index = -1, ask(s, "negative", RTM_GETLINK, 0, &i, sizeof i);
  ask(s, "addresses", RTM_GETADDR, NLM_F_DUMP, &a, sizeof a), ask(s, "one address", RTM_GETADDR, 0, &a, sizeof a);
  ask(s, "routes", RTM_GETROUTE, NLM_F_DUMP, &r, sizeof r), ask(s, "one route", RTM_GETROUTE, 0, &r, sizeof r);
  ask(s, "rules", RTM_GETRULE, NLM_F_DUMP, &r, sizeof r), ask(s, "one rule", RTM_GETRULE, 0, &r, sizeof r);
  ask(s, "neighbours", RTM_GETNEIGH, NLM_F_DUMP, &r, sizeof r), ask(s, "one neighbour", RTM_GETNEIGH, 0, zero, sizeof(struct ndmsg)), ask(s, "queues", RTM_GETQDISC, NLM_F_DUMP, zero, sizeof(struct tcmsg));
  ask(s, "unknown", 99, 0, zero, 16), ask(s, "unknown, to get", 98, 0, zero, 16), ask(s, "beyond", 5000, 0, zero, 16), ask(s, "below", 5, 0, zero, 16), ask(s, "nothing, acknowledged", NLMSG_NOOP, NLM_F_ACK, zero, 16), ask(s, "neither", RTM_GETLINK, NLM_F_ACK, zero, 0);
  ask(s, "new link", RTM_NEWLINK, NLM_F_CREATE | NLM_F_ACK, &i, sizeof i), i.ifi_index = 99, ask(s, "set link", RTM_SETLINK, NLM_F_ACK, &i, sizeof i), ask(s, "delete link", RTM_DELLINK, NLM_F_ACK, &i, sizeof i);
  ask(s, "new address", RTM_NEWADDR, NLM_F_ACK, &a, sizeof a), ask(s, "delete address", RTM_DELADDR, NLM_F_ACK, &a, sizeof a), ask(s, "new route", RTM_NEWROUTE, NLM_F_ACK, &r, sizeof r), ask(s, "delete route", RTM_DELROUTE, NLM_F_ACK, &r, sizeof r);
  ask(s, "new neighbour", RTM_NEWNEIGH, NLM_F_ACK, zero, sizeof(struct ndmsg)), ask(s, "delete neighbour", RTM_DELNEIGH, NLM_F_ACK, zero, sizeof(struct ndmsg)), ask(s, "new rule", RTM_NEWRULE, NLM_F_ACK, &r, sizeof r), ask(s, "delete rule", RTM_DELRULE, NLM_F_ACK, &r, sizeof r);
}

TEST(generic) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
  struct { struct genlmsghdr g; struct nlattr a; char name[16]; } q = {{.cmd = CTRL_CMD_GETFAMILY, .version = 1}, {4 + 7, CTRL_ATTR_FAMILY_NAME}, "nlctrl"};
  ask(s, "nlctrl", GENL_ID_CTRL, 0, &q, 4 + 12), strcpy(q.name, "nobody"), ask(s, "nobody", GENL_ID_CTRL, 0, &q, 4 + 12), ask(s, "nameless", GENL_ID_CTRL, 0, &q, 4), ask(s, "no family", 0x1f0, 0, &q, 4);
  ask(s, "short", GENL_ID_CTRL, 0, &q, 0), q.g.cmd = 99, ask(s, "unknown", GENL_ID_CTRL, 0, &q, 4);
}

TEST(diag) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), u = socket(AF_UNIX, SOCK_STREAM, 0);
  struct stat st;
  fstat(u, &st);
  struct unix_diag_req q = {.sdiag_family = AF_UNIX, .udiag_states = -1, .udiag_show = UDIAG_SHOW_NAME, .udiag_cookie = {-1, -1}};
  ask(s, "unix", SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof q), ask(s, "no number", SOCK_DIAG_BY_FAMILY, 0, &q, sizeof q), q.udiag_ino = 0x7fffffff, ask(s, "nobody's", SOCK_DIAG_BY_FAMILY, 0, &q, sizeof q);
  q.udiag_ino = st.st_ino, ask(s, "one", SOCK_DIAG_BY_FAMILY, 0, &q, sizeof q), ask(s, "short", SOCK_DIAG_BY_FAMILY, 0, &q, 8), ask(s, "shorter", SOCK_DIAG_BY_FAMILY, 0, &q, 1);
  q.udiag_cookie[0] = 7, ask(s, "stale", SOCK_DIAG_BY_FAMILY, 0, &q, sizeof q), q.sdiag_family = 99, ask(s, "family", SOCK_DIAG_BY_FAMILY, 0, &q, sizeof q), ask(s, "type", 99, 0, &q, sizeof q);
}

TEST(events) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
  char b[100];
  SHOW(bind(s, SA(a), sizeof a)), SHOW(recv(s, b, 100, MSG_DONTWAIT)), say_nl("bound", s, getsockname);
}

TEST(unprivileged) {
  CHILD("unprivileged") {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct ifinfomsg i = {.ifi_index = 1};
    ask(s, "lo", RTM_GETLINK, 0, &i, sizeof i), ask(s, "set", RTM_SETLINK, NLM_F_ACK, &i, sizeof i), ask(s, "unknown", 97, NLM_F_ACK, &i, sizeof i);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
    SHOW(bind(s, SA(a), sizeof a));
    a.nl_pid = 5, a.nl_groups = 0, SHOW(sendto(s, &i, sizeof i, 0, SA(a), sizeof a));
    struct ifreq q = {.ifr_name = "lo"};
    SHOW(ioctl(s, SIOCSIFFLAGS, &q)), SHOW(ioctl(s, SIOCSIFFLAGS, NULL)), SHOW(ioctl(s, SIOCGIFFLAGS, NULL));
  }
}

TEST(interface_requests) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq q;
  for (int c = 0x8910; c < 0x8950; c++) {
    if (c == 0x8914 || c == 0x8912) continue;
    memset(&q, 0, sizeof q), strcpy(q.ifr_name, "lo");
    int e = ioctl(s, c, &q);
    int x = errno;
    memset(&q, 0, sizeof q), strcpy(q.ifr_name, "none");
    int f = ioctl(s, c, &q);
    int y = errno;
    int g = ioctl(s, c, NULL);
    say("%#x: %s %s %s", c, e < 0 ? error_name(x) : "ok", f < 0 ? error_name(y) : "ok", g < 0 ? error_name(errno) : "ok");
  }
}
