// Buffers on a card made of software: the host's bytes and the card's differ until they are synchronised.
#ifndef HWFLOW_SOFTWARE_XRT_BO_H
#define HWFLOW_SOFTWARE_XRT_BO_H

#include "xrt_device.h"

#include <cstring>
#include <vector>

enum xclBOSyncDirection { XCL_BO_SYNC_BO_TO_DEVICE = 0, XCL_BO_SYNC_BO_FROM_DEVICE };

namespace xrt {

class bo {
  public:
    bo(const device &, size_t size, int group) : held_(size, 0xA5), place_(taken()) {
        if (group < 0)
            throw std::runtime_error("no memory bank");
        taken() += (size + 4095) / 4096 * 4096;
        if (taken() > board_place(4))
            throw std::bad_alloc();
    }
    void write(const void *source, size_t size, size_t seek) {
        std::memcpy(within(size, seek), source, size);
    }
    void read(void *destination, size_t size, size_t skip) {
        std::memcpy(destination, within(size, skip), size);
    }
    void sync(xclBOSyncDirection direction, size_t size, size_t offset) {
        uint8_t *host = within(size, offset), *card = board_memory() + place_ + offset;
        const bool out = direction == XCL_BO_SYNC_BO_TO_DEVICE;
        std::memcpy(out ? card : host, out ? host : card, size);
    }
    uint64_t address() const { return board_place(3) + place_; }

  private:
    static size_t &taken() {
        static size_t bytes = 0;
        return bytes;
    }
    uint8_t *within(size_t size, size_t offset) {
        if (offset + size > held_.size())
            throw std::runtime_error("range exceeds buffer size");
        return held_.data() + offset;
    }
    std::vector<uint8_t> held_;
    size_t place_;
};

} // namespace xrt

#endif
