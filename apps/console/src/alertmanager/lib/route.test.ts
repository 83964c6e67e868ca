import { describe, expect, it } from 'vitest';
import {
  ALL_ALERTS,
  alertsLink,
  editSilenceLink,
  newSilenceLink,
  notificationsLink,
  parseRoute,
  silenceLink,
  silencesLink,
} from './route.ts';

describe('links to the page', () => {
  it('are those of Alertmanager', () => {
    const filter = '{alertname="a b+c"}';
    const encoded = encodeURIComponent(filter);
    expect(parseRoute('#/alerts?receiver=web%5C.hook')).toEqual({
      page: 'alerts',
      view: { ...ALL_ALERTS, receiver: 'web\\.hook' },
    });
    expect(
      parseRoute(`#/alerts?silenced=true&inhibited=&muted=False&active=false&filter=${encoded}`),
    ).toEqual({
      page: 'alerts',
      view: { ...ALL_ALERTS, silenced: true, inhibited: true, active: false, filter },
    });
    expect(parseRoute('#/alerts?customGrouping=true&group=a,b')).toMatchObject({
      view: { groupBy: ['a', 'b'] },
    });
    expect(parseRoute('#/alerts?customGrouping=true')).toMatchObject({
      view: { groupBy: ['alertname'] },
    });
    expect(parseRoute('#/alerts?group=a')).toMatchObject({ view: { groupBy: null } });
    for (const top of ['', '#', '#/', '#/alerts', '#/alerts/']) {
      expect(parseRoute(top)).toEqual({ page: 'alerts', view: ALL_ALERTS });
    }
    expect(parseRoute(`#/silences?filter=${encoded}`)).toEqual({
      page: 'silences',
      filter,
      state: 'active',
    });
    expect(parseRoute(`#/silences/new?filter=${encoded}&comment=a+b`)).toEqual({
      page: 'new silence',
      filter,
      comment: 'a b',
    });
    expect(parseRoute('#/silences/1-2')).toEqual({ page: 'silence', id: '1-2' });
    expect(parseRoute('#/silences/1-2/edit')).toEqual({ page: 'edit silence', id: '1-2' });
    expect(parseRoute('#/silences/edit/1-2')).toEqual({ page: 'edit silence', id: '1-2' });
    expect(parseRoute('#/status')).toEqual({ page: 'status' });
    expect(parseRoute('#/settings')).toEqual({ page: 'settings' });
  });

  it('that are written by templates without encoding are read as they are meant', () => {
    expect(parseRoute('#/silences/new?filter={alertname="a",job=~"x.*"}')).toMatchObject({
      filter: '{alertname="a",job=~"x.*"}',
    });
    expect(parseRoute('#/silences/%zz')).toEqual({ page: 'silence', id: '%zz' });
  });

  it('that are none say so', () => {
    for (const hash of ['#/nothing', '#/silences/a/b', '#/alerts/a', '#/status/x', '#/a/b/c/d']) {
      expect(parseRoute(hash), hash).toMatchObject({ page: 'unknown' });
    }
  });

  it('lead to what they were made of', () => {
    const view = {
      ...ALL_ALERTS,
      filter: '{a="b c+d&e"}',
      receiver: 'a\\+b',
      muted: true,
      active: false,
      groupBy: ['x', 'y'],
    };
    expect(parseRoute(alertsLink(view))).toEqual({ page: 'alerts', view });
    expect(alertsLink(view)).not.toContain('+');
    expect(parseRoute(silencesLink('{a="b"}', 'expired'))).toEqual({
      page: 'silences',
      filter: '{a="b"}',
      state: 'expired',
    });
    expect(parseRoute(newSilenceLink([{ name: 'a', operator: '!~', value: 'b+' }], 'c d'))).toEqual(
      {
        page: 'new silence',
        filter: '{a!~"b+"}',
        comment: 'c d',
      },
    );
    for (const onlyFailed of [true, false]) {
      expect(parseRoute(notificationsLink(onlyFailed))).toEqual({
        page: 'notifications',
        onlyFailed,
      });
    }
    expect(parseRoute(silenceLink('a/b?c'))).toEqual({ page: 'silence', id: 'a/b?c' });
    expect(parseRoute(editSilenceLink('a/b'))).toEqual({ page: 'edit silence', id: 'a/b' });
  });
});
