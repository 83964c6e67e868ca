// Part of `npm run gen`: writes the list of excepted conformance cases in docs/compatibility.md from the table that the conformance test of
// the store reads too. With --check it only says whether the two differ.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, step } from './prepare.mjs';

const TABLE = path.join('packages', 'influx', 'testdata', 'conformance-exceptions.json');
const PAGE = path.join(root, 'docs', 'compatibility.md');
const BEGIN = `<!-- Written by \`npm run gen\` from ${TABLE}. -->\n`;
const END = '<!-- End of what is written by `npm run gen`. -->\n';

const rows = JSON.parse(readFileSync(path.join(root, TABLE), 'utf8')).map(
  ({ suite, step: number, what, reason }) => `| ${suite}#${number} | ${what} | ${reason} |\n`,
);
const page = readFileSync(PAGE, 'utf8');
const [before, rest] = page.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) {
  step(`${PAGE}: the marks around the list are gone`);
  process.exit(1);
}
const list = `\n| case | what | why |\n|---|---|---|\n${rows.join('')}\n`;
const wanted = `${before}${BEGIN}${list}${END}${after}`;
const differs = wanted !== page;
const isCheck = process.argv.includes('--check');
if (differs) step(`docs/compatibility.md ${isCheck ? 'differs from' : 'follows'} ${TABLE}`);
if (differs && !isCheck) writeFileSync(PAGE, wanted);
process.exit(differs && isCheck ? 1 : 0);
