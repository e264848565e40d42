// fixture_ip: frames in memory through fixture, and its results back into memory.
#include "fixture_ip.h"

#ifndef __SYNTHESIS__
unsigned fixture_ip_resets = 0;
#endif

// Read the frame of x_in that begins with a word.
static void read_x_in_(const word_t *words, unsigned first, x_in_t x_in_[4]) {
    x_in_mover_ frame;
    word_t word = 0;

elements:
    for (int i = 0; i < x_in_mover_::steps::count; i++) {
#pragma HLS PIPELINE II=1
        if (x_in_mover_::wants_word(i))
            word = words[first++];
        frame.step(i, word, x_in_);
    }
    frame.finish(x_in_);
}

// Write a frame of v25_out.
static void write_v25_out_(gemm19_result_t v25_out_[3], word_t *words, unsigned first) {
    v25_out_mover_ frame;
    word_t word = 0;
    frame.begin(v25_out_);

elements:
    for (int i = 0; i < v25_out_mover_::steps::count; i++) {
#pragma HLS PIPELINE II=1
        frame.step(i, v25_out_, word);
        if (v25_out_mover_::fills_word(i))
            words[first++] = word;
    }
}

// One frame; it is read while the one before it is computed.
static void process_frame(
    const word_t *x_in,
    word_t *v25_out,
    unsigned frame
) {
#pragma HLS DATAFLOW
    x_in_t x_in_[4];
#pragma HLS ARRAY_RESHAPE variable=x_in_ complete dim=0
    gemm19_result_t v25_out_[3];
#pragma HLS ARRAY_PARTITION variable=v25_out_ complete dim=0

    read_x_in_(x_in, frame * 1u, x_in_);
    fixture(x_in_, v25_out_);
    write_v25_out_(v25_out_, v25_out, frame * 1u);
}

void fixture_ip(
    const word_t x_in[1],
    word_t v25_out[1],
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *x_in_elements,
    unsigned *v25_out_elements
) {
#pragma HLS INTERFACE s_axilite port=magic offset=0x10 bundle=control
#pragma HLS INTERFACE s_axilite port=version offset=0x20 bundle=control
#pragma HLS INTERFACE s_axilite port=design offset=0x30 bundle=control
#pragma HLS INTERFACE s_axilite port=x_in_elements offset=0x40 bundle=control
#pragma HLS INTERFACE s_axilite port=v25_out_elements offset=0x50 bundle=control
#pragma HLS INTERFACE s_axilite port=x_in offset=0x60 bundle=control
#pragma HLS INTERFACE s_axilite port=v25_out offset=0x64 bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control

    *magic = 1213679952u;
    *version = 1u;
    *design = DIGESTu;
    *x_in_elements = 4u;
    *v25_out_elements = 3u;
    process_frame(x_in, v25_out, 0);
}
