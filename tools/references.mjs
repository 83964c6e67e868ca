// `npm run gen`: writes each package's tsconfig references from the rooms that its package.json lists, so that the two
// can never differ. With --check it only says what does.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, step } from './prepare.mjs';

const isCheck = process.argv.includes('--check');
let differing = 0;
for (const group of ['packages', 'apps']) {
  for (const name of readdirSync(path.join(root, group))) {
    const folder = path.join(root, group, name);
    const file = path.join(folder, 'tsconfig.json');
    if (!existsSync(file)) continue;
    const { dependencies = {} } = JSON.parse(
      readFileSync(path.join(folder, 'package.json'), 'utf8'),
    );
    const config = JSON.parse(readFileSync(file, 'utf8'));
    // The console is built by Vite and type-checked as a whole.
    if (config.references === undefined) continue;
    const rooms = Object.keys(dependencies).flatMap((dependency) =>
      dependency.startsWith('@pollux/') ? [dependency.slice('@pollux/'.length)] : [],
    );
    const wanted = rooms.map((room) => ({
      path: group === 'packages' ? `../${room}` : `../../packages/${room}`,
    }));
    if (JSON.stringify(config.references) === JSON.stringify(wanted)) continue;
    differing++;
    step(`${group}/${name}: references ${isCheck ? 'differ from' : 'follow'} package.json`);
    if (!isCheck)
      writeFileSync(file, `${JSON.stringify({ ...config, references: wanted }, null, 2)}\n`);
  }
}
process.exit(isCheck && differing > 0 ? 1 : 0);
