/* Registers at their addresses, for bare metal, or for an address that was mapped. */
#include "hwflow_ip.h"

uint32_t hwflow_mmio_read(void *context, uint64_t address)
{
    (void)context;
    return *(const volatile uint32_t *)(uintptr_t)address;
}

void hwflow_mmio_write(void *context, uint64_t address, uint32_t value)
{
    (void)context;
    *(volatile uint32_t *)(uintptr_t)address = value;
}

uint64_t hwflow_mmio_address(void *context, const uint8_t *memory)
{
    (void)context;
    return (uint64_t)(uintptr_t)memory;
}
