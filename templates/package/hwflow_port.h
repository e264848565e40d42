// Elements of a network in the words of a bus, and frames in the packets of AXI4-Stream.
//
// A frame is one sample. Its elements lie one after another in lanes of whole bytes, the first one
// lowest, and each frame begins a new word. Serves Vitis HLS, Vivado HLS and g++ (C++11).
#ifndef HWFLOW_PORT_H_
#define HWFLOW_PORT_H_

#include "ap_axi_sdata.h"
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

namespace hwflow_port {

constexpr int common(int a, int b) { return b == 0 ? a : common(b, a % b); }

// Integers in lanes: the bits of an element, extended with its sign, or with zeros.
template <int LANE, int WIDTH, bool SIGNED> struct Integers {
    static const int lane = LANE;

    template <class T, int WORD> static T get(const ap_uint<WORD> &word, int place, int) {
#pragma HLS INLINE
        T element;
        element.range(WIDTH - 1, 0) = word.range(place * LANE + WIDTH - 1, place * LANE);
        return element;
    }

    template <class T, int WORD> static void put(ap_uint<WORD> &word, int place, T element, int) {
#pragma HLS INLINE
        ap_uint<WIDTH> bits = element.range(WIDTH - 1, 0);
        ap_uint<LANE> wide = bits;
        for (int i = WIDTH; i < LANE; i++) {
#pragma HLS UNROLL
            wide[i] = SIGNED ? bits[WIDTH - 1] : ap_uint<1>(0);
        }
        word.range(place * LANE + LANE - 1, place * LANE) = wide;
    }
};

union Single {
    float value;
    unsigned bits;
};

// The float in a lane; a negative zero is zero.
template <int WORD> float real_at(const ap_uint<WORD> &word, int place) {
#pragma HLS INLINE
    const ap_uint<32> bits = word.range(place * 32 + 31, place * 32);
    Single single;
    single.bits = bits == 0x80000000u ? 0u : bits.to_uint();
    return single.value;
}

template <int WORD> void set_real(ap_uint<WORD> &word, int place, float value) {
#pragma HLS INLINE
    Single single;
    single.value = value;
    word.range(place * 32 + 31, place * 32) = ap_uint<32>(single.bits);
}

// Real numbers in lanes, in float32, assigned to the type of an element.
struct Assigned {
    template <class T, int WORD> static T get(const ap_uint<WORD> &word, int place, int) {
#pragma HLS INLINE
        T element = real_at(word, place);
        return element;
    }
};

// The same, for elements whose scale is no power of two: TABLE::least(number, k) is the least float
// that is given at least the k-th level, as a number that keeps the order of floats.
template <class TABLE, int WIDTH> struct Levels {
    template <class T, int WORD> static T get(const ap_uint<WORD> &word, int place, int number) {
#pragma HLS INLINE
        Single single;
        single.value = real_at(word, place);
        const unsigned key = single.bits >> 31 ? ~single.bits : single.bits | 0x80000000u;
        int level = 0;
        for (int step = TABLE::first_step; step > 0; step /= 2) {
#pragma HLS UNROLL
            if (level + step < TABLE::levels && TABLE::least(number, level + step) <= key)
                level += step;
        }
        T element;
        element.range(WIDTH - 1, 0) = ap_int<WIDTH + 1>(level * TABLE::rise + TABLE::lowest(number)).range(WIDTH - 1, 0);
        return element;
    }
};

// The real numbers of elements whose float holds every bit.
struct Exact {
    template <class T, int WORD> static void put(ap_uint<WORD> &word, int place, T element, int) {
#pragma HLS INLINE
        set_real(word, place, element.to_float());
    }
};

// The same for all others: TABLE::scale and TABLE::offset give them, each operation rounded.
template <class TABLE, int WIDTH, bool SIGNED> struct Scaled {
    template <class T, int WORD> static void put(ap_uint<WORD> &word, int place, T element, int number) {
#pragma HLS INLINE
        ap_uint<WIDTH> bits = element.range(WIDTH - 1, 0);
        ap_int<64> mantissa = bits;
        for (int i = WIDTH; i < 64; i++) {
#pragma HLS UNROLL
            mantissa[i] = SIGNED ? bits[WIDTH - 1] : ap_uint<1>(0);
        }
        const double product = (double)mantissa.to_int64() * TABLE::scale(number);
        set_real(word, place, (float)(product + TABLE::offset(number)));
    }
};

// How the elements of a frame go from words to what the network takes at once, or back: STEP of
// them in a clock cycle, which divides both.
template <int LANES, int ELEMENTS, int CHUNK> struct Steps {
    static const int size = common(LANES, CHUNK);
    static const int count = ELEMENTS / size;
    static const int in_word = LANES / size;
    static const int in_chunk = CHUNK / size;
};

// The same for arrays, any element of which can be reached at once.
template <int LANES, int ELEMENTS> struct ArraySteps {
    static const int count = (ELEMENTS + LANES - 1) / LANES;
};

// A frame on its way into an array of the network. Stages of a dataflow hand their arrays on element
// by element, so that each is written once, at the end.
template <class FORMAT, class T, int LANES, int ELEMENTS> class ToArray {
  public:
    typedef ArraySteps<LANES, ELEMENTS> steps;

    static bool wants_word(int) { return true; }

    template <int WORD> void step(int number, const ap_uint<WORD> &word, T *) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=own complete
        for (int i = 0; i < LANES; i++) {
#pragma HLS UNROLL
            if (number * LANES + i < ELEMENTS)
                own[number * LANES + i] = FORMAT::template get<T>(word, i, number * LANES + i);
        }
    }

    void finish(T *array) {
#pragma HLS INLINE
        for (int i = 0; i < ELEMENTS; i++) {
#pragma HLS UNROLL
            array[i] = own[i];
        }
    }

  private:
    T own[ELEMENTS];
};

// A frame on its way into a stream of the network, whose beats hold CHUNK elements.
template <class FORMAT, class BEAT, int LANES, int ELEMENTS, int CHUNK> class ToStream {
  public:
    typedef Steps<LANES, ELEMENTS, CHUNK> steps;

    static bool wants_word(int number) { return number % steps::in_word == 0; }

    template <int WORD> void step(int number, const ap_uint<WORD> &word, hls::stream<BEAT> &stream) {
#pragma HLS INLINE
        for (int i = 0; i < steps::size; i++) {
#pragma HLS UNROLL
            beat[number % steps::in_chunk * steps::size + i] =
                FORMAT::template get<typename BEAT::value_type>(
                    word, number % steps::in_word * steps::size + i, number * steps::size + i);
        }
        if (number % steps::in_chunk == steps::in_chunk - 1)
            stream.write(beat);
    }

    void finish(hls::stream<BEAT> &) {}

  private:
    BEAT beat;
};

// A frame on its way out of an array of the network, each element of which is read once.
template <class FORMAT, class T, int LANES, int ELEMENTS> class FromArray {
  public:
    typedef ArraySteps<LANES, ELEMENTS> steps;

    static bool fills_word(int) { return true; }

    void begin(const T *array) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=own complete
        for (int i = 0; i < ELEMENTS; i++) {
#pragma HLS UNROLL
            own[i] = array[i];
        }
    }

    template <int WORD> void step(int number, const T *, ap_uint<WORD> &word) {
#pragma HLS INLINE
        word = 0;
        for (int i = 0; i < LANES; i++) {
#pragma HLS UNROLL
            if (number * LANES + i < ELEMENTS)
                FORMAT::put(word, i, own[number * LANES + i], number * LANES + i);
        }
    }

  private:
    T own[ELEMENTS];
};

// A frame on its way out of a stream of the network.
template <class FORMAT, class BEAT, int LANES, int ELEMENTS, int CHUNK> class FromStream {
  public:
    typedef Steps<LANES, ELEMENTS, CHUNK> steps;

    static bool fills_word(int number) {
        return number % steps::in_word == steps::in_word - 1 || number == steps::count - 1;
    }

    void begin(hls::stream<BEAT> &) {}

    template <int WORD> void step(int number, hls::stream<BEAT> &stream, ap_uint<WORD> &word) {
#pragma HLS INLINE
        if (number % steps::in_chunk == 0)
            beat = stream.read();
        if (number % steps::in_word == 0)
            word = 0;
        for (int i = 0; i < steps::size; i++) {
#pragma HLS UNROLL
            FORMAT::put(word, number % steps::in_word * steps::size + i,
                        beat[number % steps::in_chunk * steps::size + i], number * steps::size + i);
        }
    }

  private:
    BEAT beat;
};

// Scores in the order of their real numbers, where their mantissas are in it.
template <int WIDTH, bool SIGNED> struct Mantissas {
    typedef ap_int<WIDTH + 1> key;

    template <class T> static key at(const T &element, int) {
#pragma HLS INLINE
        key found = ap_uint<WIDTH>(element.range(WIDTH - 1, 0));
        found[WIDTH] = SIGNED ? found[WIDTH - 1] : ap_uint<1>(0);
        return found;
    }
};

// The same where they are not: TABLE::scale and TABLE::offset give integers for which they are.
template <int WIDTH, bool SIGNED, class TABLE> struct Weighted {
    typedef typename TABLE::key key;

    template <class T> static key at(const T &element, int number) {
#pragma HLS INLINE
        const key mantissa = Mantissas<WIDTH, SIGNED>::at(element, number);
        const key product = mantissa * TABLE::scale(number);
        return product + TABLE::offset(number);
    }
};

// The number of the first greatest score: SIZE of them are compared in a clock cycle, and the
// greatest of these with the greatest before.
template <class ORDER, int SCORES, int SIZE, int BITS> class Greatest {
  public:
    static const int count = (SCORES + SIZE - 1) / SIZE;

    template <class ELEMENTS> void step(int number, const ELEMENTS &elements, int first) {
#pragma HLS INLINE
        typename ORDER::key most = ORDER::at(elements[first], number * SIZE);
        ap_uint<BITS> place = number * SIZE;
        for (int i = 1; i < SIZE; i++) {
#pragma HLS UNROLL
            if (number * SIZE + i < SCORES) {
                const typename ORDER::key other = ORDER::at(elements[first + i], number * SIZE + i);
                if (other > most) {
                    most = other;
                    place = number * SIZE + i;
                }
            }
        }
        if (number == 0 || most > best) {
            best = most;
            found = place;
        }
    }

    ap_uint<BITS> found;

  private:
    typename ORDER::key best;
};

// The class of a frame on its way out of an array of the network.
template <class ORDER, class T, int SCORES, int SIZE, int BITS> class ClassFromArray {
  public:
    typedef Greatest<ORDER, SCORES, SIZE, BITS> steps;

    static bool fills_word(int number) { return number == steps::count - 1; }

    void begin(const T *array) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=own complete
        for (int i = 0; i < SCORES; i++) {
#pragma HLS UNROLL
            own[i] = array[i];
        }
    }

    template <int WORD> void step(int number, const T *, ap_uint<WORD> &word) {
#pragma HLS INLINE
        greatest.step(number, own, number * SIZE);
        word = greatest.found;
    }

  private:
    T own[SCORES];
    steps greatest;
};

// The same out of a stream, whose beats hold CHUNK scores, a multiple of SIZE.
template <class ORDER, class BEAT, int SCORES, int SIZE, int BITS, int CHUNK> class ClassFromStream {
  public:
    typedef Greatest<ORDER, SCORES, SIZE, BITS> steps;

    static bool fills_word(int number) { return number == steps::count - 1; }

    void begin(hls::stream<BEAT> &) {}

    template <int WORD> void step(int number, hls::stream<BEAT> &stream, ap_uint<WORD> &word) {
#pragma HLS INLINE
        if (number * SIZE % CHUNK == 0)
            beat = stream.read();
        greatest.step(number, beat, number * SIZE % CHUNK);
        word = greatest.found;
    }

  private:
    BEAT beat;
    steps greatest;
};

// What the readers of packets tell the writers about a frame.
struct Verdict {
    bool ends; // the packet ends with this frame
    bool wrong; // it was too short or too long, or lacked bytes
};

// The packets of one port. A wrong one is read to its TLAST, wherever that is.
template <class BEAT, int WORD> class Packets {
  public:
    bool ended; // TLAST was read
    bool wrong;

    Packets() : ended(false), wrong(false) {}

    // The next word of a frame; zero behind the end of a packet.
    //   used: the bytes of it that hold elements
    //   at_end: whether the packet is to end with it
    ap_uint<WORD> take(hls::stream<BEAT> &port, ap_uint<WORD / 8> used, bool at_end) {
#pragma HLS INLINE
        if (ended)
            return 0;
        const BEAT beat = port.read();
        ended = beat.last;
        wrong = wrong || ended != at_end || (beat.keep & used) != used;
        return beat.data;
    }

    // Skip what is left of the packet.
    void drop(hls::stream<BEAT> &port) {
        while (!ended) {
#pragma HLS PIPELINE II = 1
            ended = port.read().last;
        }
    }
};

template <class BEAT, int WORD>
void send(hls::stream<BEAT> &port, const ap_uint<WORD> &word, ap_uint<WORD / 8> keep, bool last, bool wrong) {
#pragma HLS INLINE
    BEAT beat;
    beat.data = word;
    beat.keep = keep;
    beat.strb = keep;
    beat.user = wrong;
    beat.last = last;
    port.write(beat);
}

} // namespace hwflow_port

#endif
