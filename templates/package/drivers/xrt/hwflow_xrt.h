// A kernel of hwflow on a card, through XRT: real numbers in, real numbers out. C++17.
//
// Bits are those of the C driver, whose tables and functions this uses. What XRT refuses, such as an
// xclbin without this design, it throws as std::exception.
#ifndef HWFLOW_XRT_H
#define HWFLOW_XRT_H

#include "hwflow_ip.h"

#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace hwflow {

// Frames of each port, one after another, inputs first.
typedef std::vector<std::vector<uint8_t>> Frames;

class Kernel {
  public:
    // Load an xclbin into a card, and open a kernel in it.
    //
    // block: what it is. name: KERNEL:{COMPUTE_UNIT}; the compute unit is called after the design, so
    // another network is not taken for this one. card: its number. batch: frames of a run, for which
    // memory is taken. timeout: of a run.
    Kernel(const hwflow_block &block, const std::string &xclbin, const std::string &name, unsigned card = 0,
           uint32_t batch = 1024, std::chrono::milliseconds timeout = std::chrono::seconds(5))
        : block_(block), batch_(batch), timeout_(timeout), device_(card),
          kernel_(device_, device_.load_xclbin(xclbin), name), run_(kernel_) {
        if (batch == 0)
            throw std::invalid_argument("a run takes at least one frame");
        for (uint32_t p = 0; p < ports(); p++) {
            buffers_.emplace_back(device_, size_t(stride(p)) * batch, kernel_.group_id(int(p)));
            run_.set_arg(int(p), buffers_.back());
        }
    }

    // Send frames through the kernel. `frames` holds those of inputs; those of outputs come into it.
    void exchange(Frames &frames) {
        const uint64_t count = frames.size() == ports() ? frames[0].size() / stride(0) : 0;
        for (uint32_t p = 0; p < block_.inputs && count > 0; p++)
            if (frames[p].size() != count * stride(p))
                throw std::invalid_argument("inputs differ in the number of frames");
        if (count == 0)
            throw std::invalid_argument("frames are wanted for every port");
        for (uint32_t p = block_.inputs; p < ports(); p++)
            frames[p].resize(count * stride(p));
        for (uint64_t first = 0; first < count; first += batch_)
            run(frames, first, uint32_t(std::min<uint64_t>(batch_, count - first)));
    }

    // Real numbers: for each input `samples` samples as the model has them, and room for each output.
    void predict(const std::vector<const float *> &inputs, const std::vector<float *> &outputs, uint64_t samples) {
        if (inputs.size() != block_.inputs || outputs.size() != block_.outputs)
            throw std::invalid_argument("an array is wanted for every port");
        Frames frames(ports());
        for (uint32_t p = 0; p < block_.inputs; p++) {
            const hwflow_port &port = block_.ports[p];
            frames[p].resize(samples * stride(p));
            for (uint64_t i = 0; i < samples; i++) {
                const hwflow_status status = hwflow_put(&port, inputs[p] + i * port.elements, &frames[p][i * stride(p)]);
                if (status != HWFLOW_OK)
                    throw std::invalid_argument(hwflow_text(status));
            }
        }
        exchange(frames);
        for (uint32_t p = block_.inputs; p < ports(); p++) {
            const hwflow_port &port = block_.ports[p];
            for (uint64_t i = 0; i < samples; i++)
                hwflow_get(&port, &frames[p][i * stride(p)], outputs[p - block_.inputs] + i * port.elements);
        }
    }

  private:
    uint32_t ports() const { return block_.inputs + block_.outputs; }
    uint32_t stride(uint32_t port) const { return block_.ports[port].stride_bytes; }

    void run(Frames &frames, uint64_t first, uint32_t count) {
        for (uint32_t p = 0; p < block_.inputs; p++) {
            buffers_[p].write(&frames[p][first * stride(p)], size_t(count) * stride(p), 0);
            buffers_[p].sync(XCL_BO_SYNC_BO_TO_DEVICE, size_t(count) * stride(p), 0);
        }
        run_.set_arg(int(ports()), count);
        run_.start();
        if (run_.wait(timeout_) != ERT_CMD_STATE_COMPLETED)
            throw std::runtime_error(hwflow_text(HWFLOW_TIMEOUT));
        for (uint32_t p = block_.inputs; p < ports(); p++) {
            buffers_[p].sync(XCL_BO_SYNC_BO_FROM_DEVICE, size_t(count) * stride(p), 0);
            buffers_[p].read(&frames[p][first * stride(p)], size_t(count) * stride(p), 0);
        }
    }

    const hwflow_block &block_;
    const uint32_t batch_;
    const std::chrono::milliseconds timeout_;
    xrt::device device_;
    xrt::kernel kernel_;
    xrt::run run_;
    std::vector<xrt::bo> buffers_;
};

} // namespace hwflow

#endif
