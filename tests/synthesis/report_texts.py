# ruff: noqa: E501 - the lines of the tools are as long as they are
"""Texts of reports in the form that the vendors' tools write them, about any design.

The elements, tables and headings are those of Vivado HLS 2020.1, Vitis HLS 2024.2, and Vivado
2020.1 and 2024.2; names and figures are given.
"""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
"""``lut``, ``ff``, ``dsp``, ``bram``, ``latency``, ``ii`` of a design or a module."""

DEFAULT = {"lut": 100, "ff": 50, "dsp": 0, "bram": 0, "latency": 2, "ii": 1}


def row(**figures: Any) -> Row:
    return DEFAULT | figures


def _resources(found: Row, dsp: str, pad: str) -> str:
    values = {"BRAM_18K": found["bram"], dsp: found["dsp"], "FF": found["ff"], "LUT": found["lut"]}
    return "".join(f"{pad}<{k}>{v}</{k}>\n" for k, v in (values | {"URAM": 0}).items())


def _latency(found: Row, pad: str) -> str:
    cases, cycles = ("Best", "Average", "Worst"), found["latency"]
    return "".join(f"{pad}<{c}-caseLatency>{cycles}</{c}-caseLatency>\n" for c in cases)


def vivado_hls_xml(
    top: str, found: Row, *, version: str = "2020.1", part: str = "xc7z020-clg400-1",
    clock: float = 10.0,
) -> str:  # fmt: skip
    """``csynth.xml`` of Vivado HLS, which has no modules."""
    return f"""<profile>

<ReportVersion>
<Version>{version}</Version>
</ReportVersion>

<UserAssignments>
<unit>ns</unit>
<ProductFamily>zynq</ProductFamily>
<Part>{part}</Part>
<TopModelName>{top}</TopModelName>
<TargetClockPeriod>{clock:.2f}</TargetClockPeriod>
<ClockUncertainty>{clock / 8:.2f}</ClockUncertainty>
<TargetInitiationInterval>4294967295</TargetInitiationInterval>
</UserAssignments>

<PerformanceEstimates>
<PipelineType>function</PipelineType>
<SummaryOfTimingAnalysis>
<unit>ns</unit>
<EstimatedClockPeriod>8.731</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<unit>clock cycles</unit>
{_latency(found, "")}<PipelineInitiationInterval>{found["ii"]}</PipelineInitiationInterval>
<PipelineDepth>{found["latency"] + 1}</PipelineDepth>
<Interval-min>{found["ii"]}</Interval-min>
<Interval-max>{found["ii"]}</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>

<AreaEstimates>
<Resources>
{_resources(found, "DSP48E", "")}</Resources>
<AvailableResources>
<BRAM_18K>280</BRAM_18K>
<DSP48E>220</DSP48E>
<FF>106400</FF>
<LUT>53200</LUT>
<URAM>0</URAM>
</AvailableResources>
</AreaEstimates>

</profile>
"""


def hls_text(
    top: str, found: Row, modules: Mapping[str, Row], *, tool: str = "Vivado",
    version: str = "2020.1", clock: float = 10.0, part: str = "xc7z020-clg400-1",
) -> str:  # fmt: skip
    """``TOP_csynth.rpt`` of Vivado HLS and Vitis HLS."""
    dsp = "DSP48E" if tool == "Vivado" else "DSP"
    timing = "".join(
        f"        |grp_{m}_fu_{n}  |{m}  |{r['latency']:>8}|{r['latency']:>8}| 10.000 ns | 10.000 ns "
        f"|{r['ii']:>4}|{r['ii']:>4}| function |\n"
        for n, (m, r) in enumerate(modules.items())
    )
    areas = "".join(
        f"    |grp_{m}_fu_{n}  |{m}  |{r['bram']:>9}|{r['dsp']:>7}|{r['ff']:>6}|{r['lut']:>6}|    0|\n"
        for n, (m, r) in enumerate(modules.items())
    )
    return f"""

================================================================
== {tool} HLS Report for '{top}'
================================================================
* Date:           Sat Feb 24 15:57:21 2024

* Version:        {version} (Build 2897737 on Wed May 27 20:21:37 MDT 2020)
* Project:        {top}_prj
* Solution:       solution1
* Product family: zynq
* Target device:  {part}


================================================================
== Performance Estimates
================================================================
+ Timing:{" "}
    * Summary:{" "}
    +--------+----------+-----------+------------+
    |  Clock |  Target  | Estimated | Uncertainty|
    +--------+----------+-----------+------------+
    |ap_clk  | {clock:.2f} ns | 8.731 ns |   {clock / 8:.2f} ns  |
    +--------+----------+-----------+------------+

+ Latency:{" "}
    * Summary:{" "}
    +---------+---------+----------+----------+-----+-----+----------+
    |  Latency (cycles) |  Latency (absolute) |  Interval | Pipeline |
    |   min   |   max   |    min   |    max   | min | max |   Type   |
    +---------+---------+----------+----------+-----+-----+----------+
    |{found["latency"]:>9}|{found["latency"]:>9}| 0.625 us | 0.625 us |{found["ii"]:>5}|{found["ii"]:>5}| function |
    +---------+---------+----------+----------+-----+-----+----------+

    + Detail:{" "}
        * Instance:{" "}
        +------+------+---------+---------+-----------+-----------+-----+-----+----------+
        |      |      |  Latency (cycles) |   Latency (absolute)  |  Interval | Pipeline |
        | Instance | Module |   min   |   max   |    min    |    max    | min | max |   Type   |
        +------+------+---------+---------+-----------+-----------+-----+-----+----------+
{timing}        +------+------+---------+---------+-----------+-----------+-----+-----+----------+

        * Loop:{" "}
        N/A



================================================================
== Utilization Estimates
================================================================
* Summary:{" "}
+-----------------+---------+-------+--------+-------+-----+
|       Name      | BRAM_18K| {dsp}|   FF   |  LUT  | URAM|
+-----------------+---------+-------+--------+-------+-----+
|DSP              |        -|      -|       -|      -|    -|
|Expression       |        -|      -|       0|      6|    -|
|FIFO             |        -|      -|       -|      -|    -|
|Instance         |        3|     17|    2818|   6909|    -|
|Register         |        -|      -|    1074|      -|    -|
+-----------------+---------+-------+--------+-------+-----+
|Total            |{found["bram"]:>9}|{found["dsp"]:>7}|{found["ff"]:>8}|{found["lut"]:>7}|    0|
+-----------------+---------+-------+--------+-------+-----+
|Available        |      280|    220|  106400|  53200|    0|
+-----------------+---------+-------+--------+-------+-----+
|Utilization (%)  |        1|      7|       3|     13|    0|
+-----------------+---------+-------+--------+-------+-----+

+ Detail:{" "}
    * Instance:{" "}
    +------+------+---------+-------+------+------+-----+
    | Instance | Module | BRAM_18K| {dsp}|  FF  |  LUT | URAM|
    +------+------+---------+-------+------+------+-----+
{areas}    +------+------+---------+-------+------+------+-----+
    |Total |      |        3|     17|  2818|  6909|    0|
    +------+------+---------+-------+------+------+-----+

    * {dsp}:{" "}
    N/A
"""


def vitis_xml(
    top: str, found: Row, modules: Mapping[str, tuple[str, Row]], *, version: str = "2024.2",
    part: str = "xc7z020-clg400-1", clock: float = 10.0,
) -> str:  # fmt: skip
    """``csynth.xml`` of Vitis HLS; ``modules`` has the name of what holds each, and its figures."""

    def instances(parent: str) -> str:
        inner = [name for name, (held_by, _) in modules.items() if held_by == parent]
        rows = "".join(
            f"<Instance>\n<InstName>grp_{name}_fu_{n}</InstName>\n<ModuleName>{name}</ModuleName>\n"
            f"<IsCompInst>true</IsCompInst>\n<ID>{n}</ID>\n{instances(name)}"
            "<BindInstances>icmp_ln51_fu_200_p2 add_ln51_fu_206_p2</BindInstances>\n</Instance>\n"
            for n, name in enumerate(inner)
        )
        return f"<InstancesList>\n{rows}</InstancesList>\n" if rows else ""

    described = "".join(_module(name, r, clock) for name, (_, r) in modules.items())
    return f"""<profile>
    <ReportVersion>
        <Version>{version}</Version>
    </ReportVersion>
    <UserAssignments>
        <unit>ns</unit>
        <ProductFamily>zynq</ProductFamily>
        <Part>{part}</Part>
        <TopModelName>{top}</TopModelName>
        <TargetClockPeriod>{clock:.2f}</TargetClockPeriod>
        <ClockUncertainty>{clock * 0.27:.2f}</ClockUncertainty>
        <FlowTarget>vivado</FlowTarget>
    </UserAssignments>
    <PerformanceEstimates>
        <PipelineType>yes</PipelineType>
        <SummaryOfTimingAnalysis>
            <unit>ns</unit>
            <EstimatedClockPeriod>7.211</EstimatedClockPeriod>
        </SummaryOfTimingAnalysis>
        <SummaryOfOverallLatency>
            <unit>clock cycles</unit>
{_latency(found, "            ")}            <Interval-min>{found["ii"]}</Interval-min>
            <Interval-max>{found["ii"]}</Interval-max>
        </SummaryOfOverallLatency>
    </PerformanceEstimates>
    <AreaEstimates>
        <Resources>
{_resources(found, "DSP", "            ")}        </Resources>
        <AvailableResources>
            <BRAM_18K>280</BRAM_18K>
            <DSP>220</DSP>
            <FF>106400</FF>
            <LUT>53200</LUT>
            <URAM>0</URAM>
        </AvailableResources>
    </AreaEstimates>
    <RTLDesignHierarchy>
        <TopModule MAX_DEPTH="5">
            <ModuleName>{top}</ModuleName>
{instances(top)}        </TopModule>
    </RTLDesignHierarchy>
    <ModuleInformation>
{described}{_module(top, found, clock)}    </ModuleInformation>
</profile>
"""


def _module(name: str, found: Row, clock: float) -> str:
    return f"""        <Module>
            <Name>{name}</Name>
            <PerformanceEstimates>
                <SummaryOfTimingAnalysis>
                    <TargetClockPeriod>{clock:.2f}</TargetClockPeriod>
                    <EstimatedClockPeriod>6.468</EstimatedClockPeriod>
                </SummaryOfTimingAnalysis>
                <SummaryOfOverallLatency>
{_latency(found, "                    ")}                    <PipelineInitiationInterval>{found["ii"]}</PipelineInitiationInterval>
                    <PipelineType>yes</PipelineType>
                </SummaryOfOverallLatency>
            </PerformanceEstimates>
            <AreaEstimates>
                <Resources>
{_resources(found, "DSP", "                    ")}                    <UTIL_LUT>~0</UTIL_LUT>
                </Resources>
            </AreaEstimates>
        </Module>
"""


def utilization_text(
    design: str, found: Row, *, version: str = "2020.1", state: str = "Synthesized",
    device: str = "7z020clg400-1", cell: str = "Slice",
) -> str:  # fmt: skip
    """``vivado_synth.rpt``: what ``report_utilization`` writes; ``cell`` is ``CLB`` on UltraScale."""
    return f"""Copyright 1986-2020 Xilinx, Inc. All Rights Reserved.
------------------------------------------------------------------------------------
| Tool Version : Vivado v.{version} (lin64) Build 2902540 Wed May 27 19:54:35 MDT 2020
| Date         : Sat Feb 24 15:58:50 2024
| Host         : laptop running 64-bit Ubuntu 22.04.4 LTS
| Command      : report_utilization -file vivado_synth.rpt
| Design       : {design}
| Device       : {device}
| Design State : {state}
------------------------------------------------------------------------------------

Utilization Design Information

Table of Contents
-----------------
1. {cell} Logic
1.1 Summary of Registers by Type
2. Memory
3. DSP

1. {cell} Logic
--------------

+-------------------------+------+-------+-----------+-------+
|        Site Type        | Used | Fixed | Available | Util% |
+-------------------------+------+-------+-----------+-------+
| {cell} LUTs*             | {found["lut"]} |     0 |     53200 |  6.20 |
|   LUT as Logic          | {found["lut"]} |     0 |     53200 |  6.20 |
|   LUT as Memory         |    0 |     0 |     17400 |  0.00 |
| {cell} Registers         | {found["ff"]} |     0 |    106400 |  3.40 |
|   Register as Flip Flop | {found["ff"]} |     0 |    106400 |  3.40 |
+-------------------------+------+-------+-----------+-------+
* Warning! The Final LUT count, after physical optimizations and full implementation, is typically lower.


2. Memory
---------

+-------------------+------+-------+-----------+-------+
|     Site Type     | Used | Fixed | Available | Util% |
+-------------------+------+-------+-----------+-------+
| Block RAM Tile    |  {found["bram"] / 2:g} |     0 |       140 |  1.07 |
|   RAMB36/FIFO*    |    0 |     0 |       140 |  0.00 |
|   RAMB18          |    {found["bram"]} |     0 |       280 |  1.07 |
+-------------------+------+-------+-----------+-------+


3. DSP
------

+----------------+------+-------+-----------+-------+
|    Site Type   | Used | Fixed | Available | Util% |
+----------------+------+-------+-----------+-------+
| DSPs           |   {found["dsp"]} |     0 |       220 |  7.73 |
|   DSP48E1 only |   {found["dsp"]} |       |           |       |
+----------------+------+-------+-----------+-------+

"""


def timing_text(design: str, slack: float, *, state: str = "Routed") -> str:
    """What ``report_timing_summary`` writes."""
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
---------------------------------------------------------------------------------------
| Tool Version      : Vivado v.2024.2 (lin64) Build 5239630 Fri Nov 08 22:34:34 MST 2024
| Date              : Sat Feb 24 16:20:11 2024
| Command           : report_timing_summary -file timing.rpt
| Design            : {design}
| Device            : 7z020-clg400
| Speed File        : -1  PRODUCTION 1.12 2019-11-22
| Design State      : {state}
---------------------------------------------------------------------------------------

Timing Summary Report

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
     {slack:>6.3f}        0.000                      0                 7228        0.012        0.000


All user specified timing constraints are met.
"""
