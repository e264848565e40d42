// What the C++ simulation has in the place of hls4ml's reading of weights and writing of traces.
//
// Mantissas of weights are moved as they are, since each is a value of its type: a conversion of
// ap_fixed from double takes as long to compile as a layer.
#ifndef HWFLOW_CSIM_H_
#define HWFLOW_CSIM_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

#include <cmath>
#include <cstddef>

namespace hwflow_csim {

// One traced layer: where its values are among those of a sample.
struct Slot {
    const char *layer;
    unsigned long at, size;
};

// main.cpp has these.
const double *weights(const char *file, unsigned long size);
double *trace(const char *layer, unsigned long size);
long long mantissa(double value, int width, int fractional, bool is_signed);
void written_behind();

// The divided top function's file has these.
extern const unsigned long input_size, output_size;
extern const Slot slots[];
void sample(const double *inputs, double *outputs);

template <int W, int F, bool S, class T> void set_bits(T &x, double value) {
    if constexpr (W > 53)
        x = value;
    else
        x.V = mantissa(value, W, F, S);
}

template <int W, int F, class T> double get_bits(const T &x) {
    if constexpr (W > 53)
        return x.to_double();
    else
        return std::ldexp((double)x.V.to_int64(), -F);
}

template <class T> void set(T &x, double value) { x = value; }
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> void set(ap_fixed<W, I, Q, O, N> &x, double value) {
    set_bits<W, W - I, true>(x, value);
}
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> void set(ap_ufixed<W, I, Q, O, N> &x, double value) {
    set_bits<W, W - I, false>(x, value);
}
template <int W> void set(ap_int<W> &x, double value) { set_bits<W, 0, true>(x, value); }
template <int W> void set(ap_uint<W> &x, double value) { set_bits<W, 0, false>(x, value); }

// Numbers behind the end of every array: odd mantissas, so that whatever reads them computes
// something else, however sums wrap.
const unsigned long guard = 64;

template <int W> double odd() { return (double)((long long)(std::ldexp(1.0, W - 1) / 1.5) | 1); }
template <class T> void spoil(T &) {}
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> void spoil(ap_fixed<W, I, Q, O, N> &x) {
    if constexpr (W <= 53)
        set_bits<W, W - I, true>(x, std::ldexp(-odd<W>(), I - W));
}
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> void spoil(ap_ufixed<W, I, Q, O, N> &x) {
    if constexpr (W <= 53)
        set_bits<W, W - I, false>(x, std::ldexp(odd<W>(), I - W));
}

template <class T> double get(const T &x) { return (double)x; }
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> double get(const ap_fixed<W, I, Q, O, N> &x) {
    return get_bits<W, W - I>(x);
}
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> double get(const ap_ufixed<W, I, Q, O, N> &x) {
    return get_bits<W, W - I>(x);
}
template <int W> double get(const ap_int<W> &x) { return get_bits<W, 0>(x); }
template <int W> double get(const ap_uint<W> &x) { return get_bits<W, 0>(x); }

// An array with numbers behind its end, which must be there when it goes.
template <class T, unsigned long N> struct Guarded {
    T values[N];
    T behind[guard];
    Guarded() {
        T number = {};
        spoil(number);
        for (T &x : behind)
            x = number;
    }
    ~Guarded() { check(); }
    void check() const {
        T number = {};
        spoil(number);
        const double expected = get(number);
        for (const T &x : behind)
            if (get(x) != expected)
                written_behind();
    }
};

// Data is converted by its port, which rounds and saturates as its type says.
template <class T> void give(const double *from, T *port, unsigned long size) {
    for (unsigned long i = 0; i < size; i++)
        port[i] = from[i];
}
template <class T> void give(const double *from, hls::stream<T> &port, unsigned long size) {
    for (unsigned long i = 0; i < size / T::size; i++) {
        T beat;
        for (unsigned j = 0; j < T::size; j++)
            beat[j] = from[i * T::size + j];
        port.write(beat);
    }
}

template <class T> void take(const T *port, double *to, unsigned long size) {
    for (unsigned long i = 0; i < size; i++)
        to[i] = get(port[i]);
}
template <class T> void take(hls::stream<T> &port, double *to, unsigned long size, bool keep = false) {
    for (unsigned long i = 0; i < size / T::size; i++) {
        T beat = port.read();
        for (unsigned j = 0; j < T::size; j++)
            to[i * T::size + j] = get(beat[j]);
        if (keep)
            port.write(beat);
    }
}

} // namespace hwflow_csim

namespace nnet {

template <class T> void hwflow_trace(T *data, const char *layer, size_t size) {
    hwflow_csim::take(data, hwflow_csim::trace(layer, size), size);
}
template <class T> void hwflow_trace(hls::stream<T> &data, const char *layer, size_t size) {
    hwflow_csim::take(data, hwflow_csim::trace(layer, size), size, true);
}
template <class T, size_t SIZE> void hwflow_load(T *w, const char *file) {
    const double *values = hwflow_csim::weights(file, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        hwflow_csim::set(w[i], values[i]);
    for (size_t i = SIZE; i < SIZE + hwflow_csim::guard; i++)
        hwflow_csim::spoil(w[i]);
}

} // namespace nnet

#define save_layer_output hwflow_trace
#define load_weights_from_txt hwflow_load

#endif
