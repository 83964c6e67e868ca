import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimulatedStage } from './simulated-stage.ts';
import { tellAll } from './stage.ts';
import { STORIES } from './stories.ts';
import { readScript, type Story } from './story.ts';
import { breaches, type Told } from './told.ts';

/** On the virtual clock nothing is late but by the network's delay. */
const SLACK_S = 0.06;
const TOGETHER = STORIES.filter(({ isApart }) => isApart !== true);
const APART = STORIES.filter(({ isApart }) => isApart === true);

describe.each([1, 3])('on a cluster of %i', (members) => {
  let stage: SimulatedStage;
  let found: readonly (readonly string[])[];

  beforeAll(async () => {
    stage = await SimulatedStage.open(members, TOGETHER);
    found = await stage.advance(tellAll(stage, TOGETHER, { slackS: SLACK_S }));
  });
  afterAll(() => stage.close());

  it.each(TOGETHER.map(({ name }, index) => ({ name, index })))('$name', ({ index }) => {
    expect(found[index]).toEqual([]);
  });

  it.each(TOGETHER.map(({ name }, index) => ({ name, index })))(
    'is broken by anything else: $name',
    ({ index }) => {
      const story = TOGETHER[index];
      if (story === undefined) throw new RangeError('a story that is not there');
      expect(untold(story, stage.told(index))).toEqual([]);
    },
  );

  it.each(APART)('$name', async (story) => {
    const own = await SimulatedStage.open(members, [story]);
    const [problems] = await own.advance(tellAll(own, [story], { slackS: SLACK_S }));
    expect(problems).toEqual([]);
    await own.close();
  });
});

/** Changes of what a story was told after which it still counts as told; none should. */
function untold(story: Story, told: readonly Told[]): string[] {
  const { messages } = readScript(story);
  const passed: string[] = [];
  const tried = (what: string, changed: readonly Told[]): void => {
    if (breaches(story, changed, SLACK_S).length === 0) passed.push(what);
  };
  for (const hook of Object.keys(story.hooks)) {
    const wanted = messages.filter((message) => message.hook === hook);
    const ofHook = told.filter((message) => message.hook === hook);
    for (const [index, message] of ofHook.slice(0, wanted.length).entries()) {
      const lateS = (wanted[index]?.toS ?? 0) + 2 * SLACK_S;
      const others = told.filter((other) => other !== message);
      const what = `${message.hook} at ${message.atS}`;
      const [first] = message.alerts;
      // A repetition takes the place of the last one that is missing.
      if (ofHook.length === wanted.length) tried(`${what} is missing`, others);
      tried(`${what} comes twice`, [...told, { ...message, atS: message.atS + 0.01 }]);
      tried(`${what} comes late`, [...others, { ...message, atS: lateS }]);
      if (first === undefined) continue;
      const rest = message.alerts.slice(1);
      const ended = { ...first, to: first.to === null ? message.atS : null };
      const other = { ...first, labels: { ...first.labels, alertname: 'other' } };
      for (const alerts of [rest, [ended, ...rest], [other, ...rest], [...message.alerts, other]]) {
        tried(`${what} says ${JSON.stringify(alerts)}`, [...others, { ...message, alerts }]);
      }
    }
  }
  return passed;
}

describe('a story', () => {
  const story = {
    name: 'of one message',
    route: 'group_wait: 1s',
    hooks: { hook: '' },
    script: `
      1       push  a
      2..2.5  hook  a from 1
      4       shows alertname=a: a active`,
  };
  const message = (atS: number, from = 1) => ({
    hook: 'hook',
    atS,
    alerts: [{ labels: { alertname: 'a' }, from, to: null, says: null }],
  });

  it('is broken by a message that does not come, comes late or early, twice, or says something else', () => {
    expect(breaches(story, [message(2.2)], 0.05)).toEqual([]);
    expect(breaches(story, [], 0.05)).toEqual([expect.stringContaining('nothing came')]);
    expect(breaches(story, [message(1.8)], 0.05)).toHaveLength(1);
    expect(breaches(story, [message(2.7)], 0.05)).toHaveLength(1);
    expect(breaches(story, [message(2.2), message(3)], 0.05)).toEqual([
      'nothing more was due: came 3.00 hook a from 1',
    ]);
    expect(breaches(story, [message(2.2, 1.5)], 0.05)).toHaveLength(1);
  });
});
