// sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
#include "guest.h"
#include <sys/sendfile.h>
#include <sys/socket.h>

static int filled(const char *name, int size) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  char *b = malloc(size);
  for (int i = 0; i < size; i++) b[i] = 'a' + i % 23;
  write(fd, b, size), lseek(fd, 0, SEEK_SET);
  return fd;
}

TEST(sendfile) {
  int in = filled("in", 100), out = open("out", O_RDWR | O_CREAT, 0600);
  off_t at = 10;
  SHOW(sendfile(out, in, &at, 5));
  say("at %d, position %d", (int)at, (int)lseek(in, 0, SEEK_CUR));
  SHOW(sendfile(out, in, NULL, 7));
  say("position %d", (int)lseek(in, 0, SEEK_CUR));
  say_file("out");
  at = 98;
  SHOW(sendfile(out, in, &at, 50));
  at = 200;
  SHOW(sendfile(out, in, &at, 50));
  at = -1;
  SHOW(sendfile(out, in, &at, 50));
  SHOW(sendfile(99, in, NULL, 50));
  SHOW(sendfile(out, 99, NULL, 50));
  SHOW(sendfile(open("in", O_RDONLY), in, NULL, 5));
  SHOW(sendfile(out, open("out", O_WRONLY), NULL, 5));
  SHOW(sendfile(open("out", O_WRONLY | O_APPEND), in, NULL, 5));
  SHOW(sendfile(out, in, NULL, 0));
  int p[2], s[2];
  pipe(p), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  lseek(in, 0, SEEK_SET);
  SHOW(sendfile(p[1], in, NULL, 20));
  SHOW(sendfile(s[0], in, NULL, 20));
  SHOW(sendfile(out, p[0], NULL, 20));
  char b[64];
  SHOW(read(p[0], b, 64));
  SHOW(read(s[1], b, 64));
  say("%.5s", b);
}

TEST(ranges) {
  int in = filled("in", 10000), out = open("out", O_RDWR | O_CREAT, 0600);
  off_t a = 100, b = 5;
  SHOW(copy_file_range(in, &a, out, &b, 300, 0));
  say("%d %d", (int)a, (int)b);
  SHOW(copy_file_range(in, NULL, out, NULL, 4, 0));
  say("%d %d", (int)lseek(in, 0, SEEK_CUR), (int)lseek(out, 0, SEEK_CUR));
  a = 9990;
  SHOW(copy_file_range(in, &a, out, NULL, 300, 0));
  SHOW(copy_file_range(in, &a, out, NULL, 300, 0));
  SHOW(copy_file_range(in, NULL, out, NULL, 4, 1));
  a = 0, b = 50;
  SHOW(copy_file_range(in, &a, in, &b, 100, 0));
  a = 0, b = 5000;
  SHOW(copy_file_range(in, &a, in, &b, 100, 0));
  SHOW(copy_file_range(99, NULL, out, NULL, 4, 0));
  SHOW(copy_file_range(open("in", O_WRONLY), NULL, out, NULL, 4, 0));
  SHOW(copy_file_range(in, NULL, open("out", O_RDONLY), NULL, 4, 0));
  SHOW(copy_file_range(in, NULL, open("out", O_WRONLY | O_APPEND), NULL, 4, 0));
  SHOW(copy_file_range(open(".", O_RDONLY), NULL, out, NULL, 4, 0));
  int p[2];
  pipe(p);
  SHOW(copy_file_range(in, NULL, p[1], NULL, 4, 0));
  struct stat st;
  fstat(out, &st), say("size %d", (int)st.st_size);
}

TEST(splicing) {
  int in = filled("in", 200000), out = open("out", O_RDWR | O_CREAT, 0600), p[2], q[2];
  pipe(p), pipe(q);
  off_t at = 3;
  SHOW(splice(in, &at, p[1], NULL, 1000, 0));
  say("at %d", (int)at);
  SHOW(splice(p[0], NULL, out, NULL, 600, SPLICE_F_MOVE));
  SHOW(splice(p[0], NULL, q[1], NULL, 1000, 0));
  at = 1;
  SHOW(splice(q[0], NULL, out, &at, 1000, SPLICE_F_MORE));
  SHOW(splice(p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK));
  SHOW(splice(in, NULL, out, NULL, 10, 0));
  SHOW(splice(p[0], &at, out, NULL, 10, 0));
  SHOW(splice(p[0], NULL, p[1], NULL, 10, 0));
  SHOW(splice(in, NULL, p[1], NULL, 10, 0x100));
  SHOW(splice(99, NULL, p[1], NULL, 10, 0));
  SHOW(splice(in, NULL, p[1], NULL, 0, 0));
  SHOW(splice(in, NULL, p[1], NULL, 200000, SPLICE_F_NONBLOCK));
  SHOW(splice(in, NULL, p[1], NULL, 1, SPLICE_F_NONBLOCK));
  SHOW(splice(p[0], NULL, open("out", O_WRONLY | O_APPEND), NULL, 10, 0));
  close(q[1]);
  SHOW(splice(q[0], NULL, out, NULL, 10, 0));
}

TEST(teeing) {
  int p[2], q[2];
  char b[32] = "";
  pipe(p), pipe(q), write(p[1], "duplicate me", 12);
  SHOW(tee(p[0], q[1], 100, 0));
  SHOW(tee(p[0], q[1], 4, 0));
  SHOW(read(q[0], b, 31));
  say("%s", b);
  SHOW(read(p[0], b, 31));
  SHOW(tee(p[0], q[1], 4, SPLICE_F_NONBLOCK));
  SHOW(tee(p[0], p[1], 4, 0));
  SHOW(tee(0, q[1], 4, 0) == -1);
  SHOW(tee(99, q[1], 4, 0));
  char one[] = "one", two[] = "two";
  struct iovec v[] = {{one, 3}, {two, 3}};
  SHOW(vmsplice(p[1], v, 2, 0));
  memset(b, 0, sizeof b);
  SHOW(read(p[0], b, 31));
  say("%s", b);
  SHOW(vmsplice(p[1], v, 2, 0x100));
  SHOW(vmsplice(99, v, 2, 0));
  SHOW(vmsplice(p[1], (void *)8, 1, 0));
  write(p[1], "back", 4);
  v[0] = (struct iovec){b, 4};
  SHOW(vmsplice(p[0], v, 1, 0));
  say("%.4s", b);
}

TEST(between_processes) {
  int in = filled("in", 300000), p[2];
  pipe(p);
  pid_t kid = fork();
  if (!kid) {
    close(p[1]);
    long sum = 0, n;
    unsigned char b[5000];
    while ((n = read(p[0], b, sizeof b)) > 0) for (int i = 0; i < n; i++) sum += b[i];
    say("sum %ld", sum);
    _exit(0);
  }
  close(p[0]);
  long left = 300000, n;
  while (left > 0 && (n = splice(in, NULL, p[1], NULL, left, 0)) > 0) left -= n;
  say("left %ld", left);
  close(p[1]);
  wait_and_say("reader", kid);
}
