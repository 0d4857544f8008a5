// mq_overview(7).
#include "guest.h"

#include <sys/socket.h>
#include <mqueue.h>
#include <sys/statfs.h>

static void say_attributes(mqd_t q) {
  struct mq_attr a;
  if (mq_getattr(q, &a)) { say("queue: %s", error_name(errno)); return; }
  say("queue: flags %lx, %ld of %ld messages of %ld bytes", a.mq_flags, a.mq_curmsgs, a.mq_maxmsg, a.mq_msgsize);
}

static void receives(mqd_t q) {
  char text[8193];
  unsigned priority = 0;
  ssize_t n = mq_receive(q, text, 8192, &priority);
  if (n < 0) { say("nothing: %s", error_name(errno)); return; }
  text[n] = 0;
  say("%zd bytes, priority %u: %s", n, priority, text);
}

static int sends(mqd_t q, const char *text, unsigned priority) { return mq_send(q, text, strlen(text), priority); }

static struct timespec in_ms(int ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000L;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  return t;
}

TEST(opening) {
  SHOW(mq_open("/none", O_RDWR));
  mqd_t q = OKAY(mq_open("/a", O_CREAT | O_RDWR, 0640, NULL));
  say_attributes(q);
  SHOW(fcntl(q, F_GETFD));
  SHOW(mq_open("/a", O_CREAT | O_EXCL | O_RDWR, 0600, NULL));
  struct mq_attr small = {.mq_maxmsg = 2, .mq_msgsize = 10}, wrong = {.mq_maxmsg = 0, .mq_msgsize = 10}, large = {.mq_maxmsg = 70000, .mq_msgsize = 10};
  OKAY(mq_open("/a", O_CREAT | O_RDWR, 0600, &wrong));
  SHOW(mq_open("/b", O_CREAT | O_RDWR, 0600, &wrong));
  SHOW(mq_open("/b", O_CREAT | O_RDWR, 0600, &large));
  mqd_t b = OKAY(mq_open("/b", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &small));
  say_attributes(b);
  SHOW(RAW(mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
  SHOW(RAW(mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
  SHOW(RAW(mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
  char name[300];
  memset(name, 'x', 299), name[299] = 0;
  SHOW(RAW(mq_open, name, O_RDWR | O_CREAT, 0600, NULL));
  SHOW(RAW(mq_open, "c", O_RDWR | O_WRONLY | O_CREAT, 0600, NULL));
  SHOW(mq_unlink("/a"));
  SHOW(mq_unlink("/a"));
  SHOW(mq_open("/a", O_RDWR));
  SHOW(sends(q, "still there", 1));
  receives(q);
  struct stat s;
  SHOW(fstat(q, &s)), say("%o %d links %ld bytes", s.st_mode, (int)s.st_nlink, (long)s.st_size);
  SHOW(mq_close(q));
  SHOW(mq_close(q));
  mq_unlink("/b");
}

TEST(messages) {
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 100};
  mqd_t q = mq_open("/m", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);
  receives(q);
  SHOW(sends(q, "low", 1)), SHOW(sends(q, "high", 30)), SHOW(sends(q, "low too", 1)), SHOW(sends(q, "", 0));
  SHOW(sends(q, "no room", 1));
  say_attributes(q);
  char text[9000];
  SHOW(mq_receive(q, text, 99, NULL));
  SHOW(mq_send(q, text, 101, 0));
  SHOW(mq_send(q, text, 1, 32768));
  struct pollfd p = {q, POLLIN | POLLOUT, 0};
  SHOW(poll(&p, 1, 0)), say("%x", p.revents);
  ssize_t n = pread(q, text, 100, 0);
  say("%.*s", (int)n, text);
  receives(q), receives(q), receives(q), receives(q), receives(q);
  SHOW(poll(&p, 1, 0)), say("%x", p.revents);
  mqd_t r = mq_open("/m", O_RDONLY), w = mq_open("/m", O_WRONLY);
  SHOW(sends(r, "x", 0));
  SHOW(mq_receive(w, text, 100, NULL));
  SHOW(mq_send(0, "x", 1, 0));
  SHOW(mq_getattr(0, &a));
  SHOW(mq_getattr(99, &a));
  struct mq_attr flags = {.mq_flags = O_NONBLOCK}, bad = {.mq_flags = 1};
  SHOW(mq_setattr(r, &flags, &a)), say_attributes(r);
  SHOW(mq_setattr(r, &bad, NULL));
  mq_unlink("/m");
}

TEST(waiting) {
  struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 8192};
  mqd_t q = mq_open("/w", O_CREAT | O_RDWR, 0600, &a);
  struct timespec t = in_ms(10), past = {1, 0}, wrong = {1, -1};
  char text[8192];
  SHOW(mq_timedreceive(q, text, sizeof text, NULL, &t));
  SHOW(mq_timedreceive(q, text, sizeof text, NULL, &past));
  SHOW(mq_timedreceive(q, text, sizeof text, NULL, &wrong));
  SHOW(sends(q, "first", 0));
  t = in_ms(10);
  SHOW(mq_timedsend(q, "x", 1, 0, &t));
  CHILD("sends when there is room") {
    if (!fork()) { sleep_ms(20), mq_receive(q, text, sizeof text, NULL), _exit(0); }
    SHOW(sends(q, "second", 0));
    wait(NULL);
  }
  receives(q);
  CHILD("receives what comes") {
    if (!fork()) { sleep_ms(20), sends(q, "late", 3), _exit(0); }
    receives(q);
    wait(NULL);
  }
  mq_unlink("/w");
}

static volatile sig_atomic_t seen, code, value, from;

static void told(int signal, siginfo_t *i, void *context) {
  seen++, code = i->si_code, value = i->si_value.sival_int, from = i->si_pid == getpid();
}

TEST(notification) {
  mqd_t q = mq_open("/n", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
  struct sigaction act = {.sa_sigaction = told, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &act, NULL);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  struct sigevent none = {.sigev_notify = SIGEV_NONE}, bad = {.sigev_notify = 99}, wrong = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
  SHOW(RAW(mq_notify, q, &bad));
  SHOW(RAW(mq_notify, q, &wrong));
  SHOW(mq_notify(0, &e));
  SHOW(mq_notify(q, &e));
  SHOW(mq_notify(q, &e));
  CHILD("somebody else") SHOW(mq_notify(q, &e));
  SHOW(sends(q, "x", 0));
  say("seen %d code %d value %d from us %d", seen, code, value, from);
  SHOW(sends(q, "y", 0));
  say("seen %d", seen);
  SHOW(mq_notify(q, &e));
  SHOW(sends(q, "z", 0));
  say("seen %d", seen);
  receives(q), receives(q), receives(q);
  CHILD("a sender") sends(q, "from the child", 0);
  say("seen %d from us %d", seen, from);
  SHOW(mq_notify(q, NULL));
  SHOW(mq_notify(q, &none));
  SHOW(mq_notify(q, NULL));
  receives(q);
  SHOW(mq_notify(q, &e));
  int other = dup(q);
  close(other);
  SHOW(mq_notify(q, &e));
  pid_t kid = fork();
  if (!kid) { struct timespec t = {5, 0}; char b[8192]; fcntl(q, F_SETFL, 0); _exit(mq_receive(q, b, sizeof b, NULL)); }
  sleep_ms(30);
  SHOW(sends(q, "for who waits", 0));
  wait_and_say("receiver", kid);
  say("seen %d", seen);
  mq_unlink("/n");
}

TEST(as_files) {
  mqd_t q = mq_open("/one", O_CREAT | O_RDWR, 0620, NULL);
  say_dir("/dev/mqueue");
  sends(q, "abc", 0);
  say_file("/dev/mqueue/one");
  int f = OKAY(open("/dev/mqueue/two", O_CREAT | O_RDWR, 0600));
  say_attributes(f);
  SHOW(sends(f, "through a file", 7));
  mqd_t two = OKAY(mq_open("/two", O_RDONLY));
  receives(two);
  SHOW(write(f, "x", 1));
  SHOW(mkdir("/dev/mqueue/d", 0755));
  SHOW(rename("/dev/mqueue/one", "/dev/mqueue/three"));
  SHOW(unlink("/dev/mqueue/two"));
  SHOW(mq_open("/two", O_RDONLY));
  SHOW(mq_unlink("/one"));
  say_dir("/dev/mqueue");
  CHILD("a name space of its own") {
    SHOW(unshare(CLONE_NEWIPC));
    mq_open("/inside", O_CREAT | O_RDWR, 0600, NULL);
    SHOW(mq_unlink("/inside"));
  }
  struct stat s;
  stat("/dev/mqueue", &s), say("%o", s.st_mode);
  struct statfs fs;
  statfs("/dev/mqueue", &fs), say("%lx", fs.f_type);
}

TEST(rights) {
  umask(0);
  mqd_t q = mq_open("/r", O_CREAT | O_RDWR, 0604, NULL);
  CHILD("a user") {
    setgid(1000), setuid(1000);
    SHOW(mq_open("/r", O_RDWR));
    OKAY(mq_open("/r", O_RDONLY));
    SHOW(mq_unlink("/r"));
    OKAY(mq_open("/own", O_CREAT | O_RDWR, 0600, NULL));
    struct mq_attr big = {.mq_maxmsg = 11, .mq_msgsize = 10};
    SHOW(mq_open("/big", O_CREAT | O_RDWR, 0600, &big));
    int n = 0;
    char name[20];
    do sprintf(name, "/many%d", n); while (mq_open(name, O_CREAT | O_RDWR, 0600, NULL) >= 0 && ++n < 100);
    say("%d more: %s", n, error_name(errno));
    while (n-- > 0) sprintf(name, "/many%d", n), mq_unlink(name);
    SHOW(mq_unlink("/own"));
  }
  SHOW(mq_unlink("/r"));
}

// What the C library does for SIGEV_THREAD, without it: a datagram comes with a cookie.
TEST(told_by_datagrams) {
  char cookie[32] = "a cookie", got[64];
  mqd_t queue = mq_open("/told", O_RDWR | O_CREAT, 0600, NULL);
  int from = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_signo = from, .sigev_value.sival_ptr = cookie};
  SHOW(RAW(mq_notify, queue, &event));
  SHOW(RAW(mq_notify, queue, &event));
  SHOW(recv(from, got, sizeof got, MSG_DONTWAIT));
  mq_send(queue, "text", 4, 0);
  SHOW(recv(from, got, sizeof got, MSG_DONTWAIT));
  say("[%s], last byte %d", got, got[31]);
  mq_receive(queue, malloc(8192), 8192, NULL);
  SHOW(RAW(mq_notify, queue, &event));
  SHOW(RAW(mq_notify, queue, NULL));
  SHOW(recv(from, got, sizeof got, MSG_DONTWAIT));
  say("[%s], last byte %d", got, got[31]);
  event.sigev_signo = pair[0];
  SHOW(RAW(mq_notify, queue, &event));
  event.sigev_signo = queue;
  SHOW(RAW(mq_notify, queue, &event));
  event.sigev_signo = 99;
  SHOW(RAW(mq_notify, queue, &event));
  event.sigev_signo = from, event.sigev_value.sival_ptr = (void *)1;
  SHOW(RAW(mq_notify, queue, &event));
  mq_unlink("/told");
}
