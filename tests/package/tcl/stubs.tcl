# Commands of HLS tools and Vivado that do nothing but check what they are given, against tables of
# what is legal: AMD UG1399 (Vitis HLS), UG902 (Vivado HLS), UG835 (Vivado), PG021 (AXI DMA),
# and the parameters of the processors' IP. What the tools make of files is made up.
#
# usage: tclsh stubs.tcl TOOL SCRIPT [LOG]     TOOL is Vitis, Vivado (HLS), or vivado
lassign $argv tool script log_file
if {$log_file eq ""} { set log_file commands.log }
set log [open $log_file w]

# legal COMMAND OPTIONS LEAST MOST: an option takes nothing (0), anything (1), or one of some words.
proc legal {command options least most} {
    set ::options($command) $options
    set ::counts($command) [list $least $most]
}
proc refuse {text} { error "ILLEGAL: $text" }

proc check {command words} {
    if {![info exists ::options($command)]} { refuse "unknown command $command" }
    set known $::options($command)
    set found {}
    set given {}
    while {[llength $words] > 0} {
        set words [lassign $words word]
        if {![regexp {^-[A-Za-z]} $word]} { lappend found $word; continue }
        set inline [regexp {^(-\w+)=(.*)$} $word -> word value]
        if {![dict exists $known $word]} { refuse "$command has no option $word" }
        set takes [dict get $known $word]
        if {$takes eq "0"} {
            if {$inline} { refuse "$command $word takes nothing" }
            dict set given $word 1
            continue
        }
        if {!$inline} {
            if {[llength $words] == 0} { refuse "$command $word takes a value" }
            set words [lassign $words value]
        }
        if {$takes ne "1" && $value ni $takes} { refuse "$command $word $value" }
        dict set given $word $value
    }
    lassign $::counts($command) least most
    set number [llength $found]
    if {$number < $least || $number > $most} { refuse "$command takes $least to $most words, not $number: $found" }
    return [list $found $given]
}

if {$tool in {Vitis Vivado}} {
    # HLS
    legal open_project {-reset 0} 1 1
    legal set_top {} 1 1
    legal add_files {-tb 0 -cflags 1 -csimflags 1 -blackbox 1} 1 1
    legal set_part {} 1 1
    legal create_clock {-period 1 -name 1} 0 0
    legal set_clock_uncertainty {} 1 2
    legal csim_design {-O 0 -argv 1 -clean 0 -ldflags 1 -mflags 1 -profile 0 -setup 0} 0 0
    legal csynth_design {-dump_cfg 0 -dump_post_cfg 0 -synthesis_check 0} 0 0
    legal cosim_design {-O 0 -argv 1 -compiled_library_dir 1 -coverage 0 -ldflags 1 -mflags 1 -rtl {verilog vhdl}
        -setup 0 -tool {auto vcs modelsim riviera isim xsim ncsim xceliumparallel} -trace_level {none all port port_hier}} 0 0
    legal exit {} 0 1
    if {$tool eq "Vitis"} {
        legal open_solution {-reset 0 -flow_target {vivado vitis}} 1 1
        legal config_array_partition {-complete_threshold 1 -throughput_driven {auto off}} 0 0
        legal config_compile {-name_max_length 1 -no_signed_zeros 1 -pipeline_loops 1 -pipeline_style {stp flp frp}
            -pragma_strict_mode 1 -unsafe_math_optimizations 1 -enable_auto_rewind 1} 0 0
        legal config_schedule {-enable_dsp_full_reg {true false 0 1}} 0 0
        legal config_rtl {-reset {none control state all} -reset_async {true false} -reset_level {low high}
            -module_auto_prefix 1 -module_prefix 1 -register_all_io 1 -register_reset_num 1 -mult_keep_attribute 1} 0 0
        legal export_design {-description 1 -display_name 1 -flow {none syn impl} -format {ip_catalog xo syn_dcp sysgen}
            -ipname 1 -library 1 -output 1 -rtl {verilog vhdl} -taxonomy 1 -vendor 1 -version 1} 0 0
    } else {
        legal open_solution {-reset 0} 1 1
        legal config_array_partition {-auto_partition_threshold 1 -auto_promotion_threshold 1 -include_extern_globals 1
            -include_ports 1 -maximum_size 1 -scalarize_all 1 -throughput_driven 1} 0 0
        legal config_compile {-ignore_long_run_time 0 -name_max_length 1 -no_signed_zeros 1 -pipeline_loops 1
            -unsafe_math_optimizations 1} 0 0
        legal config_schedule {-effort {low medium high} -enable_dsp_full_reg {true false 0 1} -relax_ii_for_timing 0 -verbose 0} 0 0
        legal config_rtl {-auto_prefix 1 -encoding {auto binary onehot gray} -header 1 -prefix 1 -reset {none control state all}
            -reset_async 0 -reset_level {low high} -kernel_profile 0 -mult_keep_attribute 0} 0 0
        legal export_design {-description 1 -display_name 1 -evaluate {verilog vhdl} -flow {syn impl} -format {ip_catalog sysgen syn_dcp}
            -ipname 1 -library 1 -rtl {verilog vhdl} -taxonomy 1 -vendor 1 -version 1 -use_netlist {none ip top}} 0 0
    }
} else {
    # Vivado
    legal create_project {-part 1 -force 0 -in_memory 0 -ip 0 -rtl_kernel 0 -quiet 0 -verbose 0} 0 2
    legal get_board_parts {-regexp 0 -nocase 0 -filter 1 -of_objects 1 -quiet 0 -verbose 0} 0 1
    legal set_property {-name 1 -value 1 -dict 1 -quiet 0 -verbose 0} 1 3
    legal get_property {-min 0 -max 0 -quiet 0 -verbose 0} 2 2
    legal current_project {-quiet 0 -verbose 0} 0 1
    legal current_fileset {-constrset 0 -simset 0 -srcset 0 -blockset 0 -quiet 0} 0 1
    legal update_ip_catalog {-rebuild 0 -add_ip 1 -delete_ip 1 -repo_path 1 -quiet 0} 0 0
    legal create_bd_design {-dir 1 -cell 1 -quiet 0} 1 1
    legal create_bd_cell {-type {ip hier module container} -vlnv 1 -reference 1 -quiet 0} 1 1
    legal apply_bd_automation {-rule 1 -config 1 -opts 1 -quiet 0} 0 1
    legal get_bd_cells {-regexp 0 -nocase 0 -hierarchical 0 -filter 1 -of_objects 1 -quiet 0} 0 1
    legal get_bd_intf_pins {-regexp 0 -nocase 0 -hierarchical 0 -filter 1 -of_objects 1 -quiet 0} 0 1
    legal get_bd_pins {-regexp 0 -nocase 0 -hierarchical 0 -filter 1 -of_objects 1 -quiet 0} 0 1
    legal connect_bd_net {-net 1 -boundary_type {upper lower both} -quiet 0} 2 99
    legal connect_bd_intf_net {-intf_net 1 -boundary_type {upper lower both} -quiet 0} 2 99
    legal assign_bd_address {-target_address_space 1 -boundary 0 -external 0 -force 0 -offset 1 -range 1 -quiet 0} 0 1
    legal validate_bd_design {-force 0 -design 1 -quiet 0} 0 0
    legal save_bd_design {-quiet 0} 0 1
    legal make_wrapper {-files 1 -top 0 -testbench 0 -import 0 -force 0 -fileset 1 -quiet 0} 0 1
    legal get_files {-regexp 0 -nocase 0 -filter 1 -of_objects 1 -all 0 -quiet 0} 0 1
    legal launch_runs {-jobs 1 -dir 1 -to_step 1 -next_step 0 -scripts_only 0 -pre_launch_script 1 -force 0 -quiet 0} 1 99
    legal wait_on_run {-timeout 1 -quiet 0} 1 1
    legal get_runs {-regexp 0 -nocase 0 -filter 1 -of_objects 1 -quiet 0} 0 1
    legal write_hw_platform {-fixed 0 -force 0 -include_bit 0 -minimal 0 -hw 0 -hw_emu 0 -quiet 0} 0 1
    legal read_verilog {-library 1 -sv 0 -quiet 0} 1 1
    legal read_xdc {-cells 1 -ref 1 -mode {default out_of_context} -unmanaged 0 -quiet 0} 1 99
    legal synth_design {-name 1 -part 1 -top 1 -mode {default out_of_context} -constrset 1 -include_dirs 1 -generic 1
        -verilog_define 1 -flatten_hierarchy {rebuilt full none} -directive 1 -rtl 0 -quiet 0} 0 0
    legal report_utilization {-file 1 -append 0 -cells 1 -hierarchical 0 -hierarchical_depth 1 -name 1 -return_string 0 -quiet 0} 0 0
    legal report_timing_summary {-file 1 -append 0 -delay_type 1 -max_paths 1 -nworst 1 -name 1 -return_string 0 -warn_on_violation 0 -quiet 0} 0 0
    legal create_clock {-period 1 -name 1 -waveform 1 -add 0} 0 1
    legal get_ports {-regexp 0 -nocase 0 -filter 1 -of_objects 1 -quiet 0} 0 1
    legal exit {} 0 1
}

# Parameters of IP by name: legal values, or * for a number.
set bits {0 1}
set widths {32 64 128 256 512 1024}
set bursts {2 4 8 16 32 64 128 256}
array set parameters [list \
    xilinx.com:ip:axi_dma [dict create c_include_sg $bits c_sg_length_width {14 15 16 17 18 19 20 21 22 23 24 25 26} \
        c_include_mm2s $bits c_include_s2mm $bits c_m_axis_mm2s_tdata_width [linsert $widths 0 8 16] \
        c_m_axi_mm2s_data_width $widths c_include_mm2s_dre $bits c_mm2s_burst_size $bursts \
        c_s_axis_s2mm_tdata_width [linsert $widths 0 8 16] c_m_axi_s2mm_data_width $widths c_include_s2mm_dre $bits \
        c_s2mm_burst_size $bursts c_addr_width *] \
    xilinx.com:ip:processing_system7 [dict create PCW_USE_M_AXI_GP0 $bits PCW_USE_S_AXI_HP0 $bits PCW_USE_S_AXI_HP1 $bits \
        PCW_USE_S_AXI_HP2 $bits PCW_USE_S_AXI_HP3 $bits PCW_FPGA0_PERIPHERAL_FREQMHZ *] \
    xilinx.com:ip:zynq_ultra_ps_e [dict create PSU__USE__M_AXI_GP0 $bits PSU__USE__M_AXI_GP1 $bits PSU__USE__M_AXI_GP2 $bits \
        PSU__USE__S_AXI_GP2 $bits PSU__USE__S_AXI_GP3 $bits PSU__USE__S_AXI_GP4 $bits PSU__USE__S_AXI_GP5 $bits \
        PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ *] \
    xilinx.com:ip:versal_cips [dict create CLOCK_MODE Custom PS_PL_CONNECTIVITY_MODE Custom PS_PMC_CONFIG nested] \
    PS_PMC_CONFIG [dict create CLOCK_MODE Custom PMC_CRP_PL0_REF_CTRL_FREQMHZ * PS_USE_PMCPL_CLK0 $bits \
        PS_NUM_FABRIC_RESETS {0 1 2 3 4} PS_USE_M_AXI_FPD $bits] \
    xilinx.com:ip:axi_noc [dict create NUM_SI * NUM_CLKS *] \
    xilinx.com:ip:smartconnect [dict create NUM_SI * NUM_MI * NUM_CLKS *] \
    xilinx.com:ip:proc_sys_reset {} \
    noc_port [dict create CATEGORY pl CONNECTIONS connections] noc_clock [dict create ASSOCIATED_BUSIF ports]]
array set rules {
    xilinx.com:bd_rule:processing_system7 {make_external apply_board_preset Master Slave}
    xilinx.com:bd_rule:zynq_ultra_ps_e {apply_board_preset}
    xilinx.com:bd_rule:cips {board_preset boot_config configure_noc debug_config design_flow mc_type num_mc_ddr num_mc_lpddr
        pl_clocks pl_resets}
    xilinx.com:bd_rule:axi4 {Master Slave Clk_master Clk_slave Clk_xbar intc_ip master_apm ddr_seg}
}
array set object_properties {project {board_part ip_repo_paths} fileset {top}}
array set cells {}
array set counts_of_cells {}
# Clocks, resets and interfaces of IP (AMD PG021, PG352, PG247, PG164, PG313) that nets may lead to.
array set pins {
    xilinx.com:ip:axi_dma {s_axi_lite_aclk m_axi_mm2s_aclk m_axi_s2mm_aclk axi_resetn S_AXI_LITE M_AXI_MM2S M_AXI_S2MM
        M_AXIS_MM2S S_AXIS_S2MM}
    xilinx.com:ip:versal_cips {pl0_ref_clk pl0_resetn m_axi_fpd_aclk M_AXI_FPD}
    xilinx.com:ip:proc_sys_reset {slowest_sync_clk ext_reset_in peripheral_aresetn interconnect_aresetn}
    xilinx.com:ip:smartconnect {aclk aresetn}
    xilinx.com:ip:axi_noc {}
}

# Ports that an IP has by how many are asked for, e.g. S00_AXI of NUM_SI, aclk0 of NUM_CLKS.
proc numbered {cell pin} {
    foreach {pattern parameter} {{^S(\d\d)_AXI$} NUM_SI {^M(\d\d)_AXI$} NUM_MI {^aclk(\d+)$} NUM_CLKS} {
        if {[regexp $pattern $pin -> number]} {
            return [expr {[scan $number %d] < [dict_get_or $::counts_of_cells($cell) $parameter 1]}]
        }
    }
    return 0
}
proc dict_get_or {values key other} { expr {[dict exists $values $key] ? [dict get $values $key] : $other} }

proc check_pin {path} {
    lassign [split [string trimleft $path /] /] cell pin
    if {![info exists ::cells($cell)]} { refuse "no cell of $path" }
    if {![info exists ::pins($::cells($cell))]} return
    if {$pin ni $::pins($::cells($cell)) && ![numbered $cell $pin]} { refuse "$::cells($cell) has no pin $pin" }
}

proc check_values {name known values} {
    dict for {key value} $values {
        if {![dict exists $known $key]} { refuse "$name has no parameter $key" }
        set legal [dict get $known $key]
        switch $legal {
            * { set good [string is double -strict $value] }
            nested { check_values $key $::parameters($key) $value; continue }
            ports { foreach port [split $value :] { check_pin axi_noc_0/$port }; continue }
            connections {
                set good [regexp {^MC_[0-3] \{read_bw \d+ write_bw \d+ read_avg_burst \d+ write_avg_burst \d+\}$} $value]
            }
            default { set good [expr {$value in $legal}] }
        }
        if {!$good} { refuse "$key $value" }
    }
}

proc check_parameters {cell values} {
    set without {}
    dict for {name value} $values {
        if {![string match CONFIG.* $name]} { refuse "$name is no parameter" }
        dict set without [string range $name 7 end] $value
    }
    if {[string match axi_noc_0/* $cell]} {
        check_pin $cell
        set kind [expr {[string match */aclk* $cell] ? "noc_clock" : "noc_port"}]
        return [check_values $kind $::parameters($kind) $without]
    }
    if {![info exists ::cells($cell)]} { refuse "no cell $cell" }
    check_values $::cells($cell) $::parameters($::cells($cell)) $without
    foreach name {NUM_SI NUM_MI NUM_CLKS} {
        if {[dict exists $without $name]} { dict set ::counts_of_cells($cell) $name [dict get $without $name] }
    }
}

proc check_meaning {command found given} {
    switch $command {
        create_bd_cell {
            set name [join [lrange [split [dict get $given -vlnv] :] 0 2] :]
            set ::cells([lindex $found 0]) $name
            set ::counts_of_cells([lindex $found 0]) {}
            if {![info exists ::parameters($name)] && ![string match hwflow:nn:* $name]} { refuse "no IP $name" }
        }
        set_property {
            if {[dict exists $given -dict]} { return [check_parameters [lindex $found 0] [dict get $given -dict]] }
            if {[llength $found] != 3} { refuse "set_property NAME VALUE OBJECT: $found" }
            if {[string match CONFIG.* [lindex $found 0]]} {
                return [check_parameters [lindex $found 2] [lrange $found 0 1]]
            }
            if {[lindex $found 0] ni $::object_properties([lindex $found 2])} { refuse "[lindex $found 2] has no property [lindex $found 0]" }
        }
        apply_bd_automation {
            set rule [dict get $given -rule]
            if {![info exists ::rules($rule)]} { refuse "no rule $rule" }
            foreach key [dict keys [dict get $given -config]] {
                if {$key ni $::rules($rule)} { refuse "$rule has no $key" }
            }
            if {$rule eq "xilinx.com:bd_rule:cips"} {  # it adds a NoC for the processor
                set ::cells(axi_noc_0) xilinx.com:ip:axi_noc
                set ::counts_of_cells(axi_noc_0) {NUM_SI 6 NUM_CLKS 6}
            }
        }
        get_bd_cells { if {[llength $found] && ![info exists ::cells([lindex $found 0])]} { refuse "no cell $found" } }
        connect_bd_intf_net - connect_bd_net { foreach pin $found { check_pin $pin } }
        add_files - read_xdc - read_verilog {
            foreach file [lindex $found 0] { if {![file exists $file]} { refuse "no file $file" } }
        }
        set_part { if {![regexp {^[a-z][-A-Za-z0-9]+$} [lindex $found 0]]} { refuse "part $found" } }
        create_clock { if {![string is double -strict [dict get $given -period]]} { refuse "period" } }
    }
}

proc made_up {command found given} {
    switch $command {
        get_board_parts { return {vendor:board:part0:1.0 vendor:board:part0:1.1} }
        current_project { return project }
        current_fileset { return fileset }
        get_runs { return impl_1 }
        get_property {
            lassign $found name object
            if {[string match CONFIG.NUM_* $name]} { return [dict get $::counts_of_cells($object) [string range $name 7 end]] }
            return [dict get {PROGRESS 100% STATS.WNS 0.1} $name]
        }
        get_bd_cells - get_bd_pins - get_bd_intf_pins - get_files - get_ports { return [lindex $found 0] }
        csynth_design - export_design {
            file mkdir build/hls/solution/impl/verilog build/hls/solution/impl/ip
            close [open build/hls/solution/impl/verilog/top.v w]
            if {[dict exists $given -output]} { close [open [dict get $given -output] w] }
        }
        write_hw_platform {
            file mkdir build/vivado/a.runs/impl_1 build/vivado/a.gen/sources_1/bd/design_1/hw_handoff
            close [open build/vivado/a.runs/impl_1/design_1_wrapper.bit w]
            close [open build/vivado/a.runs/impl_1/design_1_wrapper.pdi w]
            close [open build/vivado/a.gen/sources_1/bd/design_1/hw_handoff/design_1.hwh w]
        }
    }
    return ""
}

proc stub {command args} {
    puts $::log [list $command {*}$args]
    flush $::log
    lassign [check $command $args] found given
    check_meaning $command $found $given
    return [made_up $command $found $given]
}
rename unknown tcl_unknown
proc unknown {command args} { stub $command {*}$args }
rename exit leave
proc exit {args} {
    stub exit {*}$args
    leave {*}$args
}
source $script
refuse "the script did not end with exit"
