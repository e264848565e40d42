// Processes that take turns and wait for each other, in one thread and the same way in every run.
//
// A process gives up its turn where it can do nothing (`wait`), or of its own will (`yield`). When
// all of them do so and nothing moves between them, nothing ever will: `run` returns.
#ifndef HWFLOW_PROCESSES_H_
#define HWFLOW_PROCESSES_H_

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace processes {

const std::size_t STACK = std::size_t(256) << 20; // bytes of address space; memory only as used

struct Process {
    std::function<void()> body;
    ucontext_t context;
    void *stack;
    bool ended;
};

inline std::vector<Process *> &all() {
    static std::vector<Process *> found;
    return found;
}
inline Process *&running() {
    static Process *found = NULL;
    return found;
}
inline ucontext_t &scheduler() {
    static ucontext_t found;
    return found;
}
inline unsigned long &moves() {
    static unsigned long count = 0;
    return count;
}

// Say that something moved between processes.
inline void moved() { moves()++; }

inline void give_up() {
    Process *own = running();
    if (own == NULL) {
        std::fprintf(stderr, "FAIL: a stream is read that nothing is written to\n");
        std::exit(1);
    }
    swapcontext(&own->context, &scheduler());
}

// Give up the turn until something may have changed.
inline void wait() { give_up(); }

// Give up the turn though there is more to do.
inline void yield() {
    moved();
    give_up();
}

inline void enter() {
    running()->body();
    running()->ended = true;
    swapcontext(&running()->context, &scheduler());
}

// Begin a process; it lasts until `end_all`.
inline void begin(const std::function<void()> &body) {
    Process *made = new Process();
    made->body = body;
    made->ended = false;
    made->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made->stack == MAP_FAILED) {
        std::perror("stack");
        std::exit(2);
    }
    getcontext(&made->context);
    made->context.uc_stack.ss_sp = made->stack;
    made->context.uc_stack.ss_size = STACK;
    made->context.uc_link = NULL;
    makecontext(&made->context, enter, 0);
    all().push_back(made);
}

// Give every process its turns until nothing moves any more, or `stop` says so.
inline void run(const std::function<bool()> &stop) {
    unsigned long before;
    do {
        before = moves();
        for (std::size_t i = 0; i < all().size(); i++) {
            if (all()[i]->ended)
                continue;
            running() = all()[i];
            swapcontext(&scheduler(), &all()[i]->context);
            running() = NULL;
            if (stop())
                return;
        }
    } while (moves() != before);
}

// Drop all processes where they are.
inline void end_all() {
    for (std::size_t i = 0; i < all().size(); i++) {
        munmap(all()[i]->stack, STACK);
        delete all()[i];
    }
    all().clear();
}

} // namespace processes

#endif
