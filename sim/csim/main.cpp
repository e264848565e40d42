// C++ simulation: runs every sample of a file through the generated top function.
//
// usage: simulation INPUTS OUTPUTS SAMPLES
//   INPUTS   float64, per sample all inputs one after another, channels last
//   OUTPUTS  float64, per sample all outputs, then every traced layer, in name order
//   SAMPLES  number of samples
// Weights are read as float64 from ./weights.
#include "hwflow_csim.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hwflow_csim {

static double *current; // values of the sample that is computed

static void fail(const char *what, const char *which = "") {
    std::fprintf(stderr, "csim: %s%s\n", what, which);
    std::exit(3);
}

static double *numbers(unsigned long size) {
    double *found = (double *)std::calloc(size + 1, sizeof(double));
    if (!found)
        fail("not enough memory");
    return found;
}

const double *weights(const char *file, unsigned long size) {
    char path[4096];
    std::snprintf(path, sizeof path, "weights/%s", file);
    std::FILE *in = std::fopen(path, "rb");
    if (!in)
        fail("cannot open ", path);
    double *found = numbers(size + 1);
    if (std::fread(found, sizeof(double), size + 1, in) != size)
        fail("not the number of weights that the C++ has: ", path);
    std::fclose(in);
    return found;
}

double *trace(const char *layer, unsigned long size) {
    for (const Slot *slot = slots; slot->layer; slot++)
        if (std::strcmp(slot->layer, layer) == 0 && slot->size == size)
            return current + slot->at;
    fail("a trace that is not expected: ", layer);
    return 0;
}

long long mantissa(double value, int width, int fractional, bool is_signed) {
    const double scaled = std::ldexp(value, fractional);
    const double end = std::ldexp(1.0, width - (is_signed ? 1 : 0));
    if (!(scaled >= (is_signed ? -end : 0.0) && scaled < end) || scaled != std::floor(scaled))
        fail("a weight is no value of its C++ type");
    return (long long)scaled;
}

void written_behind() { fail("a layer writes behind the end of an array"); }

} // namespace hwflow_csim

int main(int argc, char **argv) {
    using namespace hwflow_csim;
    if (argc != 4)
        fail("usage: simulation INPUTS OUTPUTS SAMPLES");
    std::FILE *in = std::fopen(argv[1], "rb");
    std::FILE *out = std::fopen(argv[2], "wb");
    if (!in || !out)
        fail("cannot open the data files");
    const long samples = std::atol(argv[3]);
    double *inputs = numbers(input_size);
    current = numbers(output_size);
    for (long i = 0; i < samples; i++) {
        if (std::fread(inputs, sizeof(double), input_size, in) != input_size)
            fail("the input file is too short");
        sample(inputs, current);
        if (std::fwrite(current, sizeof(double), output_size, out) != output_size)
            fail("cannot write the outputs");
    }
    if (std::fclose(out) != 0)
        fail("cannot write the outputs");
    return 0;
}
