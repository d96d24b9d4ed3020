// Keeps wrk awake: loaded before it, this `epoll_wait` asks again instead of sleeping, for up to the time it was given.
//
// A load generator that sleeps has to be woken by the server's own `write`, and on a virtual machine waking another core
// costs some 10 us of the server's CPU time a request, more than the rest of its TCP. A client on another machine costs
// a server nothing of the kind.
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) {
    long started = milliseconds();
    for (;;) {
        int ready = syscall(SYS_epoll_wait, epfd, events, maxevents, 0);
        if (ready != 0 || (timeout >= 0 && milliseconds() - started >= timeout)) {
            return ready;
        }
    }
}
