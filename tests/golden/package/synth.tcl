# two_ports_ip: logic synthesis of the exported IP alone, for its resources and its timing.
#
# usage: vivado -mode batch -source tcl/synth.tcl     (after tcl/hls.tcl)
set root [file dirname [file dirname [file normalize [info script]]]]
cd $root
set verilog [glob build/hls/solution/impl/verilog/*.v]

create_project -in_memory -part xck26-sfvc784-2LV-c
read_verilog $verilog
# operators that HLS makes of Vivado's own IP, such as floating-point ones
foreach script [glob -nocomplain build/hls/solution/impl/verilog/*.tcl] {
    source $script
}
read_xdc -mode out_of_context constraints/two_ports_ip_ooc.xdc
synth_design -top two_ports_ip -part xck26-sfvc784-2LV-c -mode out_of_context
report_utilization -file build/utilization.rpt
report_timing_summary -file build/timing.rpt
exit
