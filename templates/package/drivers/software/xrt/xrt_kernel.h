// Kernels on a card made of software: arguments become registers, as XRT does it on a card.
#ifndef HWFLOW_SOFTWARE_XRT_KERNEL_H
#define HWFLOW_SOFTWARE_XRT_KERNEL_H

#include "xrt_bo.h"

#include <chrono>

enum ert_cmd_state { ERT_CMD_STATE_COMPLETED = 4, ERT_CMD_STATE_TIMEOUT = 8 };

namespace xrt {

class kernel {
  public:
    // name: KERNEL:{COMPUTE_UNIT}
    kernel(const device &, const uuid &loaded, const std::string &name) {
        const size_t brace = name.find(":{");
        if (brace == std::string::npos || name.back() != '}' ||
            name.substr(0, brace) + ":1:" + name.substr(brace + 2, name.size() - brace - 3) != loaded.compute_units)
            throw std::runtime_error("No compute units matching '" + name + "'");
    }
    int group_id(int argument) const { return argument; }
};

class run {
  public:
    explicit run(const kernel &) {}
    void set_arg(int index, const bo &buffer) {
        set(index, 0, uint32_t(buffer.address()));
        set(index, 4, uint32_t(buffer.address() >> 32));
    }
    void set_arg(int index, uint32_t value) { set(index, 0, value); }
    void start() { board_write(board_place(0), 1); }
    ert_cmd_state wait(const std::chrono::milliseconds &) {
        return board_read(board_place(0)) & 2 ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_TIMEOUT;
    }

  private:
    static void set(int index, uint32_t offset, uint32_t value) {
        static const uint32_t ADDRESSES[] = {HWFLOW_ARGUMENTS};
        if (index < 0 || size_t(index) >= sizeof ADDRESSES / sizeof *ADDRESSES)
            throw std::runtime_error("no argument " + std::to_string(index));
        board_write(board_place(0) + ADDRESSES[index] + offset, value);
    }
};

} // namespace xrt

#endif
