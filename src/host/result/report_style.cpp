#include "result/report.hpp"

namespace sojourn {

const char* report_style() {
  return R"css(
:root{color-scheme:light dark;--ink:#1b2430;--soft:#56616f;--paper:#f7f7f4;--card:#ffffff;--rule:#e1e3e0;
--post:#1c63c7;--data:#b4521a;--prior:#7b8794;--pass:#1b7a4b;--warn:#8a5a00;--fail:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#a2adba;--paper:#12161b;--card:#1a2027;--rule:#2e3741;
--post:#74aefc;--data:#f2a25c;--prior:#93a0ad;--pass:#5fcf95;--warn:#f0bf4c;--fail:#ff8a80}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:960px;margin:0 auto;padding:28px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:44px 0 4px;letter-spacing:-.005em}
p{margin:6px 0 14px;max-width:44rem}
.lead{color:var(--soft);margin-bottom:18px;overflow-wrap:anywhere}
.verdict{display:flex;gap:12px;align-items:baseline;background:var(--card);border:1px solid var(--rule);border-left:5px solid currentColor;border-radius:8px;padding:12px 16px;margin:0}
.verdict span{color:var(--ink)}
.PASS{color:var(--pass)}.WARN{color:var(--warn)}.FAIL{color:var(--fail)}
.tag{font-weight:700;font-size:.85rem;letter-spacing:.04em}
.warnings{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 16px 10px 32px;margin:12px 0 0;color:var(--warn)}
.warnings li span{color:var(--ink);overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--rule);border-radius:8px;overflow:hidden;font-variant-numeric:tabular-nums}
th,td{padding:8px 14px;text-align:right;border-top:1px solid var(--rule);vertical-align:top}
thead th{border-top:0;color:var(--soft);font-weight:600;font-size:.85rem;white-space:nowrap}
th:first-child,th.text,td.text{text-align:left}
tbody th{font-weight:600;min-width:9em;overflow-wrap:anywhere}
td.nowrap,td[data-label]{white-space:nowrap}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:14px;align-items:start}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 12px 10px;min-width:0}
figcaption{font-size:.875rem;line-height:1.45;color:var(--soft);margin-top:6px;overflow-wrap:anywhere}
figcaption b{color:var(--ink)}
svg.plot{display:block;width:100%;height:auto}
svg text{font-size:14px;fill:var(--soft);font-family:inherit;font-variant-numeric:tabular-nums}
svg .label,svg .name,svg .strong{fill:var(--ink)}
svg .strong{font-weight:700}
.axis{stroke:var(--soft);stroke-width:1;fill:none}
.grid{stroke:var(--rule);stroke-width:1;fill:none}
.cell{fill:none;stroke:var(--rule)}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.line.post{stroke:var(--post)}.line.thin{stroke-width:1.4}
.line.data{stroke:var(--data);stroke-width:1.6}
.line.prior{stroke:var(--prior);stroke-width:1.8;stroke-dasharray:5 5}
.line.mark{stroke:var(--post);stroke-width:2}
.line.faint{stroke:var(--post);stroke-width:.8;opacity:.4}
.fill{stroke:none}
.post-faint{fill:var(--post);opacity:.10}
.post-soft{fill:var(--post);opacity:.22}
.post-mid{fill:var(--post);opacity:.25}
.data-soft{fill:var(--data);opacity:.17}
.dots{fill:none;stroke-linecap:round}
.dots.post{stroke:var(--post);opacity:.5}
.note{display:block;margin-top:8px}
.key{display:inline-block;margin-right:10px}
.key i{display:inline-block;width:18px;height:10px;border-radius:2px;margin-right:6px}
.key i.post{background:color-mix(in srgb,var(--post) 28%,transparent);border-bottom:3px solid var(--post)}
.key i.data{background:color-mix(in srgb,var(--data) 24%,transparent);border-bottom:3px solid var(--data)}
.key i.prior{height:0;border-radius:0;border-top:2px dashed var(--prior);vertical-align:middle}
.key i.fifty{background:color-mix(in srgb,var(--post) 48%,transparent)}
.key i.ninety{background:color-mix(in srgb,var(--post) 29%,transparent)}
.key i.tick{width:2px;height:12px;background:var(--data);margin:0 10px 0 6px;vertical-align:middle}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 18px;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:14px 16px;margin:8px 0 14px}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.bar{display:block;height:6px;border-radius:3px;background:var(--post);opacity:.7;min-width:1px;margin-top:9px}
td.bars{width:45%}
footer{margin-top:36px;color:var(--soft);font-size:.875rem}
@media (min-width:860px){.big{display:grid;grid-template-columns:minmax(0,600px) minmax(0,1fr);gap:22px;align-items:center}.big .key{display:block;margin-bottom:4px}.big figcaption{line-height:1.55}
svg text{font-size:12px}svg.pairs text{font-size:9px}.big svg text{font-size:10px}.big svg.pairs text{font-size:9.5px}}
@media (max-width:640px){
main{padding:20px 14px 48px}h1{font-size:1.4rem}h2{margin-top:34px}
figure{padding:8px 6px}figcaption{padding:0 4px}
table.stack,table.stack tbody,table.stack tr,table.stack td,table.stack th{display:block;width:100%}
table.stack thead{display:none}
table.stack tr{border-top:1px solid var(--rule);padding:10px 14px}
table.stack tr:first-child{border-top:0}
table.stack th,table.stack td{border:0;padding:1px 0;text-align:left}
table.stack td[data-label]{display:grid;grid-template-columns:9.5em minmax(0,1fr)}
table.stack td[data-label]::before{content:attr(data-label);color:var(--soft)}
dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 8px}
th,td{padding:7px 10px}
}
@media print{body{background:#fff}figure,table,dl{break-inside:avoid}}
)css";
}

}  // namespace sojourn
