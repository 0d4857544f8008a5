// Descriptors of threads, and whom signals through them reach.
#include "guest.h"

#define PIDFD_THREAD 0200
enum { TO_THREAD = 1, TO_PROCESS = 2, TO_GROUP = 4 };

static int open_pidfd(pid_t pid, unsigned flags) { return RAW(pidfd_open, pid, flags); }

static pid_t thread_id;
static pthread_barrier_t ready, done;
static _Atomic pid_t taken_by;
static int code;

static void on_signal(int number, siginfo_t *info, void *context) {
  taken_by = gettid();
  code = info->si_code;
}

static void *wait_for_the_end(void *unused) {
  thread_id = gettid();
  pthread_barrier_wait(&ready);
  pthread_barrier_wait(&done);
  return NULL;
}

static const char *taker(void) {
  return taken_by == 0 ? "nobody" : taken_by == getpid() ? "the leader" : "the thread";
}

// Both threads could take it: a thread's pidfd says which.
TEST(threads) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pthread_barrier_init(&ready, NULL, 2), pthread_barrier_init(&done, NULL, 2);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_the_end, NULL);
  pthread_barrier_wait(&ready);
  SHOW(open_pidfd(thread_id, 0) < 0); // EINVAL, or ENOENT since 6.15
  int fd = open_pidfd(thread_id, PIDFD_THREAD);
  IS(fd >= 0);
  IS((fcntl(fd, F_GETFL) & PIDFD_THREAD) != 0);
  SHOW(RAW(pidfd_send_signal, fd, SIGUSR1, NULL, 0));
  while (!taken_by) usleep(100);
  say("%s, code %d", taker(), code);
  taken_by = 0;
  int own = open_pidfd(getpid(), 0);
  SHOW(RAW(pidfd_send_signal, own, SIGUSR1, NULL, TO_THREAD));
  while (!taken_by) usleep(100);
  say("%s, code %d", taker(), code);
  struct pollfd end = {fd, POLLIN};
  SHOW(poll(&end, 1, 0));
  pthread_barrier_wait(&done);
  SHOW(poll(&end, 1, 15000));
  pthread_join(thread, NULL);
  SHOW(RAW(pidfd_send_signal, fd, 0, NULL, 0));
}

TEST(groups) {
  signal(SIGUSR2, SIG_IGN);
  int own = open_pidfd(getpid(), 0);
  SHOW(RAW(pidfd_send_signal, own, SIGUSR2, NULL, TO_PROCESS));
  SHOW(RAW(pidfd_send_signal, own, SIGUSR2, NULL, TO_PROCESS | TO_THREAD));
  SHOW(RAW(pidfd_send_signal, own, SIGUSR2, NULL, 8));
  // There is no group of its number before it makes one.
  CHILD("a member") {
    int fd = open_pidfd(getpid(), 0);
    SHOW(RAW(pidfd_send_signal, fd, 0, NULL, TO_GROUP));
    setpgid(0, 0);
    SHOW(RAW(pidfd_send_signal, fd, 0, NULL, TO_GROUP));
    RAW(pidfd_send_signal, fd, SIGTERM, NULL, TO_GROUP);
  }
}
