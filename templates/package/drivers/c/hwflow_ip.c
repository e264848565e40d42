/* Frames through a block: its control window, and AXI DMAs in direct register mode. */
#include "hwflow_ip.h"

#include <stddef.h>

/* Control of HLS at the begin of the window (AMD UG1399, S_AXILITE). */
#define CONTROL 0x00U
#define START 0x01U
#define DONE 0x02U
#define AUTO_RESTART 0x80U

/* Registers of an AXI DMA, memory to stream and stream to memory (AMD PG021). */
#define MM2S 0x00U
#define S2MM 0x30U
#define DMACR 0x00U
#define DMASR 0x04U
#define ADDRESS 0x18U
#define ADDRESS_MSB 0x1CU
#define LENGTH 0x28U
#define RUN 0x01U
#define IDLE 0x02U
#define ERRORS 0x70U

#define MAGIC 0x48574950U /* HWIP */
#define VERSION 1U

static uint32_t get(const hwflow_bus *bus, uint64_t base, uint32_t offset)
{
    return bus->read(bus->context, base + offset);
}

static void set(const hwflow_bus *bus, uint64_t base, uint32_t offset, uint32_t value)
{
    bus->write(bus->context, base + offset, value);
}

hwflow_status hwflow_identify(const hwflow_bus *bus, const hwflow_block *block)
{
    hwflow_status status = HWFLOW_OK;
    if (get(bus, bus->block, block->magic) != MAGIC) {
        status = HWFLOW_NO_BLOCK;
    } else if (get(bus, bus->block, block->version) != VERSION) {
        status = HWFLOW_OTHER_VERSION;
    } else if (get(bus, bus->block, block->design) != block->design_id) {
        status = HWFLOW_OTHER_DESIGN;
    } else {
        /* it is the one */
    }
    return status;
}

hwflow_status hwflow_open(const hwflow_bus *bus, const hwflow_block *block, uint32_t batch)
{
    hwflow_status status = HWFLOW_OK;
    if ((bus == NULL) || (block == NULL) || (batch == 0U)) {
        status = HWFLOW_BAD_ARGUMENT;
    } else if (block->interface == HWFLOW_AXIS) {
        set(bus, bus->block, block->batch, batch);
        set(bus, bus->block, CONTROL, START | AUTO_RESTART);
        status = hwflow_identify(bus, block);
    } else {
        /* says what it is from its first frame on */
    }
    return status;
}

/* Wait until all of some bits of a register are set, or one that means an error is. */
static hwflow_status wait_for(const hwflow_bus *bus, uint64_t address, uint32_t bits,
                              uint32_t errors)
{
    hwflow_status status = HWFLOW_TIMEOUT;
    for (uint32_t i = 0U; (i < bus->polls) && (status == HWFLOW_TIMEOUT); i++) {
        const uint32_t found = bus->read(bus->context, address);
        if ((found & errors) != 0U) {
            status = HWFLOW_DMA_ERROR;
        } else if ((found & bits) == bits) {
            status = HWFLOW_OK;
        } else {
            /* look again */
        }
    }
    return status;
}

static uint64_t seen_by_dma(const hwflow_bus *bus, const uint8_t *memory)
{
    return bus->address(bus->context, memory);
}

static void begin_transfer(const hwflow_bus *bus, uint64_t channel, const uint8_t *memory,
                           uint32_t size)
{
    const uint64_t place = seen_by_dma(bus, memory);
    set(bus, channel, DMACR, get(bus, channel, DMACR) | RUN);
    set(bus, channel, ADDRESS, (uint32_t)(place & 0xFFFFFFFFU));
    set(bus, channel, ADDRESS_MSB, (uint32_t)(place >> 32U));
    set(bus, channel, LENGTH, size); /* starts it */
}

static uint64_t channel_of(const hwflow_bus *bus, const hwflow_block *block, uint32_t port)
{
    return bus->dmas[port] + (block->ports[port].is_input ? MM2S : S2MM);
}

static uint32_t counted_errors(const hwflow_bus *bus, const hwflow_block *block)
{
    uint32_t errors = 0U;
    for (uint32_t p = 0U; p < block->inputs; p++) {
        errors += get(bus, bus->block, block->ports[p].errors);
    }
    return errors;
}

/* One packet by every port. */
static hwflow_status run_packet(const hwflow_bus *bus, const hwflow_block *block,
                                uint8_t *const *memory, uint32_t first, uint32_t batch)
{
    const uint32_t ports = block->inputs + block->outputs;
    hwflow_status status = HWFLOW_OK;
    for (uint32_t i = 0U; i < ports; i++) { /* receivers first */
        const uint32_t p = ports - 1U - i;
        const uint32_t stride = block->ports[p].stride_bytes;
        begin_transfer(bus, channel_of(bus, block, p), &memory[p][first * stride], batch * stride);
    }
    for (uint32_t p = 0U; (p < ports) && (status == HWFLOW_OK); p++) {
        const uint64_t channel = channel_of(bus, block, p);
        const hwflow_port *port = &block->ports[p];
        const uint32_t behind = port->stride_bytes - (port->elements * port->lane_bytes);
        status = wait_for(bus, channel + DMASR, IDLE, ERRORS);
        if ((status == HWFLOW_OK) && (p >= block->inputs) && /* TKEEP leaves out what is behind */
            (get(bus, channel, LENGTH) != (batch * port->stride_bytes) - behind)) {
            status = HWFLOW_DMA_ERROR;
        }
    }
    return status;
}

static hwflow_status run_stream(const hwflow_bus *bus, const hwflow_block *block,
                                uint8_t *const *memory, uint32_t frames)
{
    const uint32_t set_batch = get(bus, bus->block, block->batch);
    const uint32_t batch = (set_batch == 0U) ? 1U : set_batch;
    const uint32_t before = counted_errors(bus, block);
    hwflow_status status = ((frames % batch) == 0U) ? HWFLOW_OK : HWFLOW_BAD_ARGUMENT;
    for (uint32_t f = 0U; (f < frames) && (status == HWFLOW_OK); f += batch) {
        status = run_packet(bus, block, memory, f, batch);
    }
    if (counted_errors(bus, block) != before) { /* tells more than that time is up */
        status = HWFLOW_WRONG_FRAME;
    }
    return status;
}

static hwflow_status run_memory(const hwflow_bus *bus, const hwflow_block *block,
                                uint8_t *const *memory, uint32_t frames)
{
    for (uint32_t p = 0U; p < block->inputs + block->outputs; p++) {
        const uint64_t place = seen_by_dma(bus, memory[p]);
        set(bus, bus->block, block->ports[p].address, (uint32_t)(place & 0xFFFFFFFFU));
        set(bus, bus->block, block->ports[p].address + 4U, (uint32_t)(place >> 32U));
    }
    set(bus, bus->block, block->frames, frames);
    set(bus, bus->block, CONTROL, START);
    return wait_for(bus, bus->block + CONTROL, DONE, 0U);
}

static hwflow_status run_registers(const hwflow_bus *bus, const hwflow_block *block,
                                   uint8_t *const *memory, uint32_t frame)
{
    const uint32_t ports = block->inputs + block->outputs;
    hwflow_status status;
    for (uint32_t p = 0U; p < block->inputs; p++) {
        const hwflow_port *port = &block->ports[p];
        const uint8_t *bytes = &memory[p][frame * port->stride_bytes];
        for (uint32_t i = 0U; i < port->stride_bytes; i += 4U) {
            const uint32_t word = (uint32_t)bytes[i] | ((uint32_t)bytes[i + 1U] << 8U) |
                                  ((uint32_t)bytes[i + 2U] << 16U) |
                                  ((uint32_t)bytes[i + 3U] << 24U);
            set(bus, bus->block, port->address + i, word);
        }
    }
    set(bus, bus->block, CONTROL, START);
    status = wait_for(bus, bus->block + CONTROL, DONE, 0U);
    for (uint32_t p = block->inputs; (p < ports) && (status == HWFLOW_OK); p++) {
        const hwflow_port *port = &block->ports[p];
        for (uint32_t i = 0U; i < port->stride_bytes; i++) {
            const uint32_t word = get(bus, bus->block, port->address + (i & ~3U));
            memory[p][(frame * port->stride_bytes) + i] = (uint8_t)(word >> (8U * (i & 3U)));
        }
    }
    return status;
}

uint32_t hwflow_weights(const hwflow_bus *bus, const hwflow_block *block)
{
    return get(bus, bus->block, block->weights);
}

/* Whether the weights are whole; constants always are. */
static bool has_weights(const hwflow_bus *bus, const hwflow_block *block)
{
    return (block->image_words == 0U) || (hwflow_weights(bus, block) != 0U);
}

hwflow_status hwflow_run(const hwflow_bus *bus, const hwflow_block *block, uint8_t *const *memory,
                         uint32_t frames)
{
    hwflow_status status = HWFLOW_OK;
    if ((bus == NULL) || (block == NULL) || (memory == NULL) || (frames == 0U)) {
        return HWFLOW_BAD_ARGUMENT;
    }
    for (uint32_t p = 0U; (p < block->inputs) && (bus->flush != NULL); p++) {
        bus->flush(bus->context, memory[p], frames * block->ports[p].stride_bytes);
    }
    if (block->interface == HWFLOW_AXIS) { /* frames would wait in the block */
        status = has_weights(bus, block) ? run_stream(bus, block, memory, frames)
                                         : HWFLOW_NO_WEIGHTS;
    } else if (block->interface == HWFLOW_MEMORY) {
        status = run_memory(bus, block, memory, frames);
    } else {
        for (uint32_t f = 0U; (f < frames) && (status == HWFLOW_OK); f++) {
            status = run_registers(bus, block, memory, f);
        }
    }
    for (uint32_t p = 0U; (p < block->outputs) && (bus->invalidate != NULL); p++) {
        const uint32_t output = block->inputs + p;
        bus->invalidate(bus->context, memory[output],
                        frames * block->ports[output].stride_bytes);
    }
    if ((status == HWFLOW_OK) && (block->interface != HWFLOW_AXIS)) {
        status = hwflow_identify(bus, block);
    }
    if ((status == HWFLOW_OK) && !has_weights(bus, block)) {
        status = HWFLOW_NO_WEIGHTS;
    }
    return status;
}

const char *hwflow_text(hwflow_status status)
{
    static const char *const TEXTS[] = {
        "all is well",
        "a null pointer, no frames, or no whole packets of frames",
        "no block of hwflow is at this address",
        "the block has a control window of another version",
        "the block holds another network, packing or interface",
        "a number is NaN or infinite",
        "the block counted a packet of a wrong length",
        "a DMA stopped with an error, or fewer bytes came than were to come",
        "no result in time",
        "the weight image is cut off, damaged or of another version",
        "the weight image is for another block",
        "the weights in the block are not whole: load an image",
    };
    return ((uint32_t)status < (sizeof TEXTS / sizeof TEXTS[0])) ? TEXTS[status] : "unknown status";
}
