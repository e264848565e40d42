# two_ports_ip: from C++ to an IP of Vivado's catalogue.
#
# usage: vitis-run --mode hls --tcl tcl/hls.tcl     (2024.1 and newer; before: vitis_hls -f tcl/hls.tcl)
# The environment variable COSIM=1 adds C/RTL co-simulation with the block's vectors.
set root [file dirname [file dirname [file normalize [info script]]]]
cd $root
file mkdir build

set flags "-std=c++11 -I$root/hls"
open_project -reset build/hls
set_top two_ports_ip
add_files hls/two_ports_ip.cpp -cflags $flags
add_files hls/firmware/two_ports.cpp -cflags $flags
add_files -tb tb/test_bench.cpp -cflags "$flags -I$root/tb"
add_files -tb hls/firmware/weights
open_solution -reset -flow_target vivado solution
set_part xck26-sfvc784-2LV-c
create_clock -period 5 -name default
set_clock_uncertainty 27% default
# as hls4ml sets them
catch {config_array_partition -maximum_size 4096}
config_compile -name_max_length 80
config_schedule -enable_dsp_full_reg=false
# a reset brings the counters of streamed layers back to the begin of a frame, too
config_rtl -reset state

csim_design -argv $root/vectors
csynth_design
if {[info exists ::env(COSIM)] && $::env(COSIM) eq "1"} {
    cosim_design -argv $root/vectors
}
export_design -format ip_catalog -vendor hwflow -library nn -version 1.0 -display_name two_ports_ip
exit
