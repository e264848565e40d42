/* Registers and memory of a block under Linux, mapped from device files: /dev/uioN or /dev/mem for
 * registers, a u-dma-buf (/dev/udmabuf0) for memory that a DMA reaches. */
#ifndef HWFLOW_LINUX_H
#define HWFLOW_LINUX_H

#include "hwflow_ip.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HWFLOW_LINUX_WINDOWS 16U /* the block and its DMAs */

typedef struct {
    uint64_t address; /* base address in the design */
    uint32_t size;
    uint8_t *mapped;
} hwflow_window;

typedef struct {
    hwflow_window windows[HWFLOW_LINUX_WINDOWS];
    uint32_t count;
    hwflow_window memory;
} hwflow_linux; /* begin with all zeros */

/* Map a window of registers. `offset`: where it is in the file; 0 for a UIO device, the base address
 * for /dev/mem. All return 0, or -1 with the reason in errno. */
int hwflow_linux_registers(hwflow_linux *mapped, const char *device, uint64_t offset,
                           uint64_t address, uint32_t size);

/* Map memory for frames; `address`: where a DMA sees it, phys_addr of a u-dma-buf. Open it without a
 * cache (sync_mode 1 to 3), or flush and invalidate it in the bus. */
int hwflow_linux_memory(hwflow_linux *mapped, const char *device, uint64_t address, uint32_t size);

/* Give all mappings back. */
void hwflow_linux_close(hwflow_linux *mapped);

/* Functions of a bus, whose context is the `hwflow_linux`. */
uint32_t hwflow_linux_read(void *context, uint64_t address);
void hwflow_linux_write(void *context, uint64_t address, uint32_t value);
uint64_t hwflow_linux_address(void *context, const uint8_t *memory);

#ifdef __cplusplus
}
#endif

#endif
