import { Labels } from '@pollux/model';
import { expect, it } from 'vitest';
import { withoutExternal } from './external-labels.ts';

it('takes off the external labels that remote read adds, and none that is the series own', () => {
  const labels = Labels.from({ __name__: 'm', replica: 'b', site: 'own' });
  const external = Labels.from({ replica: 'b', site: 'here' });
  expect(withoutExternal(labels, external).toObject()).toEqual({ __name__: 'm', site: 'own' });
  expect(withoutExternal(labels, Labels.EMPTY)).toBe(labels);
});
