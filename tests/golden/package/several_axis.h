// two_ports_ip: two_ports as a block with AXI4-Stream ports and an AXI4-Lite control window.
#ifndef TWO_PORTS_IP_H_
#define TWO_PORTS_IP_H_

#include "firmware/two_ports.h"
#include "hwflow_port.h"

// s_axis_x: 5 elements of fixed<5,3,RND_CONV,SAT>, int8 in lanes
typedef hwflow_port::Integers<8, 5, true> s_axis_x_lane_;
typedef hwflow_port::ToStream<s_axis_x_lane_, x_in_t, 4, 5, 5> s_axis_x_mover_;
typedef ap_axiu<32, 0, 0, 0> s_axis_x_beat_;
// s_axis_y: 12 elements of ufixed<11,7,RND_CONV,SAT>, uint16 in lanes
typedef hwflow_port::Integers<16, 11, false> s_axis_y_lane_;
typedef hwflow_port::ToStream<s_axis_y_lane_, y_in_t, 2, 12, 12> s_axis_y_mover_;
typedef ap_axiu<32, 0, 0, 0> s_axis_y_beat_;
// m_axis_v24: 3 elements of ufixed<4,2,RND_CONV,SAT>, uint8 in lanes
typedef hwflow_port::Integers<8, 4, false> m_axis_v24_lane_;
typedef hwflow_port::FromStream<m_axis_v24_lane_, matmul18_result_t, 4, 3, 3> m_axis_v24_mover_;
typedef ap_axiu<32, 1, 0, 0> m_axis_v24_beat_;
// m_axis_v34: 7 elements of fixed<18,12>, int32 in lanes
typedef hwflow_port::Integers<32, 18, true> m_axis_v34_lane_;
typedef hwflow_port::FromStream<m_axis_v34_lane_, matmul35_result_t, 1, 7, 7> m_axis_v34_mover_;
typedef ap_axiu<32, 1, 0, 0> m_axis_v34_beat_;

void two_ports_ip(
    hls::stream<s_axis_x_beat_> &s_axis_x,
    hls::stream<s_axis_y_beat_> &s_axis_y,
    hls::stream<m_axis_v24_beat_> &m_axis_v24,
    hls::stream<m_axis_v34_beat_> &m_axis_v34,
    unsigned batch,
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *frames,
    unsigned *s_axis_x_elements,
    unsigned *s_axis_y_elements,
    unsigned *m_axis_v24_elements,
    unsigned *m_axis_v34_elements,
    unsigned *s_axis_x_errors,
    unsigned *s_axis_y_errors
);

#ifndef __SYNTHESIS__
extern unsigned two_ports_ip_resets; // counted up in C++ where hardware gets a reset
#endif

#endif
