import { expectGoodPairs } from './pair-seeds.ts';

expectGoodPairs(1);
