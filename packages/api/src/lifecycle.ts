import { errorText, type HttpResponse } from '@pollux/base';
import { type Router, text } from '@pollux/http';
import { type Registry, renderText, TEXT_CONTENT_TYPE } from '@pollux/telemetry';
import type { LifecyclePort, StatusPort } from './ports.ts';
import type { Guard } from './readiness.ts';

export type LifecycleOptions = {
  readonly lifecycle: LifecyclePort | null;
  readonly status: StatusPort;
  readonly registry: Registry;
  /** As the peer calls itself in these pages: `Prometheus Server`. */
  readonly serverName: string;
  readonly guard: Guard;
};

/** Pages outside the API: health, reload, quit, self-metrics, version. */
export function registerLifecycle(router: Router, options: LifecycleOptions): void {
  const { guard, registry, serverName, status } = options;
  router.get('/-/healthy', async () => text(200, `${serverName} is Healthy.\n`));
  router.get('/-/ready', async () => guard() ?? text(200, `${serverName} is Ready.\n`));
  router.get('/metrics', async () => ({
    status: 200,
    headers: { 'content-type': TEXT_CONTENT_TYPE },
    body: renderText(registry.gather()),
  }));
  router.get('/version', async () => guard() ?? versionPage(status));
  registerSwitches(router, options.lifecycle);
}

function versionPage(status: StatusPort): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(status.buildInfo),
  };
}

function registerSwitches(router: Router, lifecycle: LifecyclePort | null): void {
  const disabled = async (): Promise<HttpResponse> => text(403, 'Lifecycle API is not enabled.\n');
  const notAllowed = async (): Promise<HttpResponse> => ({
    status: 405,
    headers: { 'content-type': 'text/plain; charset=utf-8', allow: 'POST, PUT' },
    body: 'Only POST or PUT requests allowed\n',
  });
  const reload = async (): Promise<HttpResponse> => {
    try {
      await lifecycle?.reload();
      return { status: 200 };
    } catch (error) {
      return text(500, `failed to reload config: ${errorText(error)}\n`);
    }
  };
  const quit = async (): Promise<HttpResponse> => {
    lifecycle?.quit();
    return text(200, 'Requesting termination... Goodbye!');
  };
  const writes = ['POST', 'PUT'];
  router.on(writes, '/-/reload', lifecycle === null ? disabled : reload);
  router.on(writes, '/-/quit', lifecycle === null ? disabled : quit);
  for (const page of ['/-/reload', '/-/quit']) router.get(page, notAllowed);
}
