# two_ports_ip on KV260: a block design with processor and DMA, and its bitstream.
#
# usage: vivado -mode batch -source tcl/bitstream.tcl     (after tcl/hls.tcl)
# Leaves build/two_ports_ip.bit, .hwh and .xsa. Cells: ps, net (the block), dma_0, ....
set root [file dirname [file dirname [file normalize [info script]]]]
cd $root

create_project two_ports_ip build/vivado -part xck26-sfvc784-2LV-c -force
set boards [get_board_parts -quiet *kv260*]
if {[llength $boards] > 0} {
    set_property board_part [lindex [lsort $boards] end] [current_project]
} else {
    puts "WARNING: Vivado has no board files of KV260; the processor is left as its defaults say"
}
set preset [expr {[llength $boards] > 0}]
set_property ip_repo_paths $root/build/hls/solution/impl/ip [current_project]
update_ip_catalog

create_bd_design design_1
create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
if {$preset} {
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e \
        -config [list apply_board_preset 1] [get_bd_cells ps]
}
set_property -dict [list CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__S_AXI_GP2 1 \
    CONFIG.PSU__USE__S_AXI_GP3 1 \
    CONFIG.PSU__USE__S_AXI_GP4 1 \
    CONFIG.PSU__USE__S_AXI_GP5 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 200] [get_bd_cells ps]
set master /ps/M_AXI_HPM0_FPD
create_bd_cell -type ip -vlnv hwflow:nn:two_ports_ip:1.0 net

# Let Vivado put an interconnect, clocks and resets between a master and a slave.
proc connect_axi {master slave} {
    apply_bd_automation -rule xilinx.com:bd_rule:axi4 \
        -config [list Master $master Slave $slave Clk_master Auto Clk_slave Auto Clk_xbar Auto \
            intc_ip Auto master_apm 0] [get_bd_intf_pins $slave]
}

connect_axi $master /net/s_axi_control

create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma_0
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
    CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axis_mm2s_tdata_width 64 CONFIG.c_m_axi_mm2s_data_width 64 \
    CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_s_axis_s2mm_tdata_width 64 CONFIG.c_m_axi_s2mm_data_width 64 \
    CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
    CONFIG.c_addr_width 32] [get_bd_cells dma_0]
connect_axi $master /dma_0/S_AXI_LITE
connect_bd_intf_net [get_bd_intf_pins dma_0/M_AXIS_MM2S] [get_bd_intf_pins net/s_axis_x]
connect_bd_intf_net [get_bd_intf_pins net/m_axis_v24] [get_bd_intf_pins dma_0/S_AXIS_S2MM]

create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma_1
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
    CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axis_mm2s_tdata_width 64 CONFIG.c_m_axi_mm2s_data_width 64 \
    CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_s_axis_s2mm_tdata_width 64 CONFIG.c_m_axi_s2mm_data_width 64 \
    CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
    CONFIG.c_addr_width 32] [get_bd_cells dma_1]
connect_axi $master /dma_1/S_AXI_LITE
connect_bd_intf_net [get_bd_intf_pins dma_1/M_AXIS_MM2S] [get_bd_intf_pins net/s_axis_y]
connect_bd_intf_net [get_bd_intf_pins net/m_axis_v34] [get_bd_intf_pins dma_1/S_AXIS_S2MM]
connect_axi /dma_0/M_AXI_MM2S /ps/S_AXI_HP0_FPD
connect_axi /dma_0/M_AXI_S2MM /ps/S_AXI_HP1_FPD
connect_axi /dma_1/M_AXI_MM2S /ps/S_AXI_HP2_FPD
connect_axi /dma_1/M_AXI_S2MM /ps/S_AXI_HP3_FPD

assign_bd_address
validate_bd_design
save_bd_design
make_wrapper -files [get_files design_1.bd] -top -import
set_property top design_1_wrapper [current_fileset]
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation failed; see build/vivado/two_ports_ip.runs"
}
set slack [get_property STATS.WNS [get_runs impl_1]]
if {$slack < 0} {
    error "timing is not met: worst slack $slack ns; build the project with a longer clock period"
}
write_hw_platform -fixed -include_bit -force build/two_ports_ip.xsa
file copy -force [lindex [glob build/vivado/*.runs/impl_1/*_wrapper.bit] 0] build/two_ports_ip.bit
file copy -force [lindex [glob build/vivado/*.gen/sources_1/bd/design_1/hw_handoff/*.hwh] 0] build/two_ports_ip.hwh
exit
