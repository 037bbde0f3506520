"""The style sheet of the report: light and dark, wide and narrow."""

CSS = """
:root{
  color-scheme:light dark;
  --paper:#faf9f6;--card:#ffffff;--ink:#1b1f24;--soft:#59636e;
  --line:#e3e0d9;--faint:#f0eee9;
  --target:#c43a2b;--rare:#c98207;--common:#8d9aa8;
  --o1:#2b6cb0;--o2:#2f855a;--o3:#7b5ea7;--o4:#0f7f8c;
}
@media (prefers-color-scheme:dark){:root{
  --paper:#14171b;--card:#1c2026;--ink:#e6e8eb;--soft:#9aa5b1;
  --line:#2d333b;--faint:#22272e;
  --target:#f0705f;--rare:#f0b14a;--common:#7c8996;
  --o1:#6cabf0;--o2:#62bf8c;--o3:#b69ae6;--o4:#54bfcb;
}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
  "Helvetica Neue",Arial,"DejaVu Sans",sans-serif;
  font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}
h1,h2,h3,p{margin:0}
h1{font-size:2rem;line-height:1.2;letter-spacing:-.015em;
  overflow-wrap:anywhere}
h2{font-size:1.35rem;line-height:1.3;letter-spacing:-.01em}
h3{font-size:1rem;margin:28px 0 10px}
.eyebrow{color:var(--soft);font-size:.85rem;font-weight:600;
  letter-spacing:.06em;text-transform:uppercase;margin-bottom:6px}
.lede{color:var(--soft);max-width:44rem;margin-top:10px;font-size:1.05rem}
section{margin-top:52px}
section>p.how{color:var(--soft);max-width:44rem;margin:6px 0 18px}
.cards{display:grid;gap:12px;margin-top:26px;
  grid-template-columns:repeat(auto-fit,minmax(170px,1fr))}
.card{background:var(--card);border:1px solid var(--line);
  border-radius:10px;padding:14px 16px}
.card b{display:block;font-size:1.7rem;line-height:1.2;font-weight:650;
  letter-spacing:-.02em}
.card span{color:var(--soft);font-size:.88rem;line-height:1.4;display:block}
.card.main b{color:var(--target)}
.panel{background:var(--card);border:1px solid var(--line);
  border-radius:10px;padding:18px 18px 14px}
.panel+.panel,.panel+.wide,.wide+.panel{margin-top:14px}
.two{display:grid;gap:14px;
  grid-template-columns:minmax(0,1.7fr) minmax(0,1fr)}
.two .bars{row-gap:12px}
.two .panel+.panel{margin-top:0}
.panel>h3:first-child{margin-top:0}
.note{color:var(--soft);font-size:.9rem;margin-top:10px;max-width:44rem}
.empty{color:var(--soft);font-style:italic}
.bars{display:grid;align-items:center;gap:7px 12px;
  grid-template-columns:minmax(6.5rem,max-content) 1fr max-content}
.bar-label,.bar-value{font-size:.9rem;line-height:1.3}
.bar-label{overflow-wrap:anywhere}
.bar-value{color:var(--soft);text-align:right}
.bar-track,.stack{display:flex;background:var(--faint);border-radius:4px;
  overflow:hidden;height:16px;position:relative}
.stack{height:26px;border-radius:6px}
.bar{display:block;height:100%;background:var(--common)}
.bar.target,.dot.target{background:var(--target)}
.bar.rare,.dot.rare{background:var(--rare)}
.bar.common,.dot.common,.bar.random,.dot.random{background:var(--common)}
.bar.default,.dot.default{background:var(--target)}
.bar-mark{position:absolute;top:0;bottom:0;width:3px;margin-left:-1px;
  background:var(--ink)}
.bar-between{position:absolute;top:7px;height:2px;background:var(--ink);
  opacity:.65}
.dot.tick{width:3px;height:14px;border-radius:0;background:var(--ink);
  vertical-align:-2px}
.bar.plain{background:var(--o1)}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:.9rem;
  color:var(--soft);margin-top:10px}
.key b{color:var(--ink);margin-left:6px}
.swatch{width:26px;height:12px;margin-right:7px;vertical-align:-1px}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;
  margin-right:7px}
.chart svg{display:block;width:100%;max-width:680px;
  height:auto;margin:0 auto}
svg text{font-size:14px;fill:var(--soft)}
svg .title{fill:var(--soft)}
svg .grid{stroke:var(--line)}
svg .axis{stroke:var(--soft)}
svg .mark{stroke:var(--soft);stroke-dasharray:3 4}
svg .line{fill:none;stroke:currentColor;stroke-width:2;
  stroke-linejoin:round}
svg .band{fill:currentColor;opacity:.16;stroke:none}
svg .fill{fill:currentColor}
svg .default{color:var(--target)}
svg .line.default{stroke-width:3.2}
svg .random{color:var(--common)}
svg .line.random{stroke-dasharray:7 5}
svg .oracle{color:var(--ink)}
svg .line.oracle{stroke-dasharray:2 4}
svg .other-0{color:var(--o1)}svg .other-1{color:var(--o2)}
svg .other-2{color:var(--o3)}svg .other-3{color:var(--o4)}
svg .target{color:var(--target)}svg .rare{color:var(--rare)}
svg .common{color:var(--common)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:7px 12px 7px 0;text-align:left;vertical-align:top;
  border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;white-space:nowrap}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;white-space:nowrap}
td.nowrap{white-space:nowrap}
td .bar-track{height:4px;width:84px;margin:4px 0 0 auto}
details{margin-top:14px}
summary{cursor:pointer;color:var(--soft);font-size:.92rem}
details[open] summary{margin-bottom:8px}
.crops{display:grid;gap:14px;
  grid-template-columns:repeat(auto-fill,minmax(220px,1fr))}
figure{margin:0;background:var(--card);border:1px solid var(--line);
  border-top:3px solid var(--common);border-radius:8px;overflow:hidden;
  display:flex;flex-direction:column}
figure.target{border-top-color:var(--target)}
figure.rare{border-top-color:var(--rare)}
figure .view{background:var(--faint);height:150px;display:flex;
  align-items:center;justify-content:center}
figure img{width:100%;height:100%;object-fit:contain;display:block}
figcaption{padding:10px 12px 12px;font-size:.85rem;line-height:1.45}
figcaption .what{display:flex;justify-content:space-between;gap:8px;
  font-size:.95rem;font-weight:600}
figcaption .what span{color:var(--soft);font-weight:400;white-space:nowrap}
figcaption q{display:block;margin:4px 0;quotes:"\\201c" "\\201d"}
figcaption .why{color:var(--soft);overflow-wrap:anywhere}
figcaption .where{color:var(--soft);font-size:.8rem;margin-top:6px}
.words{display:flex;flex-wrap:wrap;gap:8px}
.word{background:var(--card);border:1px solid var(--line);
  border-radius:999px;padding:3px 12px;font-size:.9rem}
.word small{color:var(--soft);margin-left:6px;font-size:.82rem}
.strip{display:flex;gap:3px;flex-wrap:wrap}
.cell{width:14px;height:14px;border-radius:3px;background:var(--faint);
  border:1px solid var(--line)}
.cell.has{background:color-mix(in srgb,var(--target) 26%,var(--card));
  border-color:transparent}
.cell.on{background:var(--o1);border-color:transparent}
.cell.on.has{background:var(--target)}
.key .cell{display:inline-block;width:12px;height:12px;margin-right:7px;
  vertical-align:-1px}
.scenes{display:grid;gap:6px 28px;align-items:center;
  grid-template-columns:repeat(auto-fill,minmax(290px,1fr))}
.scenes>div{display:grid;gap:10px;align-items:center;
  grid-template-columns:minmax(6.2rem,max-content) 1fr max-content;
  font-size:.85rem}
.scenes .bar-value{font-size:.85rem}
footer{margin-top:56px;padding-top:18px;border-top:1px solid var(--line);
  color:var(--soft);font-size:.85rem}
footer dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;
  margin:0}
footer dd{margin:0;overflow-wrap:anywhere}
@media (max-width:900px){.two{grid-template-columns:minmax(0,1fr)}}
@media (max-width:760px){
  main{padding:26px 16px 48px}
  h1{font-size:1.6rem}
  svg text{font-size:22px}
  svg .upright{display:none}
  th,td{padding-right:10px}
  td .bar-track{width:48px}
  td.nowrap{white-space:normal}
  .cards{grid-template-columns:repeat(2,minmax(0,1fr))}
  .card b{font-size:1.35rem}
  .crops{grid-template-columns:repeat(2,minmax(0,1fr));gap:10px}
  figure .view{height:116px}
  .bars{grid-template-columns:minmax(5rem,7.5rem) 1fr max-content}
}
.ci{display:block;color:var(--soft);font-size:.78rem;white-space:nowrap}
.heat{overflow-x:auto}
.heat table{width:auto;font-size:.78rem}
.heat th,.heat td{padding:3px 4px;border:1px solid var(--paper);
  text-align:center;min-width:2.1rem}
.heat th{font-weight:500;white-space:nowrap}
.heat tbody th{text-align:right}
.heat thead th{writing-mode:vertical-rl;transform:rotate(180deg);
  text-align:left;vertical-align:bottom;padding:5px 3px}
.heat td.none{color:var(--soft)}
@media print{body{background:#fff}figure,.panel{break-inside:avoid}}
"""
