"""C++ as a list of declarations: what is found, and what a piece of code is given of it."""

from hwflow.simulate.cpp.blocks import Block, Blocks, declared_in, names_in, split_blocks

CODE = """
// a comment; with { marks
struct config2_mult : nnet::dense_config {
    static const unsigned n = 3; /* } */
    typedef first_t accum_t;
    const char *text = "};";
};
typedef ap_fixed<8, 2, AP_RND, AP_SAT, 0> first_t;
struct config2 {
    typedef config2_mult mult_config;
    static const ap_uint<config2_mult::n> pixels[3];
};
const ap_uint<config2_mult::n> config2::pixels[] = {1, 2, 3};
template <class T, int N = 2> void generated_3(T x[N]) {
    if (x) {
        #pragma HLS INLINE
    }
}
using second_t = nnet::array<first_t, 2>;
weight_t w2[4];
"""
NAMES = ["config2_mult", "first_t", "config2", "config2", "generated_3", "second_t", "w2"]


def blocks() -> list[Block]:
    return [Block(text, 0, place) for place, text in enumerate(split_blocks(CODE))]


def test_every_declaration_is_found_with_its_name() -> None:
    assert [b.declares for b in blocks()] == NAMES
    assert "".join("".join(b.text for b in blocks()).split()) == "".join(CODE.split())


def test_code_is_given_all_that_it_refers_to_and_no_more() -> None:
    known = Blocks(blocks())
    given = [b.declares for b in known.needed_by("f<config2>(x); // w2")]
    assert given == ["config2_mult", "first_t", "config2", "config2"]
    assert [b.declares for b in known.needed_by("f(w2)")] == ["w2"]


def test_what_is_not_understood_is_given_to_all() -> None:
    conditional = "#ifdef A\ntypedef int a;\n#endif\ntypedef int b;\n"
    assert split_blocks(conditional) == [conditional]
    unclosed = "struct a {"
    assert split_blocks(unclosed) == [unclosed]
    odd = Block("(((;", 0, 0)
    assert Blocks([odd]).needed_by("x") == [odd]


def test_names_are_read_without_comments() -> None:
    assert names_in("a /* b */ c // d\n e") == {"a", "c", "e"}


def test_a_header_declares_functions_types_and_macros() -> None:
    header = """
#ifndef H_
#define H_
#include "x.h"
namespace nnet {
enum mode { one, two };
struct s { int member; };
template <class T> T f(T local) {
    #pragma HLS INLINE
    return local;
}
inline float g() { return 0; }
#define MACRO(x) x
}
#endif
"""
    assert declared_in(header) == {"H_", "mode", "s", "f", "g", "MACRO"}
