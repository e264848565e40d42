# two_ports_ip on VCK190: a block design with CIPS, NoC, memory and DMA, and its device image.
#
# usage: vivado -mode batch -source tcl/bitstream.tcl     (after tcl/hls.tcl)
# Leaves build/two_ports_ip.pdi, .hwh and .xsa. Cells: ps, axi_noc_0, net (the block), dma_0, ....
set root [file dirname [file dirname [file normalize [info script]]]]
cd $root

create_project two_ports_ip build/vivado -part xcvc1902-vsva2197-2MP-e-S -force
set boards [get_board_parts -quiet *vck190*]
if {[llength $boards] > 0} {
    set_property board_part [lindex [lsort $boards] end] [current_project]
} else {
    error "Vivado has no board files of VCK190, which say how its memory is connected; install them: xhub::refresh_catalog, or Tools, Vivado Store"
}
set_property ip_repo_paths $root/build/hls/solution/impl/ip [current_project]
update_ip_catalog

create_bd_design design_1
create_bd_cell -type ip -vlnv xilinx.com:ip:versal_cips ps
apply_bd_automation -rule xilinx.com:bd_rule:cips \
    -config [list board_preset Yes boot_config Custom configure_noc {Add new AXI NoC} debug_config JTAG \
        design_flow {Full System} mc_type DDR \
        num_mc_ddr 1 num_mc_lpddr None \
        pl_clocks 1 pl_resets 1] [get_bd_cells ps]
set_property -dict [list CONFIG.CLOCK_MODE Custom CONFIG.PS_PL_CONNECTIVITY_MODE Custom \
    CONFIG.PS_PMC_CONFIG [list CLOCK_MODE Custom PMC_CRP_PL0_REF_CTRL_FREQMHZ 300.03 \
        PS_USE_PMCPL_CLK0 1 PS_NUM_FABRIC_RESETS 1 PS_USE_M_AXI_FPD 1]] [get_bd_cells ps]
create_bd_cell -type ip -vlnv hwflow:nn:two_ports_ip:1.0 net
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 3] [get_bd_cells control]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma_0
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
    CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axis_mm2s_tdata_width 64 CONFIG.c_m_axi_mm2s_data_width 64 \
    CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_s_axis_s2mm_tdata_width 64 CONFIG.c_m_axi_s2mm_data_width 64 \
    CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
    CONFIG.c_addr_width 32] [get_bd_cells dma_0]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma_1
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
    CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axis_mm2s_tdata_width 64 CONFIG.c_m_axi_mm2s_data_width 64 \
    CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_s_axis_s2mm_tdata_width 64 CONFIG.c_m_axi_s2mm_data_width 64 \
    CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
    CONFIG.c_addr_width 32] [get_bd_cells dma_1]

set clocked {ps/m_axi_fpd_aclk reset/slowest_sync_clk control/aclk net/ap_clk}
set reset {control/aresetn net/ap_rst_n}
lappend clocked dma_0/s_axi_lite_aclk dma_0/m_axi_mm2s_aclk dma_0/m_axi_s2mm_aclk
lappend reset dma_0/axi_resetn
lappend clocked dma_1/s_axi_lite_aclk dma_1/m_axi_mm2s_aclk dma_1/m_axi_s2mm_aclk
lappend reset dma_1/axi_resetn

# registers
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_FPD] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins net/s_axi_control]
connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins dma_0/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_0/M_AXIS_MM2S] [get_bd_intf_pins net/s_axis_x]
connect_bd_intf_net [get_bd_intf_pins net/m_axis_v24] [get_bd_intf_pins dma_0/S_AXIS_S2MM]
connect_bd_intf_net [get_bd_intf_pins control/M02_AXI] [get_bd_intf_pins dma_1/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_1/M_AXIS_MM2S] [get_bd_intf_pins net/s_axis_y]
connect_bd_intf_net [get_bd_intf_pins net/m_axis_v34] [get_bd_intf_pins dma_1/S_AXIS_S2MM]

# memory: each master has a port of the NoC, and these share the ports of the memory controller
set first [get_property CONFIG.NUM_SI [get_bd_cells axi_noc_0]]
set clock [get_property CONFIG.NUM_CLKS [get_bd_cells axi_noc_0]]
set masters {/dma_0/M_AXI_MM2S /dma_0/M_AXI_S2MM /dma_1/M_AXI_MM2S /dma_1/M_AXI_S2MM}
set_property -dict [list CONFIG.NUM_SI [expr {$first + [llength $masters]}] CONFIG.NUM_CLKS [expr {$clock + 1}]] \
    [get_bd_cells axi_noc_0]
set taken {}
foreach master $masters {
    set port [format S%02d_AXI [expr {$first + [llength $taken]}]]
    set_property -dict [list CONFIG.CATEGORY pl \
        CONFIG.CONNECTIONS [list MC_[expr {[llength $taken] % 4}] \
            {read_bw 500 write_bw 500 read_avg_burst 4 write_avg_burst 4}]] [get_bd_intf_pins axi_noc_0/$port]
    connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins axi_noc_0/$port]
    lappend taken $port
}
set_property CONFIG.ASSOCIATED_BUSIF [join $taken :] [get_bd_pins axi_noc_0/aclk$clock]
lappend clocked axi_noc_0/aclk$clock

foreach pin $clocked { connect_bd_net [get_bd_pins ps/pl0_ref_clk] [get_bd_pins $pin] }
connect_bd_net [get_bd_pins ps/pl0_resetn] [get_bd_pins reset/ext_reset_in]
foreach pin $reset { connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin] }

assign_bd_address
validate_bd_design
save_bd_design
make_wrapper -files [get_files design_1.bd] -top -import
set_property top design_1_wrapper [current_fileset]
launch_runs impl_1 -to_step write_device_image -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation failed; see build/vivado/two_ports_ip.runs"
}
set slack [get_property STATS.WNS [get_runs impl_1]]
if {$slack < 0} {
    error "timing is not met: worst slack $slack ns; build the project with a longer clock period"
}
write_hw_platform -fixed -include_bit -force build/two_ports_ip.xsa
file copy -force [lindex [glob build/vivado/*.runs/impl_1/*_wrapper.pdi] 0] build/two_ports_ip.pdi
file copy -force [lindex [glob build/vivado/*.gen/sources_1/bd/design_1/hw_handoff/*.hwh] 0] build/two_ports_ip.hwh
exit
