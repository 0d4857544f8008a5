// Rings of packet sockets: frames in memory that is mapped.
#include "guest.h"
#include "net.h"
#include <linux/if_packet.h>
#include <netinet/if_ether.h>

enum { PORT = 47000, BLOCK = 16384, BLOCKS = 4, FRAME = 2048, FRAMES = BLOCK / FRAME * BLOCKS };

static int tap(int type) {
  int s = socket(AF_PACKET, type, htons(ETH_P_IP));
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1};
  if (s < 0 || bind(s, SA(a), sizeof a)) say("tap: %s", error_name(errno));
  return s;
}

static int option(int s, int name, int value) { return setsockopt(s, SOL_PACKET, name, &value, sizeof value); }

static void send_one(const char *text, int len) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, PORT);
  char b[8000];
  memset(b, 'x', sizeof b), memcpy(b, text, strlen(text));
  if (sendto(s, b, len, 0, SA(a), sizeof a) < 0) say("send: %s", error_name(errno));
  close(s);
}

// A receiver, or refusals would be seen as well.
static int sink(void) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, PORT);
  bind(s, SA(a), sizeof a);
  return s;
}

static void *map(int s, size_t len) {
  void *at = mmap(0, len, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
  say("map: %s", at == MAP_FAILED ? error_name(errno) : "ok");
  return at == MAP_FAILED ? NULL : at;
}

static bool comes(int s) {
  struct pollfd p = {s, POLLIN, 0};
  return poll(&p, 1, 5000) == 1 && p.revents == POLLIN;
}

// Bits about stamps and checksums come and go.
static unsigned plain(unsigned status) { return status & (TP_STATUS_USER | TP_STATUS_LOSING | TP_STATUS_COPY); }

static void frame(unsigned status, int len, int snaplen, int mac, int net, struct sockaddr_ll *a, uint8_t *at, bool raw) {
  uint8_t *udp = at + net + 20;
  say("status %#x, %d of %d bytes at %d and %d; family %d protocol %#x link %d type %d; %.5s%s", plain(status), snaplen, len, mac, net, a->sll_family,
      ntohs(a->sll_protocol), a->sll_ifindex, a->sll_pkttype, udp + 8, raw && at[mac + 12] != 8 ? ", no IP" : "");
}

static void receive(int version, int type) {
  int l = sink(), s = tap(type);
  SHOW(option(s, PACKET_VERSION, version));
  struct tpacket_req r = {BLOCK, BLOCKS, FRAME, FRAMES};
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  uint8_t *ring = map(s, BLOCK * BLOCKS);
  if (!ring) return;
  say_poll("nothing yet", s);
  send_one("first", 5), send_one("other", 100), send_one("large", 5000);
  for (int i = 0; i < 3; i++) {
    IS(comes(s));
    uint8_t *at = ring + i * FRAME;
    if (version == TPACKET_V1) {
      struct tpacket_hdr *h = (void *)at;
      frame(h->tp_status, h->tp_len, h->tp_snaplen, h->tp_mac, h->tp_net, (void *)(at + TPACKET_ALIGN(sizeof *h)), at, type == SOCK_RAW);
      IS(h->tp_sec > 1600000000), h->tp_status = TP_STATUS_KERNEL;
    } else {
      struct tpacket2_hdr *h = (void *)at;
      frame(h->tp_status, h->tp_len, h->tp_snaplen, h->tp_mac, h->tp_net, (void *)(at + TPACKET_ALIGN(sizeof *h)), at, type == SOCK_RAW);
      IS(h->tp_sec > 1600000000), h->tp_status = TP_STATUS_KERNEL;
    }
  }
  say_poll("all given back", s);
  char b[10];
  SHOW(recv(s, b, sizeof b, MSG_DONTWAIT));
  // More than there are places: the rest is lost, and told.
  for (int i = 0; i < FRAMES + 3; i++) send_one("many!", 5);
  struct tpacket_stats st;
  SHOW(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &(socklen_t){sizeof st}));
  say("%d packets, %d lost", st.tp_packets, st.tp_drops);
  SHOW(option(s, PACKET_VERSION, TPACKET_V1)), SHOW(option(s, PACKET_RESERVE, 8));
  r.tp_block_nr = r.tp_frame_nr = 0;
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  SHOW(munmap(ring, BLOCK * BLOCKS));
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  send_one("plain", 5);
  SHOW(recv(s, b, sizeof b, MSG_TRUNC));
  close(l);
}

TEST(version_1) { receive(TPACKET_V1, SOCK_RAW); }
TEST(version_1_cooked) { receive(TPACKET_V1, SOCK_DGRAM); }
TEST(version_2) { receive(TPACKET_V2, SOCK_RAW); }
TEST(version_2_cooked) { receive(TPACKET_V2, SOCK_DGRAM); }

static void blocks(int type, int private) {
  int l = sink(), s = tap(type);
  SHOW(option(s, PACKET_VERSION, TPACKET_V3));
  struct tpacket_req3 r = {BLOCK, BLOCKS, FRAME, FRAMES, 20, private, 0};
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  uint8_t *ring = map(s, BLOCK * BLOCKS);
  if (!ring) return;
  say_poll("nothing yet", s);
  enum { MANY = 40 };
  int got = 0, block = 0;
  uint64_t sequence = 0;
  for (int i = 0; i < MANY; i++) {
    send_one(i % 3 ? "small" : "large", i % 3 ? 5 : 3000);
    if (i % 7 && i < MANY - 1) continue;
    // All that was sent so far.
    while (got <= i) {
      struct tpacket_block_desc *d = (void *)(ring + block * BLOCK);
      while (!(d->hdr.bh1.block_status & TP_STATUS_USER))
        if (!comes(s)) { say("nothing comes"); return; }
      if (d->version != 2 || d->offset_to_priv != 48 || d->hdr.bh1.seq_num != ++sequence) say("a strange block");
      uint8_t *at = ring + block * BLOCK + d->hdr.bh1.offset_to_first_pkt;
      if (!got) say("the first packet at %d", d->hdr.bh1.offset_to_first_pkt);
      for (unsigned n = 0; n < d->hdr.bh1.num_pkts; n++, got++) {
        struct tpacket3_hdr *h = (void *)at;
        if (got % 9 == 0) frame(h->tp_status, h->tp_len, h->tp_snaplen, h->tp_mac, h->tp_net, (void *)(at + TPACKET_ALIGN(sizeof *h)), at, type == SOCK_RAW);
        bool last = n + 1 == d->hdr.bh1.num_pkts;
        if (last != !h->tp_next_offset) say("the next is %d away", h->tp_next_offset);
        at += h->tp_next_offset;
      }
      d->hdr.bh1.block_status = TP_STATUS_KERNEL;
      block = (block + 1) % BLOCKS;
    }
  }
  say("%d of %d", got, MANY);
  say_poll("all given back", s);
  struct tpacket_stats_v3 st;
  socklen_t n = sizeof st;
  SHOW(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n));
  say("%d packets, %d lost, %d bytes", st.tp_packets, st.tp_drops, (int)n);
  close(l);
}

TEST(version_3) { blocks(SOCK_RAW, 0); }
TEST(version_3_cooked) { blocks(SOCK_DGRAM, 100); }

static void make(uint8_t *at, const char *text) {
  // A frame of nobody's protocol.
  memset(at, 0, 14), at[12] = 0x88, at[13] = 0xb5;
  memcpy(at + 14, text, 46);
}

static void transmit(int version) {
  int l = socket(AF_PACKET, SOCK_RAW, htons(0x88b5)), s = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1};
  SHOW(bind(l, SA(a), sizeof a)), SHOW(bind(s, SA(a), sizeof a));
  SHOW(option(s, PACKET_VERSION, version));
  struct tpacket_req r = {BLOCK, BLOCKS, FRAME, FRAMES};
  SHOW(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r, sizeof r));
  uint8_t *ring = map(s, BLOCK * BLOCKS);
  if (!ring) return;
  SHOW(send(s, NULL, 0, 0));
  for (int i = 0; i < 3; i++) {
    uint8_t *at = ring + i * FRAME;
    char text[46];
    memset(text, 'a' + i, sizeof text);
    make(at + TPACKET_ALIGN(version == TPACKET_V1 ? sizeof(struct tpacket_hdr) : sizeof(struct tpacket2_hdr)), text);
    if (version == TPACKET_V1) ((struct tpacket_hdr *)at)->tp_len = 60, ((struct tpacket_hdr *)at)->tp_status = TP_STATUS_SEND_REQUEST;
    else ((struct tpacket2_hdr *)at)->tp_len = 60, ((struct tpacket2_hdr *)at)->tp_status = TP_STATUS_SEND_REQUEST;
  }
  SHOW(send(s, NULL, 0, 0));
  for (int i = 0; i < 3; i++) {
    unsigned status = version == TPACKET_V1 ? ((struct tpacket_hdr *)(ring + i * FRAME))->tp_status : ((struct tpacket2_hdr *)(ring + i * FRAME))->tp_status;
    char b[100] = "";
    int n = recv(l, b, sizeof b, MSG_DONTWAIT);
    say("status %u; received %d: %.3s", status, n, b + 14);
  }
  SHOW(send(s, NULL, 0, 0));
}

TEST(sends_1) { transmit(TPACKET_V1); }
TEST(sends_2) { transmit(TPACKET_V2); }

TEST(both) {
  int s = tap(SOCK_RAW), l = sink();
  SHOW(option(s, PACKET_VERSION, TPACKET_V2));
  struct tpacket_req r = {BLOCK, BLOCKS, FRAME, FRAMES};
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  SHOW(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r, sizeof r));
  SHOW(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r, sizeof r));
  uint8_t *ring = map(s, 2 * BLOCK * BLOCKS);
  if (!ring) return;
  send_one("first", 5);
  IS(comes(s));
  say("%#x", plain(((struct tpacket2_hdr *)ring)->tp_status));
  close(l);
}

TEST(refused) {
  int s = tap(SOCK_RAW);
  IS(mmap(0, BLOCK, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED && errno == EINVAL);
  struct tpacket_req3 r = {BLOCK, BLOCKS, FRAME, FRAMES, 0, 0, 0};
#define TRY(n) SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, n))
  TRY(0), TRY(8);
  r.tp_block_size = 1000, TRY(16);
  r.tp_block_size = 0, TRY(16);
  r.tp_block_size = BLOCK, r.tp_frame_size = 40, TRY(16);
  r.tp_frame_size = 2050, TRY(16);
  r.tp_frame_size = FRAME, r.tp_frame_nr = 5, TRY(16);
  r.tp_frame_nr = FRAMES, r.tp_frame_size = 2 * BLOCK, TRY(16);
  r.tp_frame_size = FRAME, r.tp_block_nr = 0, TRY(16);
  r.tp_frame_nr = 0, TRY(16);
  r.tp_block_nr = BLOCKS, TRY(16);
  SHOW(option(s, PACKET_VERSION, 3)), SHOW(option(s, PACKET_VERSION, TPACKET_V3));
  r.tp_frame_nr = FRAMES, TRY(16);
  r.tp_sizeof_priv = BLOCK, TRY(28);
  r.tp_sizeof_priv = 0, r.tp_retire_blk_tov = 10;
  SHOW(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r, 28));
  TRY(28), TRY(28);
}
