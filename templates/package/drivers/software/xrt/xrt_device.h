// A card made of software: as much of XRT's device as hwflow_xrt.h uses. In the place of an xclbin
// stands what `v++ --link` reads, which names the compute units.
#ifndef HWFLOW_SOFTWARE_XRT_DEVICE_H
#define HWFLOW_SOFTWARE_XRT_DEVICE_H

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>

extern "C" { // of board.cpp
uint64_t board_place(unsigned what);
uint8_t *board_memory();
uint32_t board_read(uint64_t address);
void board_write(uint64_t address, uint32_t value);
}

namespace xrt {

struct uuid {
    std::string compute_units; // KERNEL:NUMBER:NAME
};

class device {
  public:
    explicit device(unsigned index) {
        if (index != 0)
            throw std::runtime_error("No such device with index '" + std::to_string(index) + "'");
    }
    uuid load_xclbin(const std::string &path) {
        std::ifstream file(path);
        uuid found;
        for (std::string line; std::getline(file, line);)
            if (line.compare(0, 3, "nk=") == 0)
                found.compute_units = line.substr(3);
        if (found.compute_units.empty())
            throw std::runtime_error("failed to load xclbin '" + path + "'");
        return found;
    }
};

} // namespace xrt

#endif
