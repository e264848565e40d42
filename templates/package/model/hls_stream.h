// Streams for g++ whose reads and writes wait, in the place of the header of the same name that HLS
// tools have. A stream without a limit never lets a writer wait.
#ifndef HWFLOW_HLS_STREAM_H_
#define HWFLOW_HLS_STREAM_H_

#include "processes.h"

#include <cstddef>
#include <deque>

namespace hls {

template <class T, int DEPTH = 0> class stream {
  public:
    stream() : limit(0), reads(0), writes(0) {}
    explicit stream(const char *) : limit(0), reads(0), writes(0) {}

    T read() {
        while (beats.empty())
            processes::wait();
        processes::moved();
        T beat = beats.front();
        beats.pop_front();
        reads++;
        return beat;
    }
    void read(T &beat) { beat = read(); }

    void write(const T &beat) {
        while (limit && beats.size() >= limit)
            processes::wait();
        processes::moved();
        beats.push_back(beat);
        writes++;
    }

    bool empty() const { return beats.empty(); }
    bool full() const { return limit && beats.size() >= limit; }
    std::size_t size() const { return beats.size(); }
    T operator>>(T &beat) { return beat = read(); }
    void operator<<(const T &beat) { write(beat); }

    std::size_t limit;
    std::size_t reads, writes; // so far
    std::deque<T> beats;

  private:
    stream(const stream &);
    stream &operator=(const stream &);
};

} // namespace hls

#endif
