import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Files, HttpResponse } from '@pollux/base';
import { type RouteHandler, type Router, text } from '@pollux/http/serving';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** Everything a page may load or ask comes from here: no foreign scripts, no inline ones, no frame of another site. */
const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

/** Where Prometheus had a page of its own, and the page of the console that shows the same. */
const PROMETHEUS_PAGES: Readonly<Record<string, string>> = {
  graph: 'graph',
  query: 'graph',
  alerts: 'alerts',
  rules: 'alerts',
  targets: 'targets',
};

/** The built pages, found from where this file lies. */
function builtDirectory(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  return path.resolve(here, '..', '..', '..', '..', 'apps', 'console', 'dist');
}

/**
 * Serves the console below `/console/`. Any path of it gives the page itself, which reads the address. Prometheus' links
 * (`/graph?g0.expr=…`, `/alerts`) lead there, but for those that the role has another use for.
 */
export function registerConsole(
  router: Router,
  files: Files,
  { except = [] }: { readonly except?: readonly string[] } = {},
): void {
  const directory = builtDirectory();
  router.get('/console/assets/:name', asset(files, directory));
  const page = html(files, path.join(directory, 'index.html'));
  // One level only: the page names its files by where it is.
  router.get('/console/', page);
  router.get('/console/:page', page);
  router.get('/', async () => ({ status: 302, headers: { location: 'console/' } }));
  for (const [old, now] of Object.entries(PROMETHEUS_PAGES)) {
    if (except.includes(old)) continue;
    router.get(`/${old}`, async ({ query }) => ({
      status: 302,
      headers: { location: `console/${now}${query.size === 0 ? '' : `?${query.toString()}`}` },
    }));
  }
}

/** Serves an alertmanager's page at `/`, where notifications' links (`/#/alerts?receiver=…`) lead. */
export function registerAlertmanagerPage(router: Router, files: Files): void {
  const directory = builtDirectory();
  router.get('/assets/:name', asset(files, directory));
  router.get('/', html(files, path.join(directory, 'alertmanager.html')));
}

/** Nothing is kept in memory: who opens no page pays nothing for it. */
function html(files: Files, file: string): RouteHandler {
  return async (): Promise<HttpResponse> => {
    if (!files.exists(file)) return text(404, 'the console is not built; run: npm run build\n');
    return {
      status: 200,
      headers: {
        ...SECURITY_HEADERS,
        'content-type': TYPES['.html']!,
        // It names files that a new version no longer has.
        'cache-control': 'no-cache',
      },
      body: files.readFile(file),
    };
  };
}

/** Files of the build are cached for ever: their names carry a hash. */
function asset(files: Files, directory: string): RouteHandler {
  return async ({ params }): Promise<HttpResponse> => {
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
  };
}
