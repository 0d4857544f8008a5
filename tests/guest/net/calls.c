// Every call on every kind of socket with every kind of address, flag and length.
#include "guest.h"
#include "net.h"
#include <linux/netlink.h>
#include <linux/if_packet.h>

static const struct { const char *name; int family, type, protocol; } kinds[] = {
  {"tcp", AF_INET, SOCK_STREAM, 0}, {"tcp6", AF_INET6, SOCK_STREAM, 0}, {"udp", AF_INET, SOCK_DGRAM, 0},
  {"udp6", AF_INET6, SOCK_DGRAM, 0}, {"raw", AF_INET, SOCK_RAW, 99}, {"raw6", AF_INET6, SOCK_RAW, 99},
  {"stream", AF_UNIX, SOCK_STREAM, 0}, {"dgram", AF_UNIX, SOCK_DGRAM, 0}, {"seqpacket", AF_UNIX, SOCK_SEQPACKET, 0}, {"route", AF_NETLINK, SOCK_RAW, 0},
  {"packet", AF_PACKET, SOCK_RAW, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int make(int k) { return socket(kinds[k].family, kinds[k].type | SOCK_NONBLOCK, kinds[k].protocol); }

static union address { struct sockaddr sa; struct sockaddr_in a; struct sockaddr_in6 b; struct sockaddr_un u; struct sockaddr_nl n; struct sockaddr_ll l; char bytes[128]; } all[16];
static const char *names[16];
static int lengths[16], count;

static void add(const char *name, union address a, int len) { all[count] = a, names[count] = name, lengths[count++] = len; }

static void addresses(void) {
  union address x = {0};
  add("nothing", x, sizeof x.a), add("unspecified, long", x, 28);
  x.a = v4(INADDR_LOOPBACK, 9), add("v4", x, sizeof x.a), add("v4, short", x, 15), add("v4, long", x, 28);
  x.a = v4(INADDR_LOOPBACK, 0), add("v4, no port", x, sizeof x.a);
  x.a = v4(INADDR_ANY, 9), add("v4, any", x, sizeof x.a);
  x.a = v4(0x08080808, 9), add("v4, far", x, sizeof x.a);
  x = (union address){.b = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = in6addr_loopback}}, add("v6", x, sizeof x.b), add("v6, old", x, 24), add("v6, short", x, 23);
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &x.b.sin6_addr), add("mapped", x, sizeof x.b);
  inet_pton(AF_INET6, "2001:db8::1", &x.b.sin6_addr), add("v6, far", x, sizeof x.b);
  x = (union address){.u = {AF_UNIX, "nobody"}}, add("unix", x, sizeof x.u);
  x = (union address){.sa = {77}}, add("family 77", x, sizeof x.a);
}

static const char *told(long r) { return r < 0 ? error_name(errno) : "ok"; }

TEST(places) {
  addresses();
  for (int k = 0; k < KINDS; k++)
    for (int i = 0; i < count; i++) {
      char line[300], *p = line;
      int s = make(k);
      p += sprintf(p, "%s, %s: bind %s", kinds[k].name, names[i], told(bind(s, &all[i].sa, lengths[i])));
      close(s), unlink("nobody"), s = make(k);
      p += sprintf(p, ", connect %s", told(connect(s, &all[i].sa, lengths[i])));
      close(s), s = make(k);
      p += sprintf(p, ", sendto %s", told(sendto(s, "xxxxxxxxxxxxxxxxxxxx", 20, MSG_NOSIGNAL, &all[i].sa, lengths[i])));
      close(s), s = make(k);
      p += sprintf(p, ", of nothing %s", told(sendto(s, "", 0, MSG_NOSIGNAL, &all[i].sa, lengths[i])));
      close(s);
      say("%s", line);
    }
}

TEST(plain) {
  for (int k = 0; k < KINDS; k++) {
    int s = make(k);
    char b[100], line[600], *p = line;
    struct iovec v = {b, 100};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    p += sprintf(p, "%s: send %s", kinds[k].name, told(send(s, "x", 1, MSG_NOSIGNAL)));
    p += sprintf(p, ", recv %s", told(recv(s, b, 1, 0))), p += sprintf(p, ", listen %s", told(listen(s, 1))), p += sprintf(p, ", accept %s", told(accept(s, 0, 0)));
    p += sprintf(p, ", accept4 %s", told(accept4(s, 0, 0, 0x77))), p += sprintf(p, ", shutdown %s", told(shutdown(s, SHUT_WR))), p += sprintf(p, ", %s", told(shutdown(s, 3)));
    close(s), s = make(k);
    p += sprintf(p, ", peer %s", told(getpeername(s, SA(*b), &(socklen_t){100}))), p += sprintf(p, ", negative %s", told(getsockname(s, SA(*b), &(socklen_t){-1})));
    p += sprintf(p, ", sendmsg %s", told(sendmsg(s, &m, MSG_NOSIGNAL))), p += sprintf(p, ", recvmsg %s", told(recvmsg(s, &m, 0)));
    m.msg_iovlen = 1025, p += sprintf(p, ", many %s %s", told(sendmsg(s, &m, 0)), told(recvmsg(s, &m, 0)));
    m = (struct msghdr){.msg_iovlen = 0}, p += sprintf(p, ", none %s", told(sendmsg(s, &m, MSG_NOSIGNAL)));
    p += sprintf(p, ", read %s, write %s", told(read(s, b, 0)), told(write(s, b, 0)));
    p += sprintf(p, ", pread %s, lseek %s, fsync %s, truncate %s", told(pread(s, b, 1, 0)), told(lseek(s, 0, SEEK_CUR)), told(fsync(s)), told(ftruncate(s, 0)));
    p += sprintf(p, ", splice %s", told(splice(s, 0, s, 0, 1, 0)));
    say("%s", line);
  }
}

TEST(flags) {
  static const int flags[] = {MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_CTRUNC, MSG_PROXY, MSG_TRUNC, MSG_EOR, MSG_WAITALL, MSG_FIN, MSG_SYN, MSG_CONFIRM, MSG_RST, MSG_ERRQUEUE, MSG_WAITFORONE, 0x4000000, MSG_FASTOPEN, MSG_CMSG_CLOEXEC, 0x80000000};
  for (int k = 0; k < 6; k++)
    for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++) {
      int v[2], port;
      char b[20];
      if (k < 3) {
        if (socketpair(AF_UNIX, (int[]){SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}[k], 0, v)) say("socketpair");
      } else if (k == 3) {
        pair(AF_INET, &v[0], &v[1]);
      } else {
        struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
        v[0] = socket(AF_INET, SOCK_DGRAM, 0), v[1] = socket(AF_INET, SOCK_DGRAM, 0);
        bind(v[1], SA(a), sizeof a), getsockname(v[1], SA(a), &(socklen_t){sizeof a}), connect(v[0], SA(a), sizeof a);
        if (k == 5) {
          close(v[0]), close(v[1]);
          a.sin_port = 0, v[0] = socket(AF_INET, SOCK_RAW, 99), v[1] = socket(AF_INET, SOCK_RAW, 99), connect(v[0], SA(a), sizeof a);
        }
      }
      int sent = send(v[0], "abc", 3, flags[f] | MSG_NOSIGNAL | MSG_DONTWAIT), e = errno;
      if (sent < 0) send(v[0], "abc", 3, 0);
      struct iovec i = {b, 2};
      struct msghdr m = {.msg_iov = &i, .msg_iovlen = 1};
      int got = recvmsg(v[1], &m, flags[f] | MSG_DONTWAIT), g = errno;
      say("%d %#x: send %d %s, recv %d %s flags %#x", k, flags[f], sent, sent < 0 ? error_name(e) : "", got, got < 0 ? error_name(g) : "", got < 0 ? 0 : m.msg_flags);
      close(v[0]), close(v[1]);
    }
}

// Ancillary messages to the internet: level, type, length, value.
TEST(ancillary) {
  static const int types[] = {1, 2, 8, 10, 50, 52, 67};
  for (int six = 0; six < 2; six++)
    for (int level = 0; level < 3; level++)
      for (unsigned t = 0; t < sizeof types / sizeof *types; t++) {
        if (level && types[t] == 2) continue; // an old form
        char line[300], *p = line;
        p += sprintf(p, "%d %d %d:", six, level, types[t]);
        for (int len = 0; len < 24; len += len < 4 ? 1 : 8)
          for (int value = -1; value < 400; value += value < 1 ? 1 : 299) {
            int s = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
            char c[100] = {0};
            union address a = {.a = v4(INADDR_LOOPBACK, 9)};
            if (six) a = (union address){.b = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = in6addr_loopback}};
            struct iovec v = {"x", 1};
            struct msghdr m = {.msg_name = &a, .msg_namelen = six ? sizeof a.b : sizeof a.a, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(len)};
            struct cmsghdr *h = (void *)c;
            *h = (struct cmsghdr){CMSG_LEN(len), (int[]){IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET}[level], types[t]};
            if (types[t] != 8 && types[t] != 50) *(int *)CMSG_DATA(h) = value;
            ssize_t n = sendmsg(s, &m, 0);
            *p++ = n < 0 ? *error_name(errno) == 'E' && errno == EINVAL ? 'I' : errno == EPERM ? 'P' : errno == EBADF ? 'B' : errno == ENETUNREACH ? 'N' : '?' : '.';
            close(s);
          }
        *p = 0;
        say("%s", line);
      }
}
