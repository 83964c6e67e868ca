import type { AlertmanagerStatus } from '@pollux/api-types';
import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { EVERYTHING } from '../history/query.ts';
import type { ApiOptions } from './api-options.ts';
import { receiverTest } from './filters.ts';
import { answer } from './respond.ts';
import { formatDateTime } from './time.ts';

/** The release of Alertmanager whose API this is; tools choose their way of speaking by it. */
export const API_VERSION = '0.34.0';

const NOTIFICATIONS_SHOWN = 200;

export async function getStatus(api: ApiOptions): Promise<HttpResponse> {
  const { cluster } = api;
  const status = cluster.status();
  const shown: AlertmanagerStatus = {
    cluster: {
      // Without a cluster there is neither name nor members, as upstream shows it.
      ...(status === 'disabled'
        ? { peers: [] }
        : {
            name: cluster.name,
            peers: cluster.peers().map(({ name, address }) => ({ address, name })),
          }),
      status,
    },
    config: { original: api.live().marshalled },
    uptime: formatDateTime(api.startedAtMs()),
    versionInfo: {
      branch: 'pollux',
      buildDate: '',
      buildUser: '',
      goVersion: '',
      revision: api.version,
      version: API_VERSION,
    },
  };
  return answer(200, shown);
}

export async function getReceivers(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const live = api.live();
  const isWanted = receiverTest(exchange.query, api.matcherMode, (name) =>
    live.receiverLabels(name),
  );
  const found = live.config.receivers.filter(({ name }) => isWanted(name));
  return answer(
    200,
    found.map(({ name, labels }) => ({ labels: { ...labels, name }, name })),
  );
}

/** The last notifications with their outcome, of history; an extension, for the console. */
export async function getNotifications(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const query = { ...EVERYTHING, kinds: new Set(['notification'] as const) };
  const { records } = await api.history.search(query, {
    limit: NOTIFICATIONS_SHOWN,
    signal: exchange.signal,
  });
  return answer(200, records);
}
