// Weights -m, 0 or +m times inputs -s or +s: a sum of n such products is m * s * (n - 2 * d), where d
// counts the inputs whose sign differs from their weight's. Signs are single bits, weights are
// constants, so that a product is a wire or an inverted one, and the sum is a population count.

#ifndef HWFLOW_XNOR_H_
#define HWFLOW_XNOR_H_

#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_types.h"

namespace nnet {

// Bits of the numbers 0 to n.
constexpr unsigned bits_up_to(unsigned n) { return n == 0 ? 0 : 1 + bits_up_to(n / 2); }

// The ones among N bits from FROM on: adders of just the needed width over counts of six bits.
template <unsigned FROM, unsigned N, bool SMALL = (N <= 6)> struct Popcount {
    static const unsigned half = (N / 6 + 1) / 2 * 6;

    template <unsigned SIZE> static ap_uint<bits_up_to(N)> of(const ap_uint<1> (&bits)[SIZE]) {
        #pragma HLS INLINE
        return Popcount<FROM, half>::of(bits) + Popcount<FROM + half, N - half>::of(bits);
    }
};

// Up to six bits: each bit of the count is a function of six inputs, which is one look-up table.
template <unsigned FROM, unsigned N> struct Popcount<FROM, N, true> {
    template <unsigned SIZE> static ap_uint<bits_up_to(N)> of(const ap_uint<1> (&bits)[SIZE]) {
        #pragma HLS INLINE
        ap_uint<1> b[6];
        #pragma HLS ARRAY_PARTITION variable=b complete
        for (unsigned i = 0; i < 6; i++) {
            #pragma HLS UNROLL
            b[i] = i < N ? bits[i < N ? FROM + i : FROM] : ap_uint<1>(0);
        }
        ap_uint<1> sum0 = b[0] ^ b[1] ^ b[2], carry0 = (b[0] & b[1]) | (b[2] & (b[0] | b[1]));
        ap_uint<1> sum1 = b[3] ^ b[4] ^ b[5], carry1 = (b[3] & b[4]) | (b[5] & (b[3] | b[4]));
        ap_uint<1> carry = sum0 & sum1;
        ap_uint<3> count;
        count[0] = sum0 ^ sum1;
        count[1] = carry0 ^ carry1 ^ carry;
        count[2] = (carry0 & carry1) | (carry & (carry0 | carry1));
        return count;
    }
};

template <class data_T, class res_T, typename CONFIG_T>
void dense_xnor(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_out],
                typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                typename CONFIG_T::bias_t biases[CONFIG_T::n_out]) {
    #pragma HLS function_instantiate variable=weights,biases
    #pragma HLS PIPELINE II=1
    #pragma HLS ARRAY_PARTITION variable=biases complete
    typedef typename CONFIG_T::weight_t weight_t;
    typedef ap_ufixed<weight_t::width, weight_t::iwidth> magnitude_t;

    ap_uint<1> negative[CONFIG_T::n_in];
    #pragma HLS ARRAY_PARTITION variable=negative complete
    for (unsigned ii = 0; ii < CONFIG_T::n_in; ii++) {
        #pragma HLS UNROLL
        negative[ii] = data[ii] < 0;
    }
    typename CONFIG_T::level_t level = 0; // s, a power of two: the only bit of its type
    level[0] = 1;

    for (unsigned jj = 0; jj < CONFIG_T::n_out; jj++) {
        #pragma HLS UNROLL
        ap_uint<1> differs[CONFIG_T::n_in];
        #pragma HLS ARRAY_PARTITION variable=differs complete
        ap_int<bits_up_to(CONFIG_T::n_in) + 1> n = 0; // n and m are constants of the output
        magnitude_t m = 0;
        for (unsigned ii = 0; ii < CONFIG_T::n_in; ii++) {
            #pragma HLS UNROLL
            weight_t w = weights[ii * CONFIG_T::n_out + jj];
            differs[ii] = w == 0 ? ap_uint<1>(0) : ap_uint<1>(negative[ii] ^ ap_uint<1>(w < 0));
            if (w != 0) {
                n++;
                m = w < 0 ? magnitude_t(-w) : magnitude_t(w);
            }
        }
        ap_int<bits_up_to(CONFIG_T::n_in) + 1> sum = n - 2 * Popcount<0, CONFIG_T::n_in>::of(differs);
        typename CONFIG_T::accum_t acc = biases[jj];
        acc += sum * m * level;
        res[jj] = acc;
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void dense_xnor(hls::stream<data_T> &data, hls::stream<res_T> &res,
                typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                typename CONFIG_T::bias_t biases[CONFIG_T::n_out]) {
    typename data_T::value_type in[CONFIG_T::n_in];
    #pragma HLS ARRAY_PARTITION variable=in complete
    typename res_T::value_type out[CONFIG_T::n_out];
    #pragma HLS ARRAY_PARTITION variable=out complete

    for (unsigned i = 0; i < CONFIG_T::n_in / data_T::size; i++) {
        #pragma HLS PIPELINE II=1
        data_T pack = data.read();
        for (unsigned j = 0; j < data_T::size; j++) {
            #pragma HLS UNROLL
            in[i * data_T::size + j] = pack[j];
        }
    }
    dense_xnor<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(in, out, weights, biases);
    for (unsigned i = 0; i < CONFIG_T::n_out / res_T::size; i++) {
        #pragma HLS PIPELINE II=1
        res_T pack;
        PRAGMA_DATA_PACK(pack)
        for (unsigned j = 0; j < res_T::size; j++) {
            #pragma HLS UNROLL
            pack[j] = out[i * res_T::size + j];
        }
        res.write(pack);
    }
}

// What hls4ml's streamed convolutions call for each window.
template <class data_T, class res_T, typename CONFIG_T> class DenseXnor {
  public:
    static void dense(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_out],
                      typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                      typename CONFIG_T::bias_t biases[CONFIG_T::n_out]) {
        #pragma HLS INLINE
        dense_xnor<data_T, res_T, CONFIG_T>(data, res, weights, biases);
    }
};

// One window as a dense layer; hls4ml's own sizes are those of all windows for some 1 x 1 kernels.
template <typename CONFIG_T> struct XnorWindow : CONFIG_T::mult_config {
    static const unsigned n_in = CONFIG_T::kernel_size * CONFIG_T::n_chan;
    static const unsigned n_out = CONFIG_T::n_filt;
};

// Convolutions over arrays, along one or two axes: hls4ml's fill_buffer finds the windows.
template <class data_T, class res_T, typename CONFIG_T>
void conv_xnor(data_T data[CONFIG_T::mult_config::n_data],
               res_T res[CONFIG_T::n_partitions * CONFIG_T::n_pixels * CONFIG_T::n_filt],
               typename CONFIG_T::weight_t weights[CONFIG_T::kernel_size * CONFIG_T::n_chan * CONFIG_T::n_filt],
               typename CONFIG_T::bias_t biases[CONFIG_T::n_filt]) {
    typedef XnorWindow<CONFIG_T> window;
    data_T windows[CONFIG_T::n_pixels][window::n_in];
    #pragma HLS ARRAY_PARTITION variable=windows complete dim=0
    #pragma HLS ARRAY_PARTITION variable=weights complete

    for (unsigned i = 0; i < CONFIG_T::n_partitions; i++) {
        #pragma HLS PIPELINE II=1 rewind
        CONFIG_T::template fill_buffer<data_T, CONFIG_T>::fill_buffer(data, windows, i);
        for (unsigned j = 0; j < CONFIG_T::n_pixels; j++) {
            #pragma HLS UNROLL
            res_T pixel[window::n_out];
            #pragma HLS ARRAY_PARTITION variable=pixel complete
            dense_xnor<data_T, res_T, window>(windows[j], pixel, weights, biases);
            for (unsigned k = 0; k < window::n_out; k++) {
                #pragma HLS UNROLL
                res[(i * CONFIG_T::n_pixels + j) * window::n_out + k] = pixel[k];
            }
        }
    }
}

} // namespace nnet

#endif
