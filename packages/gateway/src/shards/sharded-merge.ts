import type { HttpResponse } from '@pollux/base';
import { type Exchange, formOf, hasFormBody, json } from '@pollux/http';
import { type Envelope, envelopeOf } from '../merge/envelope.ts';
import { cutRows, type MergedPath } from '../merge/merged-paths.ts';
import { lostShardWarning, type Shard } from './shard.ts';

export type ShardedMergeOptions = {
  readonly shards: readonly Shard[];
  readonly replicaLabels: readonly string[];
};

type Reply = {
  readonly shard: Shard;
  readonly response: HttpResponse;
  readonly envelope: Envelope | null;
};

/** Names, series, targets, rules and alerts of all shards, each of which answers as one server. */
export class ShardedMerge {
  readonly #options: ShardedMergeOptions;

  constructor(options: ShardedMergeOptions) {
    this.#options = options;
  }

  async handle(exchange: Exchange, merged: MergedPath): Promise<HttpResponse> {
    const { shards, replicaLabels } = this.#options;
    const form = await formOf(exchange);
    const forShards = new URLSearchParams(form);
    for (const name of merged.notForShards ?? []) forShards.delete(name);
    const replies = await Promise.all(
      shards.map(async (shard): Promise<Reply> => {
        const response = await shard.merged.handle(again(exchange, forShards), merged);
        return { shard, response, envelope: await envelopeIn(response) };
      }),
    );
    const good = replies.flatMap(({ envelope }) => (envelope === null ? [] : [envelope]));
    const warnings = new Set(good.flatMap((one) => one.warnings));
    for (const { shard, response, envelope } of replies) {
      if (envelope !== null) continue;
      // What the request is refused for it is refused for by all.
      if (response.status < 500 || good.length === 0) return response;
      const isSilent = !shard.upstreams.some(({ isUp }) => isUp);
      warnings.add(
        isSilent
          ? lostShardWarning(shard, new Map())
          : `shard ${shard.name} answered ${response.status}, what it has is missing`,
      );
    }
    const all = good.map((one) => one.data);
    const data = merged.mergeShards?.(all) ?? merged.merge(all, { form, replicaLabels });
    const cut = merged.selectors === 'match[]' ? cutRows(data, form) : { data, isCut: false };
    if (cut.isCut) warnings.add('results truncated due to limit');
    const infos = new Set(good.flatMap((one) => one.infos));
    const names = replies.flatMap(({ response }) => response.headers?.['x-pollux-replica'] ?? []);
    const answer = json(200, {
      status: 'success',
      data: cut.data,
      ...(warnings.size === 0 ? {} : { warnings: [...warnings] }),
      ...(infos.size === 0 ? {} : { infos: [...infos] }),
    });
    return { ...answer, headers: { ...answer.headers, 'x-pollux-replica': names.join(', ') } };
  }
}

/** The same request with this form, whose body can be read once more. */
function again(exchange: Exchange, form: URLSearchParams): Exchange {
  const { request, path } = exchange;
  const { method, headers, remote, principal, signal } = request;
  const body = hasFormBody(exchange) ? new TextEncoder().encode(form.toString()) : null;
  return {
    ...exchange,
    query: body === null ? form : new URLSearchParams(),
    request: {
      method,
      target: body === null ? `${path}?${form}` : path,
      headers,
      remote,
      principal,
      signal,
      body: async () => body ?? new Uint8Array(),
      stream: () => request.stream(),
    },
  };
}

/** Handlers of shards answer with whole bodies. */
async function envelopeIn({ status, body }: HttpResponse): Promise<Envelope | null> {
  if (status !== 200) return null;
  if (typeof body === 'string') return envelopeOf(new TextEncoder().encode(body));
  return body instanceof Uint8Array ? envelopeOf(body) : null;
}
