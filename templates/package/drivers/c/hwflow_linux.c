/* Registers and memory of a block under Linux, mapped from device files. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "hwflow_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static int map(hwflow_window *window, const char *device, uint64_t offset, uint64_t address,
               uint32_t size)
{
    void *mapped = MAP_FAILED;
    const int file = open(device, O_RDWR | O_SYNC);
    if (file >= 0) {
        mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);
        (void)close(file); /* the mapping stays */
    }
    if (mapped != MAP_FAILED) {
        window->address = address;
        window->size = size;
        window->mapped = mapped;
    }
    return (mapped == MAP_FAILED) ? -1 : 0;
}

int hwflow_linux_registers(hwflow_linux *mapped, const char *device, uint64_t offset,
                           uint64_t address, uint32_t size)
{
    int status = -1;
    if (mapped->count == HWFLOW_LINUX_WINDOWS) {
        errno = ENOMEM;
    } else {
        status = map(&mapped->windows[mapped->count], device, offset, address, size);
        mapped->count += (status == 0) ? 1U : 0U;
    }
    return status;
}

int hwflow_linux_memory(hwflow_linux *mapped, const char *device, uint64_t address, uint32_t size)
{
    return map(&mapped->memory, device, 0U, address, size);
}

void hwflow_linux_close(hwflow_linux *mapped)
{
    for (uint32_t i = 0U; i < mapped->count; i++) {
        (void)munmap(mapped->windows[i].mapped, mapped->windows[i].size);
    }
    mapped->count = 0U;
    if (mapped->memory.mapped != NULL) {
        (void)munmap(mapped->memory.mapped, mapped->memory.size);
        mapped->memory.mapped = NULL;
    }
}

/* Where a register is mapped; NULL where no window has it. */
static volatile uint32_t *place(const hwflow_linux *mapped, uint64_t address)
{
    volatile uint32_t *found = NULL;
    for (uint32_t i = 0U; (i < mapped->count) && (found == NULL); i++) {
        const hwflow_window *window = &mapped->windows[i];
        if ((address >= window->address) && ((address - window->address) + 4U <= window->size)) {
            found = (volatile uint32_t *)(void *)&window->mapped[address - window->address];
        }
    }
    return found;
}

uint32_t hwflow_linux_read(void *context, uint64_t address)
{
    volatile uint32_t *found = place(context, address);
    return (found == NULL) ? 0U : *found;
}

void hwflow_linux_write(void *context, uint64_t address, uint32_t value)
{
    volatile uint32_t *found = place(context, address);
    if (found != NULL) {
        *found = value;
    }
}

uint64_t hwflow_linux_address(void *context, const uint8_t *memory)
{
    const hwflow_linux *mapped = context;
    return mapped->memory.address + (uint64_t)(memory - mapped->memory.mapped);
}
