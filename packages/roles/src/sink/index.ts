import { createDingtalkSink } from '@pollux/alertmanager';
import { parseAddress } from '@pollux/http/serving';
import { LOG_FLAGS } from '../flags/flags.ts';
import { type RoleModule, VERSION } from '../runtime/role.ts';
import { listen, observedRouter, registerHealth, registerMetrics } from '../runtime/web.ts';

const FLAGS = {
  'web.listen-address': {
    kind: 'string',
    fallback: '127.0.0.1:8060',
    help: 'Address to listen on.',
  },
  secret: {
    kind: 'string',
    fallback: '',
    help: 'Signature secret of the robot; empty takes unsigned messages. Prefer the environment variable POLLUX_SINK_SECRET.',
  },
  ...LOG_FLAGS,
} as const;

/** A DingTalk robot on loopback: checks the signature, keeps what it gets, shows it. For demonstrations and drills. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'sink',
  usage: 'pollux sink [flags]',
  version: `pollux sink, version ${VERSION}`,
  flags: FLAGS,
  start: async ({ env, log, registry, variables }, values) => {
    const router = observedRouter({ env, log, registry, namespace: 'sink', prefix: '/' });
    registerHealth(router, 'Sink', () => true);
    registerMetrics(router, registry);
    const sink = createDingtalkSink({
      clock: env.clock,
      secret: values.secret === '' ? (variables.POLLUX_SINK_SECRET ?? '') : values.secret,
    });
    router.otherwise(({ request }) => sink(request));
    const listener = await listen(env, parseAddress(values['web.listen-address']), router);
    return {
      address: listener.address,
      reload: async () => {},
      close: () => listener.close(),
      quit: new Promise(() => {}),
    };
  },
};
