import { readScript, type Story, type StoryAlert, writtenAlert } from './story.ts';
import { breaches, STORY_LABEL, type Told, withoutStory } from './told.ts';

/** Members, their API and the hooks of a cluster, simulated or real. */
export type Stage = {
  readonly members: number;
  /** Seconds since the stories began; asking anew gives a later time. */
  readonly nowS: () => number;
  readonly waitUntil: (atS: number) => Promise<void>;
  /** RFC 3339 of a second of the stories. */
  readonly timeOf: (atS: number) => string;
  /** A request to a member's API; its JSON. Rejects unless the answer is a 2xx. */
  readonly ask: (
    member: number,
    request: { readonly method: string; readonly path: string; readonly body?: unknown },
  ) => Promise<unknown>;
  readonly setHook: (story: number, hook: string, isWell: boolean) => void;
  readonly reload: () => Promise<void>;
  readonly told: (story: number) => readonly Told[];
};

/** Things may be so late; alerts keep their times as exactly. */
export type TellOptions = { readonly slackS: number };

/** Tells all stories at the same time; for each what came otherwise. */
export async function tellAll(
  stage: Stage,
  stories: readonly Story[],
  { slackS }: TellOptions,
): Promise<readonly (readonly string[])[]> {
  return Promise.all(
    stories.map(async (story, index) => {
      const shown = await new Teller(stage, story, index).tell();
      return [...shown, ...breaches(story, stage.told(index), slackS)];
    }),
  );
}

class Teller {
  readonly #stage: Stage;
  readonly #story: Story;
  readonly #index: number;
  readonly #silences = new Map<string, string>();

  constructor(stage: Stage, story: Story, index: number) {
    this.#stage = stage;
    this.#story = story;
    this.#index = index;
  }

  /** Does the steps in their time; gives what members showed otherwise. */
  async tell(): Promise<string[]> {
    const { steps, endS } = readScript(this.#story);
    const problems: string[] = [];
    for (const step of steps) {
      await this.#stage.waitUntil(step.at);
      switch (step.kind) {
        case 'push':
          await this.#push(step.alerts);
          break;
        case 'silence':
          await this.#silence(step);
          break;
        case 'unsilence':
          await this.#ask({ method: 'DELETE', path: `/silence/${this.#silences.get(step.id)}` });
          break;
        case 'fails':
        case 'works':
          this.#stage.setHook(this.#index, step.hook, step.kind === 'works');
          break;
        case 'reload':
          await this.#stage.reload();
          break;
        case 'shows':
          problems.push(...(await this.#shows(step)));
      }
    }
    await this.#stage.waitUntil(endS);
    return problems;
  }

  /** To all members, as a server does. */
  async #push(alerts: readonly StoryAlert[]): Promise<void> {
    const body = alerts.map(({ labels, from, to, says }) => ({
      labels: { ...labels, [STORY_LABEL]: storyName(this.#index) },
      annotations: says === null ? {} : { says },
      ...(from === null ? {} : { startsAt: this.#stage.timeOf(from) }),
      ...(to === null ? {} : { endsAt: this.#stage.timeOf(to) }),
    }));
    const request = { method: 'POST', path: '/alerts', body };
    await Promise.all(this.#all().map((member) => this.#stage.ask(member, request)));
  }

  /** At the last of the members: the others have to hear of it. */
  async #silence(step: {
    readonly id: string;
    readonly matcher: string;
    readonly from: number;
    readonly to: number;
  }): Promise<void> {
    const [, name = '', operator = '', value = ''] = /^(.+?)(=~|=)(.*)$/u.exec(step.matcher) ?? [];
    const story = storyName(this.#index);
    const body = {
      matchers: [
        { name, value, isRegex: operator === '=~', isEqual: true },
        { name: STORY_LABEL, value: story, isRegex: false, isEqual: true },
      ],
      startsAt: this.#stage.timeOf(step.from),
      endsAt: this.#stage.timeOf(step.to),
      createdBy: 'a story',
      comment: step.id,
    };
    const answer = await this.#ask({ method: 'POST', path: '/silences', body });
    this.#silences.set(step.id, (answer as { silenceID: string }).silenceID);
  }

  async #shows(step: {
    readonly at: number;
    readonly filter: string;
    readonly states: readonly string[];
  }): Promise<string[]> {
    const filters = [step.filter, `${STORY_LABEL}=${storyName(this.#index)}`];
    const query = filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join('&');
    const problems: string[] = [];
    for (const member of this.#all()) {
      const path = `/alerts?${query}`;
      const alerts = (await this.#stage.ask(member, { method: 'GET', path })) as {
        readonly labels: Readonly<Record<string, string>>;
        readonly status: { readonly state: string };
      }[];
      const states = alerts
        .map(({ labels, status }) => `${writtenAlert(withoutStory(labels))} ${status.state}`)
        .sort();
      if (states.join() === step.states.filter((state) => state !== '').join()) continue;
      problems.push(
        `${step.at} shows ${step.filter}: member ${member} shows ${states.join(' + ')}`,
      );
    }
    return problems;
  }

  #ask(request: { readonly method: string; readonly path: string; readonly body?: unknown }) {
    return this.#stage.ask(this.#stage.members - 1, request);
  }

  #all(): number[] {
    return Array.from({ length: this.#stage.members }, (_, index) => index);
  }
}

export function storyName(index: number): string {
  return `s${index}`;
}

/** One configuration for all stories; `hookUrl` is where their hooks are, as `<url>/<story>/<hook>`. */
export function configOf(stories: readonly Story[], hookUrl: string): string {
  const routes = stories.map(({ route }, index) => {
    const own = `${STORY_LABEL}="${storyName(index)}"`;
    const { matchers, settings } = routeParts(route);
    return `    - {receiver: ${storyName(index)}, matchers: ['${own}'${matchers}], ${settings}}`;
  });
  const receivers = stories.map(({ hooks }, index) => {
    const webhooks = Object.entries(hooks).map(
      ([name, settings]) =>
        `      - {url: '${hookUrl}/${index}/${name}'${settings === '' ? '' : `, ${settings}`}}`,
    );
    return `  - name: ${storyName(index)}\n    webhook_configs:\n${webhooks.join('\n')}`;
  });
  const rules = stories.flatMap(({ inhibit = [] }, index) =>
    inhibit.map(({ source, target, equal }) => {
      const own = `'${STORY_LABEL}="${storyName(index)}"'`;
      return `  - {source_matchers: [${own}, '${source}'], target_matchers: [${own}, '${target}'], equal: [${equal.join(', ')}]}`;
    }),
  );
  return [
    'global: {resolve_timeout: 10s}',
    'route:',
    '  receiver: nobody',
    '  routes:',
    ...routes,
    'receivers:',
    '  - name: nobody',
    ...receivers,
    ...(rules.length === 0 ? [] : ['inhibit_rules:', ...rules]),
    '',
  ].join('\n');
}

/** A route's own matchers join those that lead to it. */
function routeParts(route: string): { readonly matchers: string; readonly settings: string } {
  const found = /^matchers: \[(.*?)\], (.*)$/su.exec(route);
  if (found === null) return { matchers: '', settings: route };
  return { matchers: `, ${found[1]}`, settings: found[2] ?? '' };
}
