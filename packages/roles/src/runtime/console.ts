import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Files, HttpResponse } from '@pollux/base';
import { type Router, text } from '@pollux/http/serving';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** Everything the page may load comes from here: no foreign scripts, no inline ones. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

/** The built console, found from where this file lies. */
function consoleDirectory(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  return path.resolve(here, '..', '..', '..', '..', 'apps', 'console', 'dist');
}

/**
 * Serves the console below `/console/`. Files of the build are cached for ever (their names carry a hash); any other path
 * gives the page itself, which reads the address. Prometheus' old links (`/graph?g0.expr=…`) lead there.
 */
export function registerConsole(
  router: Router,
  files: Files,
  directory = consoleDirectory(),
): void {
  const page = (): HttpResponse => {
    const file = path.join(directory, 'index.html');
    if (!files.exists(file)) return text(404, 'the console is not built; run: npm run build\n');
    return {
      status: 200,
      headers: { ...SECURITY_HEADERS, 'content-type': TYPES['.html']! },
      body: files.readFile(file),
    };
  };
  router.get('/console/assets/:name', async ({ params }) => {
    const name = params.name ?? '';
    // Only plain names: nothing outside the directory can be asked for.
    const file = path.join(directory, 'assets', name);
    if (!/^[\w.-]+$/.test(name) || !files.exists(file)) return text(404, '404 page not found\n');
    return {
      status: 200,
      headers: {
        ...SECURITY_HEADERS,
        'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream',
        'cache-control': 'public, max-age=31536000, immutable',
      },
      body: files.readFile(file),
    };
  });
  router.get('/console/*', async () => page());
  router.get('/', async () => ({ status: 302, headers: { location: 'console/' } }));
  router.get('/graph', async ({ query }) => ({
    status: 302,
    headers: { location: `console/graph?${query.toString()}` },
  }));
}
