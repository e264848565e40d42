// AXI4-Stream beats for g++, in the place of the header of the same name that HLS tools have.
#ifndef HWFLOW_AP_AXI_SDATA_H_
#define HWFLOW_AP_AXI_SDATA_H_

#include "ap_int.h"

template <int D, int U, int TI, int TD> struct ap_axiu {
    ap_uint<D> data;
    ap_uint<(D + 7) / 8> keep, strb;
    ap_uint<U == 0 ? 1 : U> user;
    ap_uint<1> last;
    ap_uint<TI == 0 ? 1 : TI> id;
    ap_uint<TD == 0 ? 1 : TD> dest;

    ap_axiu() : data(0), keep(0), strb(0), user(0), last(0), id(0), dest(0) {}
};

#endif
