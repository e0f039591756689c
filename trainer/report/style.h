#pragma once

namespace duet {

/// The report's style sheet. Curves are told apart by colours that keep their contrast in both modes and for the colour-blind.
inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--soft:#5a6675;--faint:#dde2e8;--panel:#f5f7f9;--good:#12803c;--bad:#b3261e;
--c0:#0b6bcb;--c1:#d1590a;--c2:#12803c;--c3:#a4308f;--c4:#8a6d00;--c5:#0a7f8c;--c6:#b3261e;--c7:#5b4bc4}
@media (prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e4e8ed;--soft:#9aa5b3;--faint:#2d3540;--panel:#1a2028;--good:#4cc27a;--bad:#ff8a80;
--c0:#6cb2ff;--c1:#ff9f57;--c2:#5fd08a;--c3:#e38ad3;--c4:#dcbf4f;--c5:#55c9d6;--c6:#ff8a80;--c7:#a99cff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:20px 16px 60px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:.2em 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2em 0 .6em;padding-bottom:.25em;border-bottom:1px solid var(--faint)}
h3{font-size:1rem;margin:1.2em 0 .4em}
p{margin:.4em 0}
.soft,figcaption small{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.45em .7em;border-bottom:1px solid var(--faint);white-space:nowrap;vertical-align:top}
th{white-space:normal;font-weight:600;color:var(--soft);font-size:.85rem}
td:first-child,th:first-child,.facts td,td.word,th.word{text-align:left}
td:first-child{white-space:normal;min-width:9em;max-width:15em}
td small{display:block;color:var(--soft);font-size:.8rem}
tr.stage td{border-top:2px solid var(--faint)}
.bar{display:block;width:100%;min-width:90px;height:8px;margin:.25em 0}
.facts td{white-space:normal;overflow-wrap:anywhere}
.facts td:first-child{color:var(--soft);width:34%}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:18px}
.chart{margin:0;padding:10px 10px 6px;background:var(--panel);border-radius:8px;min-width:0}
.chart figcaption{font-weight:600;font-size:.9rem}
.chart svg{display:block;width:100%;height:auto}
.grid{stroke:var(--faint);fill:none}
.axis{stroke:var(--soft);fill:none}
.mark{stroke:var(--soft);stroke-dasharray:2 3;fill:none}
.tick{fill:var(--soft);font-size:10.5px}
.curve{fill:none;stroke-width:1.6;stroke-linejoin:round}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1em 1.1em;margin:.2em 0 0;padding:0;font-size:.82rem}
.legend i{display:inline-block;width:1.4em;border-top:3px solid;margin-right:.4em;vertical-align:middle}
.legend b{font-weight:500;color:var(--soft);font-variant-numeric:tabular-nums}
.query{display:flex;gap:14px;padding:12px 0;border-bottom:1px solid var(--faint);align-items:flex-start}
.query>.asked{flex:0 0 112px}
.shown{display:flex;flex-wrap:wrap;gap:8px;min-width:0}
.tile{margin:0;width:76px;font-size:.72rem;line-height:1.25;color:var(--soft);overflow-wrap:anywhere}
.asked .tile{width:112px}
.tile img,.tile .blank{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#fff;border:1px solid var(--faint);border-radius:5px;margin-bottom:2px}
.tile .blank{background:var(--panel)}
.tile.true img,.tile.true .blank{outline:3px solid var(--good);outline-offset:0;border-color:var(--good)}
.tile.true,.hit{color:var(--good);font-weight:600}
.near{font-weight:600}
.miss{color:var(--bad);font-weight:600}
.gap{align-self:center;color:var(--soft);padding-bottom:18px}
.drawn{display:grid;grid-template-columns:112px repeat(3,minmax(0,1fr));gap:14px;padding:12px 0;border-bottom:1px solid var(--faint)}

.drawn .tile{width:112px}
.drawn h4{margin:0 0 .3em;font-size:.8rem;color:var(--soft);font-weight:600}
details{margin:.6em 0}
summary{cursor:pointer;font-weight:600}
pre{background:var(--panel);padding:12px;border-radius:8px;overflow-x:auto;font-size:.82rem;line-height:1.4}
@media (max-width:640px){.tick{font-size:13px}.query{flex-direction:column;gap:8px}.query>.asked{flex:none}.tile{width:calc((100vw - 32px - 4*6px)/5)}.asked .tile{width:120px}.shown{gap:6px}
.drawn{grid-template-columns:1fr 1fr}.drawn .tile{width:100px}}
@media print{.chart,.query,.drawn{break-inside:avoid}}
)css";

}  // namespace duet
