// Every option of every level on every kind of socket: what it is, what it takes, what it is then.
#include "guest.h"
#include "net.h"

static const struct { const char *name; int family, type, protocol; } kinds[] = {
  {"tcp", AF_INET, SOCK_STREAM, 0}, {"tcp6", AF_INET6, SOCK_STREAM, 0}, {"udp", AF_INET, SOCK_DGRAM, 0},
  {"udp6", AF_INET6, SOCK_DGRAM, 0}, {"raw", AF_INET, SOCK_RAW, 99}, {"raw6", AF_INET6, SOCK_RAW, 99},
  {"stream", AF_UNIX, SOCK_STREAM, 0}, {"dgram", AF_UNIX, SOCK_DGRAM, 0}, {"route", AF_NETLINK, SOCK_RAW, 0},
  {"packet", AF_PACKET, SOCK_RAW, 0},
};

// What differs from machine to machine or from call to call, belongs to parts that a kernel
// may not have (IPsec, packet filters, programs of eBPF, TCP_REPAIR, congestion controls), or
// is a known gap.
static bool varies(int level, int name) {
  static const int some[][2] = {
    {SOL_SOCKET, 17}, {SOL_SOCKET, 49}, {SOL_SOCKET, 50}, {SOL_SOCKET, 51}, {SOL_SOCKET, 52}, {SOL_SOCKET, 56},
    {SOL_SOCKET, 57}, {SOL_SOCKET, 77}, {SOL_SOCKET, 80},
    {IPPROTO_IP, 5}, {IPPROTO_IP, 16}, {IPPROTO_IP, 17},
    {IPPROTO_TCP, 11}, {IPPROTO_TCP, 13}, {IPPROTO_TCP, 19}, {IPPROTO_TCP, 24}, {IPPROTO_TCP, 26}, {IPPROTO_TCP, 35}, {IPPROTO_TCP, 42},
    {IPPROTO_UDP, 100},
    {IPPROTO_IPV6, 6}, {IPPROTO_IPV6, 34}, {IPPROTO_IPV6, 35}, {IPPROTO_IPV6, 64}, {IPPROTO_IPV6, 65}, {IPPROTO_IPV6, 68},
    {IPPROTO_IPV6, 69}, {IPPROTO_IPV6, 80}, {SOL_PACKET, 15},
  };
  for (unsigned i = 0; i < sizeof some / sizeof *some; i++)
    if (some[i][0] == level && some[i][1] == name) return true;
  return false;
}

static void all_of(int level, int from, int to) {
  for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    say("-- %s", kinds[k].name);
    for (int name = from; name <= to; name++) {
      if (varies(level, name)) continue;
      int s = socket(kinds[k].family, kinds[k].type, kinds[k].protocol);
      char line[600] = "", *p = line;
      uint8_t b[64];
      for (int room = 0; room < 5; room += room == 1 ? 3 : 1) {
        memset(b, 0xaa, sizeof b);
        socklen_t n = room;
        int e = getsockopt(s, level, name, b, &n);
        if (e) p += sprintf(p, " %s", error_name(errno));
        else if (n == 4) p += sprintf(p, " %d", *(int *)b);
        else p += sprintf(p, " %d of %02x", n, b[0]);
      }
      static const int values[] = {0, 1, -1, 2, 300, 70000};
      for (unsigned v = 0; v < 6; v++) {
        int e = setsockopt(s, level, name, &values[v], 4);
        p += sprintf(p, " | %s", e ? error_name(errno) : "ok");
        int now = 0;
        socklen_t n = 4;
        if (!e && !getsockopt(s, level, name, &now, &n)) p += sprintf(p, " %d", now);
      }
      for (int room = 0; room < 4; room += room == 1 ? 2 : 1) p += sprintf(p, " / %s", setsockopt(s, level, name, &values[1], room) ? error_name(errno) : "ok");
      p += sprintf(p, " / %s", setsockopt(s, level, name, &values[1], -1) ? error_name(errno) : "ok");
      p += sprintf(p, " / %s", setsockopt(s, level, name, NULL, 4) ? error_name(errno) : "ok");
      socklen_t n = -1;
      p += sprintf(p, " / %s", getsockopt(s, level, name, b, &n) ? error_name(errno) : "ok");
      say("%d:%s", name, line);
      close(s);
    }
  }
}

TEST(sol_socket) { all_of(SOL_SOCKET, 1, 84); }
TEST(sol_ip) { all_of(IPPROTO_IP, 0, 52); }
TEST(sol_tcp) { all_of(IPPROTO_TCP, 1, 44); }
TEST(sol_udp) { all_of(IPPROTO_UDP, 1, 1), all_of(IPPROTO_UDP, 100, 105); }
TEST(sol_ipv6) { all_of(IPPROTO_IPV6, 1, 82); }
TEST(sol_raw) { all_of(SOL_RAW, 0, 3), all_of(IPPROTO_ICMPV6, 0, 3), all_of(SOL_PACKET, 1, 25), all_of(270, 1, 14), all_of(1000, 1, 2), all_of(-1, 1, 1); }
