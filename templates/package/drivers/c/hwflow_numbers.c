/* Real numbers to the integers that the hardware takes, and back, in every bit as hwflow does.
 *
 * `assigned` has the formulas of ap_fixed (AMD UG1399), `level` those of QONNX's quantisers, whose
 * quotient is never trusted: fma tells on which side of a boundary a number lies, exactly, since
 * its one rounding keeps the sign. */
#include "hwflow_ip.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define WIDEST 62 /* bits of the widest type */
#define MOST_AXES 8

static double rounded(double x, hwflow_rounding rounding)
{
    const double below = floor(x);
    const double rest = x - below; /* exact */
    const bool negative = x < 0.0;
    bool up = false;
    switch (rounding) {
    case HWFLOW_TRN:
        break;
    case HWFLOW_TRN_ZERO:
        up = negative && (rest > 0.0);
        break;
    case HWFLOW_RND:
        up = rest >= 0.5;
        break;
    case HWFLOW_RND_MIN_INF:
        up = rest > 0.5;
        break;
    case HWFLOW_RND_ZERO:
        up = (rest > 0.5) || ((rest == 0.5) && negative);
        break;
    case HWFLOW_RND_INF:
        up = (rest > 0.5) || ((rest == 0.5) && !negative);
        break;
    default: /* HWFLOW_RND_CONV */
        up = (rest > 0.5) || ((rest == 0.5) && (fmod(below, 2.0) != 0.0));
        break;
    }
    return up ? below + 1.0 : below;
}

static int64_t wrapped(double whole, const hwflow_port *port)
{
    const double left = fmod(whole, ldexp(1.0, (int)port->width)); /* exact */
    const uint64_t mask = (UINT64_C(1) << port->width) - 1U;
    const uint64_t bits = (uint64_t)(int64_t)left & mask;
    const bool negative = port->is_signed && ((bits >> (port->width - 1U)) != 0U);
    return negative ? -(int64_t)(mask - bits) - 1 : (int64_t)bits;
}

static int64_t assigned(double x, const hwflow_port *port)
{
    const double whole = rounded(ldexp(x, (int)port->fractional_bits), port->rounding);
    const double end = ldexp(1.0, WIDEST);
    int64_t raw;
    if (port->overflow == HWFLOW_WRAP) {
        raw = wrapped(whole, port);
    } else {
        const uint32_t bits = port->is_signed ? port->width - 1U : port->width;
        const int64_t high = (int64_t)((UINT64_C(1) << bits) - 1U);
        const int64_t low = port->is_signed ? -high - 1 : 0;
        raw = (int64_t)((whole > end) ? end : ((whole < -end) ? -end : whole));
        if ((raw < low) || (raw > high)) {
            if (port->overflow == HWFLOW_SAT_ZERO) {
                raw = 0;
            } else {
                raw = (raw > high) ? high : low;
            }
        }
        if ((port->overflow == HWFLOW_SAT_SYM) && port->is_signed && (raw == low)) {
            raw = -high;
        }
    }
    return raw;
}

/* The integer below x / scale, and where the quotient is between it and the next one. */
static double integer_below(double x, double scale, double near)
{
    double below = floor(near);
    while (fma(below, scale, -x) > 0.0) {
        below -= 1.0;
    }
    while (fma(below + 1.0, scale, -x) <= 0.0) {
        below += 1.0;
    }
    return below;
}

static bool rounds_up(hwflow_rounding rounding, double level, bool between, double half)
{
    const bool negative = level < 0.0; /* the number is, where it is no integer */
    bool up = false;                   /* half: above 0 where the number is above the middle */
    switch (rounding) {
    case HWFLOW_CEIL:
        up = between;
        break;
    case HWFLOW_UP:
        up = between && !negative;
        break;
    case HWFLOW_DOWN:
        up = between && negative;
        break;
    case HWFLOW_ROUND:
        up = (half > 0.0) || ((half == 0.0) && (fmod(level, 2.0) != 0.0));
        break;
    case HWFLOW_HALF_UP:
        up = (half > 0.0) || ((half == 0.0) && !negative);
        break;
    case HWFLOW_HALF_DOWN:
        up = (half > 0.0) || ((half == 0.0) && negative);
        break;
    default: /* HWFLOW_FLOOR */
        break;
    }
    return up;
}

static int64_t level(double x, const hwflow_port *port, uint32_t element)
{
    const hwflow_quantizer *q = port->quantizer;
    const double scale = q->scale[element % q->count];
    const int64_t zero = q->zero_point[element % q->count];
    const double near = x / scale;
    const double low = (double)(q->minimum - zero);
    const double high = (double)(q->maximum - zero);
    int64_t found;
    if (port->rounding == HWFLOW_SIGN) {
        found = ((fma((double)zero, scale, x) >= 0.0) ? 1 : -1) - zero;
    } else if (near < low - 1.0) {
        found = q->minimum - zero;
    } else if (near > high + 1.0) {
        found = q->maximum - zero;
    } else {
        const double below = integer_below(x, scale, near);
        const bool between = fma(below, scale, -x) < 0.0;
        const double half = -fma(below + 0.5, scale, -x);
        const double shifted = below + (double)zero; /* rounding is that of the level */
        const double whole = rounds_up(port->rounding, shifted, between, half) ? below + 1.0 : below;
        found = (int64_t)((whole < low) ? low : ((whole > high) ? high : whole));
    }
    return found;
}

static void write_lane(const hwflow_port *port, uint64_t bits, uint8_t *lane)
{
    for (uint32_t i = 0U; i < port->lane_bytes; i++) {
        lane[i] = (uint8_t)((bits >> (8U * i)) & 0xFFU);
    }
}

static uint64_t read_lane(const hwflow_port *port, const uint8_t *lane)
{
    uint64_t bits = 0U;
    for (uint32_t i = 0U; i < port->lane_bytes; i++) {
        bits |= (uint64_t)lane[i] << (8U * i);
    }
    return bits;
}

/* Go on to the next element in the hardware's order; returns its place in the model's tensor. */
static uint32_t next_place(const hwflow_port *port, uint32_t *index, uint32_t place)
{
    uint32_t axis = port->rank;
    bool carry = true;
    while (carry && (axis > 0U)) {
        axis--;
        index[axis]++;
        place += port->places[axis];
        carry = index[axis] == port->shape[axis];
        if (carry) {
            place -= index[axis] * port->places[axis];
            index[axis] = 0U;
        }
    }
    return place;
}

hwflow_status hwflow_put(const hwflow_port *port, const float *values, uint8_t *frame)
{
    hwflow_status status = HWFLOW_OK;
    uint32_t index[MOST_AXES] = {0U};
    uint32_t place = 0U;
    (void)memset(frame, 0, port->stride_bytes);
    for (uint32_t i = 0U; i < port->elements; i++) {
        const float x = values[place];
        uint64_t bits = 0U;
        if (!isfinite(x)) {
            status = HWFLOW_NOT_FINITE;
        } else if (port->is_float) {
            uint32_t word;
            (void)memcpy(&word, &x, sizeof word);
            bits = word;
        } else if (port->quantizer != NULL) {
            bits = (uint64_t)level((double)x, port, i);
        } else {
            bits = (uint64_t)assigned((double)x, port);
        }
        write_lane(port, bits, &frame[i * port->lane_bytes]);
        place = next_place(port, index, place);
    }
    return status;
}

int64_t hwflow_mantissa(const hwflow_port *port, const uint8_t *frame, uint32_t element)
{
    const uint64_t bits = read_lane(port, &frame[element * port->lane_bytes]);
    const uint64_t sign = UINT64_C(1) << ((8U * port->lane_bytes) - 1U);
    const bool negative = port->is_signed && ((bits & sign) != 0U);
    const uint64_t mask = sign | (sign - 1U);
    return negative ? -(int64_t)(mask - bits) - 1 : (int64_t)bits;
}

/* a + b, and what its rounding left over (Knuth, "The Art of Computer Programming", 4.2.2). */
static double sum(double a, double b, double *rest)
{
    const volatile double total = a + b;
    const volatile double b_in = total - a;
    const volatile double a_in = total - b_in;
    *rest = (a - a_in) + (b - b_in);
    return total;
}

double hwflow_value(const hwflow_port *port, const uint8_t *frame, uint32_t element)
{
    if (port->is_float) {
        const uint32_t word = (uint32_t)read_lane(port, &frame[element * port->lane_bytes]);
        float value;
        (void)memcpy(&value, &word, sizeof value);
        return (double)value;
    }
    const int64_t raw = hwflow_mantissa(port, frame, element);
    const double m = (double)raw;
    const double m_rest = (double)(raw - (int64_t)m); /* integers of more than 53 bits */
    const uint32_t s = element % port->scales;
    const uint32_t o = element % port->offsets;
    const double product = m * port->scale[s];
    double rest = fma(m, port->scale[s], -product);
    double sum_rest;
    double total;
    rest += (m * port->scale_rest[s]) + (m_rest * port->scale[s]);
    total = sum(product, port->offset[o], &sum_rest);
    return total + (sum_rest + (rest + port->offset_rest[o]));
}

void hwflow_get(const hwflow_port *port, const uint8_t *frame, float *values)
{
    uint32_t index[MOST_AXES] = {0U};
    uint32_t place = 0U;
    for (uint32_t i = 0U; i < port->elements; i++) {
        values[place] = (float)hwflow_value(port, frame, i);
        place = next_place(port, index, place);
    }
}
