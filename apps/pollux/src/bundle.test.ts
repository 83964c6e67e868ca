import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';

const BUNDLE = path.join(import.meta.dirname, '..', 'dist', 'bundle');
const FILES = fs.existsSync(BUNDLE)
  ? fs.readdirSync(BUNDLE).filter((name) => name.endsWith('.js'))
  : [];

/** The texts of a file and of all that it loads at its start, by name. */
function loaded(name: string, texts = new Map<string, string>()): ReadonlyMap<string, string> {
  if (texts.has(name)) return texts;
  const text = fs.readFileSync(path.join(BUNDLE, name), 'utf8');
  texts.set(name, text);
  for (const [, next] of text.matchAll(/\b(?:from|import)\s*"\.\/([^"]+)"/g)) loaded(next!, texts);
  return texts;
}

function kilobytes(name: string): number {
  const texts = [...loaded(name).values()];
  return texts.reduce((sum, text) => sum + text.length, 0) / 1000;
}

describe.skipIf(FILES.length === 0)('the bundle (skipped where it has not been built)', () => {
  const server = FILES.find((name) => /^server-[A-Z0-9]+\.js$/.test(name))!;

  it('has for each thread only what that thread runs', () => {
    expect(kilobytes(server)).toBeGreaterThan(1_500);
    expect(kilobytes('server-query.worker.js')).toBeGreaterThan(300);
    expect(kilobytes('server-query.worker.js')).toBeLessThan(800);
    expect(kilobytes('thread-main.js')).toBeLessThan(20);
  });

  it('is kept in memory with one byte a sign, of which one sign outside Latin-1 would make two', () => {
    const isWide = (text: string): boolean => [...text].some((sign) => sign > '\u00ff');
    const wide = [server, 'server-query.worker.js'].flatMap((entry) =>
      [...loaded(entry)].flatMap(([name, text]) => (isWide(text) ? [name] : [])),
    );
    expect(wide).toEqual([]);
  });
});
