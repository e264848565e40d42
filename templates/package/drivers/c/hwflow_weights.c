/* Other weights for a block: an image, step by step through the window of its registers. */
#include "hwflow_ip.h"

#include <stddef.h>

#define CONTROL 0x00U
#define START 0x01U
#define DONE 0x02U

/* The head of an image: words of 32 bits. */
#define MAGIC 0x54575748U /* HWWT */
#define VERSION 1U
#define HEAD_WORDS 6U

static uint32_t get(const hwflow_bus *bus, uint32_t offset)
{
    return bus->read(bus->context, bus->block + offset);
}

static void set(const hwflow_bus *bus, uint32_t offset, uint32_t value)
{
    bus->write(bus->context, bus->block + offset, value);
}

static uint32_t word_at(const uint8_t *image, uint32_t number)
{
    const uint8_t *bytes = &image[number * 4U];
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8U) | ((uint32_t)bytes[2] << 16U) |
           ((uint32_t)bytes[3] << 24U);
}

/* CRC-32 of IEEE 802.3. */
static uint32_t crc_of(const uint8_t *bytes, uint32_t size)
{
    uint32_t crc = 0xFFFFFFFFU;
    for (uint32_t i = 0U; i < size; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0U; bit < 8U; bit++) {
            crc = (crc >> 1U) ^ (((crc & 1U) != 0U) ? 0xEDB88320U : 0U);
        }
    }
    return crc ^ 0xFFFFFFFFU;
}

static hwflow_status check_image(const hwflow_block *block, const uint8_t *image, uint32_t size)
{
    const uint32_t wanted = (HEAD_WORDS + block->image_words) * 4U;
    hwflow_status status = HWFLOW_OK;
    if ((size < (HEAD_WORDS * 4U)) || (word_at(image, 0U) != MAGIC) ||
        (word_at(image, 1U) != VERSION) || (word_at(image, 5U) != crc_of(image, 20U))) {
        status = HWFLOW_BAD_IMAGE;
    } else if (word_at(image, 2U) != block->design_id) {
        status = HWFLOW_OTHER_IMAGE;
    } else if ((size != wanted) || (word_at(image, 3U) != block->image_words)) {
        status = HWFLOW_BAD_IMAGE;
    } else {
        const uint32_t crc = crc_of(&image[HEAD_WORDS * 4U], block->image_words * 4U);
        status = (word_at(image, 4U) == ((crc == 0U) ? 1U : crc)) ? HWFLOW_OK : HWFLOW_BAD_IMAGE;
    }
    return status;
}

/* Let the block take a step: words that stand in the window, or none to begin. */
static hwflow_status take_step(const hwflow_bus *bus, const hwflow_block *block, uint32_t words)
{
    const uint32_t step = get(bus, block->loaded) + 1U;
    hwflow_status status = HWFLOW_TIMEOUT;
    set(bus, block->load_words, words);
    set(bus, block->load, step);
    if (block->interface != HWFLOW_AXIS) { /* AXI4-Stream starts again and again */
        set(bus, CONTROL, START);
        for (uint32_t i = 0U; (i < bus->polls) && ((get(bus, CONTROL) & DONE) == 0U); i++) {
            /* look again */
        }
    }
    for (uint32_t i = 0U; (i < bus->polls) && (status == HWFLOW_TIMEOUT); i++) {
        status = (get(bus, block->loaded) == step) ? HWFLOW_OK : HWFLOW_TIMEOUT;
    }
    return status;
}

hwflow_status hwflow_load(const hwflow_bus *bus, const hwflow_block *block, const uint8_t *image,
                          uint32_t size)
{
    hwflow_status status;
    if ((bus == NULL) || (block == NULL) || (image == NULL) || (block->image_words == 0U)) {
        return HWFLOW_BAD_ARGUMENT;
    }
    status = check_image(block, image, size);
    if (status != HWFLOW_OK) {
        return status;
    }
    set(bus, block->load_digest, word_at(image, 4U));
    status = take_step(bus, block, 0U);
    for (uint32_t at = 0U; (at < block->image_words) && (status == HWFLOW_OK);
         at += block->window_words) {
        const uint32_t left = block->image_words - at;
        const uint32_t words = (left < block->window_words) ? left : block->window_words;
        for (uint32_t i = 0U; i < words; i++) {
            set(bus, block->window + (4U * i), word_at(image, HEAD_WORDS + at + i));
        }
        status = take_step(bus, block, words);
    }
    if (status == HWFLOW_OK) {
        status = hwflow_identify(bus, block);
    }
    if ((status == HWFLOW_OK) && (hwflow_weights(bus, block) != word_at(image, 4U))) {
        status = HWFLOW_NO_WEIGHTS;
    }
    return status;
}
