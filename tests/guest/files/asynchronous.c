// io_setup(2), io_submit(2), io_getevents(2), io_cancel(2).
#include "guest.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>

static int setup(int n, aio_context_t *c) { return syscall(SYS_io_setup, n, c); }
static int destroy(aio_context_t c) { return syscall(SYS_io_destroy, c); }
static int submit(aio_context_t c, int n, struct iocb **l) { return syscall(SYS_io_submit, c, n, l); }
static int cancel(aio_context_t c, struct iocb *i, struct io_event *e) { return syscall(SYS_io_cancel, c, i, e); }
static int events(aio_context_t c, int min, int max, struct io_event *e, struct timespec *t) {
  return syscall(SYS_io_getevents, c, (long)min, (long)max, e, t);
}

static struct iocb request(int op, int fd, void *buf, size_t n, long offset) {
  return (struct iocb){.aio_lio_opcode = op, .aio_fildes = fd, .aio_buf = (uintptr_t)buf, .aio_nbytes = n, .aio_offset = offset, .aio_data = op + 100};
}

static int submit_one(aio_context_t c, struct iocb *i) { return submit(c, 1, &i); }

static void say_events(aio_context_t c, int min) {
  struct io_event e[8];
  struct timespec t = {1, 0};
  int n = events(c, min, 8, e, &t);
  if (n < 0) say("events: %s", error_name(errno));
  else say("%d events", n);
  for (int i = 0; i < n; i++) {
    // A file that wakes its waiters may say more than was asked.
    if (e[i].data == IOCB_CMD_POLL + 100) e[i].res &= POLLIN | POLLHUP;
    say("  data %d result %lld %lld", (int)e[i].data, e[i].res, e[i].res2);
  }
}

TEST(contexts) {
  aio_context_t c = 0, d = 5;
  SHOW(setup(0, &c));
  SHOW(setup(1, &d));
  SHOW(setup(1, NULL));
  SHOW(setup(-1, &c));
  SHOW(setup(10, &c));
  IS(c != 0);
  say_events(c, 0);
  SHOW(events(c, 3, 2, NULL, NULL));
  SHOW(events(c, -1, 2, NULL, NULL));
  SHOW(events(c + 1, 0, 0, NULL, NULL));
  struct timespec t = {0, 1000000};
  SHOW(events(c, 1, 1, NULL, &t));
  SHOW(events(c, 1, 1, NULL, (void *)8));
  SHOW(submit(c, 0, NULL));
  SHOW(submit(c, -1, NULL));
  SHOW(submit(c, 1, NULL));
  CHILD("a child") SHOW(submit(c, 0, NULL));
  SHOW(destroy(c));
  SHOW(destroy(c));
  SHOW(submit(c, 0, NULL));
}

TEST(reading_and_writing) {
  aio_context_t c = 0;
  setup(16, &c);
  int fd = open("f", O_CREAT | O_RDWR, 0600);
  char a[100] = "", b[100] = "";
  struct iocb w = request(IOCB_CMD_PWRITE, fd, "hello, world", 12, 3), r = request(IOCB_CMD_PREAD, fd, a, 50, 0);
  struct iovec v[2] = {{b, 4}, {b + 50, 20}};
  struct iocb rv = request(IOCB_CMD_PREADV, fd, v, 2, 3), s = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0), ds = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
  struct iocb *l[] = {&w, &r, &rv};
  for (int i = 0; i < 3; i++) SHOW(submit(c, 1, &l[i])), say_events(c, 1);
  say("[%s] [%s] [%s]", a + 3, b, b + 50);
  SHOW(submit_one(c, &s)), say_events(c, 1);
  SHOW(submit_one(c, &ds)), say_events(c, 1);
  SHOW(lseek(fd, 0, SEEK_CUR));
  struct iocb end = request(IOCB_CMD_PREAD, fd, a, 50, 1000), bad = request(IOCB_CMD_PREAD, fd, (void *)8, 50, 0);
  SHOW(submit_one(c, &end)), say_events(c, 1);
  SHOW(submit_one(c, &bad)), say_events(c, 1);
  destroy(c);
}

TEST(refused) {
  aio_context_t c = 0;
  setup(4, &c);
  put("f", "text");
  int r = open("f", O_RDONLY), w = open("f", O_WRONLY), d = open(".", O_RDONLY), e = eventfd(0, 0);
  char b[10];
  struct iocb none = request(IOCB_CMD_PREAD, 99, b, 1, 0), noop = request(IOCB_CMD_NOOP, r, b, 1, 0), strange = request(77, r, b, 1, 0);
  struct iocb closed = request(IOCB_CMD_PWRITE, r, b, 1, 0), other = request(IOCB_CMD_PREAD, w, b, 1, 0), dir = request(IOCB_CMD_PREAD, d, b, 1, 0);
  struct iocb before = request(IOCB_CMD_PREAD, r, b, 1, -5), reserved = request(IOCB_CMD_PREAD, r, b, 1, 0), large = request(IOCB_CMD_PREAD, r, b, -1, 0);
  struct iocb flags = request(IOCB_CMD_PREAD, r, b, 1, 0), counter = request(IOCB_CMD_PREAD, r, b, 1, 0), nofsync = request(IOCB_CMD_FSYNC, e, NULL, 0, 0);
  reserved.aio_reserved2 = 1, flags.aio_rw_flags = 0x1000000, counter.aio_flags = IOCB_FLAG_RESFD, counter.aio_resfd = r;
  SHOW(submit_one(c, &none)), SHOW(submit_one(c, &noop)), SHOW(submit_one(c, &strange));
  SHOW(submit_one(c, &closed)), SHOW(submit_one(c, &other)), SHOW(submit_one(c, &dir));
  SHOW(submit_one(c, &before)), SHOW(submit_one(c, &reserved)), SHOW(submit_one(c, &large));
  SHOW(submit_one(c, &flags)), SHOW(submit_one(c, &counter)), SHOW(submit_one(c, &nofsync));
  struct iocb good = request(IOCB_CMD_PREAD, r, b, 2, 0);
  struct iocb *l[] = {&good, &none, &good};
  SHOW(submit(c, 3, l));
  say_events(c, 1);
  SHOW(cancel(c, &good, NULL));
  destroy(c);
}

TEST(counted_and_polled) {
  aio_context_t c = 0;
  setup(4, &c);
  int e = eventfd(0, EFD_NONBLOCK), p[2];
  uint64_t n = 0;
  put("f", "text");
  int fd = open("f", O_RDONLY);
  char b[10];
  struct iocb r = request(IOCB_CMD_PREAD, fd, b, 4, 0), q = r;
  r.aio_flags = q.aio_flags = IOCB_FLAG_RESFD, r.aio_resfd = q.aio_resfd = e;
  struct iocb *l[] = {&r, &q};
  SHOW(submit(c, 2, l));
  say_events(c, 2);
  SHOW(read(e, &n, 8)), say("counted %d", (int)n);
  pipe(p);
  struct iocb poll = request(IOCB_CMD_POLL, p[0], NULL, 0, 0);
  poll.aio_buf = POLLIN, poll.aio_flags = IOCB_FLAG_RESFD, poll.aio_resfd = e;
  SHOW(submit_one(c, &poll));
  say("%d so far", events(c, 0, 1, NULL, NULL));
  SHOW(read(e, &n, 8));
  write(p[1], "x", 1);
  say_events(c, 1);
  SHOW(read(e, &n, 8)), say("counted %d", (int)n);
  SHOW(submit_one(c, &poll)), say_events(c, 1);
  read(p[0], b, 1);
  SHOW(submit_one(c, &poll));
  struct io_event result;
  SHOW(cancel(c, &poll, &result));
  say_events(c, 1);
  SHOW(cancel(c, &poll, &result));
  SHOW(submit_one(c, &poll));
  close(p[1]);
  say_events(c, 1);
  poll.aio_nbytes = 1;
  SHOW(submit_one(c, &poll));
  destroy(c);
}
