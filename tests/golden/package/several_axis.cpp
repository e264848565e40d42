// two_ports_ip: the frames of AXI4-Stream packets through two_ports, and back into packets.
#include "two_ports_ip.h"

#ifndef __SYNTHESIS__
unsigned two_ports_ip_resets = 0;
#endif

typedef hwflow_port::Verdict verdict_t;

// Read one frame of every input. A packet holds `batch` frames; where one is too short or too long,
// or lacks bytes, the frame is wrong, and all inputs go on behind the TLAST of their packets.
static void read_frame(
    hls::stream<s_axis_x_beat_> &s_axis_x,
    hls::stream<x_in_t> &x_in_,
    unsigned *s_axis_x_errors,
    hls::stream<s_axis_y_beat_> &s_axis_y,
    hls::stream<y_in_t> &y_in_,
    unsigned *s_axis_y_errors,
    hls::stream<verdict_t> &m_axis_v24_verdict_,
    hls::stream<verdict_t> &m_axis_v34_verdict_,
    unsigned batch
) {
    static unsigned frame = 0; // of the packet
#pragma HLS RESET variable=frame
    static unsigned s_axis_x_count_ = 0;
#pragma HLS RESET variable=s_axis_x_count_
    static unsigned s_axis_y_count_ = 0;
#pragma HLS RESET variable=s_axis_y_count_
#ifndef __SYNTHESIS__
    static unsigned resets = 0;
    if (resets != two_ports_ip_resets) {
        resets = two_ports_ip_resets;
        frame = 0;
        s_axis_x_count_ = 0;
        s_axis_y_count_ = 0;
    }
#endif
    const bool ends = frame + 1 >= batch;
    hwflow_port::Packets<s_axis_x_beat_, 32> s_axis_x_packets_;
    s_axis_x_mover_ s_axis_x_frame_;
    ap_uint<32> s_axis_x_word_ = 0;
    hwflow_port::Packets<s_axis_y_beat_, 32> s_axis_y_packets_;
    s_axis_y_mover_ s_axis_y_frame_;
    ap_uint<32> s_axis_y_word_ = 0;

elements:
    for (int i = 0; i < 6; i++) {
#pragma HLS PIPELINE II=1
        if (i < s_axis_x_mover_::steps::count) {
            if (s_axis_x_mover_::wants_word(i)) {
                const bool last = i >= s_axis_x_mover_::steps::count - 1;
                const ap_uint<4> used = last ? 0x1 : 0xf;
                s_axis_x_word_ = s_axis_x_packets_.take(s_axis_x, used, last && ends);
            }
            s_axis_x_frame_.step(i, s_axis_x_word_, x_in_);
        }
        if (i < s_axis_y_mover_::steps::count) {
            if (s_axis_y_mover_::wants_word(i)) {
                const bool last = i >= s_axis_y_mover_::steps::count - 1;
                const ap_uint<4> used = last ? 0xf : 0xf;
                s_axis_y_word_ = s_axis_y_packets_.take(s_axis_y, used, last && ends);
            }
            s_axis_y_frame_.step(i, s_axis_y_word_, y_in_);
        }
    }

    bool wrong = false;
    s_axis_x_frame_.finish(x_in_);
    if (s_axis_x_packets_.wrong) {
        s_axis_x_count_++;
        wrong = true;
    }
    *s_axis_x_errors = s_axis_x_count_;
    s_axis_y_frame_.finish(y_in_);
    if (s_axis_y_packets_.wrong) {
        s_axis_y_count_++;
        wrong = true;
    }
    *s_axis_y_errors = s_axis_y_count_;
    if (wrong) {
        s_axis_x_packets_.drop(s_axis_x);
        s_axis_y_packets_.drop(s_axis_y);
    }
    verdict_t verdict;
    verdict.ends = ends || wrong;
    verdict.wrong = wrong;
    m_axis_v24_verdict_.write(verdict);
    m_axis_v34_verdict_.write(verdict);
    frame = verdict.ends ? 0 : frame + 1;
}

// Write one frame of m_axis_v24; the last beat waits until the frame's packet was judged.
static void write_m_axis_v24_(
    hls::stream<matmul18_result_t> &v24_out_,
    hls::stream<verdict_t> &verdicts,
    unsigned *frames,
    hls::stream<m_axis_v24_beat_> &m_axis_v24
) {
    static unsigned count = 0;
#pragma HLS RESET variable=count
#ifndef __SYNTHESIS__
    static unsigned resets = 0;
    if (resets != two_ports_ip_resets) {
        resets = two_ports_ip_resets;
        count = 0;
    }
#endif
    m_axis_v24_mover_ frame;
    ap_uint<32> word = 0;
    frame.begin(v24_out_);

elements:
    for (int i = 0; i < m_axis_v24_mover_::steps::count; i++) {
#pragma HLS PIPELINE II=1
        frame.step(i, v24_out_, word);
        if (i == m_axis_v24_mover_::steps::count - 1) {
            const verdict_t verdict = verdicts.read();
            const ap_uint<4> keep = verdict.ends ? 0x7 : 0xf;
            hwflow_port::send(m_axis_v24, word, keep, verdict.ends, verdict.wrong);
        } else if (m_axis_v24_mover_::fills_word(i)) {
            hwflow_port::send(m_axis_v24, word, ap_uint<4>(0xf), false, false);
        }
    }
    *frames = ++count;
}

// Write one frame of m_axis_v34; the last beat waits until the frame's packet was judged.
static void write_m_axis_v34_(
    hls::stream<matmul35_result_t> &v34_out_,
    hls::stream<verdict_t> &verdicts,
    hls::stream<m_axis_v34_beat_> &m_axis_v34
) {
    m_axis_v34_mover_ frame;
    ap_uint<32> word = 0;
    frame.begin(v34_out_);

elements:
    for (int i = 0; i < m_axis_v34_mover_::steps::count; i++) {
#pragma HLS PIPELINE II=1
        frame.step(i, v34_out_, word);
        if (i == m_axis_v34_mover_::steps::count - 1) {
            const verdict_t verdict = verdicts.read();
            const ap_uint<4> keep = verdict.ends ? 0xf : 0xf;
            hwflow_port::send(m_axis_v34, word, keep, verdict.ends, verdict.wrong);
        } else if (m_axis_v34_mover_::fills_word(i)) {
            hwflow_port::send(m_axis_v34, word, ap_uint<4>(0xf), false, false);
        }
    }
}

// What the block is; known as soon as it was started, before any data.
static void identify(
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *s_axis_x_elements,
    unsigned *s_axis_y_elements,
    unsigned *m_axis_v24_elements,
    unsigned *m_axis_v34_elements
) {
    *magic = 1213679952u;
    *version = 1u;
    *design = DIGESTu;
    *s_axis_x_elements = 5u;
    *s_axis_y_elements = 12u;
    *m_axis_v24_elements = 3u;
    *m_axis_v34_elements = 7u;
}

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
) {
#pragma HLS INTERFACE axis port=s_axis_x
#pragma HLS INTERFACE axis port=s_axis_y
#pragma HLS INTERFACE axis port=m_axis_v24
#pragma HLS INTERFACE axis port=m_axis_v34
#pragma HLS INTERFACE s_axilite port=batch offset=0x10 bundle=control
#pragma HLS INTERFACE s_axilite port=magic offset=0x20 bundle=control
#pragma HLS INTERFACE s_axilite port=version offset=0x30 bundle=control
#pragma HLS INTERFACE s_axilite port=design offset=0x40 bundle=control
#pragma HLS INTERFACE s_axilite port=frames offset=0x50 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_x_elements offset=0x60 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_y_elements offset=0x70 bundle=control
#pragma HLS INTERFACE s_axilite port=m_axis_v24_elements offset=0x80 bundle=control
#pragma HLS INTERFACE s_axilite port=m_axis_v34_elements offset=0x90 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_x_errors offset=0xa0 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_y_errors offset=0xb0 bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
#pragma HLS DATAFLOW

    hls::stream<x_in_t> x_in_("x_in_");
#pragma HLS STREAM variable=x_in_ depth=1
    hls::stream<y_in_t> y_in_("y_in_");
#pragma HLS STREAM variable=y_in_ depth=1
    hls::stream<matmul18_result_t> v24_out_("v24_out_");
    hls::stream<matmul35_result_t> v34_out_("v34_out_");
    hls::stream<verdict_t> m_axis_v24_verdict_("m_axis_v24_verdict_");
#pragma HLS STREAM variable=m_axis_v24_verdict_ depth=DEPTH
    hls::stream<verdict_t> m_axis_v34_verdict_("m_axis_v34_verdict_");
#pragma HLS STREAM variable=m_axis_v34_verdict_ depth=DEPTH

    identify(magic, version, design, s_axis_x_elements, s_axis_y_elements, m_axis_v24_elements, m_axis_v34_elements);
    read_frame(s_axis_x, x_in_, s_axis_x_errors, s_axis_y, y_in_, s_axis_y_errors, m_axis_v24_verdict_, m_axis_v34_verdict_, batch);
    two_ports(x_in_, y_in_, v24_out_, v34_out_);
    write_m_axis_v24_(v24_out_, m_axis_v24_verdict_, frames, m_axis_v24);
    write_m_axis_v34_(v34_out_, m_axis_v34_verdict_, m_axis_v34);
}
