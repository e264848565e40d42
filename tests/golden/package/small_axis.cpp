// fixture_ip: the frames of AXI4-Stream packets through fixture, and back into packets.
#include "fixture_ip.h"

#ifndef __SYNTHESIS__
unsigned fixture_ip_resets = 0;
#endif

typedef hwflow_port::Verdict verdict_t;

// Read one frame of every input. A packet holds `batch` frames; where one is too short or too long,
// or lacks bytes, the frame is wrong, and all inputs go on behind the TLAST of their packets.
static void read_frame(
    hls::stream<s_axis_x_beat_> &s_axis_x,
    x_in_t x_in_[4],
    unsigned *s_axis_x_errors,
    hls::stream<verdict_t> &m_axis_v25_verdict_,
    unsigned batch
) {
    static unsigned frame = 0; // of the packet
#pragma HLS RESET variable=frame
    static unsigned s_axis_x_count_ = 0;
#pragma HLS RESET variable=s_axis_x_count_
#ifndef __SYNTHESIS__
    static unsigned resets = 0;
    if (resets != fixture_ip_resets) {
        resets = fixture_ip_resets;
        frame = 0;
        s_axis_x_count_ = 0;
    }
#endif
    const bool ends = frame + 1 >= batch;
    hwflow_port::Packets<s_axis_x_beat_, 32> s_axis_x_packets_;
    s_axis_x_mover_ s_axis_x_frame_;
    ap_uint<32> s_axis_x_word_ = 0;

elements:
    for (int i = 0; i < 1; i++) {
#pragma HLS PIPELINE II=1
        if (i < s_axis_x_mover_::steps::count) {
            if (s_axis_x_mover_::wants_word(i)) {
                const bool last = i >= s_axis_x_mover_::steps::count - 1;
                const ap_uint<4> used = last ? 0xf : 0xf;
                s_axis_x_word_ = s_axis_x_packets_.take(s_axis_x, used, last && ends);
            }
            s_axis_x_frame_.step(i, s_axis_x_word_, x_in_);
        }
    }

    bool wrong = false;
    s_axis_x_frame_.finish(x_in_);
    if (s_axis_x_packets_.wrong) {
        s_axis_x_count_++;
        wrong = true;
    }
    *s_axis_x_errors = s_axis_x_count_;
    if (wrong) {
        s_axis_x_packets_.drop(s_axis_x);
    }
    verdict_t verdict;
    verdict.ends = ends || wrong;
    verdict.wrong = wrong;
    m_axis_v25_verdict_.write(verdict);
    frame = verdict.ends ? 0 : frame + 1;
}

// Write one frame of m_axis_v25; the last beat waits until the frame's packet was judged.
static void write_m_axis_v25_(
    gemm19_result_t v25_out_[3],
    hls::stream<verdict_t> &verdicts,
    unsigned *frames,
    hls::stream<m_axis_v25_beat_> &m_axis_v25
) {
    static unsigned count = 0;
#pragma HLS RESET variable=count
#ifndef __SYNTHESIS__
    static unsigned resets = 0;
    if (resets != fixture_ip_resets) {
        resets = fixture_ip_resets;
        count = 0;
    }
#endif
    m_axis_v25_mover_ frame;
    ap_uint<32> word = 0;
    frame.begin(v25_out_);

elements:
    for (int i = 0; i < m_axis_v25_mover_::steps::count; i++) {
#pragma HLS PIPELINE II=1
        frame.step(i, v25_out_, word);
        if (i == m_axis_v25_mover_::steps::count - 1) {
            const verdict_t verdict = verdicts.read();
            const ap_uint<4> keep = verdict.ends ? 0x7 : 0xf;
            hwflow_port::send(m_axis_v25, word, keep, verdict.ends, verdict.wrong);
        } else if (m_axis_v25_mover_::fills_word(i)) {
            hwflow_port::send(m_axis_v25, word, ap_uint<4>(0xf), false, false);
        }
    }
    *frames = ++count;
}

// What the block is; known as soon as it was started, before any data.
static void identify(
    unsigned *magic,
    unsigned *version,
    unsigned *design,
    unsigned *s_axis_x_elements,
    unsigned *m_axis_v25_elements
) {
    *magic = 1213679952u;
    *version = 1u;
    *design = DIGESTu;
    *s_axis_x_elements = 4u;
    *m_axis_v25_elements = 3u;
}

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
) {
#pragma HLS INTERFACE axis port=s_axis_x
#pragma HLS INTERFACE axis port=m_axis_v25
#pragma HLS INTERFACE s_axilite port=batch offset=0x10 bundle=control
#pragma HLS INTERFACE s_axilite port=magic offset=0x20 bundle=control
#pragma HLS INTERFACE s_axilite port=version offset=0x30 bundle=control
#pragma HLS INTERFACE s_axilite port=design offset=0x40 bundle=control
#pragma HLS INTERFACE s_axilite port=frames offset=0x50 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_x_elements offset=0x60 bundle=control
#pragma HLS INTERFACE s_axilite port=m_axis_v25_elements offset=0x70 bundle=control
#pragma HLS INTERFACE s_axilite port=s_axis_x_errors offset=0x80 bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
#pragma HLS DATAFLOW

    x_in_t x_in_[4];
#pragma HLS ARRAY_RESHAPE variable=x_in_ complete dim=0
    gemm19_result_t v25_out_[3];
#pragma HLS ARRAY_PARTITION variable=v25_out_ complete dim=0
    hls::stream<verdict_t> m_axis_v25_verdict_("m_axis_v25_verdict_");
#pragma HLS STREAM variable=m_axis_v25_verdict_ depth=DEPTH

    identify(magic, version, design, s_axis_x_elements, m_axis_v25_elements);
    read_frame(s_axis_x, x_in_, s_axis_x_errors, m_axis_v25_verdict_, batch);
    fixture(x_in_, v25_out_);
    write_m_axis_v25_(v25_out_, m_axis_v25_verdict_, frames, m_axis_v25);
}
