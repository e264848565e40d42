/* Drives a block that hwflow packaged: real numbers to frames and back, and frames through the
 * block. C99, no allocation, no global state. What a block is stands in its generated driver. */
#ifndef HWFLOW_IP_H
#define HWFLOW_IP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    HWFLOW_OK = 0,
    HWFLOW_BAD_ARGUMENT,  /* a null pointer; no frames, or no whole packets of them */
    HWFLOW_NO_BLOCK,      /* no block of hwflow is at the address */
    HWFLOW_OTHER_VERSION, /* it has a control window of another version */
    HWFLOW_OTHER_DESIGN,  /* it holds another network, packing or interface */
    HWFLOW_NOT_FINITE,    /* a number is NaN or infinite */
    HWFLOW_WRONG_FRAME,   /* the block counted a packet of a wrong length */
    HWFLOW_DMA_ERROR,     /* a DMA stopped with an error, or fewer bytes came than were to come */
    HWFLOW_TIMEOUT,       /* no result within the polls of the bus */
    HWFLOW_BAD_IMAGE,     /* a weight image that is cut off, damaged or of another version */
    HWFLOW_OTHER_IMAGE,   /* a weight image of another block */
    HWFLOW_NO_WEIGHTS     /* the weights in the block are not whole: load an image */
} hwflow_status;

/* Rounding: of ap_fixed where a number is assigned to a type, of QONNX where it is quantised. */
typedef enum {
    HWFLOW_TRN, HWFLOW_TRN_ZERO, HWFLOW_RND, HWFLOW_RND_ZERO, HWFLOW_RND_INF, HWFLOW_RND_MIN_INF,
    HWFLOW_RND_CONV, HWFLOW_ROUND, HWFLOW_CEIL, HWFLOW_FLOOR, HWFLOW_UP, HWFLOW_DOWN,
    HWFLOW_HALF_UP, HWFLOW_HALF_DOWN, HWFLOW_SIGN
} hwflow_rounding;

typedef enum { HWFLOW_WRAP, HWFLOW_SAT, HWFLOW_SAT_ZERO, HWFLOW_SAT_SYM } hwflow_overflow;

typedef enum { HWFLOW_AXIS, HWFLOW_AXI_LITE, HWFLOW_MEMORY } hwflow_interface;

/* How the host quantises: round(clamp(x / scale + zero_point, minimum, maximum)) - zero_point. */
typedef struct {
    int64_t minimum;
    int64_t maximum;
    uint32_t count; /* of scales and zero points: 1, channels, or elements */
    const double *scale;
    const int64_t *zero_point;
} hwflow_quantizer;

/* A port: how its elements lie, and what they mean. */
typedef struct {
    bool is_input;
    bool is_signed;
    bool is_float; /* lanes hold float, not integers */
    uint32_t width;
    int32_t fractional_bits;
    uint32_t lane_bytes;
    uint32_t elements;     /* of a frame */
    uint32_t stride_bytes; /* from frame to frame */
    uint32_t rank;
    const uint32_t *shape;  /* as the hardware has it, channels last */
    const uint32_t *places; /* steps in the model's tensor, in elements, by axis of `shape` */
    hwflow_rounding rounding;
    hwflow_overflow overflow;
    const hwflow_quantizer *quantizer; /* NULL where a number is assigned to the type */
    uint32_t scales;                   /* 1, channels, or elements */
    const double *scale;               /* each number as a sum of two, the first one nearest */
    const double *scale_rest;
    uint32_t offsets;
    const double *offset;
    const double *offset_rest;
    uint32_t address; /* axi-lite: of the first word; memory: of the register with the address */
    uint32_t errors;  /* axis: address of the error counter of an input */
} hwflow_port;

typedef struct {
    hwflow_interface interface;
    uint32_t inputs;
    uint32_t outputs;
    const hwflow_port *ports; /* inputs, then outputs */
    uint32_t design_id;
    uint32_t magic;   /* addresses of registers */
    uint32_t version;
    uint32_t design;
    uint32_t batch;   /* axis */
    uint32_t frames;  /* memory */
    uint32_t image_words;  /* of a weight image; 0 where all weights are constants */
    uint32_t window;       /* address of the window for these words, and how many it holds */
    uint32_t window_words;
    uint32_t load_words;
    uint32_t load_digest;
    uint32_t load;
    uint32_t loaded;
    uint32_t weights;
} hwflow_block;

/* How a block is reached. `dmas` has the base address of the AXI DMA of each port, in direct
 * register mode, in the order of the ports; a DMA may serve an input and an output. */
typedef struct {
    void *context;
    uint32_t (*read)(void *context, uint64_t address);
    void (*write)(void *context, uint64_t address, uint32_t value);
    uint64_t (*address)(void *context, const uint8_t *memory);             /* as a DMA sees it */
    void (*flush)(void *context, const uint8_t *memory, uint32_t size);    /* NULL without cache */
    void (*invalidate)(void *context, uint8_t *memory, uint32_t size);     /* NULL without cache */
    uint64_t block; /* base address of the control window */
    const uint64_t *dmas;
    uint32_t polls; /* looks at a register before a transfer counts as lost */
} hwflow_bus;

/* Registers at their addresses, for bare metal; `context` is not used. */
uint32_t hwflow_mmio_read(void *context, uint64_t address);
void hwflow_mmio_write(void *context, uint64_t address, uint32_t value);
uint64_t hwflow_mmio_address(void *context, const uint8_t *memory);

/* Start a block and make sure that it is the one described. `batch`: frames of a packet of
 * AXI4-Stream, which cannot be changed before the next reset; others ignore it. With AXI4-Lite or
 * memory a block says what it is from its first frame on: see `hwflow_identify`. */
hwflow_status hwflow_open(const hwflow_bus *bus, const hwflow_block *block, uint32_t batch);
hwflow_status hwflow_identify(const hwflow_bus *bus, const hwflow_block *block);

/* Send frames through a block, and wait for the results. `memory`: for each port, inputs first, its
 * frames one after another; reachable by a DMA and aligned to words. */
hwflow_status hwflow_run(const hwflow_bus *bus, const hwflow_block *block, uint8_t *const *memory,
                         uint32_t frames);

/* Give a block other weights: an image that `hwflow weights` wrote for it, of `size` bytes. Frames
 * that are sent meanwhile wait; none is computed before all weights are there and have the digest of
 * the image. */
hwflow_status hwflow_load(const hwflow_bus *bus, const hwflow_block *block, const uint8_t *image,
                          uint32_t size);

/* The digest of the weights in a block; 0 where they are not whole, or with AXI4-Lite or memory before
 * the first start. */
uint32_t hwflow_weights(const hwflow_bus *bus, const hwflow_block *block);

/* Real numbers to a frame: `values` lie as the model has them. */
hwflow_status hwflow_put(const hwflow_port *port, const float *values, uint8_t *frame);

/* A frame to real numbers, each rounded once to double and then to float. */
void hwflow_get(const hwflow_port *port, const uint8_t *frame, float *values);

/* An element of a frame, in the hardware's order: what its lane holds, and the real number. */
int64_t hwflow_mantissa(const hwflow_port *port, const uint8_t *frame, uint32_t element);
double hwflow_value(const hwflow_port *port, const uint8_t *frame, uint32_t element);

/* What a status means, in English. */
const char *hwflow_text(hwflow_status status);

#ifdef __cplusplus
}
#endif

#endif
