import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { groupHash } from '../group-hash.ts';
import { checkStatus, jsonObject, type ReceiverAnswer, ReceiverHttp } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { JiraConfig } from './config.ts';
import { issueLabel, issueQuery, joined, searchUrl } from './search.ts';

const MAX_SUMMARY_RUNES = 255;
const MAX_DESCRIPTION_RUNES = 32_767;
const RETRY_CODES = [429];

type Issue = { readonly key: string; readonly isDone: boolean | null };

/** One issue for a group: opened, updated, moved to and from "done" by transitions of the project's workflow. */
export function jira(config: JiraConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { log } = options;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const hash = groupHash(notification.groupKey);
    const isFiring = notification.status === 'firing';
    const project = rendering.text(settings.project);
    const known = await search(issueQuery(settings, { hash, isFiring, project }), signal);
    // What is over needs no new issue.
    if (known === null && !isFiring) return;
    const fields = fieldsOf(rendering, { hash, project, isUpdate: known !== null });
    const [method, path] = known === null ? ['POST', 'issue'] : ['PUT', `issue/${known.key}`];
    await ask(method, joined(settings.api_url, path), { body: { fields }, signal });
    if (known !== null) await transition(known, isFiring, signal);
  }

  async function search(jql: string, signal: StopSignal): Promise<Issue | null> {
    const body = { fields: ['status'], jql, maxResults: 2 };
    const answer = await ask('POST', searchUrl(settings), { body, signal });
    const issues = listOf(objectIn(answer).issues);
    if (issues.length > 1) {
      log.warn('more than one issue matched, selecting the most recently resolved', {
        selected_issue: String(issues[0]?.key ?? ''),
      });
    }
    const [first] = issues;
    if (first === undefined || typeof first.key !== 'string') return null;
    const status = mapOf(mapOf(first.fields).status);
    const category = mapOf(status.statusCategory).key;
    return { key: first.key, isDone: category === undefined ? null : category === 'done' };
  }

  async function transition(issue: Issue, isFiring: boolean, signal: StopSignal): Promise<void> {
    // Firing alerts want an open issue, the end of all a done one.
    if (issue.isDone === null || issue.isDone !== isFiring) return;
    const name = isFiring ? settings.reopen_transition : settings.resolve_transition;
    if (name === '') return;
    const url = joined(settings.api_url, `issue/${issue.key}/transitions`);
    const answer = await ask('GET', url, { signal });
    const found = listOf(objectIn(answer).transitions).find((each) => each.name === name);
    if (found === undefined) {
      throw new DeliveryError(`can't find transition ${name} for issue ${issue.key}`, {
        retry: false,
      });
    }
    await ask('POST', url, { body: { transition: { id: found.id } }, signal });
  }

  function fieldsOf(
    { text, block }: { text: Rendering['text']; block: Rendering['block'] },
    issue: { readonly hash: string; readonly project: string; readonly isUpdate: boolean },
  ): Record<string, unknown> {
    const cut = (whole: string, what: string, limit: number): string => {
      const kept = truncateInRunes(whole, limit);
      if (kept.isCut) log.warn(`Truncated ${what}`, { max_runes: limit });
      return kept.text;
    };
    const isKept = (field: { readonly enable_update: boolean }): boolean =>
      !issue.isUpdate || field.enable_update;
    const description = cut(
      text(settings.description.template),
      'description',
      MAX_DESCRIPTION_RUNES,
    );
    const priority = text(settings.priority);
    const summary = cut(text(settings.summary.template), 'summary', MAX_SUMMARY_RUNES);
    return {
      ...(isKept(settings.summary) ? { summary } : {}),
      ...(isKept(settings.description)
        ? withoutEmpty({ description: descriptionOf(description) })
        : {}),
      issuetype: withoutEmpty({ name: text(settings.issue_type) }),
      labels: [...settings.labels.map(text), issueLabel(issue.hash)].sort(),
      ...(priority === '' ? {} : { priority: { name: priority } }),
      project: { key: issue.project },
      ...Object.fromEntries(
        Object.entries(settings.fields).map(([name, node]) => [name, block(node)]),
      ),
    };
  }

  /** The third generation of the API takes a document as JSON, earlier ones a text. */
  function descriptionOf(text: string): unknown {
    if (!/\/3\/*$/.test(new URL(settings.api_url).pathname)) return text;
    if (text.trim() === '') return '';
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new DeliveryError('description template: invalid JSON for API v3', { retry: false });
    }
  }

  async function ask(
    method: string,
    url: string,
    { body, signal }: { readonly body?: unknown; readonly signal: StopSignal },
  ): Promise<ReceiverAnswer> {
    const answer = await http.json({
      method,
      url,
      headers: { 'accept-language': 'en' },
      ...(body === undefined ? {} : { body: goJson(body) }),
      signal,
      // A lost answer may hide an issue that was opened; the search of the next flush finds it.
      retriesFailures: false,
    });
    const path = new URL(url).pathname;
    checkStatus(answer, { retryCodes: RETRY_CODES, prefix: `${method} request to "${path}": ` });
    return answer;
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function objectIn(answer: ReceiverAnswer): Readonly<Record<string, unknown>> {
  const found = jsonObject(answer);
  if (found === null) throw new DeliveryError('the answer is no JSON of Jira', { retry: false });
  return found;
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(mapOf) : [];
}
