import type { HttpResponse } from '@pollux/base';
import type { Exchange, Router } from '@pollux/http';
import { isResolvedAt } from '../alert/alert.ts';
import { answer } from '../api/respond.ts';
import { NotFoundError } from '../api-v3/errors.ts';
import { guarded } from '../api-v3/guarded.ts';
import type { Outbox } from './outbox.ts';
import type { OutboxStore } from './outbox-store.ts';
import { type DeadLetter, integrationName, type OutboxEntry, type Owed } from './owed.ts';

type Sources = { readonly outbox: Outbox; readonly store: OutboxStore };

/** What is owed, and what was given up: to be looked at, replayed and deleted. Described in outbox.md. */
export function registerDeadLetters(router: Router, sources: Sources): void {
  const { store } = sources;
  const { letters } = store;
  router.get(
    '/api/v3/outbox',
    guarded(async () => answer(200, [...store.entries()].map(entryView))),
  );
  router.get(
    '/api/v3/dead-letters',
    guarded(async () => answer(200, [...letters.all()].map(letterView))),
  );
  router.get(
    '/api/v3/dead-letters/:id',
    guarded(async (exchange) => {
      const letter = letterAt(store, exchange);
      return answer(200, { ...letterView(letter), alerts: alertViews(letter.owed) });
    }),
  );
  router.post(
    '/api/v3/dead-letters/replay',
    guarded(async () => replayAll(sources)),
  );
  router.post(
    '/api/v3/dead-letters/:id/replay',
    guarded(async (exchange) => {
      const letter = letterAt(store, exchange);
      return answer(200, resultView(letter, await sources.outbox.replay(letter)));
    }),
  );
  router.on(
    'DELETE',
    '/api/v3/dead-letters/:id',
    guarded(async (exchange) => {
      letters.remove(letterAt(store, exchange).id);
      return answer(200, {});
    }),
  );
  router.on(
    'DELETE',
    '/api/v3/dead-letters',
    guarded(async () => {
      const all = [...letters.all()];
      for (const { id } of all) letters.remove(id);
      return answer(200, { deleted: all.length });
    }),
  );
}

/** One after the other, oldest first; the answer waits for all of them, and a receiver that failed is not tried again. */
async function replayAll({ outbox, store }: Sources): Promise<HttpResponse> {
  const results: object[] = [];
  const failed = new Map<string, string>();
  for (const letter of [...store.letters.all()]) {
    const lane = `${letter.owed.receiverName}/${integrationName(letter.owed.receiver)}`;
    const known = failed.get(lane);
    const error = known === undefined ? await outbox.replay(letter) : known;
    if (error !== null) failed.set(lane, error);
    results.push(resultView(letter, error));
  }
  return answer(200, results);
}

function letterAt(store: OutboxStore, { params }: Exchange): DeadLetter {
  const id = params.id ?? '';
  const letter = /^\d{1,15}$/.test(id) ? store.letters.get(Number(id)) : undefined;
  if (letter === undefined) throw new NotFoundError('id', `there is no dead letter "${id}"`);
  return letter;
}

function resultView({ id }: DeadLetter, error: string | null): object {
  return { id: String(id), result: error === null ? 'sent' : 'failed', error: error ?? '' };
}

function letterView(letter: DeadLetter): object {
  const { replay } = letter;
  return {
    id: String(letter.id),
    ...owedView(letter.owed),
    cause: letter.cause,
    error: letter.error,
    attempts: letter.attempts,
    deaths: letter.deaths,
    diedAt: iso(letter.diedMs),
    lastReplay: replay === null ? null : { at: iso(replay.atMs), error: replay.error },
  };
}

function entryView(entry: OutboxEntry): object {
  return {
    ...owedView(entry.owed),
    attempts: entry.attempts,
    error: entry.error,
    isEscalated: entry.isEscalated,
  };
}

function owedView(owed: Owed): object {
  const resolved = owed.alerts.filter((alert) => isResolvedAt(alert, owed.flushMs)).length;
  return {
    receiver: owed.receiverName,
    integration: integrationName(owed.receiver),
    isFallback: owed.isFallback,
    groupKey: owed.groupKey,
    groupLabels: owed.groupLabels.toObject(),
    reason: owed.reason,
    firing: owed.alerts.length - resolved,
    resolved,
    flushedAt: iso(owed.flushMs),
    failingSince: iso(owed.sinceMs),
  };
}

function alertViews({ alerts, flushMs }: Owed): object[] {
  return alerts.map((alert) => ({
    status: isResolvedAt(alert, flushMs) ? 'resolved' : 'firing',
    labels: alert.identity.labels.toObject(),
    annotations: Object.fromEntries(alert.annotations),
    startsAt: iso(alert.startsAtMs),
    endsAt: alert.endsAtMs === 0 ? null : iso(alert.endsAtMs),
    generatorURL: alert.generatorUrl,
    fingerprint: alert.identity.fingerprint,
  }));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
