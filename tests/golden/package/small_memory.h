// fixture_ip: fixture as a block with AXI4 masters that fetch and store frames, and an AXI4-Lite control window.
#ifndef FIXTURE_IP_H_
#define FIXTURE_IP_H_

#include "firmware/fixture.h"
#include "hwflow_port.h"

// x_in: 4 elements of fixed<5,3,RND_CONV,SAT>, int8 in lanes
typedef hwflow_port::Integers<8, 5, true> x_in_lane_;
typedef hwflow_port::ToArray<x_in_lane_, x_in_t, 4, 4> x_in_mover_;
// v25_out: 3 elements of ufixed<4,2,RND_CONV,SAT>, uint8 in lanes
typedef hwflow_port::Integers<8, 4, false> v25_out_lane_;
typedef hwflow_port::FromArray<v25_out_lane_, gemm19_result_t, 4, 3> v25_out_mover_;
typedef ap_uint<32> word_t;

void fixture_ip(
    const word_t *x_in,
    word_t *v25_out,
    unsigned frames,
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *x_in_elements,
    unsigned *v25_out_elements
);

#ifndef __SYNTHESIS__
extern unsigned fixture_ip_resets; // counted up in C++ where hardware gets a reset
#endif

#endif
