// fixture_ip: fixture as a block with AXI4-Stream ports and an AXI4-Lite control window.
#ifndef FIXTURE_IP_H_
#define FIXTURE_IP_H_

#include "firmware/fixture.h"
#include "hwflow_port.h"

// s_axis_x: 4 elements of fixed<5,3,RND_CONV,SAT>, int8 in lanes
typedef hwflow_port::Integers<8, 5, true> s_axis_x_lane_;
typedef hwflow_port::ToArray<s_axis_x_lane_, x_in_t, 4, 4> s_axis_x_mover_;
typedef ap_axiu<32, 0, 0, 0> s_axis_x_beat_;
// m_axis_v25: 3 elements of ufixed<4,2,RND_CONV,SAT>, uint8 in lanes
typedef hwflow_port::Integers<8, 4, false> m_axis_v25_lane_;
typedef hwflow_port::FromArray<m_axis_v25_lane_, gemm19_result_t, 4, 3> m_axis_v25_mover_;
typedef ap_axiu<32, 1, 0, 0> m_axis_v25_beat_;

void fixture_ip(
    hls::stream<s_axis_x_beat_> &s_axis_x,
    hls::stream<m_axis_v25_beat_> &m_axis_v25,
    unsigned batch,
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *frames,
    unsigned *s_axis_x_elements,
    unsigned *m_axis_v25_elements,
    unsigned *s_axis_x_errors
);

#ifndef __SYNTHESIS__
extern unsigned fixture_ip_resets; // counted up in C++ where hardware gets a reset
#endif

#endif
