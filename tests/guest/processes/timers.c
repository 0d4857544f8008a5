// Timers of timer_create(2): whom they notify, and what they refuse.
#include "guest.h"

static volatile pid_t taker;
static volatile int value;

static void took(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  taker = gettid();
  value = info->si_value.sival_int;
}

static timer_t created(int notify, pid_t tid) {
  struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
  event._sigev_un._tid = tid;
  int timer = -1;
  OKAY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
  return (timer_t)(intptr_t)timer;
}

static void strike(timer_t timer) {
  struct itimerspec soon = {.it_value.tv_nsec = 1000000};
  taker = 0, value = 0;
  SHOW(syscall(SYS_timer_settime, (int)(intptr_t)timer, 0, &soon, NULL));
  while (!taker) usleep(1000);
}

static void *waits(void *own) {
  *(_Atomic pid_t *)own = gettid();
  for (;;) pause();
}

TEST(whom_they_notify) {
  struct sigaction action = {.sa_sigaction = took, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  strike(created(SIGEV_SIGNAL, 0));
  IS(value == 7);
  pthread_t thread;
  _Atomic pid_t other = 0;
  pthread_create(&thread, NULL, waits, &other);
  while (!other) usleep(1000);
  timer_t timer = created(SIGEV_THREAD_ID, other);
  strike(timer);
  IS(taker == other);
  SHOW(syscall(SYS_timer_delete, (int)(intptr_t)timer));
  SHOW(syscall(SYS_timer_delete, (int)(intptr_t)timer));
  created(SIGEV_NONE, 0);
}

TEST(what_they_refuse) {
  pid_t child = fork();
  if (!child) pause(), _exit(0);
  created(SIGEV_THREAD_ID, child);
  created(SIGEV_THREAD_ID, -1);
  created(77, 0);
  kill(child, SIGKILL), wait(NULL);
}

// Set to begin in the past, a timer has struck ever since.
TEST(from_the_past) {
  timer_t timer;
  struct timespec now;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  sigset_t usr1;
  sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, NULL);
  timer_create(CLOCK_REALTIME, &event, &timer);
  clock_gettime(CLOCK_REALTIME, &now);
  struct itimerspec spec = {{0, 1}, {now.tv_sec - 3, 0}};
  SHOW(timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
  SHOW(sigwaitinfo(&usr1, NULL) == SIGUSR1);
  SHOW(timer_getoverrun(timer));
  timer_delete(timer);
}
