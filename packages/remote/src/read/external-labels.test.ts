import { Labels } from '@pollux/model';
import { expect, it } from 'vitest';
import { withExternal, withoutExternal } from './external-labels.ts';

it('takes off the external labels that remote read adds, and none that is the series own', () => {
  const labels = Labels.from({ __name__: 'm', replica: 'b', site: 'own' });
  const external = Labels.from({ replica: 'b', site: 'here' });
  expect(withoutExternal(labels, external).toObject()).toEqual({ __name__: 'm', site: 'own' });
  expect(withoutExternal(labels, Labels.EMPTY)).toBe(labels);
});

it('adds external labels in their place, and none over a label of the series', () => {
  const labels = Labels.from({ __name__: 'm', job: 'j', site: 'own' });
  const external = Labels.from({ a: '1', replica: 'b', site: 'here', z: '2' });
  expect(withExternal(labels, external).toString()).toBe(
    '{__name__="m", a="1", job="j", replica="b", site="own", z="2"}',
  );
  expect(withExternal(Labels.EMPTY, external).equals(external)).toBe(true);
  expect(withExternal(labels, Labels.EMPTY)).toBe(labels);
});
